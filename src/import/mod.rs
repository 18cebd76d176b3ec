//! ONNX graph to network: looks up each node's handler, reports every node that has none or fails.
//!
//! A newcomer starts at [`ops`]: one file per family of operators, each with its rows and handlers.
//! [`build::ctx::Ctx`] is what handlers may use; [`build`] has what they often say.

#![warn(clippy::as_conversions)]

pub mod build;
pub mod constants;
mod doubles;
pub mod error;
mod fit;
pub mod lacks;
mod node;
pub mod ops;
pub mod registry;
mod squeezes;
pub mod unknown;

pub use build::ctx::FoldFn;
pub use fit::Fitted;

use crate::Kind;
use crate::error::{Error, Problem, Result};
use crate::network::{Block, Dim, Network, Output, Shape, Symbol, ValueId, ValueType};
use crate::onnx::{self, DimSpec, Graph, Model, ValueInfo};
use crate::site::Site;
use crate::tensor::{DType, Tensor};
use build::ctx::Ctx;
use build::operand::Operand;
use squeezes::{Assumed, Attempt};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// What an import gives.
#[derive(Debug)]
pub struct Imported {
    /// The network; layers that nothing uses are already gone.
    pub network: Network,
    /// Things the user should know that are no errors.
    pub notes: Vec<String>,
}

/// Imports a model, or says everything that is in the way.
///
/// `fold` computes layers of constants as they are added, so that handlers see as many constants as
/// there are.
pub fn import(model: &Model, fitted: &Fitted, fold: &FoldFn<'_>) -> Result<Imported> {
    let (imported, problems) = try_import(model, fitted, fold);
    match imported {
        Some(imported) if problems.is_empty() => Ok(imported),
        _ => Err(unfit(model, fitted, fold, problems)),
    }
}

/// What is wrong; of a model that would be right with other sizes, that the user's are wrong.
fn unfit(model: &Model, fitted: &Fitted, fold: &FoldFn<'_>, mut problems: Vec<Problem>) -> Error {
    if fitted.sizes.is_empty() || problems.iter().all(|problem| problem.kind != Kind::Invalid) {
        return failure(problems);
    }
    let open = Fitted { sizes: BTreeMap::new(), ..fitted.clone() };
    let (imported, others) = try_import(model, &open, fold);
    let Some(imported) = imported.filter(|_| others.is_empty()) else { return failure(problems) };
    for problem in problems.iter_mut().filter(|problem| problem.kind == Kind::Invalid) {
        problem.kind = Kind::Usage;
    }
    let sizes: Vec<String> =
        fitted.sizes.iter().map(|(name, size)| format!("{name} = {size}")).collect();
    let error = Error::of_problems("the given sizes do not fit", problems)
        .with_note(format!("given: {}", sizes.join(", ")));
    let broken =
        imported.network.facts.broken(&|symbol| fitted.sizes.get(&symbol.to_string()).copied());
    broken.into_iter().fold(error, Error::with_note)
}

/// Imports what can be imported, for `inspect`. The network is complete only if there are no
/// problems.
pub fn try_import(
    model: &Model,
    fitted: &Fitted,
    fold: &FoldFn<'_>,
) -> (Option<Imported>, Vec<Problem>) {
    let squeezes::Attempt { imported, problems, .. } = squeezes::resolved(model, fitted, fold);
    (imported, problems)
}

/// Imports with these answers to what nothing decides.
fn attempt(model: &Model, fitted: &Fitted, fold: &FoldFn<'_>, assumed: &Assumed) -> Attempt {
    let mut ctx = Ctx::new(model, fitted, fold, assumed);
    ctx.opsets(model);
    if doubles::any(&model.graph) {
        ctx.notes.push(doubles::NOTE.to_owned());
    }
    ctx.inputs(&model.graph, fitted);
    ctx.nodes(&model.graph);
    ctx.outputs(&model.graph, &fitted.recipe.part.names());
    ctx.finish()
}

/// One error for all problems of an import.
pub fn failure(problems: Vec<Problem>) -> Error {
    Error::of_problems("cannot import", problems)
}

impl<'a> Ctx<'a> {
    fn new(model: &Model, fitted: &Fitted, fold: &'a FoldFn<'a>, assumed: &'a Assumed) -> Self {
        Self {
            network: Network { name: model.graph.name.clone(), ..Network::default() },
            blocks: vec![Block::default()],
            scopes: vec![HashMap::new()],
            fold,
            recipe: fitted.recipe.clone(),
            notes: Vec::new(),
            problems: Vec::new(),
            node: &node::import,
            formal: "",
            site: Site::tensor(model.graph.path.clone(), "model", &model.graph.name),
            inputs: Vec::new(),
            operands: Vec::new(),
            stand_ins: HashSet::new(),
            iterations: Vec::new(),
            assumed,
            open: Vec::new(),
        }
    }

