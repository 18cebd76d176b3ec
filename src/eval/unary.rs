//! `Unary` and `Activation`: functions of one element.

use super::error::EvalError;
use super::number::{Number, with_whole_number};
use super::operand::{operand, reals, rounded, truths};
use super::parallel::pieces;
use crate::network::layer::{Activation, ActivationType, Unary, UnaryOperation as Op};
use crate::tensor::Tensor;
use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// Computes a `Unary` layer.
pub(super) fn unary(layer: &Unary, inputs: &[&Tensor]) -> Result<Tensor, EvalError> {
    let data = operand(inputs, 0)?;
    let dims = data.dims().to_vec();
    match layer.operation {
        Op::Not => Ok(Tensor::of_bools(dims, truths(inputs, 0)?.iter().map(|&x| x == 0))?),
        Op::IsInf => Ok(Tensor::of_bools(dims, reals(inputs, 0)?.iter().map(|x| x.is_infinite()))?),
        Op::IsNan => Ok(Tensor::of_bools(dims, reals(inputs, 0)?.iter().map(|x| x.is_nan()))?),
        Op::Abs | Op::Neg | Op::Sign if data.dtype().is_int() => with_whole_number!(data, 0, T => {
            let values = data.values::<T>().unwrap_or_default();
            Ok(Tensor::of(dims, values.iter().map(|&x| match layer.operation {
                Op::Abs => Number::abs(x),
                Op::Neg => Number::neg(x),
                _ => Number::sign(x),
            }).collect())?)
        }),
        operation => each(data, &reals(inputs, 0)?, |x| real(operation, x)),
    }
}

fn real(operation: Op, x: f32) -> f32 {
    match operation {
        Op::Exp => x.exp(),
        Op::Log => x.ln(),
        Op::Sqrt => x.sqrt(),
        Op::Recip => x.recip(),
        Op::Abs => x.abs(),
        Op::Neg => -x,
        Op::Sin => x.sin(),
        Op::Cos => x.cos(),
        Op::Tan => x.tan(),
        Op::Sinh => x.sinh(),
        Op::Cosh => x.cosh(),
        Op::Asin => x.asin(),
        Op::Acos => x.acos(),
        Op::Atan => x.atan(),
        Op::Asinh => x.asinh(),
        Op::Acosh => x.acosh(),
        Op::Atanh => x.atanh(),
        Op::Ceil => x.ceil(),
        Op::Floor => x.floor(),
        Op::Erf => erf(x.into()) as f32,
        Op::Sign => x.sign(),
        Op::Round => x.round_ties_even(),
        // These give `bool` and never come here.
        Op::Not | Op::IsInf | Op::IsNan => f32::NAN,
    }
}

/// Computes an `Activation` layer.
pub(super) fn activation(layer: &Activation, inputs: &[&Tensor]) -> Result<Tensor, EvalError> {
    let data = operand(inputs, 0)?;
    if layer.kind == ActivationType::Relu && data.dtype().is_int() {
        return with_whole_number!(data, 0, T => {
            let values = data.values::<T>().unwrap_or_default();
            let positive = values.iter().map(|&x| x.larger(T::ZERO)).collect();
            Ok(Tensor::of(data.dims().to_vec(), positive)?)
        });
    }
    each(data, &reals(inputs, 0)?, |x| activated(layer, x))
}

