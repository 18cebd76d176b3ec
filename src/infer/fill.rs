//! Rules of data that is fixed or made by a formula.

use super::InferError;
use super::ctx::{Ctx, Result, float, in_tensorrt, rank, scalar_element};
use super::elements::{binary, can_track, tracked};
use crate::network::layer::{Arg, Constant, ElementWiseOperation, Fill, FillOperation};
use crate::network::{Dim, Shape, ValueType};
use crate::tensor::{DType, Tensor};

pub(super) fn constant(ctx: &Ctx<'_>, layer: &Constant) -> Result {
    let [] = ctx.inputs()?;
    in_tensorrt("the data", layer.weights.dtype())?;
    Ok(constant_type(&layer.weights))
}

/// Type of a value that holds this data.
pub fn constant_type(weights: &Tensor) -> ValueType {
    let shape = Shape::of(weights.dims());
    // Only small tensors are read: this may be gigabytes.
    let elements = can_track(&shape).and_then(|_| weights.to_i64s());
    tracked(weights.dtype(), shape, elements.map(|all| all.into_iter().map(Dim::Known).collect()))
}

pub(super) fn fill(ctx: &Ctx<'_>, layer: &Fill) -> Result {
    let named = [
        ("dims", layer.dims.input()),
        ("alpha", layer.alpha.input()),
        ("beta", layer.beta.input()),
    ];
    let [] = ctx.inputs_and(&named)?;
    let shape = match &layer.dims {
        Arg::Static(dims) => Shape::of(dims),
        Arg::Input(at) => ctx.sizes("the shape", *at)?,
    };
    let probe = ValueType::new(layer.dtype, Shape::default());
    in_tensorrt("the result", layer.dtype)?;
    let linspace = layer.operation == FillOperation::Linspace;
    match layer.dtype {
        DType::I32 | DType::I64 if linspace => {}
        _ => float("the result", &probe)?,
    }
    let (start, step) = match (&layer.alpha, &layer.beta) {
        (Arg::Static(alpha), Arg::Static(beta)) => (whole(*alpha), whole(*beta)),
        (Arg::Input(alpha), Arg::Input(beta)) => {
            let (alpha, beta) = (ctx.arg("alpha", *alpha)?, ctx.arg("beta", *beta)?);
            ctx.same_type(alpha, &probe)?;
            ctx.same_type(beta, &probe)?;
            rank("alpha", alpha, 0)?;
            rank("beta", beta, usize::from(linspace))?;
            if let (true, [steps]) = (linspace, beta.shape.as_slice()) {
                ctx.equal(steps, &shape.rank().into())?;
            }
            (
                scalar_element(alpha).cloned(),
                beta.elements.as_deref().and_then(|steps| steps.first().cloned()),
            )
        }
        _ => {
            return Err(InferError::Value {
                what: "beta",
                actual: "given another way than alpha".into(),
                expected: "given the same way".into(),
            });
        }
    };
    let elements = start.zip(step.or_else(|| shape.is_empty().then_some(Dim::Known(0)))).and_then(
        |(start, step)| {
            (0..can_track(&shape)?)
                .map(|i| {
                    let distance = binary(ElementWiseOperation::Prod, &i.into(), &step)?;
                    binary(ElementWiseOperation::Sum, &start, &distance)
                })
                .collect()
        },
    );
    Ok(tracked(layer.dtype, shape, elements.filter(|_| linspace)))
}

/// A whole number that is exact in floating point.
fn whole(x: f64) -> Option<Dim> {
    #[expect(clippy::cast_possible_truncation, reason = "used only where whole and small")]
    let number = Dim::Known(x as i64);
    (x.fract() == 0.0 && x.abs() < 2f64.powi(53)).then_some(number)
}
