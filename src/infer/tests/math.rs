use super::check;
use crate::network::LayerKind;
use crate::network::layer::{
    Activation, ActivationType, Cast, Cumulative, CumulativeOperation, Dequantize, Einsum,
    ElementWise, ElementWiseOperation as Op, Equation, MatrixMultiply, MatrixOperation as M,
    Quantize, Reduce, ReduceOperation, Unary, UnaryOperation,
};
use crate::tensor::DType;

fn ew(operation: Op) -> LayerKind {
    ElementWise { operation }.into()
}

fn act(kind: ActivationType) -> LayerKind {
    Activation { kind, alpha: 0.0, beta: 0.0 }.into()
}

fn un(operation: UnaryOperation) -> LayerKind {
    Unary { operation }.into()
}

fn cast(to: DType) -> LayerKind {
    Cast { to }.into()
}

fn matmul(op0: M, op1: M) -> LayerKind {
    MatrixMultiply { op0, op1 }.into()
}

fn reduce(axes: &[usize], keep_dims: bool) -> LayerKind {
    Reduce { operation: ReduceOperation::Sum, axes: axes.to_vec(), keep_dims }.into()
}

fn einsum(text: &str, ranks: &[usize]) -> LayerKind {
    Einsum { equation: Equation::parse(text, ranks).unwrap() }.into()
}

#[test]
fn functions_of_one_element_keep_the_shape() {
    let cumulative = |axis| {
        Cumulative { operation: CumulativeOperation::Sum, axis, exclusive: false, reverse: false }
            .into()
    };
    check([
        (act(ActivationType::Relu), &["f16[N, 3]"], "f16[N, 3]"),
        (act(ActivationType::Relu), &["i32[3]"], "i32[3]"),
        (
            act(ActivationType::Tanh),
            &["i32[3]"],
            "the type of data is i32 but must be floating point",
        ),
        (act(ActivationType::Tanh), &["f32[]", "f32[]"], "Activation takes 1 inputs but has 2"),
        (un(UnaryOperation::Exp), &["f32[]"], "f32[]"),
        (un(UnaryOperation::IsNan), &["f32[N]"], "bool[N]"),
        (un(UnaryOperation::Not), &["f32[N]"], "the type of data is f32 but must be bool"),
        (
            un(UnaryOperation::Floor),
            &["i64[N]"],
            "the type of data is i64 but must be floating point",
        ),
        (cast(DType::I64), &["f32[N]"], "i64[N]"),
        (
            cast(DType::F64),
            &["f32[N]"],
            "the type of the result is f64 but must be one that TensorRT has",
        ),
        (cumulative(1), &["f32[N, 3]"], "f32[N, 3]"),
        (cumulative(2), &["f32[N, 3]"], "axis 2 is outside rank 2"),
        (LayerKind::Identity, &["i64[1] = [N]"], "i64[1] = [N]"),
        (LayerKind::ParametricRelu, &["f32[N, 3, 5]", "f32[1, 3, 1]"], "f32[N, 3, 5]"),
        (
            LayerKind::ParametricRelu,
            &["f32[1, 3]", "f32[2, 3]"],
            "axes of size 2 and 1 do not broadcast",
        ),
    ]);
}

#[test]
fn two_operands_broadcast() {
    check([
        (ew(Op::Sum), &["f32[N, 1, 5]", "f32[N, 4, 1]"], "f32[N, 4, 5]"),
        (ew(Op::Sum), &["f32[N]", "f32[4]"], "f32[4]"),
        (ew(Op::Sum), &["f32[N]", "f32[M]"], "f32[max(M, N)]"),
        (ew(Op::Sum), &["f32[3]", "f32[4]"], "axes of size 3 and 4 do not broadcast"),
        (ew(Op::Sum), &["f32[3]", "f16[3]"], "operands of ElementWise have types f32 and f16"),
        (ew(Op::Sum), &["f32[3]", "f32[1, 3]"], "operands of ElementWise have ranks 1 and 2"),
        (
            ew(Op::Sum),
            &["bool[3]", "bool[3]"],
            "the type of operands is bool but must be floating point or whole numbers",
        ),
        (ew(Op::And), &["i32[3]", "i32[3]"], "the type of operands is i32 but must be bool"),
        (ew(Op::Less), &["f32[N, 3]", "f32[1, 3]"], "bool[N, 3]"),
        (ew(Op::Sum), &["f32[3]"], "ElementWise takes 2 inputs but has 1"),
        (LayerKind::Select, &["bool[N, 1]", "f32[1, 3]", "f32[1, 1]"], "f32[N, 3]"),
        (
            LayerKind::Select,
            &["i32[1]", "f32[1]", "f32[1]"],
            "the type of the condition is i32 but must be bool",
        ),
        (
            LayerKind::Select,
            &["bool[]", "f32[1]", "f32[1]"],
            "operands of Select have ranks 0 and 1",
        ),
    ]);
}