fn activated(layer: &Activation, x: f32) -> f32 {
    let (alpha, beta) = (layer.alpha, layer.beta);
    match layer.kind {
        ActivationType::Relu => x.max(0.0),
        ActivationType::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        ActivationType::Tanh => x.tanh(),
        ActivationType::LeakyRelu => {
            if x >= 0.0 {
                x
            } else {
                alpha * x
            }
        }
        ActivationType::Elu => {
            if x >= 0.0 {
                x
            } else {
                alpha * x.exp_m1()
            }
        }
        ActivationType::Selu => beta * if x > 0.0 { x } else { alpha * x.exp_m1() },
        ActivationType::Softsign => x / (1.0 + x.abs()),
        ActivationType::Softplus => {
            // ln(e^t + 1) without the overflow of e^t.
            let t = beta * x;
            alpha * (t.max(0.0) + (-t.abs()).exp().ln_1p())
        }
        ActivationType::Clip => alpha.max(beta.min(x)),
        ActivationType::HardSigmoid => (alpha * x + beta).clamp(0.0, 1.0),
        ActivationType::ScaledTanh => alpha * (beta * x).tanh(),
        ActivationType::ThresholdedRelu => {
            if x > alpha {
                x
            } else {
                0.0
            }
        }
        ActivationType::GeluErf => {
            let x = f64::from(x);
            (x * (1.0 + erf(x * FRAC_1_SQRT_2)) / 2.0) as f32
        }
        ActivationType::GeluTanh => {
            let x = f64::from(x);
            (x * (1.0 + ((2.0 / PI).sqrt() * (x + 0.044_715 * x * x * x)).tanh()) / 2.0) as f32
        }
    }
}

fn each(data: &Tensor, values: &[f32], f: impl Fn(f32) -> f32 + Sync) -> Result<Tensor, EvalError> {
    const PIECE: usize = 1 << 12;
    let mut out = vec![0.0; values.len()];
    pieces(&mut out, PIECE, |i, part| {
        part.iter_mut().zip(&values[i * PIECE..]).for_each(|(out, &x)| *out = f(x));
    });
    rounded(data.dtype(), data.dims().to_vec(), out)
}

