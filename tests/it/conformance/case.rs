//! One model with its test data, taken through every stage: read, import, optimise, legalize, build, evaluate, compare.

use super::passes;
use onnx2plan::emit;
use onnx2plan::eval;
use onnx2plan::import;
use onnx2plan::onnx::{self, Model};
use onnx2plan::pipeline;
use onnx2plan::pipeline::profile::{self, End, Request};
use onnx2plan::tensor::{DType, Tensor};
use onnx2plan::trt::{BuildOptions, Builder, Library};
use onnx2plan::valid::Checked;
use onnx2plan::verify::{self, data::DataSet};
use onnx2plan::{Error, Kind};
use std::collections::BTreeMap;
use std::fmt;
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
    Pass(Frozen),
    Unsupported(String),
    Wrong(String),
}

/// Which inputs are made constants, because TensorRT wants to know at build time what ONNX's tests feed at run time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Frozen {
    Nothing,
    /// Whole numbers and booleans that could be a shape, axes, bounds: at most a vector of 64, and not the first input.
    SmallIntegers,
    /// All numbers of that size; a first input of real numbers only if it is a scalar, such as the start of a Range.
    SmallNumbers,
    /// And larger whole numbers and booleans.
    Integers,
}

impl Frozen {
    const ALL: [Self; 4] = [Self::Nothing, Self::SmallIntegers, Self::SmallNumbers, Self::Integers];

