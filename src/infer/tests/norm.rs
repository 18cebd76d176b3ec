use super::check;
use crate::network::LayerKind;
use crate::network::layer::{Lrn, Normalization, Scale, ScaleMode, SoftMax};
use crate::tensor::Tensor;

fn scale(mode: ScaleMode, channel_axis: usize, count: usize) -> LayerKind {
    let shift = Some(Tensor::vector(&vec![0f32; count]));
    Scale { mode, shift, scale: None, power: None, channel_axis }.into()
}

fn normalization(axes: &[usize], groups: usize) -> LayerKind {
    Normalization { epsilon: 1e-5, axes: axes.to_vec(), groups }.into()
}

#[test]
fn scales() {
    check([
        (scale(ScaleMode::Uniform, 1, 1), &["f32[N, 3, 4, 4]"], "f32[N, 3, 4, 4]"),
        (scale(ScaleMode::Channel, 1, 3), &["f32[N, 3, 4, 4]"], "f32[N, 3, 4, 4]"),
        (scale(ScaleMode::ElementWise, 1, 48), &["f32[N, 3, 4, 4]"], "f32[N, 3, 4, 4]"),
        (scale(ScaleMode::Channel, 1, 4), &["f32[N, 3, 4, 4]"], "shift has 4 entries but needs 3"),
        (scale(ScaleMode::Channel, 4, 4), &["f32[N, 3, 4, 4]"], "axis 4 is outside rank 4"),
        (
            scale(ScaleMode::Uniform, 1, 1),
            &["f32[N, 3, 4]"],
            "the rank of data is 3 but must be 4 or more",
        ),
        (
            scale(ScaleMode::Uniform, 1, 1),
            &["f16[N, 3, 4, 4]"],
            "operands of Scale have types f16 and f32",
        ),
    ]);
}

#[test]
fn normalizations() {
    let lrn = |window| Lrn { window, alpha: 1.0, beta: 1.0, k: 1.0 }.into();
    let soft_max = |axis| SoftMax { axis }.into();
    check([
        (
            normalization(&[2, 3], 1),
            &["f32[N, 3, H, W]", "f32[1, 3, 1, 1]", "f32[1, 3, 1, 1]"],
            "f32[N, 3, H, W]",
        ),
        (normalization(&[2], 2), &["f32[N, 4, L]", "f32[1, 4, 1]", "f32[1, 4, 1]"], "f32[N, 4, L]"),
        (
            normalization(&[2], 3),
            &["f32[N, 4, L]", "f32[1, 4, 1]", "f32[1, 4, 1]"],
            "4 channels do not divide into 3 groups",
        ),
        (
            normalization(&[2], 1),
            &["f32[N, 4, L]", "f32[4]", "f32[1, 4, 1]"],
            "operands of Normalization have ranks 3 and 1",
        ),
        (
            normalization(&[2], 1),
            &["f32[N, 4, L]", "f32[1, 5, 1]", "f32[1, 4, 1]"],
            "axes of size 5 and 4 do not broadcast",
        ),
        (
            normalization(&[3], 1),
            &["f32[N, 4, L]", "f32[1, 4, 1]", "f32[1, 4, 1]"],
            "axes [3] are not rising numbers below rank 3",
        ),
        (lrn(5), &["f32[N, 3, 4, 4]"], "f32[N, 3, 4, 4]"),
        (lrn(4), &["f32[N, 3, 4, 4]"], "the window is 4 but must be odd"),
        (lrn(5), &["f32[3, 4, 4]"], "the rank of data is 3 but must be 4"),
        (soft_max(1), &["f16[N, K]"], "f16[N, K]"),
        (soft_max(0), &["f32[]"], "axis 0 is outside rank 0"),
        (soft_max(0), &["i32[3]"], "the type of data is i32 but must be floating point"),
    ]);
}
