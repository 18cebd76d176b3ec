//! Matrix products of `f32`: the one door to the `matrixmultiply` crate.

/// A matrix in a slice, by the distance in elements between its rows and between its columns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Matrix<'a> {
    pub data: &'a [f32],
    pub row_stride: usize,
    pub column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// A dense matrix of rows with `columns` elements.
    pub(super) fn new(data: &'a [f32], columns: usize) -> Self {
        Self { data, row_stride: columns, column_stride: 1 }
    }

    /// The transpose of a dense matrix that has rows with `columns` elements.
    pub(super) fn transposed(data: &'a [f32], columns: usize) -> Self {
        Self { data, row_stride: 1, column_stride: columns }
    }

    fn holds(&self, rows: usize, columns: usize) -> bool {
        reaches(self.row_stride, self.column_stride, rows, columns)
            .is_some_and(|last| last < self.data.len())
    }
}

/// Offset of the last element of a matrix; `None` where that overflows.
fn reaches(row_stride: usize, column_stride: usize, rows: usize, columns: usize) -> Option<usize> {
    let down = row_stride.checked_mul(rows - 1)?;
    down.checked_add(column_stride.checked_mul(columns - 1)?)
}

/// Writes a · b to `out`, whose rows are `out_stride` elements apart: `[m, k] · [k, n] = [m, n]`.
///
/// # Panics
/// Where a matrix does not lie within its slice, or rows of the output would overlap.
pub(super) fn multiply(
    [m, k, n]: [usize; 3],
    a: Matrix<'_>,
    b: Matrix<'_>,
    out: &mut [f32],
    out_stride: usize,
) {
    if m == 0 || n == 0 {
        return;
    }
    assert!(n <= out_stride || m == 1, "rows of the product overlap");
    assert!(
        reaches(out_stride, 1, m, n).is_some_and(|last| last < out.len()),
        "the product does not fit"
    );
    if k == 0 {
        out.chunks_mut(out_stride.max(1)).take(m).for_each(|row| row[..n].fill(0.0));
        return;
    }
    assert!(a.holds(m, k) && b.holds(k, n), "a factor does not fit");
    let signed = usize::cast_signed;
    // SAFETY: all elements that the strides reach lie within the slices, which was just checked,
    // and those of the output do not overlap; strides of slices fit in `isize`.
    #[expect(unsafe_code, reason = "matrixmultiply has no safe interface")]
    unsafe {
        matrixmultiply::sgemm(
            m,
            k,
            n,
            1.0,
            a.data.as_ptr(),
            signed(a.row_stride),
            signed(a.column_stride),
            b.data.as_ptr(),
            signed(b.row_stride),
            signed(b.column_stride),
            0.0,
            out.as_mut_ptr(),
            signed(out_stride),
            1,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multiplies_with_strides() {
        let (a, b) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
        let mut out = [9.0; 6];
        multiply([2, 3, 2], Matrix::new(&a, 3), Matrix::new(&b, 2), &mut out, 3);
        assert_eq!(out, [4.0, 5.0, 9.0, 10.0, 11.0, 9.0]);
        multiply([3, 2, 2], Matrix::transposed(&a, 3), Matrix::new(&b, 2), &mut out, 2);
        assert_eq!(out, [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        multiply([2, 0, 3], Matrix::new(&[], 0), Matrix::new(&[], 3), &mut out, 3);
        assert_eq!(out, [0.0; 6]);
    }

    #[test]
    #[should_panic(expected = "a factor does not fit")]
    fn refuses_to_read_beyond_a_slice() {
        multiply([2, 3, 2], Matrix::new(&[1.0; 5], 3), Matrix::new(&[1.0; 6], 2), &mut [0.0; 4], 2);
    }
}