    fn takes(self, at: usize, tensor: &Tensor) -> bool {
        let small = tensor.dims().len() <= 1 && tensor.len() <= 64;
        let real = !(tensor.dtype().is_int() || tensor.dtype() == DType::Bool);
        match self {
            Self::Nothing => false,
            Self::SmallIntegers => small && !real && at > 0,
            Self::SmallNumbers => small && (!real || at > 0 || tensor.dims().is_empty()),
            Self::Integers => !real || small && at > 0,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Pass(Frozen::Nothing) => f.write_str("pass"),
            Verdict::Pass(Frozen::SmallIntegers) => f.write_str("pass, small integers frozen"),
            Verdict::Pass(Frozen::SmallNumbers) => f.write_str("pass, small numbers frozen"),
            Verdict::Pass(Frozen::Integers) => f.write_str("pass, integers frozen"),
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

    /// Converts, evaluates and builds a NonMaxSuppression of `rows` rows; gives what it selects and what it should.
    pub(super) fn suppressed(&self, library: &Library, rows: usize) -> Result<(Vec<i64>, Vec<i64>), Error> {
        let model = onnx::load(&self.model)?;
        let sets = self.data.iter().map(|path| verify::data::read(path)).collect::<Result<Vec<_>, _>>()?;
        let freeze = frozen(&model, &sets, Frozen::SmallNumbers);
        let import = import::Options { freeze, nms_fixed: Some(rows), ..import::Options::default() };
        let options = pipeline::Options { import, ..pipeline::Options::new(library.caps()) };
        let network = pipeline::prepare(&model, &options)?.network;
        let names = input_names(&model);
        let selected = eval::run(&network, &verify::inputs(&network, &names, &sets[0])?)?;
        build(&network, &names, &sets, library)?;
        let expected = sets[0].outputs[0].data.tensor().unwrap().to_i64s().unwrap();
        Ok((selected[0].to_i64s().unwrap(), expected))
    }

    /// With as few frozen inputs as it takes.
    fn try_freezing(&self, library: &Library) -> (Verdict, String) {
        let read = onnx::load(&self.model).and_then(|model| {
            let sets = self.data.iter().map(|path| verify::data::read(path)).collect::<Result<Vec<_>, _>>()?;
            Ok((model, sets))
        });
        let (model, sets) = match read {
            Ok(read) => read,
            Err(error) => return failed(&error),
        };
        let mut failure = None;
        let mut frozen_before = None;
        for level in Frozen::ALL {
            let freeze = frozen(&model, &sets, level);
            // With everything constant there is nothing left to convert; a few operators have small inputs only.
            let all = level == Frozen::Integers && freeze.len() == model.graph.inputs.len();
            if all || frozen_before.as_ref() == Some(&freeze) {
                continue;
            }
            match attempt(&model, &sets, freeze.clone(), library) {
                Ok(None) => return (Verdict::Pass(level), String::new()),
                Ok(Some(error)) => return (Verdict::Wrong("numbers".into()), error.to_string()),
                Err(error) if failure.as_ref().is_none_or(wants_constant) => failure = Some(error),
                Err(_) => {}
            }
            frozen_before = Some(freeze);
        }
        failure.map_or_else(|| (Verdict::Unsupported("no attempt was made".into()), String::new()), |e| failed(&e))
    }
}

/// Whether a stage failed only because an input is not known at build time.
fn wants_constant(error: &Error) -> bool {
    !error.problems().is_empty()
        && error.problems().iter().all(|problem| problem.message.contains("must be known at build time"))
}

/// The inputs that a level makes constants. Data sets that differ in them cannot share a network: nothing is frozen.
fn frozen(model: &Model, sets: &[DataSet], level: Frozen) -> BTreeMap<String, Tensor> {
    let names = input_names(model);
    let picks = |set: &DataSet| -> BTreeMap<String, Tensor> {
        let data = verify::data::in_order(&set.inputs, &names);
        let tensors = data.into_iter().map(|data| data.and_then(|data| data.tensor().ok()));
        let named = names.iter().zip(tensors).enumerate();
        named
            .filter_map(|(at, (name, tensor))| Some((name, tensor.filter(|tensor| level.takes(at, tensor))?)))
            .map(|(name, tensor)| ((*name).to_owned(), tensor.clone()))
            .collect()
    };
    let mut picked = sets.iter().map(picks);
    let first = picked.next().unwrap_or_default();
    if picked.all(|other| other == first) { first } else { BTreeMap::new() }
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
    let options = pipeline::Options::new(library.caps()).freezing(freeze);
    let imported = pipeline::import_model(model, &options.import)?.network;
    let (network, log) = pipeline::finish(imported.clone(), &options)?;
    let names = input_names(model);
    for set in sets {
        let verification = verify::on_cpu(&network, &names, set)?;
        if let Some(error) = verify::mismatch(&verification) {
            return Ok(Some(error));
        }
    }
    if let Some(set) = sets.first() {
        let inputs = verify::inputs(&network, &names, set)?;
        if let Some(difference) = passes::disagreement(&imported, &network, &log, &options, &inputs)? {
            return Ok(Some(Error::new(Kind::Mismatch, difference)));
        }
    }
    build(&network, &names, sets, library).map(|()| None)
}

/// Builds a plan for the shapes of the first data set, and drops it.
pub(crate) fn build(network: &Checked, names: &[&str], sets: &[DataSet], library: &Library) -> Result<(), Error> {
    let data = sets.first().map(|set| verify::data::in_order(&set.inputs, names)).unwrap_or_default();
    let is_input = |name: &str| network.inputs.iter().any(|&input| *network.value(input).name == *name);
    let data = names.iter().copied().zip(data).filter(|(name, _)| is_input(name));
    let likely = End::of(data.filter_map(|(name, data)| Some((name, data?.tensor().ok()?))));
    let opt = End { shapes: likely.shapes.clone(), ..End::default() };
    let profiles = profile::plan(network, &Request { opt, likely, ..Request::default() })?.profiles();
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

/// The first thing an error says, short and the same on every machine.
pub(crate) fn reason(error: &Error) -> String {
    let said = error.notes().iter().find_map(|note| note.strip_prefix("TensorRT said: "));
    let text = match (error.problems(), said) {
        ([problem, ..], _) => format!("{}: {}", problem.site.place().op, problem.message),
        ([], Some(said)) => format!("TensorRT: {}", essence(said)),
        ([], None) if error.kind() == Kind::TensorRt => format!("TensorRT: {}", essence(error.message())),
        ([], None) => without_path(error.message()),
    };
    let line = text.lines().next().unwrap_or_default();
    line.chars().take(160).collect()
}

/// A message without the file it leads with, which lies elsewhere on every machine.
fn without_path(message: &str) -> String {
    let path = message.strip_prefix('`').and_then(|rest| rest.split_once("` "));
    path.map_or_else(|| message.to_owned(), |(_, rest)| rest.to_owned())
}

/// What TensorRT says without where in its sources it says so, and about which layer.
fn essence(said: &str) -> &str {
    let said = said.split_once("Error (").map_or(said, |(_, rest)| rest);
    let said = said.split_once(" In ").map_or(said, |(before, _)| before);
    let said = said.strip_prefix("node 0 -> ").and_then(|rest| rest.split_once(": ")).map_or(said, |(_, rest)| rest);
    said.trim()
}
