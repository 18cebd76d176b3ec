//! Layers that scale or normalize.

use super::attributes::{Attributes, Describe};
use crate::tensor::Tensor;

/// How far one coefficient of a [`Scale`] reaches: `nvinfer1::ScaleMode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScaleMode {
    /// One for all elements.
    Uniform,
    /// One for each index of the channel axis.
    Channel,
    /// One for each element of the channel axis and those behind it.
    ElementWise,
}

/// (x · scale + shift)^power: `nvinfer1::IScaleLayer`. Data of rank 4 or more.
///
/// Coefficients have the data's type; an absent one is the neutral one (1, 0, 1).
#[derive(Debug, Clone, PartialEq)]
pub struct Scale {
    /// How far one coefficient reaches.
    pub mode: ScaleMode,
    /// Added after `scale`.
    pub shift: Option<Tensor>,
    /// Multiplied first.
    pub scale: Option<Tensor>,
    /// Applied last.
    pub power: Option<Tensor>,
    /// The channel axis; unused by [`ScaleMode::Uniform`].
    pub channel_axis: usize,
}

/// Local response normalization across channels: `nvinfer1::ILRNLayer`.
///
/// x / (k + α/window · Σ x²)^β over `window` neighboring channels.
#[derive(Debug, Clone, PartialEq)]
pub struct Lrn {
    /// Number of channels, odd.
    pub window: usize,
    /// α
    pub alpha: f32,
    /// β
    pub beta: f32,
    /// k
    pub k: f32,
}

/// (x − mean) / √(variance + ε) · scale + bias: `nvinfer1::INormalizationLayer` (the second
/// version).
///
/// Scale and bias have the data's rank and broadcast to it; with groups they are `[1, C, 1…]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Normalization {
    /// ε
    pub epsilon: f32,
    /// Axes over which mean and variance are taken, sorted.
    pub axes: Vec<usize>,
    /// Groups of channels that share mean and variance; 1 for none.
    pub groups: usize,
}

/// e^x / Σ e^x along an axis: `nvinfer1::ISoftMaxLayer`.
#[derive(Debug, Clone, PartialEq)]
pub struct SoftMax {
    /// Along which axis.
    pub axis: usize,
}

impl Describe for Scale {
    fn describe(&self, to: &mut Attributes) {
        let Self { mode, shift, scale, power, channel_axis } = self;
        to.word(mode);
        to.unless("channel_axis", channel_axis, &1);
        to.given_data("scale", scale.as_ref());
        to.given_data("shift", shift.as_ref());
        to.given_data("power", power.as_ref());
    }
}

impl Describe for Lrn {
    fn describe(&self, to: &mut Attributes) {
        let Self { window, alpha, beta, k } = self;
        to.named("window", window);
        to.named("alpha", alpha);
        to.named("beta", beta);
        to.named("k", k);
    }
}

impl Describe for Normalization {
    fn describe(&self, to: &mut Attributes) {
        let Self { epsilon, axes, groups } = self;
        to.named("axes", axes);
        to.named("epsilon", epsilon);
        to.unless("groups", groups, &1);
    }
}

impl Describe for SoftMax {
    fn describe(&self, to: &mut Attributes) {
        let Self { axis } = self;
        to.named("axis", axis);
    }
}
