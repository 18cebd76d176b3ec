//! How far the numbers are off inside the model, for `verify --by-layer`.

use super::environment::Environment;
use super::locate::named;
use super::output::{Output, counted};
use crate::error::Result;
use crate::onnx::part::Whole;
use crate::verify::by_layer::{Compared, compare_nodes};
use crate::verify::data::DataSet;
use crate::verify::locate::Candidate;
use crate::verify::reference;

#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Where numbers go wrong")]
pub(super) struct ByLayerArguments {
    /// Also compare inside the model, node by node, with ONNX Runtime
    #[arg(long)]
    by_layer: bool,
}

impl ByLayerArguments {
    /// What each node computes from a data set, compared; nothing where nobody asked.
    ///
    /// # Errors
    /// [`Kind::Environment`](crate::Kind::Environment) without ONNX Runtime; whatever it, or the
    /// candidate, says of the model.
    pub(super) fn compare(
        &self,
        whole: impl FnOnce() -> Result<Whole>,
        environment: &Environment,
        set: &DataSet,
        candidate: &mut dyn Candidate,
        output: &mut Output,
    ) -> Result<Vec<Compared>> {
        if !self.by_layer {
            return Ok(Vec::new());
        }
        let library = environment.reference()?;
        output.start("by layer");
        let whole = whole()?;
        let inputs = named(set, &whole.part(&[], &whole.outputs())?.model()?);
        let mut inner =
            |whole: &Whole, names: &[&str]| reference::inner(&library, whole, &inputs, names);
        let nodes = compare_nodes(&whole, &inputs, &mut inner, candidate)?;
        output.done(&counted(nodes.len(), "node"));
        Ok(nodes)
    }
}
