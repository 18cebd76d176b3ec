use super::Case;
use super::microsoft::model;
use crate::support::Model;

pub(super) const CASES: &[Case] = &[
    Case { name: "activations", model: activations },
    Case { name: "sums", model: sums },
    Case { name: "products", model: products },
    Case { name: "convolutions", model: convolutions },
];

fn activations() -> Model {
    model()
        .input("x", "f32[N, L, 4]")
        .weights("b", &[4])
        .weights("w", &[4, 4])
        .node("com.microsoft.Gelu", "x", "a")
        .node("com.microsoft.BiasGelu", "a b", "c")
        .node("com.microsoft.FastGelu", "c b", "d")
        .node("com.microsoft.GemmFastGelu", "d w b", "e")
        .node("com.microsoft.QuickGelu", "e", "f")
        .attr("alpha", 1.5)
        .node("com.microsoft.BiasSplitGelu", "f b", "y")
        .output("y", "")
}

fn sums() -> Model {
    model()
        .input("x", "f32[N, 3, 4]")
        .input("mask", "f32[N, 1, 4]")
        .weights("b", &[4])
        .node("com.microsoft.BiasSoftmax", "x mask", "shares")
        .attr("axis", 2)
        .attr("is_inner_broadcast", 1)
        .node("com.microsoft.BiasDropout", "shares b x", "dropped kept")
        .node("com.microsoft.BiasAdd", "dropped b x", "sum")
        .node("com.microsoft.Trilu", "sum", "y")
        .attr("upper", 0)
        .output("y", "")
        .output("kept", "")
}

fn products() -> Model {
    model()
        .input("a", "f32[3, N, 4]")
        .input("b", "f32[5, N, 4]")
        .weights("w", &[5, 2])
        .weights("c", &[2])
        .node("com.microsoft.FusedMatMul", "a b", "scores")
        .attr("transBatchA", 1)
        .attr("transBatchB", 1)
        .attr("transB", 1)
        .attr("alpha", 0.5)
        .node("com.microsoft.TransposeMatMul", "w scores", "swapped")
        .attr("transA", 1)
        .attr("transB", 1)
        .node("ReduceMean", "scores", "rows")
        .attr("axes", [0])
        .attr("keepdims", 0)
        .node("com.microsoft.FusedGemm", "rows w c", "y")
        .attr("activation", "LeakyRelu")
        .attr("activation_alpha", 0.2)
        .output("swapped", "")
        .output("y", "")
}

fn convolutions() -> Model {
    model()
        .input("x", "f32[N, 2, H, W]")
        .input("z", "f32[N, 2, H, W]")
        .weights("w", &[2, 2, 1, 1])
        .weights("w_last", &[2, 1, 1, 2])
        .weights("wide", &[2, 2, 3, 3])
        .weights("b", &[2])
        .init("pads", &[4], &[1i64, 0, 1, 1])
        .node("com.microsoft.FusedConv", "x w b z", "fused")
        .attr("activation", "Clip")
        .attr("activation_params", [0.0f32, 6.0])
        .node("Transpose", "fused", "last")
        .attr("perm", [0, 2, 3, 1])
        .node("com.microsoft.NhwcConv", "last w_last b", "conv")
        .node("com.microsoft.NhwcFusedConv", "conv w b last", "more")
        .attr("activation", "Relu")
        .node("com.microsoft.ConvTransposeWithDynamicPads", "x wide pads b", "up")
        .attr("strides", [2, 1])
        .output("more", "")
        .output("up", "")
}
