//! The matrices of a recurrent operator: real numbers, or whole ones with scales.

use super::cells::{Operator, cut, size};
use super::{grown, widened};
use crate::import::build::ctx::Ctx;
use crate::import::error::OpError;
use crate::import::ops::quantize::{Ranged, exact_sum, ranged, real};
use crate::network::ValueId;
use crate::network::layer::{ElementWiseOperation as Ew, MatrixMultiply, MatrixOperation};
use crate::tensor::DType;

/// A matrix for each direction, with the rows of the gates one behind the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weights {
    /// `[d, gates·h, width]`
    pub values: ValueId,
    /// What whole numbers are to be multiplied by: `[d]`, or `[d, gates·h]`.
    scale: Option<ValueId>,
}

impl Weights {
    /// The node's input at this position.
    pub(super) fn real(ctx: &Ctx<'_>, at: usize) -> Result<Self, OpError> {
        ctx.input(at).map(Self::from)
    }

    /// The input at this position, in 8 bits and with the gates along its last axis; those from
    /// `scale` on are its scale and its zero point.
    pub(super) fn quantized(ctx: &mut Ctx<'_>, at: usize, scale: usize) -> Result<Self, OpError> {
        let stored = ctx.input(at)?;
        if ctx.rank(stored) != 3 {
            let (name, shape) = (ctx.input_name(at), ctx.shape(stored));
            return Err(OpError::invalid(format!(
                "input `{name}` has shape {shape}, which is none of three axes"
            )));
        }
        let (directions, columns) = (ctx.size(stored, 0), ctx.size(stored, 2));
        let parameter = |ctx: &Ctx<'_>, at: usize| {
            let value = ctx.input(at)?;
            let is = |axis, wanted: Option<usize>| {
                ctx.size(value, axis).zip(wanted).is_none_or(|(a, b)| a == b)
            };
            if matches!(ctx.rank(value), 1 | 2)
                && is(0, directions)
                && (ctx.rank(value) == 1 || is(1, columns))
            {
                return Ok(value);
            }
            let (name, shape) = (ctx.input_name(at), ctx.shape(value));
            let weights = ctx.shape(stored);
            let wanted = "one number for each direction, or for each column of one";
            Err(OpError::invalid(format!(
                "input `{name}` has shape {shape}; weights of shape {weights} need {wanted}"
            )))
        };
        let (scale, zero_point) = (parameter(ctx, scale)?, parameter(ctx, scale + 1)?);
        let (values, zero_point) = (real(ctx, stored)?, real(ctx, zero_point)?);
        let zero_point = over_rows(ctx, zero_point)?;
        let values = ctx.binary(Ew::Sub, values, zero_point)?;
        Ok(Self { values: ctx.transpose(values, vec![0, 2, 1])?, scale: Some(scale) })
    }

    /// Whether they are whole numbers with scales.
    pub(super) fn are_quantized(self) -> bool {
        self.scale.is_some()
    }

    /// x · weightsᵀ for each direction: `[d, n, width]` becomes `[d, n, gates·h]`.
    ///
    /// Data for whole numbers is quantized by its range in each direction, as ONNX Runtime does
    /// before each product.
    pub(super) fn product(self, ctx: &mut Ctx<'_>, x: ValueId) -> Result<ValueId, OpError> {
        let product =
            MatrixMultiply { op0: MatrixOperation::None, op1: MatrixOperation::Transpose };
        let Some(scale) = self.scale else { return ctx.add(product, &[x, self.values]) };
        let Ranged { y, scale: step, zero_point } = ranged(ctx, x, vec![1, 2], true)?;
        let (y, zero_point) = (real(ctx, y)?, real(ctx, zero_point)?);
        let x = ctx.binary(Ew::Sub, y, zero_point)?;
        let sum = exact_sum(ctx, x, self.values, vec![2], &|ctx, x| {
            ctx.add(product.clone(), &[x, self.values])
        })?;
        let sum = ctx.cast(sum, DType::F32)?;
        let scale = over_rows(ctx, scale)?;
        let scale = ctx.binary(Ew::Prod, step, scale)?;
        ctx.binary(Ew::Prod, sum, scale)
    }

    /// Rows of `count` gates from gate `from` on.
    pub(super) fn rows(
        self,
        ctx: &mut Ctx<'_>,
        of: Operator,
        from: usize,
        count: usize,
    ) -> Result<Self, OpError> {
        let (directions, rows) = (size(ctx, of.directions())?, size(ctx, count * of.hidden)?);
        let spans = [(0, directions), (from * of.hidden, rows)];
        let scale = self
            .scale
            .map(|scale| if ctx.rank(scale) == 2 { cut(ctx, scale, &spans) } else { Ok(scale) });
        let width = ctx.size_of(self.values, 2)?;
        let [directions, rows] = spans;
        Ok(Self {
            values: cut(ctx, self.values, &[directions, rows, (0, width)])?,
            scale: scale.transpose()?,
        })
    }

    /// The same with rows of zeros behind those of each gate, and as many columns more.
    pub(super) fn widened(
        self,
        ctx: &mut Ctx<'_>,
        of: Operator,
        by: i64,
        columns: i64,
    ) -> Result<Self, OpError> {
        let of_each_row = |scale| {
            if ctx.rank(scale) == 2 { widened(ctx, scale, of.hidden, by) } else { Ok(scale) }
        };
        let scale = self.scale.map(of_each_row).transpose()?;
        let values = widened(ctx, self.values, of.hidden, by)?;
        Ok(Self {
            values: if columns == 0 { values } else { grown(ctx, values, 2, columns)? },
            scale,
        })
    }
}

impl From<ValueId> for Weights {
    fn from(values: ValueId) -> Self {
        Self { values, scale: None }
    }
}

/// `[d]` as `[d, 1, 1]`, or `[d, gates·h]` as `[d, 1, gates·h]`.
fn over_rows(ctx: &mut Ctx<'_>, parameter: ValueId) -> Result<ValueId, OpError> {
    ctx.unsqueeze(parameter, if ctx.rank(parameter) == 1 { vec![1, 2] } else { vec![1] })
}