/// The error function, to about the precision of `f64`.
///
/// erf x = 2/√π · e^(−x²) · Σ 2ⁿ·x^(2n+1) / (1·3·…·(2n+1)): all terms have one sign, so that
/// nothing cancels.
fn erf(x: f64) -> f64 {
    if x.is_nan() || x.abs() >= 6.0 {
        // From 6 on the result differs from ±1 by less than the precision.
        return if x.is_nan() { x } else { x.signum() };
    }
    let square = x * x;
    let (mut term, mut sum, mut odd) = (x, x, 1.0);
    while term.abs() > sum.abs() * f64::EPSILON {
        odd += 2.0;
        term *= 2.0 * square / odd;
        sum += term;
    }
    2.0 / PI.sqrt() * (-square).exp() * sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::bf16;

    #[track_caller]
    fn close(actual: &Tensor, expected: &[f32]) {
        let actual = actual.to_f32s().unwrap();
        assert_eq!(actual.len(), expected.len());
        for (a, e) in actual.iter().zip(expected) {
            assert!((a - e).abs() <= 1e-6 * e.abs().max(1.0), "{actual:?} is not {expected:?}");
        }
    }

    #[test]
    fn erf_matches_tabulated_values() {
        let table = [
            (0.0, 0.0),
            (0.5, 0.520_499_877_813_046_5),
            (1.0, 0.842_700_792_949_714_9),
            (3.0, 0.999_977_909_503_001_4),
        ];
        for (x, y) in table {
            assert!(
                (erf(x) - y).abs() < 1e-15 && (erf(-x) + y).abs() < 1e-15,
                "erf {x} = {}",
                erf(x)
            );
        }
        assert_eq!((erf(f64::INFINITY), erf(-7.0), erf(f64::NAN).is_nan()), (1.0, -1.0, true));
    }

    #[test]
    fn functions_of_reals() {
        let x = Tensor::vector(&[-1.5f32, -0.5, 0.5, 2.5]);
        let run = |operation| unary(&Unary { operation }, &[&x]).unwrap();
        close(&run(Op::Round), &[-2.0, 0.0, 0.0, 2.0]);
        close(&run(Op::Ceil), &[-1.0, 0.0, 1.0, 3.0]);
        close(&run(Op::Sign), &[-1.0, -1.0, 1.0, 1.0]);
        close(&run(Op::Recip), &[-2.0 / 3.0, -2.0, 2.0, 0.4]);
        close(&run(Op::Exp), &[0.223_130_16, 0.606_530_66, 1.648_721_3, 12.182_494]);
        assert!(run(Op::Log).to_f32s().unwrap()[0].is_nan());
    }

    #[test]
    fn functions_of_other_types() {
        let ints = Tensor::vector(&[-3i64, 0, 4]);
        let run = |operation, x: &Tensor| unary(&Unary { operation }, &[x]);
        assert_eq!(run(Op::Abs, &ints).unwrap(), Tensor::vector(&[3i64, 0, 4]));
        assert_eq!(run(Op::Sign, &ints).unwrap(), Tensor::vector(&[-1i64, 0, 1]));
        assert_eq!(
            run(Op::Exp, &ints).unwrap_err().to_string(),
            "operand 0 is i64, but must be floating point"
        );
        let bools = Tensor::of_bools(vec![2], [true, false]).unwrap();
        assert_eq!(
            run(Op::Not, &bools).unwrap(),
            Tensor::of_bools(vec![2], [false, true]).unwrap()
        );
        let odd = Tensor::vector(&[f32::NAN, f32::NEG_INFINITY]);
        assert_eq!(
            run(Op::IsInf, &odd).unwrap(),
            Tensor::of_bools(vec![2], [false, true]).unwrap()
        );
        assert_eq!(
            run(Op::IsNan, &odd).unwrap(),
            Tensor::of_bools(vec![2], [true, false]).unwrap()
        );
        let coarse = Tensor::vector(&[bf16::from_f32(3.0)]);
        assert_eq!(run(Op::Recip, &coarse).unwrap(), Tensor::vector(&[bf16::from_f32(1.0 / 3.0)]));
    }

    #[test]
    fn activations_follow_their_formulas() {
        use ActivationType as A;
        let x = Tensor::vector(&[-2.0f32, 0.0, 2.0]);
        let cases = [
            (A::Relu, 0.0, 0.0, [0.0, 0.0, 2.0]),
            (A::Sigmoid, 0.0, 0.0, [0.119_202_92, 0.5, 0.880_797_1]),
            (A::LeakyRelu, 0.1, 0.0, [-0.2, 0.0, 2.0]),
            (A::Elu, 2.0, 0.0, [-1.729_329_4, 0.0, 2.0]),
            (A::Selu, 1.673_263_2, 1.050_701, [-1.520_166_5, 0.0, 2.101_402]),
            (A::Softsign, 0.0, 0.0, [-2.0 / 3.0, 0.0, 2.0 / 3.0]),
            (A::Softplus, 2.0, 1.0, [0.253_856, 1.386_294_4, 4.253_856]),
            (A::Clip, -1.0, 1.0, [-1.0, 0.0, 1.0]),
            (A::Clip, 3.0, 1.0, [3.0, 3.0, 3.0]),
            (A::HardSigmoid, 0.2, 0.5, [0.1, 0.5, 0.9]),
            (A::ScaledTanh, 2.0, 0.5, [-1.523_188_4, 0.0, 1.523_188_4]),
            (A::ThresholdedRelu, 2.0, 0.0, [0.0, 0.0, 0.0]),
            (A::GeluErf, 0.0, 0.0, [-0.045_500_26, 0.0, 1.954_499_7]),
            (A::GeluTanh, 0.0, 0.0, [-0.045_402_3, 0.0, 1.954_597_7]),
        ];
        for (kind, alpha, beta, expected) in cases {
            close(&activation(&Activation { kind, alpha, beta }, &[&x]).unwrap(), &expected);
        }
        let layer = Activation { kind: A::Relu, alpha: 0.0, beta: 0.0 };
        assert_eq!(
            activation(&layer, &[&Tensor::vector(&[-1i32, 5])]).unwrap(),
            Tensor::vector(&[0i32, 5])
        );
        let layer = Activation { kind: A::Softplus, alpha: 1.0, beta: 1.0 };
        close(&activation(&layer, &[&Tensor::vector(&[1000f32])]).unwrap(), &[1000.0]);
    }
}
