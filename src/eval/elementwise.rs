//! `ElementWise`, `ParametricRelu` and `Select`: functions of several operands, element by element.

use super::error::EvalError;
use super::index::{Walk, broadcast, broadcast_strides, count};
use super::number::{Number, with_whole_number};
use super::operand::{operand, reals, rounded, same_type, truths};
use super::parallel::pieces;
use super::pick::Source;
use crate::network::layer::{ElementWise, ElementWiseOperation as Op};
use crate::tensor::{DType, Element, Tensor};

/// Computes an `ElementWise` layer.
pub(super) fn elementwise(layer: &ElementWise, inputs: &[&Tensor]) -> Result<Tensor, EvalError> {
    let (a, b) = (operand(inputs, 0)?, operand(inputs, 1)?);
    same_type(inputs, 1)?;
    let pairs = Pairs::new(a.dims(), b.dims())?;
    if layer.operation.logical() {
        return logical(layer.operation, &pairs, truths(inputs, 0)?, truths(inputs, 1)?);
    }
    match a.dtype() {
        DType::F32 | DType::F16 | DType::BF16 => {
            let (x, y) = (reals(inputs, 0)?, reals(inputs, 1)?);
            if layer.operation.compares() {
                return compared(layer.operation, &pairs, &x, &y);
            }
            rounded(a.dtype(), pairs.dims.clone(), arithmetic(layer.operation, &pairs, &x, &y)?)
        }
        DType::Bool if layer.operation.compares() => {
            let (x, y) = (truths(inputs, 0)?, truths(inputs, 1)?);
            let normal =
                |values: &[u8]| values.iter().map(|&v| u8::from(v != 0)).collect::<Vec<_>>();
            compared(layer.operation, &pairs, &normal(x), &normal(y))
        }
        _ => with_whole_number!(a, 0, T => {
            let (x, y) = (a.values::<T>().unwrap_or_default(), b.values::<T>().unwrap_or_default());
            if layer.operation.compares() {
                return compared(layer.operation, &pairs, &x, &y);
            }
            Ok(Tensor::of(pairs.dims.clone(), arithmetic(layer.operation, &pairs, &x, &y)?)?)
        }),
    }
}

/// Computes a `ParametricRelu` layer.
pub(super) fn parametric_relu(inputs: &[&Tensor]) -> Result<Tensor, EvalError> {
    let (data, slope) = (operand(inputs, 0)?, operand(inputs, 1)?);
    broadcast_strides(slope.dims(), data.dims())?;
    let pairs = Pairs::new(data.dims(), slope.dims())?;
    let values =
        pairs.map(
            &reals(inputs, 0)?,
            &reals(inputs, 1)?,
            |x, slope| if x >= 0.0 { x } else { x * slope },
        );
    rounded(data.dtype(), pairs.dims, values)
}

/// Computes a `Select` layer.
pub(super) fn select(inputs: &[&Tensor]) -> Result<Tensor, EvalError> {
    let (condition, then, other) = (operand(inputs, 0)?, operand(inputs, 1)?, operand(inputs, 2)?);
    let truths = truths(inputs, 0)?;
    let dims = broadcast(condition.dims(), &broadcast(then.dims(), other.dims())?)?;
    count(&dims)?;
    let strides = [condition, then, other].map(|tensor| broadcast_strides(tensor.dims(), &dims));
    let [c, t, o] = strides;
    let walk = Walk::new(&dims, [&c?, &t?, &o?]);
    let from = then.len();
    let picked = walk.map(|[c, t, o]| if truths[c] != 0 { t } else { from + o });
    // The join reports types that differ by position in its own list, which begins with operand 1.
    same_branch_type(then, other)?;
    Source::join(&[then, other])?.each(dims.clone(), picked)
}

fn same_branch_type(then: &Tensor, other: &Tensor) -> Result<(), EvalError> {
    if then.dtype() == other.dtype() {
        return Ok(());
    }
    Err(EvalError::Type { at: 2, actual: other.dtype(), expected: "of the second operand's type" })
}

fn logical(operation: Op, pairs: &Pairs, a: &[u8], b: &[u8]) -> Result<Tensor, EvalError> {
    let values = match operation {
        Op::And => pairs.map(a, b, |a, b| u8::from(a != 0 && b != 0)),
        Op::Or => pairs.map(a, b, |a, b| u8::from(a != 0 || b != 0)),
        _ => pairs.map(a, b, |a, b| u8::from((a != 0) != (b != 0))),
    };
    Ok(Tensor::of_bytes(DType::Bool, pairs.dims.clone(), values)?)
}

