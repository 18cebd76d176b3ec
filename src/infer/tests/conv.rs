use super::check;
use crate::network::LayerKind;
use crate::network::layer::{Arg, Convolution, Deconvolution, PaddingMode, Pooling, PoolingType};
use crate::tensor::Tensor;

fn tensor(dims: &[usize]) -> Tensor {
    Tensor::of(dims.to_vec(), vec![0f32; dims.iter().product()]).unwrap()
}

/// A convolution over two axes with a square window.
fn conv(
    maps: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
    groups: usize,
    weights: &[usize],
) -> Convolution {
    Convolution {
        maps,
        kernel: vec![kernel; 2],
        stride: vec![stride; 2],
        pre_padding: vec![padding; 2],
        post_padding: vec![padding; 2],
        padding_mode: PaddingMode::ExplicitRoundDown,
        dilation: vec![1; 2],
        groups,
        weights: Arg::Static(tensor(weights)),
        bias: None,
    }
}

fn deconv(
    maps: usize,
    stride: usize,
    padding: usize,
    groups: usize,
    weights: &[usize],
) -> Deconvolution {
    Deconvolution(conv(maps, 3, stride, padding, groups, weights))
}

fn same_upper(Deconvolution(layer): Deconvolution) -> Deconvolution {
    Deconvolution(Convolution { padding_mode: PaddingMode::SameUpper, ..layer })
}

fn pool(window: usize, stride: usize, padding_mode: PaddingMode) -> LayerKind {
    Pooling {
        kind: PoolingType::Max,
        window: vec![window; 2],
        stride: vec![stride; 2],
        pre_padding: vec![0; 2],
        post_padding: vec![0; 2],
        padding_mode,
        blend: 0.0,
        average_count_excludes_padding: true,
    }
    .into()
}

#[test]
fn convolutions() {
    let plain = || conv(8, 3, 2, 1, 1, &[8, 4, 3, 3]);
    check([
        (plain().into(), &["f32[N, 4, 16, W]"], "f32[N, 8, 8, ⌊(W + 1)/(2)⌋]"),
        (
            Convolution { dilation: vec![2, 2], ..plain() }.into(),
            &["f32[1, 4, 16, 16]"],
            "f32[1, 8, 7, 7]",
        ),
        (
            Convolution { padding_mode: PaddingMode::SameUpper, ..plain() }.into(),
            &["f32[1, 4, 15, 16]"],
            "f32[1, 8, 8, 8]",
        ),
        (
            // Caffe's modes pad behind the data as before it.
            Convolution {
                padding_mode: PaddingMode::CaffeRoundUp,
                post_padding: vec![7, 7],
                ..plain()
            }
            .into(),
            &["f32[1, 4, 15, 16]"],
            "f32[1, 8, 8, 9]",
        ),
        (conv(8, 3, 1, 0, 2, &[8, 2, 3, 3]).into(), &["f32[1, 4, 5, 5]"], "f32[1, 8, 3, 3]"),
        (
            conv(8, 3, 1, 0, 1, &[8, 2, 3, 3]).into(),
            &["f32[1, 4, 5, 5]"],
            "input has 4 channels but the weights take 2",
        ),
        (
            conv(8, 3, 1, 0, 3, &[8, 2, 3, 3]).into(),
            &["f32[1, 6, 5, 5]"],
            "8 maps do not divide into 3 groups",
        ),
        (
            conv(6, 3, 1, 0, 3, &[6, 2, 3, 3]).into(),
            &["f32[1, 4, 5, 5]"],
            "4 channels do not divide into 3 groups",
        ),
        (
            conv(8, 3, 1, 0, 0, &[8, 4, 3, 3]).into(),
            &["f32[1, 4, 5, 5]"],
            "groups is 0 but must be 1 or more",
        ),
        (
            conv(9, 3, 1, 0, 1, &[8, 4, 3, 3]).into(),
            &["f32[1, 4, 5, 5]"],
            "the shape of the kernel is [8, 4, 3, 3] but must be [9, 4, 3, 3]",
        ),
        (
            conv(8, 3, 1, 0, 1, &[8]).into(),
            &["f32[1, 4, 5, 5]"],
            "input has 4 channels but the weights take 0",
        ),
        (
            conv(8, 3, 0, 0, 1, &[8, 4, 3, 3]).into(),
            &["f32[1, 4, 5, 5]"],
            "stride is 0 but must be 1 or more",
        ),
        (plain().into(), &["f32[4, 16, 16]"], "the rank of data is 3 but must be 4 or 5"),
        (plain().into(), &["f16[1, 4, 16, 16]"], "operands of Convolution have types f16 and f32"),
        (plain().into(), &["f32[1, 4, 16, 16, 16]"], "the window has 2 entries but needs 3"),
        (
            conv(8, 3, 1, 0, 1, &[8, 4, 3, 3]).into(),
            &["f32[1, 4, 2, 2]"],
            "a window of 3 does not fit into 2 elements, padding included",
        ),
        (
            Convolution { dilation: vec![usize::MAX; 2], ..plain() }.into(),
            &["f32[1, 4, 5, 5]"],
            "a window of 9223372036854775807 does not fit into 7 elements, padding included",
        ),
    ]);
}

