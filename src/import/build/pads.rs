//! The windows of convolutions and pools: their attributes, and ONNX's padding rules settled.

use super::axes::{Cut, cut, whole};
use super::ctx::Ctx;
use crate::import::error::OpError;
use crate::network::layer::{ElementWiseOperation as Ew, PaddingMode, SampleMode};
use crate::network::{Dim, ValueId};
use crate::onnx::Node;

/// A window that slides over the spatial axes of `[N, C, spatial…]`; lists have one entry per
/// spatial axis.
#[derive(Debug, Clone)]
pub(in crate::import) struct Window {
    pub(in crate::import) kernel: Vec<usize>,
    pub(in crate::import) stride: Vec<usize>,
    pub(in crate::import) dilation: Vec<usize>,
    pub(in crate::import) pads: Pads,
}

/// Padding before and behind the data.
#[derive(Debug, Clone)]
pub(in crate::import) enum Pads {
    /// Numbers of elements; negative ones crop.
    Explicit { pre: Vec<i64>, post: Vec<i64> },
    /// `SAME_UPPER` or `SAME_LOWER` over a size known only at run time.
    Same(PaddingMode),
}

/// The attribute `auto_pad`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::import) enum AutoPad {
    NotSet,
    Valid,
    SameUpper,
    SameLower,
}

impl AutoPad {
    /// Reads the attribute.
    pub(in crate::import) fn of(node: &Node) -> Result<Self, OpError> {
        match node.attrs.string_or("auto_pad", "NOTSET")? {
            "NOTSET" | "" => Ok(Self::NotSet),
            "VALID" => Ok(Self::Valid),
            "SAME_UPPER" => Ok(Self::SameUpper),
            "SAME_LOWER" => Ok(Self::SameLower),
            other => Err(OpError::invalid(format!(
                "attribute `auto_pad` is `{other}`, not one of NOTSET, VALID, SAME_UPPER, \
                 SAME_LOWER"
            ))),
        }
    }

    /// A total padding split in two; an odd element goes to the end for `SAME_UPPER`, else to the
    /// start.
    pub(in crate::import) fn split(self, total: i64) -> (i64, i64) {
        let half = total.div_euclid(2);
        if self == Self::SameUpper { (half, total - half) } else { (total - half, half) }
    }
}

impl Window {
    /// The window of a node over `x`: its kernel is known, the rest stands in attributes.
    pub(in crate::import) fn of(
        ctx: &Ctx<'_>,
        node: &Node,
        x: ValueId,
        kernel: Vec<usize>,
    ) -> Result<Self, OpError> {
        let count = kernel.len();
        let (stride, dilation) = (sizes(node, "strides", count)?, sizes(node, "dilations", count)?);
        let mut window = Self { kernel, stride, dilation, pads: explicit(node, count)? };
        match AutoPad::of(node)? {
            AutoPad::NotSet => {}
            AutoPad::Valid => {
                window.pads = Pads::Explicit { pre: vec![0; count], post: vec![0; count] }
            }
            same => window.pads = window.same(same, ctx.shape(x).get(2..).unwrap_or_default()),
        }
        Ok(window)
    }

    /// A window that takes every step, without padding.
    pub(in crate::import) fn plain(kernel: Vec<usize>) -> Self {
        let count = kernel.len();
        let pads = Pads::Explicit { pre: vec![0; count], post: vec![0; count] };
        Self { kernel, stride: vec![1; count], dilation: vec![1; count], pads }
    }

    /// Number of elements from a window's first to its last tap along each spatial axis, both
    /// included.
    pub(in crate::import) fn extents(&self) -> Vec<i64> {
        self.kernel
            .iter()
            .zip(&self.dilation)
            .map(|(&k, &d)| int(k).saturating_sub(1) * int(d) + 1)
            .collect()
    }

    /// Step of the window along each spatial axis.
    pub(in crate::import) fn strides(&self) -> Vec<i64> {
        self.stride.iter().map(|&s| int(s)).collect()
    }