#[test]
fn reductions_drop_or_keep_axes() {
    check([
        (reduce(&[1, 2], false), &["f32[N, 3, 4]"], "f32[N]"),
        (reduce(&[0], true), &["i32[N, 3]"], "i32[1, 3]"),
        (reduce(&[], true), &["f32[3]"], "the list of axes has 0 entries but needs 1"),
        (reduce(&[1, 1], true), &["f32[3, 3]"], "axes [1, 1] are not rising numbers below rank 2"),
        (reduce(&[2], true), &["f32[3, 3]"], "axes [2] are not rising numbers below rank 2"),
        (
            reduce(&[0], true),
            &["bool[3]"],
            "the type of data is bool but must be floating point or whole numbers",
        ),
    ]);
}

#[test]
fn products_of_matrices_and_vectors() {
    check([
        (matmul(M::None, M::None), &["f32[N, 2, 3]", "f32[1, 3, 4]"], "f32[N, 2, 4]"),
        (matmul(M::Transpose, M::Transpose), &["f32[3, 2]", "f32[4, 3]"], "f32[2, 4]"),
        (matmul(M::None, M::Vector), &["f16[N, 2, 3]", "f16[N, 3]"], "f16[N, 2]"),
        (matmul(M::Vector, M::Vector), &["f32[3]", "f32[K]"], "f32[]"),
        (
            matmul(M::None, M::None),
            &["f32[2, 3]", "f32[4, 5]"],
            "axes of size 3 and 4 must be equal",
        ),
        (
            matmul(M::None, M::None),
            &["f32[2, 2, 3]", "f32[3, 5]"],
            "operands of MatrixMultiply batches have ranks 1 and 0",
        ),
        (
            matmul(M::None, M::None),
            &["f32[3]", "f32[3, 5]"],
            "the rank of a matrix operand is 1 but must be 2 or more",
        ),
        (
            matmul(M::Vector, M::None),
            &["f32[]", "f32[3, 5]"],
            "the rank of a matrix operand is 0 but must be 1 or more",
        ),
        (
            matmul(M::None, M::None),
            &["i32[2, 3]", "i32[3, 5]"],
            "the type of operands is i32 but must be floating point",
        ),
        (einsum("bij,bjk->bik", &[3, 3]), &["f32[N, 2, 3]", "f32[N, 3, K]"], "f32[N, 2, K]"),
        (einsum("ij->ji", &[2]), &["f32[2, 3]"], "f32[3, 2]"),
        (
            einsum("ij,jk->ik", &[2, 2]),
            &["f32[2, 3]", "f32[4, 5]"],
            "axes of size 3 and 4 must be equal",
        ),
        (einsum("ii->i", &[2]), &["f32[2, 2]"], "equation `aa->a` repeats a letter within a term"),
        (
            einsum("ij->j", &[2]),
            &["f32[2]"],
            "equation `ab->b` has a term with another number of letters than axes",
        ),
        (einsum("i,i->i", &[1, 1]), &["f32[2]"], "equation `a,a->a` has not one term per input"),
    ]);
}

#[test]
fn scales_of_quantization_fit_the_axis() {
    let quantize = |axis| Quantize { axis, to: DType::I8 }.into();
    let dequantize = |axis, to| LayerKind::from(Dequantize { axis, to });
    check([
        (quantize(None), &["f32[N, 3]", "f32[]"], "i8[N, 3]"),
        (quantize(Some(1)), &["f32[N, 3]", "f32[3]"], "i8[N, 3]"),
        (quantize(Some(1)), &["f32[N, 3]", "f32[4]"], "axes of size 4 and 3 must be equal"),
        (quantize(None), &["f32[N, 3]", "f32[4]"], "the scale has 4 entries but needs 1"),
        (
            Quantize { axis: None, to: DType::I32 }.into(),
            &["f32[3]", "f32[]"],
            "the type of the result is i32 but must be i8, f8e4m3, i4 or f4e2m1",
        ),
        (dequantize(None, DType::F16), &["i8[N, 3]", "f16[]"], "f16[N, 3]"),
        (
            dequantize(None, DType::F32),
            &["f32[N, 3]", "f32[]"],
            "the type of data is f32 but must be i8, f8e4m3, i4 or f4e2m1",
        ),
        (
            dequantize(None, DType::I32),
            &["i8[N, 3]", "f32[]"],
            "the type of the result is i32 but must be floating point",
        ),
    ]);
}

