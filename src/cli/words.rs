//! Words that are no options or commands here: those of trtexec and Polygraphy are answered with
//! ours, mistyped commands with the command that was meant.

use crate::error::alike::nearest;
use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Words of a tool that mean the same, and what to say here.
type Answer = (&'static str, &'static [&'static str], &'static str);

const QUANTIZED: &str = "quantize the model (Q/DQ nodes) and give `--precision f16` for the rest";
const TIMED: &str = "a conversion measures nothing: say `onnx2plan time PLAN`";
const NO_DLA: &str = "plans for the DLA are not made here";
const NO_PLUGINS: &str = "plugins are not loaded here; `onnx2plan ops` lists what converts without";
const NO_FORMATS: &str = "inputs and outputs are always linear in memory, as the model says";

/// Options of other tools that do not exist here.
#[rustfmt::skip]
const OPTIONS: &[Answer] = &[
    ("trtexec", &["--onnx"], "name the model alone: `onnx2plan model.onnx`"),
    ("trtexec", &["--saveEngine", "--saveAllEngines"], "say `--output FILE`"),
    ("trtexec", &["--loadEngine"], "say `onnx2plan time PLAN` or `onnx2plan verify PLAN`"),
    ("trtexec", &["--minShapes"], "say `--min NAME:1x3x224x224`"),
    ("trtexec", &["--optShapes"], "say `--opt NAME:8x3x224x224`"),
    ("trtexec", &["--maxShapes"], "say `--max NAME:32x3x224x224`"),
    ("trtexec", &["--shapes"], "say `--shape NAME:1x3x224x224`"),
    ("trtexec", &["--fp16"], "say `--precision f16`, which also keeps the outputs in a bound"),
    ("trtexec", &["--bf16"], "say `--precision bf16`, which also keeps the outputs in a bound"),
    ("trtexec", &["--best"], "say `--precision auto`, which takes what keeps the outputs right"),
    ("trtexec", &["--int8", "--fp8", "--int4", "--calib"], QUANTIZED),
    ("trtexec", &["--stronglyTyped"], "networks are always strongly typed: leave it out"),
    ("trtexec", &["--layerPrecisions", "--precisionConstraints"], "say `--keep NODE=f32`"),
    ("trtexec", &["--noTF32"], "say `--no-tf32`"),
    ("trtexec", &["--memPoolSize"], "say `--workspace MIB`"),
    ("trtexec", &["--builderOptimizationLevel"], "say `--optimization-level LEVEL`"),
    ("trtexec", &["--hardwareCompatibilityLevel"], "say `--target SM` for each GPU to build for"),
    ("trtexec", &["--skipInference", "--buildOnly"], "say `--no-verify`"),
    ("trtexec", &["--dumpLayerInfo", "--exportLayerInfo"], "say `onnx2plan inspect PLAN`"),
    ("trtexec", &["--loadInputs"], "say `onnx2plan verify MODEL --inputs FILE.npz`"),
    ("trtexec", &["--loadRefOutputs", "--refPair"], "say `onnx2plan verify MODEL --data FOLDER`"),
    ("trtexec", &["--iterations", "--duration", "--avgRuns"], TIMED),
    ("trtexec", &["--warmUp", "--percentile", "--exportTimes"], TIMED),
    ("trtexec", &["--useCudaGraph", "--noCudaGraph"], "`onnx2plan time` measures both ways"),
    ("trtexec", &["--noDataTransfers"], "`onnx2plan time` never measures transfers: leave it out"),
    ("trtexec", &["--useDLACore", "--allowGPUFallback", "--buildDLAStandalone"], NO_DLA),
    ("trtexec", &["--plugins", "--staticPlugins", "--dynamicPlugins"], NO_PLUGINS),
    ("trtexec", &["--inputIOFormats", "--outputIOFormats"], NO_FORMATS),
    ("trtexec", &["--device"], "choose the GPU with the variable CUDA_VISIBLE_DEVICES"),
    ("Polygraphy", &["--trt-min-shapes"], "say `--min NAME:1x3x224x224`"),
    ("Polygraphy", &["--trt-opt-shapes"], "say `--opt NAME:8x3x224x224`"),
    ("Polygraphy", &["--trt-max-shapes"], "say `--max NAME:32x3x224x224`"),
    ("Polygraphy", &["--input-shapes"], "say `--shape NAME:1x3x224x224`"),
    ("Polygraphy", &["--trt-outputs", "--onnx-outputs"], "say `--to TENSOR`"),
    ("Polygraphy", &["--save-engine", "--convert-to"], "say `--output FILE`"),
    ("Polygraphy", &["--trt", "--onnxrt"], "`onnx2plan verify MODEL` compares with ONNX Runtime"),
    ("Polygraphy", &["--load-inputs", "--data-loader-script"], "say `--inputs FILE.npz`"),
    ("Polygraphy", &["--load-outputs"], "say `--data FOLDER`"),
    ("Polygraphy", &["--val-range"], "say `--inputs FILE.npz` with numbers of that range"),
    ("Polygraphy", &["--validate"], "`verify` always looks for NaN and infinity: leave it out"),
    ("Polygraphy", &["--pool-limit"], "say `--workspace MIB`"),
    ("Polygraphy", &["--builder-optimization-level"], "say `--optimization-level LEVEL`"),
    ("Polygraphy", &["--model-type", "--display-as"], "the file itself says it: leave it out"),
    ("Polygraphy", &["--show"], "`inspect` shows all; `--json` prints it for programs"),
];

/// Commands of other tools that do not exist here.
#[rustfmt::skip]
const COMMANDS: &[Answer] = &[
    ("Polygraphy", &["surgeon"], "say `onnx2plan MODEL --from TENSOR --to TENSOR`"),
    ("Polygraphy", &["check"], "say `onnx2plan inspect MODEL`"),
    ("Polygraphy", &["debug"], "say `onnx2plan verify MODEL --reproducer FOLDER`"),
    ("Polygraphy", &["data"], "`onnx2plan verify MODEL --inputs FILE.npz` takes NumPy's archives"),
    ("Polygraphy", &["template"], "no script is needed: `onnx2plan help` lists the options"),
    ("Polygraphy", &["plugin"], NO_PLUGINS),
    ("trtexec", &["trtexec"], "say `onnx2plan MODEL`"),
];

/// What to say in place of clap's own error, where more is known.
pub(super) fn explain(error: &clap::Error, command: &Command, line: &[OsString]) -> Option<String> {
    // Behind the name of the program stands what may have been meant as a command.
    let first = line.iter().skip(1).find(|word| !matches!(word.to_str(), Some("-q" | "-v")));
    if let Some(text) = first.and_then(|word| no_command(command, Path::new(word))) {
        return Some(text);
    }
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidArg) else { return None };
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    answer(OPTIONS, word).or_else(|| elsewhere(command, word))
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
    fn words_of_other_tools_are_answered() {
        for (line, answer) in [
            (&["--onnx=m.onnx"][..], "name the model alone: `onnx2plan model.onnx`"),
            (&["m.onnx", "--saveEngine=m.plan"], "say `--output FILE`"),
            (
                &["m.onnx", "--best"],
                "say `--precision auto`, which takes what keeps the outputs right",
            ),
            (&["convert", "m.onnx", "--minShapes=x:1x3"], "say `--min NAME:1x3x224x224`"),
            (&["zoo", "models", "--int8"], QUANTIZED),
        ] {
            let word = line.iter().find_map(|word| word.strip_prefix("--")).unwrap();
            let word = word.split('=').next().unwrap();
            assert_eq!(said(line), format!("`--{word}` is a word of trtexec: {answer}"));
        }
        assert_eq!(
            said(&["m.onnx", "--reproducer", "bad"]),
            "`--reproducer` is an option of `verify` only"
        );
    }

    #[test]
    fn mistyped_commands_are_told_as_such() {
        let zoo = "there is no command `zooo`, and no such file: say `zoo`";
        assert_eq!(said(&["zooo", "models", "--report", "out"]), zoo);
        assert_eq!(said(&["-q", "zooo", "--what"]), zoo);
        let verify = "there is no command `verfy`, and no such file: say `verify`";
        assert_eq!(no_command(&Cli::command(), Path::new("verfy")).unwrap(), verify);
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