    fn same(&self, which: AutoPad, sizes: &[Dim]) -> Pads {
        let (mut pre, mut post) = (Vec::new(), Vec::new());
        let mut open = false;
        for ((extent, stride), size) in self.extents().into_iter().zip(self.strides()).zip(sizes) {
            let total = match size.known() {
                _ if extent == 1 || stride == 1 => extent - 1,
                Some(size) => {
                    ((ceil_div(size, stride) - 1).saturating_mul(stride) + extent - size).max(0)
                }
                None => {
                    open = true;
                    0
                }
            };
            let (before, behind) = which.split(total);
            pre.push(before);
            post.push(behind);
        }
        match which {
            _ if !open => Pads::Explicit { pre, post },
            AutoPad::SameUpper => Pads::Same(PaddingMode::SameUpper),
            _ => Pads::Same(PaddingMode::SameLower),
        }
    }

    /// The padding before and behind one spatial axis of this size, as numbers.
    pub(in crate::import) fn pads_along(
        &self,
        ctx: &mut Ctx<'_>,
        at: usize,
        size: ValueId,
    ) -> Result<(ValueId, ValueId), OpError> {
        let upper = match &self.pads {
            Pads::Explicit { pre, post } => {
                let [pre, post] = [pre, post].map(|list| list.get(at).copied().unwrap_or_default());
                return Ok((ctx.number(pre), ctx.number(post)));
            }
            Pads::Same(mode) => *mode == PaddingMode::SameUpper,
        };
        let (extent, stride) = (self.extents(), self.strides());
        let (extent, stride) =
            (extent.get(at).copied().unwrap_or(1), stride.get(at).copied().unwrap_or(1));
        let total = same_padding(ctx, size, extent, stride)?;
        let half = ctx.compute(Ew::FloorDiv, total, 2)?;
        let rest = ctx.binary(Ew::Sub, total, half)?;
        Ok(if upper { (half, rest) } else { (rest, half) })
    }

    /// Whether SAME has windows that skip elements, for which TensorRT computes negative padding.
    pub(in crate::import) fn skips(&self) -> bool {
        matches!(self.pads, Pads::Same(_))
            && self
                .extents()
                .into_iter()
                .zip(self.strides())
                .any(|(extent, stride)| extent < stride)
    }

    /// Applies to the data what no layer takes as padding: SAME where windows skip elements.
    pub(in crate::import) fn settle(
        &mut self,
        ctx: &mut Ctx<'_>,
        x: ValueId,
    ) -> Result<ValueId, OpError> {
        if !self.skips() {
            return Ok(x);
        }
        let mut steps = whole(ctx, x)?;
        let zero = ctx.number(0);
        for at in 0..self.kernel.len() {
            let size = ctx.size_of(x, at + 2)?;
            let (before, behind) = self.pads_along(ctx, at, size)?;
            let start = ctx.binary(Ew::Sub, zero, before)?;
            let longer = ctx.binary(Ew::Sum, size, before)?;
            let longer = ctx.binary(Ew::Sum, longer, behind)?;
            steps.set(at + 2, start, longer);
        }
        let count = self.kernel.len();
        self.pads = Pads::Explicit { pre: vec![0; count], post: vec![0; count] };
        ctx.slice(x, &steps, SampleMode::Fill, None)
    }

    /// Applies negative padding to the data, so that only paddings of 0 and more are left.
    pub(in crate::import) fn crop(
        &mut self,
        ctx: &mut Ctx<'_>,
        x: ValueId,
    ) -> Result<ValueId, OpError> {
        let Pads::Explicit { pre, post } = &mut self.pads else { return Ok(x) };
        let mut cuts = vec![Cut::ALL; 2];
        for (before, behind) in pre.iter_mut().zip(post) {
            cuts.push(Cut::grown((*before).min(0), (*behind).min(0)));
            *before = (*before).max(0);
            *behind = (*behind).max(0);
        }
        cut(ctx, x, &cuts, None)
    }

    /// The same window over two axes where there is but one: the second has size 1.
    pub(in crate::import) fn widen(&mut self) {
        if self.kernel.len() > 1 {
            return;
        }
        for list in [&mut self.kernel, &mut self.stride, &mut self.dilation] {
            list.push(1);
        }
        if let Pads::Explicit { pre, post } = &mut self.pads {
            pre.push(0);
            post.push(0);
        }
    }