fn compared<T: Number>(
    operation: Op,
    pairs: &Pairs,
    a: &[T],
    b: &[T],
) -> Result<Tensor, EvalError> {
    let values = match operation {
        Op::Greater => pairs.map(a, b, |a, b| u8::from(a > b)),
        Op::Less => pairs.map(a, b, |a, b| u8::from(a < b)),
        _ => pairs.map(a, b, |a, b| u8::from(a == b)),
    };
    Ok(Tensor::of_bytes(DType::Bool, pairs.dims.clone(), values)?)
}

fn arithmetic<T: Number>(
    operation: Op,
    pairs: &Pairs,
    a: &[T],
    b: &[T],
) -> Result<Vec<T>, EvalError> {
    let divides = matches!(operation, Op::Div | Op::FloorDiv);
    if divides && T::WHOLE && !pairs.is_empty() && b.contains(&T::ZERO) {
        return Err(EvalError::DivisionByZero);
    }
    Ok(match operation {
        Op::Prod => pairs.map(a, b, T::mul),
        Op::Max => pairs.map(a, b, T::larger),
        Op::Min => pairs.map(a, b, T::smaller),
        Op::Sub => pairs.map(a, b, T::sub),
        Op::Div => pairs.map(a, b, T::div),
        Op::Pow => pairs.map(a, b, T::pow),
        Op::FloorDiv => pairs.map(a, b, T::floor_div),
        // The logical and comparing ones never come here.
        _ => pairs.map(a, b, T::add),
    })
}

/// Two operands of one rank, broadcast to one shape.
struct Pairs {
    dims: Vec<usize>,
    walk: Walk<2>,
}

impl Pairs {
    fn new(a: &[usize], b: &[usize]) -> Result<Self, EvalError> {
        let dims = broadcast(a, b)?;
        count(&dims)?;
        let walk = Walk::new(&dims, [&broadcast_strides(a, &dims)?, &broadcast_strides(b, &dims)?]);
        Ok(Self { dims, walk })
    }

    fn is_empty(&self) -> bool {
        self.walk.len() == 0
    }

