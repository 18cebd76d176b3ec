//! ONNX Runtime as the reference where a model brings no data of its own. Its library is loaded at
//! run time.

use super::boundary;
use crate::error::{Error, Kind, Result};
use crate::onnx::part::Whole;
use crate::onnx::{Graph, Model};
use crate::tensor::{DType, Element, Tensor};
use ort::environment::Environment;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{Session, SessionInputValue};
use ort::value::{
    DynValue, PrimitiveTensorElementType, Tensor as OrtTensor, TensorElementType, ValueType,
};
use std::borrow::Cow;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

/// A model in ONNX Runtime.
pub struct Reference {
    session: Session,
}

impl Reference {
    /// Loads the model in a file with the library at `library` (`libonnxruntime.so`), without
    /// rewriting its graph but for sums of integer products. `model` is what the file holds.
    ///
    /// # Errors
    /// [`Kind::Environment`] where the library cannot be used, [`Kind::Unsupported`] where it
    /// refuses the model.
    pub fn open(library: &Path, file: &Path, model: &Model) -> Result<Self> {
        let shown = format!("`{}`", file.display());
        Self::load(library, &shown, model, |builder| builder.commit_from_file(file))
    }

    /// The same for the bytes of a model file, which `what` names in errors.
    ///
    /// # Errors
    /// As [`Reference::open`].
    pub fn of_bytes(library: &Path, what: &str, bytes: &[u8], model: &Model) -> Result<Self> {
        Self::load(library, what, model, |builder| builder.commit_from_memory(bytes))
    }

    fn load(
        library: &Path,
        what: &str,
        model: &Model,
        commit: impl FnOnce(&mut SessionBuilder) -> Result<Session, ort::Error>,
    ) -> Result<Self> {
        let unusable = |cause: String| {
            Error::new(
                Kind::Environment,
                format!("cannot use ONNX Runtime at `{}`", library.display()),
            )
            .with_note(cause)
            .with_hint("run `onnx2plan setup --reference`")
        };
        let environment = environment(library).map_err(unusable)?;
        let refused = |error: ort::Error| {
            Error::new(Kind::Unsupported, format!("ONNX Runtime cannot load {what}"))
                .with_note(error.to_string())
        };
        let builder = Session::builder(environment).map_err(|error| unusable(error.to_string()))?;
        let mut builder = if sums_products_of_8_bits(&model.graph) {
            exact_products(builder)
        } else {
            // What a graph says, not what a rewrite made of it.
            let plain = builder.with_optimization_level(GraphOptimizationLevel::Disable);
            plain.map_err(|error| error.to_string())
        }
        .and_then(|builder| whole_batches(builder, &model.graph))
        .map_err(unusable)?;
        Ok(Self { session: commit(&mut builder).map_err(refused)? })
    }

    /// Computes the outputs for named inputs; the outputs come in the model's order.
    ///
    /// # Errors
    /// [`Kind::Usage`] where it refuses the inputs, [`Kind::Unsupported`] for outputs that are no
    /// tensors of numbers.
    pub fn run(&mut self, inputs: &[(String, Tensor)]) -> Result<Vec<(String, Tensor)>> {
        let mut given: Vec<(Cow<'_, str>, SessionInputValue<'_>)> =
            Vec::with_capacity(inputs.len());
        for (name, tensor) in inputs {
            // A model's f64 inputs are f32 in the network; the reference takes them as the model
            // declares them.
            let declared = self
                .session
                .inputs()
                .iter()
                .find(|input| input.name() == name)
                .map(ort::value::Outlet::dtype);
            given.push((Cow::Borrowed(name.as_str()), to_ort(tensor, declared)?.into()));
        }
        let names: Vec<String> =
            self.session.outputs().iter().map(|output| output.name().to_owned()).collect();
        let outputs = self.session.run(given).map_err(|error| {
            Error::new(Kind::Usage, "ONNX Runtime cannot compute the outputs")
                .with_note(error.to_string())
        })?;
        let output = |name: String| {
            let value = outputs
                .get(&name)
                .ok_or_else(|| Error::new(Kind::Internal, "an output is missing"))?;
            let tensor =
                from_ort(value).map_err(|error| error.with_note(format!("at output `{name}`")))?;
            Ok((name, tensor))
        };
        names.into_iter().map(output).collect()
    }
}

/// Whether another program may have saturated sums of a graph's products, or moved the steps to
/// which it rounds: what of a model is quantized, ONNX Runtime otherwise computes in whole numbers.
pub fn is_quantized(graph: &Graph) -> bool {
    const STEPS: [&str; 3] = ["DequantizeLinear", "DynamicQuantizeLinear", "QuantizeLinear"];
    sums_products_of_8_bits(graph) || contains(graph, &STEPS)
}