    /// Paddings and mode as layers have them, after [`Window::crop`].
    pub(in crate::import) fn padding(&self) -> (Vec<usize>, Vec<usize>, PaddingMode) {
        let whole = |list: &[i64]| list.iter().map(|&n| usize::try_from(n).unwrap_or(0)).collect();
        match &self.pads {
            Pads::Explicit { pre, post } => {
                (whole(pre), whole(post), PaddingMode::ExplicitRoundDown)
            }
            Pads::Same(mode) => (vec![0; self.kernel.len()], vec![0; self.kernel.len()], *mode),
        }
    }
}

/// Number of spatial axes of `[N, C, spatial…]`, of which layers with windows take 1 to 3.
pub(in crate::import) fn spatial_rank(
    ctx: &Ctx<'_>,
    what: &'static str,
    x: ValueId,
) -> Result<usize, OpError> {
    match ctx.rank(x) {
        rank @ 3..=5 => Ok(rank - 2),
        rank => Err(OpError::Rank { what, rank, supported: "3 to 5" }),
    }
}

/// `[N, C, L]` as `[N, C, L, 1]`, which layers with windows need; other ranks as they are.
pub(in crate::import) fn to_image(ctx: &mut Ctx<'_>, x: ValueId) -> Result<ValueId, OpError> {
    if ctx.rank(x) == 3 { ctx.unsqueeze(x, vec![3]) } else { Ok(x) }
}

/// The way back from [`to_image`], for data that had `rank` axes.
pub(in crate::import) fn from_image(
    ctx: &mut Ctx<'_>,
    y: ValueId,
    rank: usize,
) -> Result<ValueId, OpError> {
    if rank == 3 { ctx.squeeze(y, vec![3]) } else { Ok(y) }
}

/// A list of `count` positive numbers; ones where it is left out.
pub(in crate::import) fn sizes(
    node: &Node,
    name: &str,
    count: usize,
) -> Result<Vec<usize>, OpError> {
    let Some(list) = node.attrs.ints(name)?.filter(|list| !list.is_empty()) else {
        return Ok(vec![1; count]);
    };
    let positive =
        |&n: &i64| i32::try_from(n).ok().filter(|&n| n > 0).and_then(|n| usize::try_from(n).ok());
    match list.iter().map(positive).collect::<Option<Vec<_>>>() {
        Some(sizes) if sizes.len() == count => Ok(sizes),
        _ => Err(OpError::invalid(format!(
            "attribute `{name}` is {list:?}, not {count} positive numbers"
        ))),
    }
}

fn explicit(node: &Node, count: usize) -> Result<Pads, OpError> {
    let pads = whole_list(node, "pads", 2 * count)?;
    let (pre, post) = pads.split_at(count);
    Ok(Pads::Explicit { pre: pre.to_vec(), post: post.to_vec() })
}

/// A list of `count` numbers of 32 bits; zeros where it is left out.
pub(in crate::import) fn whole_list(
    node: &Node,
    name: &str,
    count: usize,
) -> Result<Vec<i64>, OpError> {
    let Some(list) = node.attrs.ints(name)?.filter(|list| !list.is_empty()) else {
        return Ok(vec![0; count]);
    };
    if list.len() != count || list.iter().any(|&n| i32::try_from(n).is_err()) {
        return Err(OpError::invalid(format!(
            "attribute `{name}` is {list:?}, not {count} numbers of 32 bits"
        )));
    }
    Ok(list.to_vec())
}

/// A size as a signed number.
pub(in crate::import) fn int(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// What SAME adds to an axis of this size in all: so much that the last of ⌈size / stride⌉ windows
/// just ends.
fn same_padding(
    ctx: &mut Ctx<'_>,
    size: ValueId,
    extent: i64,
    stride: i64,
) -> Result<ValueId, OpError> {
    let stepped = ctx.compute(Ew::Sub, size, 1)?;
    let last = ctx.compute(Ew::FloorDiv, stepped, stride)?;
    let start = ctx.compute(Ew::Prod, last, stride)?;
    let end = ctx.compute(Ew::Sum, start, extent)?;
    let total = ctx.binary(Ew::Sub, end, size)?;
    ctx.at_least_zero(total)
}

/// Quotient of positive numbers rounded up.
pub(in crate::import) fn ceil_div(a: i64, b: i64) -> i64 {
    a.div_euclid(b) + i64::from(a.rem_euclid(b) != 0)
}
