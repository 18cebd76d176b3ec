//! Windows that slide over the last 2 or 3 axes: shared by convolution, deconvolution and pooling.
//!
//! Two spatial axes are treated as three of which the first has size 1.

use super::error::{EvalError, MAX_ELEMENTS};
use super::operand::entries;
use crate::network::layer::PaddingMode;
use std::ops::Range;

/// How a layer describes its window; lists have one entry per spatial axis.
#[derive(Clone, Copy)]
pub(super) struct Geometry<'a> {
    pub kernel: &'a [usize],
    pub stride: &'a [usize],
    pub dilation: &'a [usize],
    pub pre_padding: &'a [usize],
    pub post_padding: &'a [usize],
    pub mode: PaddingMode,
}

/// A window along three axes.
#[derive(Debug)]
pub(super) struct Window {
    pub axes: [Sliding; 3],
    /// Number of spatial axes of the layer.
    rank: usize,
}

/// A window along one axis: output o reads at its tap k the input o·stride + k·dilation − pre, if
/// there is one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sliding {
    pub input: usize,
    pub output: usize,
    pub kernel: usize,
    pub stride: usize,
    pub dilation: usize,
    pub pre: usize,
    pub post: usize,
}

/// Neighboring outputs of one row, and the first input that they read; the next ones are `stride`
/// apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub output: usize,
    pub input: usize,
    pub count: usize,
}

impl Window {
    /// The window of a convolution or pooling over inputs of this size.
    pub(super) fn over(geometry: Geometry<'_>, input: &[usize]) -> Result<Self, EvalError> {
        Self::new(geometry, input, Sliding::forward)
    }

    /// The window of a deconvolution of inputs of this size: of the convolution that would lead
    /// back. Its `input` is what the deconvolution gives.
    pub(super) fn back(geometry: Geometry<'_>, input: &[usize]) -> Result<Self, EvalError> {
        Self::new(geometry, input, Sliding::backward)
    }

    fn new(
        geometry: Geometry<'_>,
        sizes: &[usize],
        solve: impl Fn(Sliding, usize, PaddingMode) -> Option<Sliding>,
    ) -> Result<Self, EvalError> {
        let rank = geometry.kernel.len();
        let Geometry { kernel, stride, dilation, pre_padding, post_padding, mode } = geometry;
        entries("the size of the data", sizes.len(), rank)?;
        for (what, list) in [
            ("stride", stride),
            ("dilation", dilation),
            ("pre_padding", pre_padding),
            ("post_padding", post_padding),
        ] {
            entries(what, list.len(), rank)?;
        }
        for (what, least, list) in [
            ("kernel", 1, kernel),
            ("stride", 1, stride),
            ("dilation", 1, dilation),
            ("padding", 0, pre_padding),
            ("padding", 0, post_padding),
            ("a size of the data", 0, sizes),
        ] {
            // With all of them this small nothing below overflows.
            if let Some(&wrong) = list.iter().find(|value| !(least..=MAX_ELEMENTS).contains(*value))
            {
                let value = i64::try_from(wrong).unwrap_or(i64::MAX);
                return Err(EvalError::Attribute {
                    what,
                    value,
                    rule: "be at least 1 (paddings: 0) and at most 2^31",
                });
            }
        }
        let one =
            Sliding { input: 1, output: 1, kernel: 1, stride: 1, dilation: 1, pre: 0, post: 0 };
        let mut axes = [one; 3];
        let first = 3usize.checked_sub(rank).ok_or(EvalError::Axis { axis: rank, rank: 3 })?;
        for (i, axis) in axes.iter_mut().skip(first).enumerate() {
            let given = Sliding {
                kernel: kernel[i],
                stride: stride[i],
                dilation: dilation[i],
                pre: pre_padding[i],
                post: post_padding[i],
                ..one
            };
            let misfit = || EvalError::Shape {
                at: 0,
                dims: sizes.to_vec(),
                rule: "be as large as the window",
            };
            *axis = solve(given, sizes[i], mode).ok_or_else(misfit)?;
        }
        Ok(Self { axes, rank })
    }

    /// Sizes of the output, one per spatial axis of the layer.
    pub(super) fn output(&self) -> Vec<usize> {
        self.axes[3 - self.rank..].iter().map(|axis| axis.output).collect()
    }

    /// Sizes of the input, one per spatial axis of the layer.
    pub(super) fn input(&self) -> Vec<usize> {
        self.axes[3 - self.rank..].iter().map(|axis| axis.input).collect()
    }

