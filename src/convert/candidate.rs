//! Who computes parts of a model in the search for a wrong node.

use super::{Conversion, Loaded, Machine};
use crate::error::Result;
use crate::eval;
use crate::onnx::Model;
use crate::pipeline;
use crate::profiles::{self, Data, exactly};
use crate::tensor::Tensor;
use crate::trt::{BuildOptions, LogSink};
use crate::valid::Checked;
use crate::verify::locate::Candidate;
use crate::verify::{self, data::DataSet, gpu};
use std::sync::atomic::AtomicBool;

impl Conversion {
    /// Converts parts of the model as the whole was; builds and runs their plans where the machine
    /// has a GPU, else evaluates their networks.
    pub fn candidate<'a>(
        &'a self,
        machine: &'a Machine,
        log: LogSink,
        cancel: &'a AtomicBool,
    ) -> Box<dyn Candidate + 'a> {
        let Some(gpu) = machine.gpu() else {
            return Box::new(move |model: &Model, inputs: &[(String, Tensor)]| {
                let network = self.part(model)?;
                let names = names(model);
                let inputs = verify::inputs(&network, &names, &DataSet::of_inputs(inputs))?;
                eval::run(&network, &inputs)
            });
        };
        Box::new(move |model: &Model, inputs: &[(String, Tensor)]| {
            let network = self.part(model)?;
            let request = exactly(&network, inputs);
            let profiles = profiles::plan(&network, &request, &Data::default())?.profiles();
            let options = BuildOptions { profiles, ..self.options(log.clone()) };
            let mut loaded = Loaded::build(gpu, &network, options, cancel)?;
            gpu::compute(loaded.engine(), &network, inputs)
        })
    }

    /// The network of a part of the model.
    pub(super) fn part(&self, model: &Model) -> Result<Checked> {
        let names = names(model);
        let mut fitted = self.fitted.clone();
        fitted.constants.retain(|name, _| names.contains(&name.as_str()));
        Ok(pipeline::prepare(model, &fitted, self.caps)?.network)
    }
}

fn names(model: &Model) -> Vec<&str> {
    model.graph.inputs.iter().map(|info| &*info.name).collect()
}
