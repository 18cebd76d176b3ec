//! What an error of TensorRT is about, as far as the network tells.

use crate::error::said::Fault;
use crate::error::{Error, Kind};
use crate::network::{Layer, LayerKind, Network};

/// How many conditionals and loops a message names.
const MOST_BRANCHES: usize = 3;

/// Names the nodes behind layers that TensorRT-RTX cannot build without a GPU, where it failed for
/// want of them.
pub(super) fn explained(error: Error, network: &Network) -> Error {
    if error.said().and_then(|said| said.fault) != Some(Fault::NoImplementation) {
        return at_branches(error, network);
    }
    let layers = network.live_layers();
    let layers: Vec<_> = layers.into_iter().map(|id| network.layer(id)).collect();
    let suppresses = |layer: &&&Layer| matches!(layer.kind, LayerKind::NonMaxSuppression(_));
    let lacking =
        layers.iter().filter(|layer| matches!(layer.kind, LayerKind::NonZero) || suppresses(layer));
    let sites = lacking.flat_map(|layer| &layer.sites);
    let error = sites
        .fold(error, |error, site| error.with_note(format!("not built without a GPU: {site}")));
    if layers.iter().any(|layer| suppresses(&layer)) {
        return error.with_hint(
            "build on a machine with a GPU; `--nms-fixed N` gives NonMaxSuppression a form for \
             any machine",
        );
    }
    error.with_hint("build on a machine with a GPU")
}

/// Names the conditionals and loops of a network that TensorRT does not build, and the sizes that
/// are known no sooner than at run time: it fails inside at some that it builds where they are
/// fixed.
fn at_branches(error: Error, network: &Network) -> Error {
    let layers = network.live_layers();
    let layers = layers.into_iter().map(|id| network.layer(id));
    let branches =
        layers.filter(|layer| matches!(layer.kind, LayerKind::Conditional(_) | LayerKind::Loop(_)));
    let mut notes: Vec<String> = Vec::new();
    for site in branches.filter_map(|layer| layer.sites.first()) {
        let note = format!("the network branches or loops at {site}");
        if !notes.contains(&note) && notes.len() < MOST_BRANCHES {
            notes.push(note);
        }
    }
    if error.kind() != Kind::TensorRt || notes.is_empty() {
        return error;
    }
    let error = notes.into_iter().fold(error, Error::with_note);
    let sizes = network.inputs.iter().flat_map(|&input| network.value(input).ty.shape.iter());
    let mut open: Vec<String> = Vec::new();
    for size in sizes.filter(|size| size.known().is_none()) {
        let option = format!("`--dim {size}=SIZE`");
        if !open.contains(&option) {
            open.push(option);
        }
    }
    error.with_hint(match open.as_slice() {
        [] => "a condition that is fixed with `--freeze` needs no branches".to_owned(),
        open => {
            format!(
                "TensorRT builds more where sizes are fixed: {}; or conditions, with `--freeze`",
                open.join(" ")
            )
        }
    })
}
