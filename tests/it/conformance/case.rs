//! One model with its test data, taken through every stage: read, import, optimize, legalize,
//! build, evaluate, compare.

use super::passes;
use onnx2plan::convert::freezing::Freezing;
use onnx2plan::convert::reason::{reason, wants_constants};
use onnx2plan::emit;
use onnx2plan::eval;
use onnx2plan::import::Fitted;
use onnx2plan::onnx::{self, Model};
use onnx2plan::pipeline;
use onnx2plan::profiles::{self, Data};
use onnx2plan::recipe::sizes::Request;
use onnx2plan::tensor::Tensor;
use onnx2plan::trt::{BuildOptions, Builder, Library};
use onnx2plan::valid::Checked;
use onnx2plan::verify::{self, data::DataSet};
use onnx2plan::{Error, Kind};
use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU16;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

/// A model and the folders with its data.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) model: PathBuf,
    pub(super) data: Vec<PathBuf>,
}

/// What came of a case. The text of a line in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Pass(Freezing),
    Unsupported(String),
    Wrong(String),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Pass(Freezing::Nothing) => f.write_str("pass"),
            Verdict::Pass(level) => write!(f, "pass, {level} frozen"),
            Verdict::Unsupported(reason) => write!(f, "unsupported {reason}"),
            Verdict::Wrong(reason) => write!(f, "wrong {reason}"),
        }
    }
}

impl Case {
    /// Judges the case; with details where it does not pass.
    pub(super) fn judge(&self, library: &Library) -> (Verdict, String) {
        catch_unwind(AssertUnwindSafe(|| self.try_freezing(library))).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()));
            (Verdict::Wrong("panic".into()), text.unwrap_or_default())
        })
    }

    /// Converts, evaluates and builds a NonMaxSuppression of `rows` rows; gives what it selects and
    /// what it should.
    pub(super) fn suppressed(
        &self,
        library: &Library,
        rows: u16,
    ) -> Result<(Vec<i64>, Vec<i64>), Error> {
        let model = onnx::load(&self.model)?;
        let sets =
            self.data.iter().map(|path| verify::data::read(path)).collect::<Result<Vec<_>, _>>()?;
        let freeze = Freezing::SmallNumbers.of(&model, &sets);
        let mut fitted = Fitted::standard(library.caps()).freezing(freeze);
        fitted.recipe.nms_fixed = NonZeroU16::new(rows);
        let network = pipeline::prepare(&model, &fitted, library.caps())?.network;
        let names = input_names(&model);
        let selected = eval::run(&network, &verify::inputs(&network, &names, &sets[0])?)?;
        build(&network, &names, &sets, library)?;
        let expected = sets[0].outputs[0].data.tensor().unwrap().to_i64s().unwrap();
        Ok((selected[0].to_i64s().unwrap(), expected))
    }

    /// With as few frozen inputs as it takes.
    fn try_freezing(&self, library: &Library) -> (Verdict, String) {
        let read = onnx::load(&self.model).and_then(|model| {
            let sets = self
                .data
                .iter()
                .map(|path| verify::data::read(path))
                .collect::<Result<Vec<_>, _>>()?;
            Ok((model, sets))
        });
        let (model, sets) = match read {
            Ok(read) => read,
            Err(error) => return failed(&error),
        };
        let mut failure = None;
        for (level, freeze) in Freezing::levels(&model, &sets) {
            match attempt(&model, &sets, freeze, library) {
                Ok(None) => return (Verdict::Pass(level), String::new()),
                Ok(Some(error)) => return (Verdict::Wrong("numbers".into()), error.to_string()),
                Err(error) if failure.as_ref().is_none_or(wants_constants) => failure = Some(error),
                Err(_) => {}
            }
        }
        failure.map_or_else(
            || (Verdict::Unsupported("no attempt was made".into()), String::new()),
            |e| failed(&e),
        )
    }
}

pub(crate) fn input_names(model: &Model) -> Vec<&str> {
    model.graph.inputs.iter().map(|info| &*info.name).collect()
}

/// Converts, evaluates and builds. `Ok` holds what differs, if anything.
fn attempt(
    model: &Model,
    sets: &[DataSet],
    freeze: BTreeMap<String, Tensor>,
    library: &Library,
) -> Result<Option<Error>, Error> {
    let caps = library.caps();
    let fitted = Fitted::standard(caps).freezing(freeze);
    let imported = pipeline::import_model(model, &fitted)?.network;
    let (network, log) = pipeline::finish(imported.clone(), &[], caps)?;
    let names = input_names(model);
    for set in sets {
        let verification = verify::on_cpu(&network, &names, set)?;
        if let Some(error) = verify::mismatch(&verification) {
            return Ok(Some(error));
        }
    }
    if let Some(set) = sets.first() {
        let inputs = verify::inputs(&network, &names, set)?;
        if let Some(difference) = passes::disagreement(&imported, &network, &log, caps, &inputs)? {
            return Ok(Some(Error::new(Kind::Mismatch, difference)));
        }
    }
    build(&network, &names, sets, library).map(|()| None)
}

/// Builds a plan for the shapes of the first data set, and drops it.
pub(crate) fn build(
    network: &Checked,
    names: &[&str],
    sets: &[DataSet],
    library: &Library,
) -> Result<(), Error> {
    let first = sets.first().map(|set| profiles::of_data(network, &set.tensors(names)));
    let data = Data { sets: first.into_iter().collect(), exactly: true };
    let profiles = profiles::plan(network, &Request::default(), &data)?.profiles();
    let mut builder = Builder::new(library, BuildOptions { profiles, ..BuildOptions::default() })?;
    emit::emit(network, &mut builder)?;
    builder.build(&mut std::io::sink(), &AtomicBool::new(false))?;
    Ok(())
}

/// The verdict on a stage that failed, with the whole error.
fn failed(error: &Error) -> (Verdict, String) {
    let reason = reason(error);
    let verdict = match error.kind() {
        Kind::Internal => Verdict::Wrong(reason),
        _ => Verdict::Unsupported(reason),
    };
    (verdict, error.to_string())
}
