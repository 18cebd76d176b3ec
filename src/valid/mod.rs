//! Checks a network once and hands on a proof, so that later stages may index and count without
//! looking twice.
//!
//! First ids, order and scopes (`handles`), then types and sizes against `infer` (`types`). What
//! one TensorRT can build is no question here: that is `legalize`'s.

mod handles;
#[cfg(test)]
mod tests;
mod types;

use crate::error::{Error, Kind, Problem, Result};
use crate::network::Network;
use crate::site::Site;
use std::collections::HashSet;
use std::ops::Deref;

/// A network that keeps the rules written on [`network`](crate::network). Only [`check`] makes one.
#[derive(Debug, Clone)]
pub struct Checked(Network);

impl Checked {
    /// The network, to change; the proof is lost.
    pub fn into_inner(self) -> Network {
        self.0
    }
}

impl Deref for Checked {
    type Target = Network;
    fn deref(&self) -> &Network {
        &self.0
    }
}

/// Checks every rule of a network.
///
/// # Errors
/// `Internal` where an id, an order, a scope or a stored type is wrong: a stage before this broke
/// it. `Invalid` where outputs are missing or names are taken twice, `Unsupported` for types and
/// sizes that no TensorRT has.
pub fn check(network: Network) -> Result<Checked> {
    handles::check(&network)?;
    check_names(&network)?;
    types::check(&network)?;
    Ok(Checked(network))
}

/// Inputs and outputs are found by name, so the names must differ within each.
fn check_names(network: &Network) -> Result<()> {
    if network.outputs.is_empty() {
        return Err(Error::new(Kind::Invalid, "the network has no outputs"));
    }
    let mut seen = HashSet::new();
    for &input in &network.inputs {
        let name = &network.value(input).name;
        if !seen.insert(name) {
            let site = Site::tensor("main", "input", name);
            return Err(fault(Kind::Invalid, site, "another input has the same name"));
        }
    }
    seen.clear();
    for output in &network.outputs {
        if !seen.insert(&output.name) {
            return Err(fault(
                Kind::Invalid,
                output.site.clone(),
                "another output has the same name",
            ));
        }
    }
    Ok(())
}

/// One thing wrong at one place.
fn fault(kind: Kind, site: Site, message: impl Into<String>) -> Error {
    Error::of_problems(HEADLINE, vec![Problem::new(kind, site, message)])
}

/// What comes before the place in every message.
const HEADLINE: &str = "cannot accept";