/// Whether a graph sums up products of numbers of 8 bits. On x86 processors without VNNI, ONNX
/// Runtime saturates each two products of `u8` and `i8` at 16 bits, and the sum is wrong by up to a
/// half.
fn sums_products_of_8_bits(graph: &Graph) -> bool {
    const PRODUCTS: [&str; 9] = [
        "ConvInteger",
        "DynamicQuantizeLSTM",
        "DynamicQuantizeMatMul",
        "MatMulInteger",
        "MatMulIntegerToFloat",
        "QAttention",
        "QGemm",
        "QLinearConv",
        "QLinearMatMul",
    ];
    contains(graph, &PRODUCTS)
}

/// Whether a graph has a node of one of these operators, inside of others too.
fn contains(graph: &Graph, ops: &[&str]) -> bool {
    let is_one = |op: &str| ops.contains(&op);
    let within = |graph: &Graph| contains(graph, ops);
    graph.nodes.iter().any(|node| is_one(&node.op) || node.attrs.graphs().any(within))
}

/// Has weights of `i8` turned to `u8`, whose products do not saturate. That is a rewrite of ONNX
/// Runtime's, among others that are not wanted.
fn exact_products(builder: SessionBuilder) -> Result<SessionBuilder, String> {
    const UNWANTED: &str = "QDQSelectorActionTransformer;MatMulIntegerToFloatFusion;\
                            DynamicQuantizeMatMulFusion";
    let text = |error: ort::Error<SessionBuilder>| error.to_string();
    let builder = builder.with_optimization_level(GraphOptimizationLevel::Level2).map_err(text)?;
    let builder = builder.with_disabled_optimizers(UNWANTED).map_err(text)?;
    builder.with_config_entry("session.x64quantprecision", "1").map_err(text)
}

/// Has what quantizes a whole batch do so: ONNX Runtime shares the batch of a quantized LSTM out
/// among its threads, and each finds a scale of its own.
fn whole_batches(builder: SessionBuilder, graph: &Graph) -> Result<SessionBuilder, String> {
    if !contains(graph, &["DynamicQuantizeLSTM"]) {
        return Ok(builder);
    }
    builder.with_intra_threads(1).map_err(|error| error.to_string())
}

/// The one environment that a process may have; it stays with the first library.
fn environment(library: &Path) -> Result<&'static Environment, String> {
    static ENVIRONMENT: OnceLock<Environment> = OnceLock::new();
    static STARTING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(environment) = ENVIRONMENT.get() {
        return Ok(environment);
    }
    let environment = ort::init_from(library).map_err(|error| error.to_string())?;
    let environment = environment.build().map_err(|error| error.to_string())?;
    Ok(ENVIRONMENT.get_or_init(|| environment))
}

/// Tensors inside a model, as ONNX Runtime computes them when asked for them; `inputs` are the
/// model's, by name.
///
/// # Errors
/// As [`Reference::of_bytes`] and [`Reference::run`].
pub fn inner(
    library: &Path,
    whole: &Whole,
    inputs: &[(String, Tensor)],
    names: &[&str],
) -> Result<Vec<Tensor>> {
    let part = whole.part(&[], names)?;
    let model = part.model()?;
    let needed = |name: &str| model.graph.inputs.iter().any(|info| *info.name == *name);
    let inputs: Vec<_> = inputs.iter().filter(|(name, _)| needed(name)).cloned().collect();
    let what = "the model with inner tensors as outputs";
    let outputs = Reference::of_bytes(library, what, &part.bytes()?, &model)?.run(&inputs)?;
    Ok(outputs.into_iter().map(|(_, tensor)| tensor).collect())
}

/// Calls a macro or function for the Rust type of an element type that both sides have.
macro_rules! with_element {
    ($dtype:expr, $call:ident ( $($argument:expr),* ), $otherwise:expr) => {
        match $dtype {
            DType::F32 => $call::<f32>($($argument),*),
            DType::F16 => $call::<half::f16>($($argument),*),
            DType::BF16 => $call::<half::bf16>($($argument),*),
            DType::F64 => $call::<f64>($($argument),*),
            DType::I8 => $call::<i8>($($argument),*),
            DType::U8 => $call::<u8>($($argument),*),
            DType::I16 => $call::<i16>($($argument),*),
            DType::U16 => $call::<u16>($($argument),*),
            DType::I32 => $call::<i32>($($argument),*),
            DType::U32 => $call::<u32>($($argument),*),
            DType::I64 => $call::<i64>($($argument),*),
            DType::U64 => $call::<u64>($($argument),*),
            _ => $otherwise,
        }
    };
}

