//! What decides on a plan besides the model, for every command that builds one.

use super::output::Output;
use crate::error::Result;
use crate::import::{self, Recurrent};
use crate::network::{Caps, Profile};
use crate::pipeline;
use crate::report::manifest::{Manifest, Options};
use crate::trt::{BuildOptions, Severity, options};
use clap::ValueEnum;
use std::sync::Arc;

#[derive(Debug, Clone, clap::Args)]
pub(super) struct BuildArguments {
    /// Compute capabilities to build for, such as sm89,sm120 [default: portable, Ampere and later]
    #[arg(long, value_name = "SM", value_delimiter = ',', value_parser = options::parse_target)]
    pub(super) target: Vec<u32>,
    /// Compute f32 products in full f32, not in TF32 with its 10 bits of mantissa
    #[arg(long)]
    pub(super) no_tf32: bool,
    /// 0 for the fastest build to 5 for the fastest plan [default: TensorRT's own choice];
    /// TensorRT-RTX makes no difference
    #[arg(long, value_name = "LEVEL", value_parser = clap::value_parser!(u8).range(0..=5))]
    pub(super) optimization_level: Option<u8>,
    /// What recurrent operators become: TensorRT 8.x still has a layer of its own for many of them
    #[arg(long, value_name = "FORM", value_enum, default_value_t)]
    rnn: RecurrentForm,
    /// Leave out an optimisation pass
    #[arg(long, value_name = "NAME", value_parser = pipeline::parse_pass)]
    pub(super) without_pass: Vec<String>,
}

/// What recurrent operators become.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum RecurrentForm {
    /// A loop, which is faster; the layer for `TRT_RNNv2` nodes, where the library has it
    #[default]
    Auto,
    /// A loop
    Loop,
    /// The layer wherever it computes the same for sequences that are not empty, else a loop
    Layer,
}

impl BuildArguments {
    /// What recurrent operators become for a library.
    ///
    /// # Errors
    /// Those of [`Recurrent::with`].
    pub(super) fn recurrent(&self, caps: Caps) -> Result<Recurrent> {
        let choice = match self.rnn {
            RecurrentForm::Auto => Recurrent::Auto,
            RecurrentForm::Loop => Recurrent::Loop,
            RecurrentForm::Layer => Recurrent::Layer,
        };
        choice.with(caps)
    }

    /// What makes the network, for a library.
    ///
    /// # Errors
    /// Those of [`Recurrent::with`].
    pub(super) fn network(&self, import: import::Options, caps: Caps) -> Result<pipeline::Options> {
        let import = import::Options { recurrent: self.recurrent(caps)?, ..import };
        Ok(pipeline::Options { caps, without_passes: self.without_pass.clone(), import })
    }

    /// What TensorRT is told.
    pub(super) fn options(&self, profiles: Vec<Profile>, verbose: bool) -> BuildOptions {
        BuildOptions {
            targets: self.target.clone(),
            tf32: !self.no_tf32,
            optimization_level: self.optimization_level,
            profiles,
            log: Arc::new(move |severity, line| {
                if verbose || severity == Severity::Error {
                    Output::library_line(line);
                }
            }),
            ..BuildOptions::default()
        }
    }

    /// Those of a plan, by its manifest.
    ///
    /// # Errors
    /// What this version has not: it says so.
    pub(super) fn recorded(manifest: &Manifest) -> Result<Self, String> {
        let Options { tf32, optimization_level, rnn, without_passes, freeze: _, import: _ } =
            &manifest.options;
        if let Some(level) = optimization_level.filter(|&level| level > 5) {
            return Err(format!("`optimization_level` is {level}, not 0 to 5"));
        }
        let target = |text: &String| {
            options::parse_target(text).map_err(|why| format!("`targets` has `{text}`, but {why}"))
        };
        let pass = |text: &String| {
            pipeline::parse_pass(text)
                .map_err(|why| format!("`without_passes` has `{text}`, but {why}"))
        };
        Ok(Self {
            target: manifest.targets.iter().map(target).collect::<Result<_, _>>()?,
            no_tf32: !tf32,
            optimization_level: *optimization_level,
            rnn: RecurrentForm::from_str(rnn, false)
                .map_err(|_| format!("`rnn` is `{rnn}`, which is no form"))?,
            without_pass: without_passes.iter().map(pass).collect::<Result<_, _>>()?,
        })
    }

    /// The targets as they are written.
    pub(super) fn targets(&self) -> Vec<String> {
        self.target.iter().map(|target| format!("sm{target}")).collect()
    }
}
