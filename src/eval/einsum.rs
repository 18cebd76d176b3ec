//! `Einsum`: sums of products by Einstein's notation, computed as one batched matrix product.

use super::error::EvalError;
use super::gemm::{Matrix, multiply};
use super::index::{Walk, count, strides};
use super::operand::{buffer, operand, reals, rounded, same_type};
use crate::network::layer::{Einsum, Equation, Letter};
use crate::tensor::Tensor;
use std::collections::BTreeMap;

/// Computes an `Einsum` layer. A letter that occurs twice in an operand takes its diagonal.
pub(super) fn einsum(layer: &Einsum, inputs: &[&Tensor]) -> Result<Tensor, EvalError> {
    let equation = Fitted::new(&layer.equation, inputs)?;
    let first = operand(inputs, 0)?;
    let (left, right) = (equation.term(0), equation.term(1));
    let (mut batch, mut rows, mut columns) = (Vec::new(), Vec::new(), Vec::new());
    for &letter in equation.result {
        let of = match (left.contains(&letter), right.contains(&letter)) {
            (true, true) => &mut batch,
            (true, false) => &mut rows,
            _ => &mut columns,
        };
        of.push(letter);
    }
    let summed: Vec<Letter> =
        equation.sizes.keys().copied().filter(|letter| !equation.result.contains(letter)).collect();
    let shared: Vec<Letter> =
        summed.iter().copied().filter(|x| left.contains(x) && right.contains(x)).collect();
    let alone = |term: &[Letter]| -> Vec<Letter> {
        summed
            .iter()
            .copied()
            .filter(|letter| term.contains(letter) && !shared.contains(letter))
            .collect()
    };
    let a = equation.arranged(0, inputs, &[&batch, &rows, &shared], &alone(left))?;
    let b = equation.arranged(1, inputs, &[&batch, &columns, &shared], &alone(right))?;
    let volume = |letters: &[Letter]| count(&equation.dims(letters));
    let [m, k, n] = [volume(&rows)?, volume(&shared)?, volume(&columns)?];
    let made = [batch.as_slice(), &rows, &columns].concat();
    let mut out = buffer(&equation.dims(&made))?;
    for (i, out) in out.chunks_mut((m * n).max(1)).enumerate() {
        let right = Matrix::transposed(&b[i * n * k..], k);
        multiply([m, k, n], Matrix::new(&a[i * m * k..], k), right, out, n);
    }
    // From the order in which the product comes to the order asked for.
    let made_strides = strides(&equation.dims(&made));
    let steps: Vec<isize> = equation
        .result
        .iter()
        .filter_map(|x| made.iter().position(|y| x == y))
        .map(|at| made_strides[at])
        .collect();
    let dims = equation.dims(equation.result);
    let ordered = Walk::new(&dims, [&steps]).map(|[at]| out[at]).collect();
    rounded(first.dtype(), dims, ordered)
}

/// An equation whose letters have sizes.
struct Fitted<'a> {
    terms: &'a [Vec<Letter>],
    result: &'a [Letter],
    sizes: BTreeMap<Letter, usize>,
}

impl<'a> Fitted<'a> {
    fn new(equation: &'a Equation, inputs: &[&Tensor]) -> Result<Self, EvalError> {
        let wrong = |rule| EvalError::Equation { equation: equation.clone(), rule };
        let Equation { terms, result } = equation;
        if terms.len() != inputs.len() || terms.len() > 2 {
            return Err(wrong("does not have one term for each of one or two operands"));
        }
        let mut sizes = BTreeMap::new();
        for (at, (term, tensor)) in terms.iter().zip(inputs).enumerate() {
            same_type(inputs, at)?;
            if term.len() != tensor.dims().len() {
                return Err(wrong("does not have one letter for each axis"));
            }
            if term
                .iter()
                .zip(tensor.dims())
                .any(|(&letter, &size)| *sizes.entry(letter).or_insert(size) != size)
            {
                return Err(wrong("gives one letter to axes of different sizes"));
            }
        }
        let known = result.iter().all(|letter| sizes.contains_key(letter));
        if !known || Letter::repeated(result).is_some() {
            return Err(wrong("has a letter in the result that no operand has, or has it twice"));
        }
        Ok(Self { terms, result, sizes })
    }

    /// The letters of a term; none for a second operand that is absent, which counts as 1.
    fn term(&self, at: usize) -> &[Letter] {
        self.terms.get(at).map_or(&[], Vec::as_slice)
    }