    /// All taps, in the order of the kernel's elements.
    pub(super) fn taps(&self) -> impl Iterator<Item = [usize; 3]> + use<> {
        let [z, y, x] = self.axes.map(|axis| axis.kernel);
        (0..z).flat_map(move |k| (0..y).flat_map(move |j| (0..x).map(move |i| [k, j, i])))
    }

    /// Number of rows of the output.
    pub(super) fn rows(&self) -> usize {
        self.axes[0].output * self.axes[1].output
    }

    /// Shows each line of outputs, of these rows, that read inside the data at this tap. Offsets of
    /// outputs count from the first of the rows.
    pub(super) fn visit(&self, tap: [usize; 3], rows: Range<usize>, mut show: impl FnMut(Line)) {
        let [z, y, x] = self.axes;
        let (zs, ys, xs) = (z.reach(tap[0]), y.reach(tap[1]), x.reach(tap[2]));
        if zs.is_empty() || ys.is_empty() || xs.is_empty() {
            return;
        }
        let column = x.at(xs.start, tap[2]);
        for (i, row) in rows.enumerate() {
            let (oz, oy) = (row / y.output, row % y.output);
            if zs.contains(&oz) && ys.contains(&oy) {
                let line = (z.at(oz, tap[0]) * y.input + y.at(oy, tap[1])) * x.input;
                show(Line {
                    output: i * x.output + xs.start,
                    input: line + column,
                    count: xs.len(),
                });
            }
        }
    }
}

impl Sliding {
    /// Size of the window from its first tap to its last.
    fn extent(&self) -> usize {
        self.dilation * (self.kernel - 1) + 1
    }

    /// Sets `total` elements of padding, the odd one as the mode says.
    fn pad(mut self, total: usize, mode: PaddingMode) -> Self {
        let (less, more) = (total / 2, total - total / 2);
        (self.pre, self.post) =
            if mode == PaddingMode::SameLower { (more, less) } else { (less, more) };
        self
    }

    /// The output follows from the input; `None` where the window does not fit.
    fn forward(mut self, input: usize, mode: PaddingMode) -> Option<Self> {
        self.input = input;
        match mode {
            PaddingMode::SameUpper | PaddingMode::SameLower => {
                self.output = input.div_ceil(self.stride);
                let covered = self.output.saturating_sub(1) * self.stride + self.extent();
                Some(self.pad(covered.saturating_sub(input), mode))
            }
            _ => {
                if matches!(mode, PaddingMode::CaffeRoundDown | PaddingMode::CaffeRoundUp) {
                    self.post = self.pre;
                }
                let room = (input + self.pre + self.post).checked_sub(self.extent())?;
                let steps = match mode {
                    PaddingMode::ExplicitRoundUp | PaddingMode::CaffeRoundUp => {
                        room.div_ceil(self.stride)
                    }
                    _ => room / self.stride,
                };
                self.output = steps + 1;
                Some(self)
            }
        }
    }

    /// The input follows from the output, which `size` is: a deconvolution.
    fn backward(mut self, size: usize, mode: PaddingMode) -> Option<Self> {
        self.output = size;
        let covered = size.checked_sub(1)?.checked_mul(self.stride)?.checked_add(self.extent())?;
        if matches!(mode, PaddingMode::SameUpper | PaddingMode::SameLower) {
            self.input = size.checked_mul(self.stride)?.min(covered);
            return Some(self.pad(covered.saturating_sub(self.input), mode));
        }
        self.input = covered.checked_sub(self.pre + self.post)?;
        Some(self)
    }

    /// The outputs that read inside the data at tap k.
    fn reach(&self, k: usize) -> Range<usize> {
        let shift = k * self.dilation;
        let first = self.pre.saturating_sub(shift).div_ceil(self.stride);
        let end =
            (self.input + self.pre).saturating_sub(shift).div_ceil(self.stride).min(self.output);
        first.min(end)..end
    }

    /// The input that output o reads at tap k; only for outputs that [`Self::reach`] gives.
    fn at(&self, o: usize, k: usize) -> usize {
        o * self.stride + k * self.dilation - self.pre
    }

    /// How many taps of output o lie in the data, and how many in the data or its padding.
    pub(super) fn taps_inside(&self, o: usize) -> (usize, usize) {
        let begin = o * self.stride;
        let before =
            |limit: usize| limit.saturating_sub(begin).div_ceil(self.dilation).min(self.kernel);
        (
            before(self.pre + self.input) - before(self.pre),
            before(self.pre + self.input + self.post),
        )
    }
}
