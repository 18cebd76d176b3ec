//! The rule of TopK.

use super::InferError;
use super::ctx::{Ctx, Result, axis, ensure, number, positive};
use crate::network::ValueType;
use crate::network::layer::{Arg, TopK};
use crate::tensor::DType;
use smallvec::{SmallVec, smallvec};

/// The largest `k` of a [`TopK`] layer, in every TensorRT so far.
const MAX_TOP_K: i64 = 3840;

pub(super) fn top_k(ctx: &Ctx<'_>, layer: &TopK) -> Result<SmallVec<[ValueType; 2]>> {
    let [data] = ctx.inputs_and(&[("k", layer.k.input())])?;
    number("data", data)?;
    let mut shape = data.shape.clone();
    let k = match layer.k {
        Arg::Static(k) => {
            positive("k", [&k])?;
            k.into()
        }
        Arg::Input(at) => ctx.size("k", at)?,
    };
    let along = axis(&data.shape, layer.axis)?;
    let most = along.known().unwrap_or(MAX_TOP_K).min(MAX_TOP_K);
    ensure(k.known().is_none_or(|k| k <= most), || InferError::Value {
        what: "k",
        actual: k.to_string(),
        expected: format!("at most {most}"),
    })?;
    if let Some(size) = shape.get_mut(layer.axis) {
        *size = k;
    }
    Ok(smallvec![ValueType::new(data.dtype, shape.clone()), ValueType::new(DType::I32, shape)])
}