    fn dims(&self, letters: &[Letter]) -> Vec<usize> {
        letters.iter().filter_map(|letter| self.sizes.get(letter).copied()).collect()
    }

    /// The operand with its axes in the order of `letters`, summed over those of `alone`.
    fn arranged(
        &self,
        at: usize,
        inputs: &[&Tensor],
        letters: &[&[Letter]],
        alone: &[Letter],
    ) -> Result<Vec<f32>, EvalError> {
        if at >= inputs.len() {
            return Ok(vec![1.0; count(&self.dims(&letters.concat()))?]);
        }
        let values = reals(inputs, at)?;
        let own = strides(operand(inputs, at)?.dims());
        let steps = |letters: &[Letter]| -> Vec<isize> {
            let step = |x: &Letter| {
                self.term(at)
                    .iter()
                    .zip(&own)
                    .filter(|(y, _)| x == *y)
                    .map(|(_, stride)| stride)
                    .sum()
            };
            letters.iter().map(step).collect()
        };
        let letters = letters.concat();
        let (dims, summed) = (self.dims(&letters), self.dims(alone));
        count(&dims)?;
        let (outer, inner) = (steps(&letters), steps(alone));
        let sums = Walk::new(&dims, [&outer]).map(|[from]| {
            let terms =
                Walk::new(&summed, [&inner]).map(|[offset]| f64::from(values[from + offset]));
            terms.sum::<f64>() as f32
        });
        Ok(sums.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn iota(dims: &[usize]) -> Tensor {
        Tensor::of(dims.to_vec(), (0u8..).map(f32::from).take(dims.iter().product()).collect())
            .unwrap()
    }

    fn run(equation: &str, inputs: &[&Tensor]) -> Result<Tensor, EvalError> {
        let ranks: Vec<_> = inputs.iter().map(|input| input.dims().len()).collect();
        einsum(&Einsum { equation: Equation::parse(equation, &ranks).unwrap() }, inputs)
    }

    #[test]
    fn equations_of_one_and_two_operands() {
        let (a, b) = (iota(&[2, 3]), iota(&[3, 2]));
        let square = iota(&[2, 2]);
        let cases = [
            ("ij,jk->ik", vec![&a, &b], vec![2, 2], vec![10f32, 13.0, 28.0, 40.0]),
            ("ij,jk->ki", vec![&a, &b], vec![2, 2], vec![10.0, 28.0, 13.0, 40.0]),
            ("ij->ji", vec![&a], vec![3, 2], vec![0.0, 3.0, 1.0, 4.0, 2.0, 5.0]),
            ("ij->", vec![&a], vec![], vec![15.0]),
            ("ii->i", vec![&square], vec![2], vec![0.0, 3.0]),
            ("ij,ij->i", vec![&a, &a], vec![2], vec![5.0, 50.0]),
            ("ij,kl->ik", vec![&a, &square], vec![2, 2], vec![3.0, 15.0, 12.0, 60.0]),
            ("ij,ij->ij", vec![&a, &a], vec![2, 3], vec![0.0, 1.0, 4.0, 9.0, 16.0, 25.0]),
        ];
        for (equation, inputs, dims, values) in cases {
            assert_eq!(run(equation, &inputs), Ok(Tensor::of(dims, values).unwrap()), "{equation}");
        }
    }

    #[test]
    fn batches_stay_apart() {
        let (a, b) = (iota(&[2, 2, 1]), iota(&[2, 1, 2]));
        let expected = vec![0f32, 0.0, 0.0, 1.0, 4.0, 6.0, 6.0, 9.0];
        assert_eq!(
            run("bij,bjk->bik", &[&a, &b]),
            Ok(Tensor::of(vec![2, 2, 2], expected).unwrap())
        );
    }

    #[test]
    fn equations_that_do_not_fit_say_why() {
        let a = iota(&[2, 3]);
        let message = |text, ranks: &[usize]| {
            let equation = Equation::parse(text, ranks).unwrap();
            einsum(&Einsum { equation }, &[&a]).unwrap_err().to_string()
        };
        assert_eq!(
            message("ii->i", &[2]),
            "equation `aa->a` gives one letter to axes of different sizes"
        );
        assert_eq!(message("i->i", &[1]), "equation `a->a` does not have one letter for each axis");
        assert!(message("ij,jk->ik", &[2, 2]).contains("one term for each"));
    }
}
