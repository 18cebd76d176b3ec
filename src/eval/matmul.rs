//! `MatrixMultiply`: batched matrix products of reals.

use super::error::EvalError;
use super::gemm::{Matrix, multiply};
use super::index::{Walk, broadcast, broadcast_strides, count};
use super::operand::{buffer, operand, reals, rounded, same_type};
use crate::network::layer::{MatrixMultiply, MatrixOperation};
use crate::tensor::Tensor;

/// Computes a `MatrixMultiply` layer.
pub(super) fn matrix_multiply(
    layer: &MatrixMultiply,
    inputs: &[&Tensor],
) -> Result<Tensor, EvalError> {
    let (a, b) = (operand(inputs, 0)?, operand(inputs, 1)?);
    same_type(inputs, 1)?;
    let (x, y) = (reals(inputs, 0)?, reals(inputs, 1)?);
    // A vector is a row on the left and a column on the right.
    let left = Factor::new(0, a.dims(), layer.op0, true)?;
    let right = Factor::new(1, b.dims(), layer.op1, false)?;
    if left.columns != right.rows {
        return Err(EvalError::Shapes(a.dims().to_vec(), b.dims().to_vec()));
    }
    let batch = broadcast(left.batch, right.batch)?;
    let (m, k, n) = (left.rows, left.columns, right.columns);
    let mut dims = batch.clone();
    dims.extend((layer.op0 != MatrixOperation::Vector).then_some(m));
    dims.extend((layer.op1 != MatrixOperation::Vector).then_some(n));
    let mut out = buffer(&dims)?;
    if left.batch == batch && !right.varies() && !left.transposed && m > 0 {
        // One right factor for all: the batches of the left one are just more rows.
        multiply([count(&batch)? * m, k, n], left.matrix(&x, 0), right.matrix(&y, 0), &mut out, n);
    } else if !out.is_empty() {
        let strides =
            [&broadcast_strides(left.batch, &batch)?[..], &broadcast_strides(right.batch, &batch)?];
        for ([i, j], out) in Walk::new(&batch, strides).zip(out.chunks_mut(m * n)) {
            multiply([m, k, n], left.matrix(&x, i), right.matrix(&y, j), out, n);
        }
    }
    rounded(a.dtype(), dims, out)
}

/// One side of the product.
struct Factor<'a> {
    batch: &'a [usize],
    rows: usize,
    columns: usize,
    transposed: bool,
}

impl<'a> Factor<'a> {
    fn new(
        at: usize,
        dims: &'a [usize],
        operation: MatrixOperation,
        left: bool,
    ) -> Result<Self, EvalError> {
        let too_small = || EvalError::Shape {
            at,
            dims: dims.to_vec(),
            rule: "hold a matrix, or a vector where it is one",
        };
        if operation == MatrixOperation::Vector {
            let (&size, batch) = dims.split_last().ok_or_else(too_small)?;
            let (rows, columns) = if left { (1, size) } else { (size, 1) };
            return Ok(Self { batch, rows, columns, transposed: false });
        }
        let (batch, &[rows, columns]) = dims.split_last_chunk().ok_or_else(too_small)?;
        let transposed = operation == MatrixOperation::Transpose;
        let (rows, columns) = if transposed { (columns, rows) } else { (rows, columns) };
        Ok(Self { batch, rows, columns, transposed })
    }

    fn varies(&self) -> bool {
        self.batch.iter().any(|&d| d != 1)
    }

    /// The matrix of the batch with this number, counted in matrices.
    fn matrix<'v>(&self, values: &'v [f32], batch: usize) -> Matrix<'v> {
        let data = values.get(batch * self.rows * self.columns..).unwrap_or_default();
        if self.transposed {
            Matrix::transposed(data, self.rows)
        } else {
            Matrix::new(data, self.columns)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use MatrixOperation::{None, Transpose, Vector};

    fn iota(dims: &[usize]) -> Tensor {
        Tensor::of(dims.to_vec(), (0..dims.iter().product::<usize>()).map(|x| x as f32).collect())
            .unwrap()
    }

    #[test]
    fn operands_enter_as_they_are_told() {
        let cases = [
            (None, vec![2, 3], None, vec![3, 1], vec![2, 1], vec![5.0f32, 14.0]),
            (None, vec![2, 3], Transpose, vec![1, 3], vec![2, 1], vec![5.0f32, 14.0]),
            (Transpose, vec![3, 2], None, vec![3, 1], vec![2, 1], vec![10.0f32, 13.0]),
            (None, vec![2, 3], Vector, vec![3], vec![2], vec![5.0f32, 14.0]),
            (Vector, vec![3], Vector, vec![3], vec![], vec![5.0f32]),
            (Vector, vec![2], None, vec![2, 2], vec![2], vec![2.0f32, 3.0]),
            (None, vec![2, 0], None, vec![0, 1], vec![2, 1], vec![0.0f32, 0.0]),
        ];
        for (op0, a, op1, b, dims, values) in cases {
            let product =
                matrix_multiply(&MatrixMultiply { op0, op1 }, &[&iota(&a), &iota(&b)]).unwrap();
            assert_eq!(product, Tensor::of(dims, values).unwrap(), "{op0:?} {a:?} {op1:?} {b:?}");
        }
    }

    #[test]
    fn batches_broadcast() {
        let layer = MatrixMultiply { op0: None, op1: None };
        for (a, b) in [
            (vec![2, 3, 4, 5], vec![1, 3, 5, 2]),
            (vec![2, 1, 4, 5], vec![1, 1, 5, 2]),
            (vec![1, 4, 5], vec![3, 5, 2]),
        ] {
            let (x, y) = (iota(&a), iota(&b));
            let product = matrix_multiply(&layer, &[&x, &y]).unwrap();
            let values = product.to_f32s().unwrap();
            let (xs, ys) = (x.to_f32s().unwrap(), y.to_f32s().unwrap());
            let rank = a.len();
            let batch = broadcast(&a[..rank - 2], &b[..rank - 2]).unwrap();
            let strides = [
                broadcast_strides(&a[..rank - 2], &batch).unwrap(),
                broadcast_strides(&b[..rank - 2], &batch).unwrap(),
            ];
            for (index, [i, j]) in Walk::new(&batch, [&strides[0], &strides[1]]).enumerate() {
                for (row, column) in (0..4).flat_map(|r| (0..2).map(move |c| (r, c))) {
                    let expected: f32 = (0..5)
                        .map(|k| xs[i * 20 + row * 5 + k] * ys[j * 10 + k * 2 + column])
                        .sum();
                    assert!(
                        (values[index * 8 + row * 2 + column] - expected).abs() <= expected * 1e-6
                    );
                }
            }
        }
    }

    #[test]
    fn misfits_are_errors() {
        let layer = MatrixMultiply { op0: None, op1: None };
        let error =
            |a: &[usize], b: &[usize]| matrix_multiply(&layer, &[&iota(a), &iota(b)]).unwrap_err();
        assert_eq!(error(&[2, 3], &[2, 3]), EvalError::Shapes(vec![2, 3], vec![2, 3]));
        assert_eq!(error(&[2, 2, 3], &[3, 3, 3]), EvalError::Shapes(vec![2], vec![3]));
        assert!(matches!(error(&[3], &[3, 3]), EvalError::Shape { at: 0, .. }));
    }
}
