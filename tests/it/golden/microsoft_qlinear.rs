use super::Case;
use super::microsoft::model;
use crate::support::Model;

pub(super) const CASES: &[Case] = &[
    Case { name: "elements", model: elements },
    Case { name: "images", model: images },
    Case { name: "products", model: products },
    Case { name: "linear", model: linear },
    Case { name: "sixteen_bits", model: sixteen_bits },
];

fn quantized(ty: &str) -> Model {
    model().input("x", ty).init("s", &[], &[0.03125f32]).init("z", &[], &[120u8]).node(
        "QuantizeLinear",
        "x s z",
        "q",
    )
}

fn elements() -> Model {
    quantized("f32[N, L, 4]")
        .init("t", &[], &[0.05f32])
        .init("w", &[4], &[1u8, 200, 30, 140])
        .node("com.microsoft.QLinearAdd", "q s z w s z t z", "sum")
        .node("com.microsoft.QLinearMul", "sum t z q s z t z", "product")
        .node("com.microsoft.QLinearSigmoid", "product t z s -", "sigmoid")
        .node("com.microsoft.QLinearLeakyRelu", "sigmoid s - t z", "leaky")
        .attr("alpha", 0.2)
        .node("com.microsoft.QLinearSoftmax", "leaky t z s z", "shares")
        .attr("axis", 1)
        .attr("opset", 11)
        .node("com.microsoft.QLinearConcat", "t z shares s z q s z", "joined")
        .attr("axis", 1)
        .node("com.microsoft.QLinearReduceMean", "joined t z s z", "mean")
        .attr("axes", [1])
        .init("yes", &[4], &[true, false, false, true])
        .node("com.microsoft.QLinearWhere", "yes mean s z q s z t z", "picked")
        .node("DequantizeLinear", "picked t z", "y")
        .output("y", "")
}

fn images() -> Model {
    quantized("f32[N, 4, 5, 2]")
        .init("w", &[2, 2, 1, 1], &[100u8, 140, 30, 210])
        .node("com.microsoft.QLinearConv", "q s z w s z s z", "conv")
        .attr("channels_last", 1)
        .node("com.microsoft.NhwcMaxPool", "conv", "largest")
        .attr("kernel_shape", [2, 2])
        .node("com.microsoft.QLinearAveragePool", "largest s z s z", "mean")
        .attr("kernel_shape", [2, 2])
        .attr("channels_last", 1)
        .node("com.microsoft.QLinearGlobalAveragePool", "mean s z s z", "all")
        .attr("channels_last", 1)
        .node("DequantizeLinear", "all s z", "y")
        .output("y", "")
}

/// One whose result is quantized, one whose result is not.
fn products() -> Model {
    quantized("f32[N, 3]")
        .init("b", &[2, 3], &[1u8, 200, 30, 140, 250, 6])
        .init("bs", &[2], &[0.5f32, 0.25])
        .init("bz", &[2], &[128u8; 2])
        .init("c", &[2], &[100i32, -50])
        .node("com.microsoft.QGemm", "q s z b bs bz c", "y")
        .attr("transB", 1)
        .attr("alpha", 0.5)
        .node("com.microsoft.QGemm", "q s z b bs bz - s z", "small")
        .attr("transB", 1)
        .node("DequantizeLinear", "small s z", "w")
        .output("y", "")
        .output("w", "")
}

fn linear() -> Model {
    model()
        .input("x", "f32[N, 2]")
        .init("s", &[2], &[0.02f32, 0.5])
        .init("z", &[2], &[0i8; 2])
        .node("com.microsoft.QuantizeLinear", "x s z", "q")
        .attr("axis", 1)
        .node("com.microsoft.DequantizeLinear", "q s z", "y")
        .attr("axis", 1)
        .output("y", "")
}

/// Numbers that TensorRT has no type for stand in `f32`.
fn sixteen_bits() -> Model {
    model()
        .input("x", "f32[N, 2]")
        .init("s", &[], &[0.015_625_f32])
        .init("z", &[], &[32768u16])
        .init("w", &[2], &[-300i16, 4000])
        .init("wz", &[], &[-100i16])
        .node("com.microsoft.QuantizeLinear", "x s z", "q")
        .node("com.microsoft.DequantizeLinear", "q s z", "back")
        .node("DequantizeLinear", "w s wz", "weights")
        .node("Mul", "back weights", "y")
        .output("y", "")
}
