//! `onnx2plan completions` and `onnx2plan man`: what the definition of the command line gives for
//! shells and for `man`.

use super::output::Output;
use crate::error::{Error, Kind, Result};
use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  onnx2plan completions bash > ~/.local/share/bash-completion/completions/onnx2plan")]
pub(super) struct CompletionsArguments {
    /// The shell to complete in
    shell: Shell,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  onnx2plan man --output ~/.local/share/man/man1    then: man onnx2plan, man onnx2plan-zoo")]
pub(super) struct ManArguments {
    /// Write the pages of all commands to this folder instead of printing the first
    #[arg(short, long, value_name = "FOLDER")]
    output: Option<PathBuf>,
}

pub(super) fn completions(
    arguments: &CompletionsArguments,
    mut command: Command,
    output: &mut Output,
) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "onnx2plan", &mut script);
    output.data(&String::from_utf8_lossy(&script))
}

pub(super) fn man(arguments: &ManArguments, command: Command, output: &mut Output) -> Result<()> {
    let Some(folder) = &arguments.output else {
        let mut page = Vec::new();
        Man::new(command).render(&mut page).map_err(|error| {
            Error::new(Kind::Internal, "cannot render the manual").with_source(error)
        })?;
        return output.data(&String::from_utf8_lossy(&page));
    };
    let written =
        std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(command, folder));
    written.map_err(|error| {
        Error::new(Kind::Environment, format!("cannot write to `{}`", folder.display()))
            .with_source(error)
    })
}
