use super::check;
use crate::network::LayerKind;
use crate::network::layer::{
    Arg, BoundingBoxFormat, CoordinateTransformation, GridSample, InterpolationMode as Mode,
    NonMaxSuppression, Resize, ResizeOutput as To, ResizeRoundMode, ResizeSelector, SampleMode,
};

fn resize(output: To, mode: Mode) -> LayerKind {
    Resize {
        output,
        mode,
        coordinate_transformation: CoordinateTransformation::HalfPixel,
        selector_for_single_pixel: ResizeSelector::Formula,
        nearest_rounding: ResizeRoundMode::Floor,
        cubic_coeff: -0.75,
        exclude_outside: false,
    }
    .into()
}

#[test]
fn resizes() {
    let scales = |scales: &[f32]| To::Scales(scales.to_vec());
    check([
        (
            resize(To::Sizes(vec![1, 3, 8, 8]), Mode::Linear),
            &["f32[1, 3, 4, 4]"],
            "f32[1, 3, 8, 8]",
        ),
        (
            resize(scales(&[1.0, 1.0, 2.0, 1.5]), Mode::Linear),
            &["f32[N, 3, H, W]"],
            "f32[N, 3, 2·H, ⌊(3·W)/(2)⌋]",
        ),
        (resize(scales(&[1.0, 0.3]), Mode::Nearest), &["i32[7, 10]"], "i32[7, 3]"),
        (resize(scales(&[1.0, 0.3]), Mode::Nearest), &["f32[N, W]"], "f32[N, resize#0]"),
        (resize(To::Input, Mode::Nearest), &["f32[N, 4]", "i64[2] = [N, 8]"], "f32[N, 8]"),
        (resize(To::Input, Mode::Nearest), &["f32[N, 4]", "i64[2]"], "f32[resize#0, resize#1]"),
        (
            resize(To::Input, Mode::Nearest),
            &["f32[N, 4]", "i64[K]"],
            "the number of elements of the sizes is known only at run time, so the output has no \
             known rank",
        ),
        (
            resize(To::Input, Mode::Nearest),
            &["f32[N, 4]"],
            "Resize takes the sizes from input 1 but the number of its inputs is 1",
        ),
        (
            resize(To::Input, Mode::Nearest),
            &["f32[N, 4]", "f32[2]"],
            "the type of the sizes is f32 but must be i32 or i64",
        ),
        (resize(scales(&[1.0]), Mode::Nearest), &["f32[N, W]"], "scales has 1 entries but needs 2"),
        (
            resize(scales(&[1.0, f32::NAN]), Mode::Nearest),
            &["f32[N, W]"],
            "a scale is NaN but must be a positive number",
        ),
        (
            resize(scales(&[1.0, 3e38]), Mode::Nearest),
            &["f32[N, 3000]"],
            "f32[N, 9223372036854775807]",
        ),
        (
            resize(To::Sizes(vec![2, 8, 8]), Mode::Cubic),
            &["f32[1, 4, 4]"],
            "axes of size 1 and 2 must be equal",
        ),
        (
            resize(To::Sizes(vec![8]), Mode::Linear),
            &["i32[4]"],
            "the type of data is i32 but must be floating point",
        ),
    ]);
}

#[test]
fn samples_on_a_grid() {
    let kind = || {
        GridSample {
            interpolation: Mode::Linear,
            align_corners: false,
            sample_mode: SampleMode::Fill,
        }
        .into()
    };
    check([
        (kind(), &["f32[N, 3, 8, 8]", "f32[N, H, W, 2]"], "f32[N, 3, H, W]"),
        (kind(), &["f32[2, 3, 8, 8]", "f32[3, H, W, 2]"], "axes of size 2 and 3 must be equal"),
        (kind(), &["f32[2, 3, 8, 8]", "f32[2, H, W, 3]"], "axes of size 3 and 2 must be equal"),
        (kind(), &["f32[2, 3, 8, 8]", "f32[2, H, 2]"], "the rank of the grid is 3 but must be 4"),
    ]);
}

#[test]
fn boxes_are_counted_at_run_time() {
    let kind = |max_output_boxes, iou_threshold| {
        let (format, score_threshold) = (BoundingBoxFormat::CornerPairs, Arg::Static(0.5));
        let top_k_box_limit = 100;
        NonMaxSuppression {
            format,
            max_output_boxes,
            iou_threshold,
            score_threshold,
            top_k_box_limit,
        }
        .into()
    };
    check([
        (
            kind(Arg::Static(9), Arg::Static(0.5)),
            &["f32[N, 50, 4]", "f32[N, 50, 3]"],
            "i32[nonmaxsuppression#0, 3]; i32[] = [nonmaxsuppression#0]",
        ),
        (
            kind(Arg::Input(2), Arg::Input(3)),
            &["f32[N, 50, 3, 4]", "f32[N, 50, 3]", "i32[]", "f32[]"],
            "i32[nonmaxsuppression#0, 3]; i32[] = [nonmaxsuppression#0]",
        ),
        (
            kind(Arg::Input(2), Arg::Static(0.5)),
            &["f32[N, 50, 4]", "f32[N, 50, 3]", "f32[]"],
            "the type of max_output_boxes is f32 but must be i32",
        ),
        (
            kind(Arg::Static(9), Arg::Static(0.5)),
            &["f32[N, 50, 5]", "f32[N, 50, 3]"],
            "axes of size 5 and 4 must be equal",
        ),
        (
            kind(Arg::Static(9), Arg::Static(0.5)),
            &["f32[N, 50, 4]", "f32[N, 49, 3]"],
            "axes of size 50 and 49 must be equal",
        ),
        (
            kind(Arg::Static(-1), Arg::Static(0.5)),
            &["f32[N, 50, 4]", "f32[N, 50, 3]"],
            "max_output_boxes is -1 but must be 0 or more",
        ),
    ]);
}
