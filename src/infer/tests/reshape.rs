use super::check;
use crate::network::LayerKind;
use crate::network::layer::{Arg, Reshape, SampleMode as Mode, Shuffle, Slice, Squeeze, Unsqueeze};

fn to(dims: &[i64], zero_is_placeholder: bool) -> LayerKind {
    let reshape = Some(Reshape::Static { dims: dims.to_vec(), zero_is_placeholder });
    Shuffle { reshape, ..Shuffle::default() }.into()
}

fn to_input() -> LayerKind {
    Shuffle { reshape: Some(Reshape::Input { zero_is_placeholder: true }), ..Shuffle::default() }
        .into()
}

fn transpose(order: &[usize]) -> LayerKind {
    Shuffle { first_transpose: Some(order.to_vec()), ..Shuffle::default() }.into()
}

/// A slice with fixed bounds of a tensor with as many axes as entries.
fn slice(start: &[i64], size: &[i64], stride: &[i64], mode: Mode) -> LayerKind {
    let fixed = |values: &[i64]| Arg::Static(values.to_vec());
    Slice { start: fixed(start), size: fixed(size), stride: fixed(stride), mode, fill: None }.into()
}

#[test]
fn reshapes() {
    check([
        (to(&[0, -1], true), &["f32[N, 3, 4]"], "f32[N, 12]"),
        (to(&[-1, 12], true), &["f32[N, 3, 4]"], "f32[N, 12]"),
        (to(&[-1, 8], true), &["f32[N, 3]"], "f32[⌊(3·N)/(8)⌋, 8]"),
        (to(&[0, 0, -1], true), &["f32[N+1, M+1, 4, K]"], "f32[N + 1, M + 1, 4·K]"),
        (to(&[0, 3], false), &["f32[5, 0]"], "f32[0, 3]"),
        (to(&[], true), &["f32[1, 1]"], "f32[]"),
        (to(&[1, 5, 7], true), &["f32[192]"], "reshape of 192 elements to [1, 5, 7]"),
        (to(&[-1, 7], true), &["f32[192]"], "reshape of 192 elements to [-1, 7]"),
        (to(&[-1, -1], true), &["f32[4]"], "reshape of 4 elements to [-1, -1]"),
        (to(&[-2], true), &["f32[4]"], "reshape of 4 elements to [-2]"),
        (to(&[-1, 0], false), &["f32[0]"], "reshape of 0 elements to [-1, 0]"),
        (to(&[4, 0], true), &["f32[4]"], "reshape to [4, 0] copies axis 1 of an input of rank 1"),
        (to(&[1; 9], true), &["f32[1]"], "the rank of the output is 9 but must be 8 or less"),
        (
            to(&[i64::MAX, i64::MAX, -1], true),
            &["f32[N]"],
            "f32[9223372036854775807, 9223372036854775807, ⌊(N)/(9223372036854775807)⌋]",
        ),
        (to_input(), &["f32[N, 12]", "i64[3] = [N, 3, -1]"], "f32[N, 3, 4]"),
        (to_input(), &["f32[N, 12]", "i64[2] = [6*N, -1]"], "f32[6·N, 2]"),
        (to_input(), &["f32[N, 12]", "i32[2]"], "f32[shuffle#0, shuffle#1]"),
        (
            to_input(),
            &["f32[N, 12]", "i32[K]"],
            "the number of elements of the shape is known only at run time, so the output has no \
             known rank",
        ),
        (to_input(), &["f32[N, 12]", "i32[1, 2]"], "the rank of the shape is 2 but must be 1"),
    ]);
}

#[test]
fn transposes() {
    let both = Shuffle {
        first_transpose: Some(vec![1, 0]),
        reshape: Some(Reshape::Static { dims: vec![0, 2, -1], zero_is_placeholder: true }),
        second_transpose: Some(vec![2, 1, 0]),
    };
    check([
        (transpose(&[2, 0, 1]), &["f32[A, B, C]"], "f32[C, A, B]"),
        (both.into(), &["f32[N, 3]"], "f32[⌊(N)/(2)⌋, 2, 3]"),
        (transpose(&[0, 0]), &["f32[A, B]"], "[0, 0] is no permutation of 2 axes"),
        (transpose(&[0, 2]), &["f32[A, B]"], "[0, 2] is no permutation of 2 axes"),
        (transpose(&[0]), &["f32[A, B]"], "[0] is no permutation of 2 axes"),
    ]);
}

#[test]
fn axes_of_size_one_come_and_go() {
    let squeeze = |axes: &[usize]| LayerKind::from(Squeeze { axes: axes.to_vec() });
    let unsqueeze = |axes: &[usize]| LayerKind::from(Unsqueeze { axes: axes.to_vec() });
    check([
        (squeeze(&[0, 2]), &["f32[1, N, K]"], "f32[N]"),
        (squeeze(&[1]), &["f32[1, 3]"], "axes of size 3 and 1 must be equal"),
        (squeeze(&[2]), &["f32[1, 3]"], "axes [2] are not rising numbers below rank 2"),
        (squeeze(&[0]), &["i64[1] = [N]"], "i64[] = [N]"),
        (unsqueeze(&[0, 3]), &["f32[N, 3]"], "f32[1, N, 3, 1]"),
        (unsqueeze(&[3]), &["f32[N, 3]"], "axes [3] are not rising numbers below rank 3"),
        (unsqueeze(&[0, 0]), &["f32[N]"], "axes [0, 0] are not rising numbers below rank 3"),
        (unsqueeze(&[0]), &["i64[] = [N]"], "i64[1] = [N]"),
        (to(&[1], true), &["i64[] = [N]"], "i64[1] = [N]"),
        (to(&[], true), &["i64[1] = [N]"], "i64[] = [N]"),
    ]);
}