fn to_ort(tensor: &Tensor, declared: Option<&ValueType>) -> Result<DynValue> {
    let no_such_type =
        || Error::new(Kind::Unsupported, format!("ONNX Runtime takes no {}", tensor.dtype()));
    let declared = declared.and_then(|declared| match declared {
        ValueType::Tensor { ty, .. } => Some(*ty),
        _ => None,
    });
    if let (Some(TensorElementType::Float64), Some(values)) = (declared, tensor.to_f32s()) {
        return made(
            tensor.dims(),
            values.iter().map(|&value| f64::from(value)).collect::<Vec<_>>(),
        );
    }
    // Drawn for a network of a library that lacks the model's type.
    let wanted = declared.and_then(|declared| match declared {
        TensorElementType::Int64 => Some(DType::I64),
        TensorElementType::Int8 => Some(DType::I8),
        TensorElementType::Bfloat16 => Some(DType::BF16),
        _ => None,
    });
    let tensor = &boundary::leave("", tensor.clone(), wanted)?;
    if let Some(bools) = tensor.bools() {
        return made(tensor.dims(), bools.iter().map(|&byte| byte != 0).collect::<Vec<_>>());
    }
    with_element!(tensor.dtype(), of(tensor), Err(no_such_type()))
}

fn of<T: Element + PrimitiveTensorElementType>(tensor: &Tensor) -> Result<DynValue> {
    made(tensor.dims(), tensor.values::<T>().unwrap_or_default().into_owned())
}

fn made<T: PrimitiveTensorElementType + std::fmt::Debug + Clone + 'static>(
    dims: &[usize],
    values: Vec<T>,
) -> Result<DynValue> {
    OrtTensor::from_array((dims.to_vec(), values)).map(OrtTensor::into_dyn).map_err(|error| {
        Error::new(Kind::Internal, "cannot hand a tensor to ONNX Runtime").with_source(error)
    })
}

fn from_ort(value: &DynValue) -> Result<Tensor> {
    let dtype = match value.dtype() {
        ValueType::Tensor { ty, .. } => *ty,
        other => {
            return Err(Error::new(
                Kind::Unsupported,
                format!("ONNX Runtime gives {other}, which is no tensor"),
            ));
        }
    };
    let dtype = match dtype {
        TensorElementType::Bool => return bools(value),
        TensorElementType::Float32 => DType::F32,
        TensorElementType::Float16 => DType::F16,
        TensorElementType::Bfloat16 => DType::BF16,
        TensorElementType::Float64 => DType::F64,
        TensorElementType::Int8 => DType::I8,
        TensorElementType::Uint8 => DType::U8,
        TensorElementType::Int16 => DType::I16,
        TensorElementType::Uint16 => DType::U16,
        TensorElementType::Int32 => DType::I32,
        TensorElementType::Uint32 => DType::U32,
        TensorElementType::Int64 => DType::I64,
        TensorElementType::Uint64 => DType::U64,
        other => return Err(Error::new(Kind::Unsupported, format!("ONNX Runtime gives {other}"))),
    };
    let unknown = || Error::new(Kind::Internal, "an element type without a Rust type");
    with_element!(dtype, values(value), Err(unknown()))
}

fn values<T: Element + PrimitiveTensorElementType>(value: &DynValue) -> Result<Tensor> {
    let (dims, values) = value.try_extract_tensor::<T>().map_err(unreadable)?;
    tensor(dims, values.to_vec())
}

fn bools(value: &DynValue) -> Result<Tensor> {
    let (dims, values) = value.try_extract_tensor::<bool>().map_err(unreadable)?;
    Tensor::of_bools(sizes(dims)?, values.iter().copied()).map_err(misshapen)
}

fn tensor<T: Element>(dims: &[i64], values: Vec<T>) -> Result<Tensor> {
    Tensor::of(sizes(dims)?, values).map_err(misshapen)
}

fn sizes(dims: &[i64]) -> Result<Vec<usize>> {
    let size = |&size: &i64| usize::try_from(size).map_err(misshapen);
    dims.iter().map(size).collect()
}

fn unreadable(error: ort::Error) -> Error {
    Error::new(Kind::Internal, "cannot read ONNX Runtime's output").with_source(error)
}

fn misshapen(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(Kind::Internal, "ONNX Runtime gives a tensor whose shape and data do not fit")
        .with_source(error)
}