    fn opsets(&mut self, model: &Model) {
        if let Some(&opset) = model.opsets.get("").filter(|&&opset| opset > registry::NEWEST_OPSET)
        {
            let message =
                format!("opset {opset} is newer than the newest known, {}", registry::NEWEST_OPSET);
            let mut problem = Problem::new(Kind::Unsupported, self.site.clone(), message);
            problem.hint = Some("export the model with an older opset, or update onnx2plan".into());
            self.problems.push(problem);
        }
    }

    fn inputs(&mut self, graph: &Graph, fitted: &Fitted) {
        let freeze = &fitted.constants;
        for info in &graph.inputs {
            let site = Site::tensor(graph.path.clone(), "input", &info.name);
            let operand = match freeze.get(&*info.name) {
                Some(tensor) => frozen(info, tensor).map(|()| {
                    self.notes.push(format!("input `{}` is frozen to {tensor:?}", info.name));
                    Operand::Data(tensor.clone(), site.clone())
                }),
                None => input_type(info, &fitted.sizes)
                    .map(|ty| {
                        self.promise(&ty, &fitted.ranges);
                        Operand::Value(self.network.add_input(&info.name, ty))
                    })
                    .map_err(|message| (Kind::Unsupported, message)),
            };
            let operand = operand.unwrap_or_else(|(kind, message)| {
                self.problems.push(Problem::new(kind, site, message));
                Operand::Poisoned
            });
            self.bind(&info.name, operand);
        }
        for name in
            freeze.keys().filter(|name| !graph.inputs.iter().any(|info| *info.name == ***name))
        {
            let site = Site::tensor(graph.path.clone(), "input", name);
            self.problems.push(Problem::new(
                Kind::Usage,
                site,
                "cannot be frozen: the model has no such input",
            ));
        }
        self.initializers(graph);
    }

    /// Takes in what is promised of an input's sizes.
    fn promise(&mut self, ty: &ValueType, ranges: &BTreeMap<String, [i64; 2]>) {
        let promised = |symbol: &Symbol| Some((symbol.clone(), *ranges.get(&symbol.to_string())?));
        self.network.ranges.extend(ty.shape.iter().filter_map(Dim::as_symbol).filter_map(promised));
    }

    /// Binds the outputs. An output that is an input, an initializer or another output gets an
    /// identity of its own.
    fn outputs(&mut self, graph: &Graph, names: &BTreeMap<String, String>) {
        let mut taken = HashSet::new();
        let inputs = self.network.inputs.iter().filter(|input| !self.stand_ins.contains(input));
        let inputs = inputs.map(|&input| self.network.value(input).name.clone()).collect();
        let mut own = OwnNames::new(inputs, graph);
        let mut listed: HashSet<&str> = HashSet::new();
        for info in &graph.outputs {
            let site = Site::tensor(graph.path.clone(), "output", &info.name);
            self.site = site.clone();
            match self.output_value(&info.name, &mut taken) {
                Ok(Some(value)) => {
                    let name: Arc<str> = names
                        .get(&*info.name)
                        .map_or_else(|| info.name.clone(), |name| name.as_str().into());
                    let again = !listed.insert(&info.name);
                    let name = own.name(name, again, &mut self.notes);
                    self.network.outputs.push(Output { name, value, declared: None, site });
                }
                Ok(None) => {}
                Err((kind, message)) => self.problems.push(Problem::new(kind, site, message)),
            }
        }
        if graph.outputs.is_empty() {
            self.problems.push(Problem::new(
                Kind::Invalid,
                self.site.clone(),
                "the model has no outputs",
            ));
        }
    }

    fn output_value(
        &mut self,
        name: &Arc<str>,
        taken: &mut HashSet<ValueId>,
    ) -> Result<Option<ValueId>, (Kind, String)> {
        let Some(value) = self.graph_output(name)? else { return Ok(None) };
        // TensorRT names an output by renaming its tensor: each output needs a tensor made by a
        // layer for it alone.
        let made_for_it =
            self.network.maker(value).is_some_and(|_| self.network.constant(value).is_none());
        if taken.insert(value) && made_for_it {
            return Ok(Some(value));
        }
        self.copy(value).map(Some).map_err(|error| (error.kind(), error.to_string()))
    }

