//! Network to smaller network that computes the same.
//!
//! Each pass is a function in a file of its own; [`PASSES`] lists them in order, with why each
//! stands where it does. TensorRT fuses on its own: a pass is here only where it makes the plan
//! better or the build faster.

mod clip;
mod conv_scale;
mod dedupe;
pub mod fold;
mod matmul;
mod scale;
mod shuffle;

use crate::error::Result;
use crate::network::Network;
use crate::recipe::Pass as Name;
use crate::timings::stage;

/// A rewrite of the network that keeps what it computes.
#[derive(Clone, Copy)]
pub struct Pass {
    /// Its name, for `--without-pass` and logs.
    pub name: Name,
    run: fn(&mut Network) -> usize,
}

/// All passes, in order.
pub const PASSES: &[Pass] = &[
    // First, so that later passes see each value once.
    Pass { name: Name::Dedupe, run: dedupe::run },
    // After `dedupe`, so that the bounds are one constant each in the whole network.
    Pass { name: Name::Clip, run: clip::run },
    // Before `conv-scale`, which takes what it makes.
    Pass { name: Name::Scale, run: scale::run },
    Pass { name: Name::ConvScale, run: conv_scale::run },
    // Before `shuffle`, which would hide a transpose in a larger shuffle.
    Pass { name: Name::MatmulTranspose, run: matmul::run },
    Pass { name: Name::Shuffle, run: shuffle::run },
];

/// The most rounds of all passes; each round works on what the last one left.
const ROUNDS: usize = 4;

/// What the passes did: the name of each that changed something, and how often.
pub type Log = Vec<(Name, usize)>;

/// Runs all passes but those named in `without`, until none changes anything; `after` sees the
/// network after each.
///
/// # Errors
/// Whatever `after` says.
pub fn optimize(
    network: &mut Network,
    without: &[Name],
    after: &mut dyn FnMut(Name, &Network) -> Result<()>,
) -> Result<Log> {
    let mut log = Log::new();
    for _ in 0..ROUNDS {
        let mut changed = 0;
        for pass in PASSES.iter().filter(|pass| !without.contains(&pass.name)) {
            let count = stage(&pass.name.to_string(), || {
                let count = (pass.run)(network);
                if count > 0 {
                    network.compact();
                }
                count
            });
            if count > 0 {
                after(pass.name, network)?;
                note(&mut log, pass.name, count);
            }
            changed += count;
        }
        if changed == 0 {
            break;
        }
    }
    Ok(log)
}

fn note(log: &mut Log, name: Name, count: usize) {
    match log.iter_mut().find(|(known, _)| *known == name) {
        Some((_, total)) => *total += count,
        None => log.push((name, count)),
    }
}
