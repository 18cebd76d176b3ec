//! A plan: built, described, loaded and run.

use super::explain::explained;
use super::{Conversion, ModelFiles, manifest};
use crate::emit::Emitted;
use crate::error::Result;
use crate::files::Hashing;
use crate::report::Verification;
use crate::report::latency::Latency;
use crate::report::manifest::{File, Manifest};
use crate::timings::stage;
use crate::trt::{self, BuildOptions, Device, Engine, Library, LogSink};
use crate::valid::Checked;
use crate::verify::{self, data::DataSet};
use std::io::Write;
use std::sync::atomic::AtomicBool;

/// A plan that was just built.
#[derive(Debug)]
pub struct Built<W> {
    /// Where it was written.
    pub to: W,
    /// Its size and hash, under the name it shall have.
    pub file: File,
    /// What became of the layers.
    pub emitted: Emitted,
}

impl Conversion {
    /// Has TensorRT build the plan. `name` is the one that its file shall have.
    ///
    /// # Errors
    /// Those of [`trt::build`], with the nodes that are to blame as far as that is known.
    pub fn build<W: Write + Send>(
        &self,
        library: &Library,
        (name, to): (String, W),
        log: LogSink,
        cancel: &AtomicBool,
    ) -> Result<Built<W>> {
        let mut writer = Hashing::new(to);
        let build = || trt::build(library, self.network(), self.options(log), &mut writer, cancel);
        let emitted = stage("build", build).map_err(|error| explained(error, self.network()))?;
        let (to, sha256, bytes) = writer.finish();
        Ok(Built { to, file: File { name, bytes, sha256 }, emitted })
    }

    /// What TensorRT is told.
    pub fn options(&self, log: LogSink) -> BuildOptions {
        BuildOptions {
            recipe: self.fitted.recipe.clone(),
            profiles: self.profiles(),
            log,
            ..BuildOptions::default()
        }
    }

    /// The manifest of a plan, which was not run yet.
    pub fn manifest<W>(&self, library: &Library, model: ModelFiles, built: &Built<W>) -> Manifest {
        manifest::manifest(self, library, model, (&built.file, &built.emitted))
    }
}

/// A plan that is about to be judged.
pub struct Loaded {
    engine: Engine,
}

impl Loaded {
    /// Builds a plan and loads it.
    ///
    /// # Errors
    /// Those of [`trt::build`] and [`Engine::load`].
    pub fn build(
        (library, device): (&Library, &Device),
        network: &Checked,
        options: BuildOptions,
        cancel: &AtomicBool,
    ) -> Result<Self> {
        let log = options.log.clone();
        let mut plan = Vec::new();
        trt::build(library, network, options, &mut plan, cancel)
            .map_err(|error| explained(error, network))?;
        Self::load((library, device), &plan, &log)
    }

    /// Loads a plan that was built before.
    ///
    /// # Errors
    /// Those of [`Engine::load`].
    pub fn load(
        (library, device): (&Library, &Device),
        plan: &[u8],
        log: &LogSink,
    ) -> Result<Self> {
        Ok(Self { engine: Engine::load(library, device, plan, log)? })
    }

    /// Judges data sets. `inputs` are the model's.
    ///
    /// # Errors
    /// Those of [`verify::all_on_gpu`].
    pub fn judge(
        &mut self,
        conversion: &Conversion,
        inputs: &[&str],
        sets: &[DataSet],
    ) -> Result<Vec<Verification>> {
        let of = (&**conversion.network(), !conversion.fitted.recipe.no_tf32);
        verify::all_on_gpu(&mut self.engine, of, inputs, sets)
    }

    /// Times the plan on a data set.
    ///
    /// # Errors
    /// Those of [`verify::time_on_gpu`].
    pub fn time(&mut self, inputs: &[&str], set: &DataSet) -> Result<Latency> {
        verify::time_on_gpu(&mut self.engine, inputs, set)
    }

    /// What runs the plan.
    pub fn engine(&mut self) -> &mut Engine {
        &mut self.engine
    }
}