    fn finish(mut self) -> Attempt {
        let Self { problems, open, .. } = &mut self;
        let (problems, open) = (std::mem::take(problems), std::mem::take(open));
        if !problems.is_empty() && self.network.outputs.is_empty() {
            return Attempt { imported: None, problems, open };
        }
        self.network.body = self.blocks.swap_remove(0);
        self.network.compact();
        let imported = Some(Imported { network: self.network, notes: self.notes });
        Attempt { imported, problems, open }
    }
}

/// Names for outputs. ONNX Runtime gives outputs by position, but TensorRT wants a name of its own
/// for each input and output.
struct OwnNames {
    inputs: HashSet<Arc<str>>,
    taken: HashSet<Arc<str>>,
    /// The number last tried for a name.
    last: HashMap<Arc<str>, usize>,
}

impl OwnNames {
    fn new(inputs: HashSet<Arc<str>>, graph: &Graph) -> Self {
        let outputs = graph.outputs.iter().map(|info| info.name.clone());
        let taken = inputs.iter().cloned().chain(outputs).collect();
        Self { inputs, taken, last: HashMap::new() }
    }

    /// The name of an output, or another where an input has that or the graph lists the output once
    /// more.
    fn name(&mut self, name: Arc<str>, again: bool, notes: &mut Vec<String>) -> Arc<str> {
        let why = match (again, self.inputs.contains(&name)) {
            (true, _) => "is listed more than once",
            (_, true) => "has the name of an input",
            (false, false) => {
                self.taken.insert(name.clone());
                return name;
            }
        };
        let last = self.last.entry(name.clone()).or_insert(1);
        let other = loop {
            *last += 1;
            let other: Arc<str> = format!("{name}_{last}").into();
            if self.taken.insert(other.clone()) {
                break other;
            }
        };
        notes.push(format!("output `{name}` {why}: the plan gives it as `{other}`"));
        other
    }
}

/// Checks that data can stand for a declared input.
fn frozen(info: &ValueInfo, tensor: &Tensor) -> Result<(), (Kind, String)> {
    let fits = match &info.ty {
        onnx::ValueType::Tensor { element, shape } => {
            element.dtype() == Some(tensor.dtype())
                && shape.as_ref().is_none_or(|shape| {
                    let same = |(dim, &size): (&DimSpec, &usize)| match dim {
                        DimSpec::Known(known) => *known == size,
                        _ => true,
                    };
                    shape.len() == tensor.dims().len() && shape.iter().zip(tensor.dims()).all(same)
                })
        }
        _ => false,
    };
    let (given, dims) = (tensor.dtype(), tensor.dims());
    if fits {
        Ok(())
    } else {
        Err((Kind::Usage, format!("is {}, but is frozen to {given}{dims:?}", info.ty)))
    }
}

/// What a declared input becomes; the error says why it cannot.
fn input_type(info: &ValueInfo, sizes: &BTreeMap<String, i64>) -> Result<ValueType, String> {
    let onnx::ValueType::Tensor { element, shape } = &info.ty else {
        return Err(format!("is of type {}; a TensorRT network takes dense tensors only", info.ty));
    };
    let Some(dtype) = element.dtype().and_then(boundary_dtype) else {
        return Err(format!("has elements of type {element}, which TensorRT lacks"));
    };
    let Some(shape) = shape else {
        return Err("has no shape, not even a rank".into());
    };
    if shape.len() > 8 {
        return Err(format!("has rank {}; TensorRT's limit is 8", shape.len()));
    }
    let dims =
        shape.iter().enumerate().map(|(axis, dim)| match known_or_symbol(dim, &info.name, axis) {
            Ok(size) => Dim::from(size),
            Err(symbol) => sizes
                .get(&symbol.to_string())
                .map_or_else(|| Dim::from(symbol), |&size| Dim::from(size)),
        });
    Ok(ValueType::new(dtype, dims.collect::<Shape>()))
}

/// The size of an input's axis, or the symbol for it where only the run knows it.
pub fn known_or_symbol(dim: &DimSpec, input: &Arc<str>, axis: usize) -> Result<usize, Symbol> {
    match dim {
        DimSpec::Known(size) => Ok(*size),
        DimSpec::Symbol(name) => Err(Symbol::Named(name.clone())),
        DimSpec::Unknown => Err(Symbol::Axis { input: input.clone(), axis }),
    }
}

/// The type that stands for an ONNX type at the network's boundary: `f64` is computed in `f32`.
fn boundary_dtype(dtype: DType) -> Option<DType> {
    match dtype {
        DType::F64 => Some(DType::F32),
        dtype => dtype.in_tensorrt().then_some(dtype),
    }
}