#[test]
fn slices() {
    let from = |start, size, stride| {
        LayerKind::from(Slice { start, size, stride, mode: Mode::StrictBounds, fill: None })
    };
    let ones = || Arg::Static(vec![1]);
    let filled = |mode, fill| {
        LayerKind::from(Slice {
            start: Arg::Static(vec![-1]),
            size: Arg::Static(vec![3]),
            stride: ones(),
            mode,
            fill,
        })
    };
    check([
        (slice(&[0, 1], &[2, 2], &[1, 2], Mode::StrictBounds), &["f32[N, 4]"], "f32[2, 2]"),
        (slice(&[3], &[4], &[-1], Mode::StrictBounds), &["f32[4]"], "f32[4]"),
        (
            slice(&[1], &[4], &[1], Mode::StrictBounds),
            &["f32[4]"],
            "slice reads elements 1 to 4 of an axis of size 4",
        ),
        (slice(&[1], &[4], &[1], Mode::Clamp), &["f32[4]"], "f32[4]"),
        (slice(&[9], &[0], &[1], Mode::StrictBounds), &["f32[4]"], "f32[0]"),
        (
            slice(&[i64::MAX], &[i64::MAX], &[i64::MAX], Mode::StrictBounds),
            &["f32[4]"],
            "slice reads elements 9223372036854775807 to 9223372036854775807 of an axis of size 4",
        ),
        (
            slice(&[0], &[-1], &[1], Mode::StrictBounds),
            &["f32[4]"],
            "size is [-1] but must be 0 or more on each axis",
        ),
        (
            slice(&[0, 0], &[1], &[1], Mode::StrictBounds),
            &["f32[4]"],
            "start has 2 entries but needs 1",
        ),
        (from(ones(), Arg::Input(1), ones()), &["f32[N]", "i64[1] = [N+-1]"], "f32[N - 1]"),
        (from(ones(), Arg::Input(1), ones()), &["f32[N]", "i32[1]"], "f32[slice#0]"),
        (
            from(Arg::Input(1), Arg::Input(2), Arg::Input(3)),
            &["f32[N]", "i32[1]", "i32[1] = [2]", "i32[1]"],
            "f32[2]",
        ),
        (
            from(Arg::Input(2), ones(), ones()),
            &["f32[N]", "i32[1]"],
            "Slice takes start from input 2 but the number of its inputs is 2",
        ),
        (
            from(Arg::Input(1), ones(), ones()),
            &["f32[N]", "i32[2]"],
            "start has 2 entries but needs 1",
        ),
        (filled(Mode::Fill, Some(1)), &["f32[N]", "f32[]"], "f32[3]"),
        (
            filled(Mode::Fill, Some(1)),
            &["f32[N]", "f16[]"],
            "operands of Slice have types f32 and f16",
        ),
        (
            filled(Mode::Wrap, Some(1)),
            &["f32[N]", "f32[]"],
            "the mode of a slice with a fill value is Wrap but must be Fill",
        ),
        (filled(Mode::Fill, Some(1)), &["i64[2] = [N, 2]", "i64[] = [9]"], "i64[3] = [9, N, 2]"),
        (filled(Mode::Fill, None), &["i64[1] = [N]"], "i64[3] = [0, N, 0]"),
    ]);
}

#[test]
fn slices_follow_elements() {
    let data: &[&str] = &["i64[3] = [A, B, C]"];
    check([
        (slice(&[1], &[2], &[1], Mode::StrictBounds), data, "i64[2] = [B, C]"),
        (slice(&[2], &[3], &[-1], Mode::StrictBounds), data, "i64[3] = [C, B, A]"),
        (slice(&[-1], &[5], &[1], Mode::Wrap), data, "i64[5] = [C, A, B, C, A]"),
        (slice(&[-1], &[5], &[1], Mode::Clamp), data, "i64[5] = [A, A, B, C, C]"),
        (slice(&[-2], &[7], &[1], Mode::Reflect), data, "i64[7] = [C, B, A, B, C, B, A]"),
        (slice(&[0], &[2], &[0], Mode::StrictBounds), data, "i64[2] = [A, A]"),
        (slice(&[i64::MAX], &[2], &[i64::MAX], Mode::Clamp), data, "i64[2]"),
        (slice(&[0], &[65], &[1], Mode::Wrap), data, "i64[65]"),
        (slice(&[0], &[2], &[1], Mode::Wrap), &["i64[0] = []"], "i64[2]"),
        (slice(&[], &[], &[], Mode::StrictBounds), &["i64[] = [N]"], "i64[] = [N]"),
    ]);
}