#[test]
fn elements_are_followed() {
    check([
        (ew(Op::Sum), &["i64[2] = [N, 3]", "i64[1] = [1]"], "i64[2] = [N + 1, 4]"),
        (ew(Op::Prod), &["i64[] = [N]", "i64[] = [4]"], "i64[] = [4·N]"),
        (ew(Op::Sub), &["i32[1] = [N]", "i32[1] = [N]"], "i32[1] = [0]"),
        (ew(Op::Div), &["i64[1] = [4*N]", "i64[1] = [2]"], "i64[1] = [2·N]"),
        (ew(Op::Div), &["i64[1] = [N]", "i64[1] = [2]"], "i64[1] = [⌊(N)/(2)⌋]"),
        (ew(Op::Div), &["i64[1] = [-7]", "i64[1] = [2]"], "i64[1] = [-3]"),
        (ew(Op::Div), &["i64[1] = [N+-3]", "i64[1] = [2]"], "i64[1]"),
        (ew(Op::Div), &["i64[1] = [7]", "i64[1] = [0]"], "i64[1]"),
        (ew(Op::FloorDiv), &["i64[1] = [-7]", "i64[1] = [2]"], "i64[1] = [-4]"),
        (ew(Op::FloorDiv), &["i64[1] = [-9223372036854775808]", "i64[1] = [-1]"], "i64[1]"),
        (ew(Op::Max), &["i64[1] = [N]", "i64[1] = [0]"], "i64[1] = [N]"),
        (ew(Op::Min), &["i64[1] = [N]", "i64[1] = [N+2]"], "i64[1] = [N]"),
        (ew(Op::Max), &["i64[1] = [N]", "i64[1] = [2]"], "i64[1] = [max(2, N)]"),
        (ew(Op::Equal), &["i64[2] = [N, 3]", "i64[2] = [-1, 3]"], "bool[2] = [0, 1]"),
        (ew(Op::Equal), &["i64[1] = [N]", "i64[1] = [3]"], "bool[1]"),
        (ew(Op::Less), &["i64[1] = [N]", "i64[1] = [N+1]"], "bool[1] = [1]"),
        (ew(Op::Greater), &["i64[1] = [N]", "i64[1] = [N]"], "bool[1] = [0]"),
        (ew(Op::Xor), &["bool[1] = [1]", "bool[1] = [1]"], "bool[1] = [0]"),
        (ew(Op::Sum), &["i64[1] = [9223372036854775807]", "i64[1] = [1]"], "i64[1]"),
        (ew(Op::Sum), &["i32[1] = [2147483647]", "i32[1] = [1]"], "i32[1]"),
        (un(UnaryOperation::Neg), &["i64[2] = [N, 3]"], "i64[2] = [-N, -3]"),
        (un(UnaryOperation::Abs), &["i64[2] = [N, -3]"], "i64[2] = [N, 3]"),
        (un(UnaryOperation::Abs), &["i64[1] = [-9223372036854775808]"], "i64[1]"),
        (cast(DType::I32), &["i64[2] = [N, 3]"], "i32[2] = [N, 3]"),
        (cast(DType::I32), &["i64[1] = [4294967296]"], "i32[1]"),
        (cast(DType::Bool), &["i64[2] = [0, 7]"], "bool[2] = [0, 1]"),
        (cast(DType::F32), &["i64[2] = [0, 7]"], "f32[2]"),
        (
            LayerKind::Select,
            &["bool[2] = [0, 1]", "i64[1] = [1]", "i64[2] = [N, -1]"],
            "i64[2] = [N, 1]",
        ),
        (LayerKind::Select, &["bool[1]", "i64[1] = [N]", "i64[1] = [N]"], "i64[1] = [N]"),
        (LayerKind::Select, &["bool[1]", "i64[1] = [1]", "i64[1] = [N]"], "i64[1]"),
        (reduce(&[0], false), &["i64[3] = [N, 2, 3]"], "i64[] = [N + 5]"),
        (reduce(&[0], true), &["i64[0] = []"], "i64[1] = [0]"),
        (
            Reduce { operation: ReduceOperation::Prod, axes: vec![0], keep_dims: false }.into(),
            &["i64[3] = [N, 2, 3]"],
            "i64[] = [6·N]",
        ),
        (
            Reduce { operation: ReduceOperation::Max, axes: vec![0], keep_dims: false }.into(),
            &["i64[0] = []"],
            "i64[]",
        ),
    ]);
}
