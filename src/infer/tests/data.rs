use super::check;
use crate::network::LayerKind;
use crate::network::layer::{
    Arg, Concatenation, Fill, FillOperation as Op, Gather, GatherMode, OneHot, ReverseSequence,
    Scatter, ScatterMode, TopK, TopKOperation,
};
use crate::tensor::DType;

fn gather(mode: GatherMode, axis: usize, element_wise_dims: usize) -> LayerKind {
    Gather { mode, axis, element_wise_dims }.into()
}

fn fill(
    operation: Op,
    dims: Arg<Vec<usize>>,
    alpha: Arg<f64>,
    beta: Arg<f64>,
    dtype: DType,
) -> LayerKind {
    Fill { operation, dims, alpha, beta, dtype }.into()
}

fn top_k(k: Arg<usize>, axis: usize) -> LayerKind {
    TopK { operation: TopKOperation::Max, k, axis }.into()
}

#[test]
fn concatenations() {
    let concat = |axis| Concatenation { axis }.into();
    check([
        (concat(1), &["f32[N, 2]", "f32[N, K]", "f32[M, 1]"], "f32[N, K + 3]"),
        (concat(0), &["f32[N, C]", "f32[1, 4]"], "f32[N + 1, 4]"),
        (concat(0), &["f32[2, 3]", "f32[2, 4]"], "axes of size 3 and 4 must be equal"),
        (concat(1), &["f32[N, 2]", "f32[N+1, 2]"], "axes of size N and N + 1 must be equal"),
        (concat(0), &["f32[2]", "f16[2]"], "operands of Concatenation have types f32 and f16"),
        (concat(0), &["f32[2]", "f32[2, 2]"], "operands of Concatenation have ranks 1 and 2"),
        (concat(0), &["f32[]"], "axis 0 is outside rank 0"),
        (concat(0), &[], "Concatenation takes 1 or more inputs but has 0"),
    ]);
}

#[test]
fn gathers() {
    use GatherMode::{Default, Element, Nd};
    check([
        (gather(Default, 1, 0), &["f32[N, 3, 4]", "i64[5, 6]"], "f32[N, 5, 6, 4]"),
        (gather(Default, 2, 1), &["f32[N, 3, 4]", "i32[N, 5]"], "f32[N, 3, 5]"),
        (gather(Default, 0, 0), &["f32[3]", "i32[]"], "f32[]"),
        (gather(Element, 1, 0), &["f32[3, 4]", "i32[2, 9]"], "f32[2, 9]"),
        (
            gather(Element, 1, 0),
            &["f32[3, 4]", "i32[5, 9]"],
            "the size of indices is 5 but must be at most the data's 3",
        ),
        (gather(Nd, 0, 0), &["f32[3, 4, C]", "i64[K, 2]"], "f32[K, C]"),
        (gather(Nd, 0, 1), &["f32[N, 4, C]", "i64[N, 1]"], "f32[N, C]"),
        (
            gather(Nd, 0, 0),
            &["f32[3, 4]", "i64[K, 3]"],
            "the length of an index vector is 3 but must be 1 to 2",
        ),
        (
            gather(Nd, 0, 0),
            &["f32[3, 4]", "i64[K]"],
            "the number of elements of an index vector is known only at run time, so the output \
             has no known rank",
        ),
        (
            gather(Nd, 0, 0),
            &["f32[3, 4]", "i64[]"],
            "the rank of indices is 0 but must be 1 or more",
        ),
        (gather(Default, 3, 0), &["f32[N, 3, 4]", "i64[5]"], "axis 3 is outside rank 3"),
        (gather(Default, 0, 1), &["f32[3, 4]", "i64[3]"], "axis 0 is outside rank 1"),
        (
            gather(Default, 0, usize::MAX),
            &["f32[3, 4]", "i64[3]"],
            "axis 18446744073709551615 is outside rank 2",
        ),
        (
            gather(Default, 0, 0),
            &["f32[3]", "f32[1]"],
            "the type of indices is f32 but must be i32 or i64",
        ),
        (
            gather(Default, 0, 0),
            &["f32[1, 1, 1, 1, 1]", "i64[1, 1, 1, 1, 1]"],
            "the rank of the output is 9 but must be 8 or less",
        ),
    ]);
}

#[test]
fn scatters() {
    use ScatterMode::{Element, Nd};
    let scatter = |mode, axis| LayerKind::from(Scatter { mode, axis });
    check([
        (scatter(Element, 1), &["f32[N, 4]", "i64[2, 3]", "f32[2, 3]"], "f32[N, 4]"),
        (scatter(Nd, 0), &["f32[N, 4, 5]", "i64[K, 2]", "f32[K, 5]"], "f32[N, 4, 5]"),
        (
            scatter(Element, 1),
            &["f32[N, 4]", "i64[2, 3]", "f32[2, 4]"],
            "the shape of the updates is [2, 4] but must be [2, 3]",
        ),
        (
            scatter(Nd, 0),
            &["f32[N, 4]", "i64[K, 1]", "f32[K]"],
            "the shape of the updates is [K] but must be [K, 4]",
        ),
        (
            scatter(Nd, 0),
            &["f32[N, 4]", "i64[K, 1]", "f16[K, 4]"],
            "operands of Scatter have types f32 and f16",
        ),
        (scatter(Element, 2), &["f32[N, 4]", "i64[2, 3]", "f32[2, 3]"], "axis 2 is outside rank 2"),
    ]);
}