    /// `f` of each pair. The innermost axis of either operand is dense or repeats one element.
    fn map<T: Element, U: Element>(
        &self,
        a: &[T],
        b: &[T],
        f: impl Fn(T, T) -> U + Sync,
    ) -> Vec<U> {
        let mut out = vec![U::zeroed(); self.walk.len()];
        let (rows, inner) = self.walk.clone().rows();
        if rows.len() == 1 && inner.strides == [1, 1] {
            const PIECE: usize = 1 << 14;
            pieces(&mut out, PIECE, |i, part| {
                let from = i * PIECE;
                let pairs = a[from..].iter().zip(&b[from..]);
                part.iter_mut().zip(pairs).for_each(|(out, (&a, &b))| *out = f(a, b));
            });
            return out;
        }
        for ([at, bt], row) in rows.zip(out.chunks_mut(inner.size.max(1))) {
            let (a, b) = (&a[at..], &b[bt..]);
            match inner.strides {
                [0, 0] => row.fill(f(a[0], b[0])),
                [0, _] => row.iter_mut().zip(b).for_each(|(out, &b)| *out = f(a[0], b)),
                [_, 0] => row.iter_mut().zip(a).for_each(|(out, &a)| *out = f(a, b[0])),
                _ => row.iter_mut().zip(a.iter().zip(b)).for_each(|(out, (&a, &b))| *out = f(a, b)),
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::f16;

    fn run(operation: Op, a: &Tensor, b: &Tensor) -> Result<Tensor, EvalError> {
        elementwise(&ElementWise { operation }, &[a, b])
    }

    #[test]
    fn operands_broadcast_in_every_direction() {
        let column = Tensor::of(vec![2, 1], vec![10f32, 20.0]).unwrap();
        let row = Tensor::of(vec![1, 3], vec![1f32, 2.0, 3.0]).unwrap();
        let full = Tensor::of(vec![2, 3], vec![1f32, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
        let expect = |t: Result<Tensor, EvalError>, values: [f32; 6]| {
            assert_eq!(t.unwrap(), Tensor::of(vec![2, 3], values.to_vec()).unwrap());
        };
        expect(run(Op::Sum, &column, &row), [11.0, 12.0, 13.0, 21.0, 22.0, 23.0]);
        expect(run(Op::Sub, &full, &row), [0.0, 0.0, 0.0, 3.0, 3.0, 3.0]);
        expect(run(Op::Prod, &column, &full), [10.0, 20.0, 30.0, 80.0, 100.0, 120.0]);
        expect(run(Op::Max, &full, &full), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let scalar = Tensor::scalar(2i64);
        assert_eq!(run(Op::Pow, &scalar, &Tensor::scalar(5i64)).unwrap(), Tensor::scalar(32i64));
    }

    #[test]
    fn types_have_their_own_arithmetic() {
        let ints = |values: &[i32]| Tensor::vector(values);
        assert_eq!(run(Op::Div, &ints(&[-7, 7]), &ints(&[2, -2])).unwrap(), ints(&[-3, -3]));
        assert_eq!(run(Op::FloorDiv, &ints(&[-7, 7]), &ints(&[2, 2])).unwrap(), ints(&[-4, 3]));
        assert_eq!(run(Op::Sum, &ints(&[i32::MAX]), &ints(&[1])).unwrap(), ints(&[i32::MIN]));
        let halves = Tensor::vector(&[f16::from_f32(2048.0)]);
        let one = Tensor::vector(&[f16::ONE]);
        assert_eq!(
            run(Op::Sum, &halves, &one).unwrap(),
            halves,
            "2049 is a tie in f16 and rounds to even"
        );
        let bools = |values: [bool; 4]| Tensor::of_bools(vec![4], values).unwrap();
        let (x, y) = (bools([true, true, false, false]), bools([true, false, true, false]));
        assert_eq!(run(Op::Xor, &x, &y).unwrap(), bools([false, true, true, false]));
        assert_eq!(run(Op::Equal, &x, &y).unwrap(), bools([true, false, false, true]));
        let less = run(Op::Less, &ints(&[1, 2, 3, 4]), &ints(&[4, 3, 2, 1])).unwrap();
        assert_eq!(less, bools([true, true, false, false]));
    }

    #[test]
    fn what_has_no_result_is_an_error() {
        let ints = Tensor::vector(&[1i32, 0]);
        assert_eq!(run(Op::Div, &ints, &ints), Err(EvalError::DivisionByZero));
        let empty = Tensor::of(vec![0], Vec::<i32>::new()).unwrap();
        assert_eq!(run(Op::Div, &empty, &Tensor::vector(&[0i32])), Ok(empty));
        let three = Tensor::vector(&[1i32, 2, 3]);
        assert_eq!(run(Op::Sum, &ints, &three), Err(EvalError::Shapes(vec![2], vec![3])));
        assert_eq!(
            run(Op::Sum, &ints, &Tensor::vector(&[1f32, 2.0])).unwrap_err().to_string(),
            "operand 1 is f32, but must be of the first operand's type"
        );
        assert_eq!(
            run(Op::And, &ints, &ints).unwrap_err().to_string(),
            "operand 0 is i32, but must be bool"
        );
        assert_eq!(
            elementwise(&ElementWise { operation: Op::Sum }, &[]),
            Err(EvalError::Operands { at: 0, count: 0 })
        );
    }

    #[test]
    fn select_broadcasts_three_ways() {
        let condition = Tensor::of_bools(vec![2, 1], [true, false]).unwrap();
        let then = Tensor::of(vec![1, 2], vec![1i64, 2]).unwrap();
        let other = Tensor::of(vec![1, 1], vec![9i64]).unwrap();
        let picked = select(&[&condition, &then, &other]).unwrap();
        assert_eq!(picked, Tensor::of(vec![2, 2], vec![1i64, 2, 9, 9]).unwrap());
    }

    #[test]
    fn parametric_relu_scales_what_is_negative() {
        let data = Tensor::of(vec![2, 2], vec![-1f32, 1.0, -2.0, 2.0]).unwrap();
        let slope = Tensor::of(vec![2, 1], vec![0.5f32, 0.25]).unwrap();
        let expected = Tensor::of(vec![2, 2], vec![-0.5f32, 1.0, -0.5, 2.0]).unwrap();
        assert_eq!(parametric_relu(&[&data, &slope]).unwrap(), expected);
        assert!(parametric_relu(&[&slope, &data]).is_err());
    }
}