#[test]
fn weights_may_be_operands() {
    let dynamic =
        |weights, bias| LayerKind::from(Convolution { weights, bias, ..conv(8, 3, 1, 0, 1, &[]) });
    check([
        (dynamic(Arg::Input(1), None), &["f32[1, 4, 5, 5]", "f32[8, 4, 3, 3]"], "f32[1, 8, 3, 3]"),
        (
            dynamic(Arg::Input(1), Some(Arg::Input(2))),
            &["f32[1, C, 5, 5]", "f32[8, C, 3, 3]", "f32[8]"],
            "f32[1, 8, 3, 3]",
        ),
        (
            dynamic(Arg::Input(1), Some(Arg::Static(tensor(&[7])))),
            &["f32[1, 4, 5, 5]", "f32[8, 4, 3, 3]"],
            "axes of size 7 and 8 must be equal",
        ),
        (
            dynamic(Arg::Input(1), None),
            &["f32[1, 4, 5, 5]"],
            "Convolution takes the kernel from input 1 but the number of its inputs is 1",
        ),
        (
            dynamic(Arg::Input(0), None),
            &["f32[1, 4, 5, 5]"],
            "Convolution takes the kernel from input 0 but the number of its inputs is 1",
        ),
        (
            dynamic(Arg::Input(1), None),
            &["f32[1, 4, 5, 5]", "f32[8, 4, 3, 3]", "f32[8]"],
            "Convolution takes 2 inputs but has 3",
        ),
    ]);
}

#[test]
fn deconvolutions() {
    check([
        (deconv(8, 2, 1, 1, &[4, 8, 3, 3]).into(), &["f32[N, 4, 5, W]"], "f32[N, 8, 9, 2·W - 1]"),
        (deconv(8, 2, 0, 2, &[4, 4, 3, 3]).into(), &["f32[1, 4, 5, 5]"], "f32[1, 8, 11, 11]"),
        (
            same_upper(deconv(8, 2, 0, 1, &[4, 8, 3, 3])).into(),
            &["f32[1, 4, 5, 5]"],
            "f32[1, 8, 10, 10]",
        ),
        (
            // Windows that leave gaps do not reach the end of the last stride.
            same_upper(deconv(8, 4, 0, 1, &[4, 8, 3, 3])).into(),
            &["f32[1, 4, 5, W]"],
            "f32[1, 8, 19, 4·W - 1]",
        ),
        (
            deconv(8, 2, 0, 1, &[3, 8, 3, 3]).into(),
            &["f32[1, 4, 5, 5]"],
            "input has 4 channels but the weights take 3",
        ),
        (
            deconv(8, 2, 0, 2, &[4, 8, 3, 3]).into(),
            &["f32[1, 4, 5, 5]"],
            "the shape of the kernel is [4, 8, 3, 3] but must be [4, 4, 3, 3]",
        ),
        (
            deconv(8, 1, 4, 1, &[4, 8, 3, 3]).into(),
            &["f32[1, 4, 5, 5]"],
            "a window of 8 does not fit into 7 elements, padding included",
        ),
    ]);
}

#[test]
fn poolings() {
    use PaddingMode::{ExplicitRoundDown, ExplicitRoundUp, SameLower};
    check([
        (pool(2, 2, ExplicitRoundDown), &["f32[N, 4, 5, W]"], "f32[N, 4, 2, ⌊(W)/(2)⌋]"),
        (pool(2, 2, ExplicitRoundUp), &["f32[N, 4, 5, 6]"], "f32[N, 4, 3, 3]"),
        (pool(2, 2, SameLower), &["f32[N, 4, 5, 6]"], "f32[N, 4, 3, 3]"),
        (
            pool(2, 2, SameLower),
            &["i64[N, 4, 5, 6]"],
            "the type of data is i64 but must be floating point",
        ),
        (pool(0, 2, SameLower), &["f32[N, 4, 5, 6]"], "the window is 0 but must be 1 or more"),
    ]);
}
