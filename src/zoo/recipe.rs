//! What the manifest of a plan says of the options that it was made with.

use super::freezing;
use crate::import::{self, freeze};
use crate::pipeline;
use crate::report::manifest::{Frozen, Import, Options};
use crate::tensor::Tensor;
use crate::trt::BuildOptions;

/// The options of a plan. `from` and `to` are the ends of the part of the model that was taken.
pub fn options(
    made: &pipeline::Options,
    built: &BuildOptions,
    from: Vec<String>,
    to: Vec<String>,
) -> Options {
    let pipeline::Options { caps: _, without_passes, import } = made;
    let import::Options { freeze, sizes, ranges, names, nms_fixed, max_trip, recurrent } = import;
    Options {
        tf32: built.tf32,
        optimization_level: built.optimization_level,
        rnn: recurrent.to_string(),
        freeze: freeze.iter().map(|(name, tensor)| freezing::text(name, tensor)).collect(),
        without_passes: without_passes.clone(),
        import: Some(Import {
            from,
            to,
            names: names.clone(),
            sizes: sizes.clone(),
            ranges: ranges.clone(),
            frozen: freeze.iter().map(|(name, tensor)| frozen(name, tensor)).collect(),
            nms_fixed: *nms_fixed,
            max_trip: *max_trip,
        }),
    }
}

fn frozen(name: &str, tensor: &Tensor) -> Frozen {
    Frozen {
        name: name.to_owned(),
        dtype: tensor.dtype().to_string(),
        shape: tensor.dims().to_vec(),
        values: freeze::written(tensor),
        sha256: crate::hash::sha256(tensor.bytes()),
    }
}
