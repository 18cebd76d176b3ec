//! Windows that slide over 2 or 3 axes: what convolution and pooling share.

use super::InferError;
use super::ctx::{Result, count, ensure, positive};
use crate::network::layer::PaddingMode;
use crate::network::{Dim, Shape, ValueType};

/// What the windows of all three kinds have in common; lists have one entry per spatial axis.
pub(super) struct Window<'a> {
    pub(super) size: &'a [usize],
    pub(super) stride: &'a [usize],
    pub(super) dilation: Option<&'a [usize]>,
    pub(super) pre: &'a [usize],
    pub(super) post: &'a [usize],
    pub(super) mode: PaddingMode,
}

impl Window<'_> {
    /// Checks the lists against the data `[N, C, spatial…]`; gives its sizes.
    pub(super) fn check<'d>(&self, data: &'d ValueType) -> Result<(&'d Dim, &'d Dim, &'d [Dim])> {
        let (batch, channels, spatial) = match data.shape.as_slice() {
            [batch, channels, spatial @ ..] if (2..=3).contains(&spatial.len()) => {
                (batch, channels, spatial)
            }
            other => {
                return Err(InferError::Rank {
                    what: "data",
                    actual: other.len(),
                    expected: "4 or 5".into(),
                });
            }
        };
        let axes = spatial.len();
        count("the window", self.size.len(), axes)?;
        count("stride", self.stride.len(), axes)?;
        count("pre-padding", self.pre.len(), axes)?;
        count("post-padding", self.post.len(), axes)?;
        positive("the window", self.size)?;
        positive("stride", self.stride)?;
        if let Some(dilation) = self.dilation {
            count("dilation", dilation.len(), axes)?;
            positive("dilation", dilation)?;
        }
        Ok((batch, channels, spatial))
    }

    /// Stride, padding and extent of the window (dilation included) along each axis.
    pub(super) fn axes(&self) -> impl Iterator<Item = Axis> {
        (0..self.size.len()).map(|i| {
            let at = |list: &[usize]| Dim::from(list.get(i).copied().unwrap_or_default());
            let one = Dim::Known(1);
            let dilation = self.dilation.map_or(one.clone(), at);
            let extent = &(&dilation * &(&at(self.size) - &one)) + &one;
            Axis {
                stride: at(self.stride),
                pre: at(self.pre),
                post: at(self.post),
                extent,
                mode: self.mode,
            }
        })
    }
}

/// A window along one axis.
pub(super) struct Axis {
    stride: Dim,
    pre: Dim,
    post: Dim,
    extent: Dim,
    mode: PaddingMode,
}

impl Axis {
    /// Number of windows that fit into `size` elements.
    pub(super) fn fit(&self, size: &Dim) -> Result<Dim> {
        let caffe = matches!(self.mode, PaddingMode::CaffeRoundDown | PaddingMode::CaffeRoundUp);
        let padded = &(size + &self.pre) + if caffe { &self.pre } else { &self.post };
        let room = &padded - &self.extent;
        let error = || InferError::Window { window: self.extent.clone(), size: padded.clone() };
        let steps = match self.mode {
            PaddingMode::SameUpper | PaddingMode::SameLower => {
                return size.ceil_div(&self.stride).ok_or_else(error);
            }
            PaddingMode::ExplicitRoundDown | PaddingMode::CaffeRoundDown => {
                room.floor_div(&self.stride)
            }
            PaddingMode::ExplicitRoundUp | PaddingMode::CaffeRoundUp => room.ceil_div(&self.stride),
        };
        ensure(room.known().is_none_or(|n| n >= 0), error)?;
        Ok(&steps.ok_or_else(error)? + &Dim::Known(1))
    }

    /// Number of elements that windows at `size` places cover.
    pub(super) fn cover(&self, size: &Dim) -> Result<Dim> {
        let reaches = (&self.extent - &self.stride).known().is_some_and(|n| n >= 0);
        let same = matches!(self.mode, PaddingMode::SameUpper | PaddingMode::SameLower);
        if same && reaches {
            return Ok(size * &self.stride);
        }
        let full = &(&(size - &Dim::Known(1)) * &self.stride) + &self.extent;
        let padding = if same { Dim::Known(0) } else { &self.pre + &self.post };
        let out = &full - &padding;
        ensure(out.known().is_none_or(|n| n >= 1), || InferError::Window {
            window: padding,
            size: full,
        })?;
        Ok(out)
    }
}

/// `[N, C, spatial…]`.
pub(super) fn image(
    batch: &Dim,
    channels: Dim,
    spatial: impl Iterator<Item = Result<Dim>>,
) -> Result<Shape> {
    [Ok(batch.clone()), Ok(channels)].into_iter().chain(spatial).collect()
}
