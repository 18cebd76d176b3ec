//! The machine that `verify` works with, as its arguments choose it.

use super::environment::{Environment, LibraryArguments};
use super::output::Output;
use crate::convert::{Machine, On};
use crate::error::Result;
use crate::trt::{self, Device};

/// The machine to compute on. Where the user leaves it open, the GPU does if it can.
///
/// # Errors
/// [`Kind::Environment`](crate::Kind::Environment) where the GPU is wanted and cannot be used.
pub(super) fn choose(
    on: On,
    arguments: &LibraryArguments,
    environment: &Environment,
    output: &mut Output,
) -> Result<Machine> {
    let evaluator = || Machine::new(None, None, environment.reference().ok());
    if on == On::Cpu || on == On::Auto && !trt::library::has_driver() {
        return evaluator();
    }
    let library = environment.library(arguments, output)?;
    match Device::open().and_then(|device| device.fits(&library).map(|()| device)) {
        Ok(device) => Machine::new(Some(library), Some(device), environment.reference().ok()),
        Err(error) if on == On::Auto => {
            output.warning(&format!("the plan cannot be run here: {}", error.message()));
            evaluator()
        }
        Err(error) => Err(error),
    }
}