#[test]
fn fills() {
    let zeros = |dims| fill(Op::Linspace, dims, Arg::Static(1.0), Arg::Static(2.0), DType::I64);
    let range =
        |operation| fill(operation, Arg::Input(0), Arg::Input(1), Arg::Input(2), DType::I64);
    check([
        (zeros(Arg::Static(vec![3])), &[], "i64[3] = [1, 3, 5]"),
        (zeros(Arg::Input(0)), &["i64[2] = [N, 3]"], "i64[N, 3]"),
        (zeros(Arg::Input(0)), &["i64[1]"], "i64[fill#0]"),
        (zeros(Arg::Input(0)), &["i64[1] = [-1]"], "the shape is -1 but must be 0 or more"),
        (
            zeros(Arg::Input(0)),
            &["i64[1000000]"],
            "the rank of the shape is 1000000 but must be 8 or less",
        ),
        (
            zeros(Arg::Input(0)),
            &[],
            "Fill takes dims from input 0 but the number of its inputs is 0",
        ),
        (zeros(Arg::Static(vec![3])), &["i64[1]"], "Fill takes 0 inputs but has 1"),
        (
            range(Op::Linspace),
            &["i64[1] = [3]", "i64[] = [N]", "i64[1] = [-1]"],
            "i64[3] = [N, N - 1, N - 2]",
        ),
        (
            range(Op::Linspace),
            &["i64[1] = [3]", "i64[] = [N]", "i64[]"],
            "the rank of beta is 0 but must be 1",
        ),
        (
            range(Op::Linspace),
            &["i64[1] = [3]", "i32[]", "i64[1]"],
            "operands of Fill have types i32 and i64",
        ),
        (
            range(Op::RandomUniform),
            &["i64[1] = [3]", "i64[]", "i64[]"],
            "the type of the result is i64 but must be floating point",
        ),
        (
            fill(
                Op::RandomNormal,
                Arg::Static(vec![2, 3]),
                Arg::Static(0.0),
                Arg::Static(1.0),
                DType::F16,
            ),
            &[],
            "f16[2, 3]",
        ),
        (
            fill(Op::Linspace, Arg::Static(vec![2]), Arg::Static(0.0), Arg::Input(0), DType::F32),
            &["f32[1]"],
            "beta is given another way than alpha but must be given the same way",
        ),
        (
            fill(
                Op::Linspace,
                Arg::Static(vec![2]),
                Arg::Static(f64::NAN),
                Arg::Static(1.0),
                DType::I64,
            ),
            &[],
            "i64[2]",
        ),
    ]);
}

#[test]
fn picks_and_orders() {
    let one_hot = |axis| OneHot { axis }.into();
    let reverse = |batch_axis, sequence_axis| ReverseSequence { batch_axis, sequence_axis }.into();
    check([
        (top_k(Arg::Static(2), 1), &["f32[N, 5]"], "f32[N, 2]; i32[N, 2]"),
        (top_k(Arg::Input(1), 1), &["f32[N, 5]", "i64[] = [K]"], "f32[N, K]; i32[N, K]"),
        (top_k(Arg::Input(1), 1), &["f32[N, 5]", "i64[]"], "f32[N, topk#0]; i32[N, topk#0]"),
        (top_k(Arg::Static(6), 1), &["f32[N, 5]"], "k is 6 but must be at most 5"),
        (top_k(Arg::Static(4000), 1), &["f32[N, K]"], "k is 4000 but must be at most 3840"),
        (top_k(Arg::Static(0), 1), &["f32[N, K]"], "k is 0 but must be 1 or more"),
        (top_k(Arg::Static(1), 0), &["f32[]"], "axis 0 is outside rank 0"),
        (top_k(Arg::Input(1), 0), &["f32[5]", "i64[1]"], "the rank of k is 1 but must be 0"),
        (LayerKind::NonZero, &["bool[N, 3]"], "i64[2, nonzero#0]"),
        (one_hot(1), &["i64[N, 3]", "f32[2]", "i64[] = [7]"], "f32[N, 7, 3]"),
        (one_hot(3), &["i64[N, 3]", "f32[2]", "i64[] = [7]"], "axis 3 is outside rank 3"),
        (one_hot(0), &["i64[]", "f32[2]", "i64[]"], "f32[onehot#0]"),
        (one_hot(0), &["i64[]", "f32[3]", "i64[]"], "axes of size 3 and 2 must be equal"),
        (reverse(1, 0), &["f32[T, N, C]", "i64[N]"], "f32[T, N, C]"),
        (
            reverse(1, 1),
            &["f32[T, N, C]", "i64[N]"],
            "axes [1, 1] are not rising numbers below rank 3",
        ),
        (reverse(1, 0), &["f32[T, 3, C]", "i64[4]"], "axes of size 4 and 3 must be equal"),
    ]);
}
