//! Words that are no options or commands here: those of trtexec and Polygraphy are answered with
//! ours, mistyped commands with the command that was meant.

mod table;

use crate::error::alike::nearest;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use table::{Answer, COMMANDS, OPTIONS};

/// What to say in place of clap's own error, where more is known.
pub(super) fn explain(error: &clap::Error, command: &Command, line: &[OsString]) -> Option<String> {
    let first = first_word(command, line);
    if let Some(text) = first.and_then(|word| no_command(command, Path::new(word))) {
        return Some(text);
    }
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidArg) else { return None };
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    answer(OPTIONS, word).or_else(|| elsewhere(command, word))
}

/// What may have been meant as a command: the first word that is no option of every command, nor
/// its value; behind `help`, what help is asked for.
fn first_word<'l>(command: &Command, line: &'l [OsString]) -> Option<&'l OsString> {
    let mut words = line.iter().skip(1);
    loop {
        let word = words.next()?;
        let text = word.to_str().unwrap_or_default();
        let of_every_command = |argument: &&Arg| {
            let long = argument.get_long().map(|long| format!("--{long}"));
            let short = argument.get_short().map(|short| format!("-{short}"));
            let named = text.split_once('=').map_or(text, |(name, _)| name);
            argument.is_global_set()
                && (long.as_deref() == Some(named) || short.as_deref() == Some(text))
        };
        match command.get_arguments().find(of_every_command) {
            None if text == "help" => {}
            None => return Some(word),
            Some(option) if option.get_action().takes_values() && !text.contains('=') => {
                words.next();
            }
            Some(_) => {}
        }
    }
}

/// What to say where a model is named that looks like a command: no such file, and a plain word.
pub(super) fn no_command(command: &Command, model: &Path) -> Option<String> {
    let word = model.to_str().filter(|word| word.chars().all(|c| c.is_ascii_lowercase()))?;
    let mut names = command.get_subcommands().map(Command::get_name);
    if word.is_empty() || model.exists() || names.any(|name| name == word || word == "help") {
        return None;
    }
    let names = command.get_subcommands().filter(|command| !command.is_hide_set());
    let meant = nearest(word, names.map(Command::get_name));
    let text = || match meant {
        Some(meant) => format!("there is no command `{word}`, and no such file: say `{meant}`"),
        None => format!(
            "there is no command `{word}`, and no such file: `onnx2plan help` lists the commands"
        ),
    };
    Some(answer(COMMANDS, word).unwrap_or_else(text))
}

/// What to say where a command stands behind a model, and no model is called so.
pub(super) fn late_command(command: &Command, models: &[PathBuf]) -> Option<String> {
    let is_command = |model: &&PathBuf| {
        !model.exists()
            && command.get_subcommands().any(|command| model.as_os_str() == command.get_name())
    };
    let late = models.iter().skip(1).find(is_command)?;
    Some(format!("`{}` is a command: it goes in front of the models", late.display()))
}

fn answer(answers: &[Answer], word: &str) -> Option<String> {
    let (tool, _, text) = answers.iter().find(|(_, words, _)| words.contains(&word))?;
    Some(format!("`{word}` is a word of {tool}: {text}"))
}

/// An option that another command has.
fn elsewhere(command: &Command, word: &str) -> Option<String> {
    let long = word.strip_prefix("--")?;
    let has = |command: &&Command| {
        let mut arguments = command.get_arguments().filter(|argument| !argument.is_hide_set());
        !command.is_hide_set() && arguments.any(|argument| argument.get_long() == Some(long))
    };
    let names: Vec<String> = command
        .get_subcommands()
        .filter(has)
        .map(|command| format!("`{}`", command.get_name()))
        .collect();
    (!names.is_empty()).then(|| format!("`{word}` is an option of {} only", names.join(" and ")))
}

#[cfg(test)]
mod tests {
    use super::super::Cli;
    use super::*;
    use clap::CommandFactory;

    fn said(line: &[&str]) -> String {
        let line: Vec<OsString> =
            ["onnx2plan"].iter().chain(line).map(|word| OsString::from(*word)).collect();
        let mut command = Cli::command();
        let error = command.try_get_matches_from_mut(&line).unwrap_err();
        explain(&error, &command, &line).unwrap_or_else(|| error.to_string())
    }

    #[test]
    fn each_word_has_one_answer() {
        for list in [OPTIONS, COMMANDS] {
            let mut words: Vec<_> = list
                .iter()
                .flat_map(|(tool, words, _)| words.iter().map(move |w| (tool, w)))
                .collect();
            let all = words.len();
            words.sort_unstable();
            words.dedup();
            assert_eq!(words.len(), all);
        }
    }

    #[test]
    fn words_of_other_tools_are_answered() {
        for (line, answer) in [
            (&["--onnx=m.onnx"][..], "name the model alone: `onnx2plan model.onnx`"),
            (&["m.onnx", "--saveEngine=m.plan"], "say `--output FILE`"),
            (
                &["m.onnx", "--best"],
                "say `--precision auto`, which takes what keeps the outputs right",
            ),
            (&["convert", "m.onnx", "--minShapes=x:1x3"], "say `--min NAME:1x3x224x224`"),
            (&["zoo", "models", "--int8"], "say `--precision int8`, with data in `--calibrate`"),
        ] {
            let word = line.iter().find_map(|word| word.strip_prefix("--")).unwrap();
            let word = word.split('=').next().unwrap();
            assert_eq!(said(line), format!("`--{word}` is a word of trtexec: {answer}"));
        }
        assert_eq!(said(&["m.onnx", "--by-layer"]), "`--by-layer` is an option of `verify` only");
    }

    #[test]
    fn mistyped_commands_are_told_as_such() {
        let zoo = "there is no command `zooo`, and no such file: say `zoo`";
        assert_eq!(said(&["zooo", "models", "--report", "out"]), zoo);
        for before in [&["-q"][..], &["--verbose"], &["--memory", "100"], &["--color=never"]] {
            assert_eq!(said(&[before, &["zooo", "--what"]].concat()), zoo);
        }
        let verify = "there is no command `verfy`, and no such file: say `verify`";
        assert_eq!(no_command(&Cli::command(), Path::new("verfy")).unwrap(), verify);
        assert_eq!(said(&["help", "verfy"]), verify);
        assert_eq!(no_command(&Cli::command(), Path::new("resnet50")), None);
        assert_eq!(no_command(&Cli::command(), Path::new("src")), None);
    }

    /// What an answer names exists: options of `onnx2plan` and of its commands.
    #[test]
    fn answers_name_what_exists() {
        let command = Cli::command();
        let commands: Vec<&Command> =
            command.get_subcommands().chain(std::iter::once(&command)).collect();
        for (_, words, text) in OPTIONS.iter().chain(COMMANDS) {
            for option in text.split(['`', ' ']).filter_map(|word| word.strip_prefix("--")) {
                let mut all = commands.iter().flat_map(|command| command.get_arguments());
                assert!(all.any(|arg| arg.get_long() == Some(option)), "{words:?}: --{option}");
            }
            for word in *words {
                let long = word.strip_prefix("--").unwrap_or_default();
                let mut all = command.get_arguments();
                assert!(!all.any(|arg| arg.get_long() == Some(long)), "{word} exists");
            }
        }
    }
}
