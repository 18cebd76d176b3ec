use super::Case;
use super::microsoft::model;
use crate::support::Model;

pub(super) const CASES: &[Case] = &[
    Case { name: "gates", model: gates },
    Case { name: "inverses", model: inverses },
    Case { name: "positions", model: positions },
    Case { name: "sequences", model: sequences },
];

/// Halves of one value, and two runs of a norm.
fn gates() -> Model {
    model()
        .input("x", "f32[N, L, 8]")
        .weights("scale", &[2])
        .node("com.microsoft.SwiGLU", "x", "a")
        .attr("limit", 2.0)
        .attr("activation_beta", 1.0)
        .node("com.microsoft.GatedRMSNorm", "a scale a", "y")
        .output("y", "")
}

fn inverses() -> Model {
    model()
        .input("x", "f32[N, 3, 3]")
        .init("eye", &[3, 3], &[2.0f32, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 2.0])
        .node("Add", "x eye", "regular")
        .node("com.microsoft.Inverse", "regular", "y")
        .output("y", "")
}

fn positions() -> Model {
    model()
        .input("x", "f32[N, L]")
        .weights("table", &[8, 2])
        .init("one", &[1], &[1i64])
        .node("Shape", "x", "sizes")
        .node("Gather", "sizes one", "length")
        .node("com.microsoft.RelativePositionBias", "table length length", "y")
        .attr("max_distance", 16)
        .attr("is_bidirectional", 1)
        .output("y", "")
}

fn sequences() -> Model {
    model()
        .input("x", "f32[N, 4, L]")
        .weights("w", &[4, 1, 3])
        .node("com.microsoft.CausalConvWithState", "x w", "conv state")
        .attr("activation", "silu")
        .node("Transpose", "conv", "steps")
        .attr("perm", [0, 2, 1])
        .node("com.microsoft.LinearAttention", "steps steps steps", "y present")
        .attr("update_rule", "linear")
        .attr("q_num_heads", 2)
        .attr("kv_num_heads", 2)
        .output("y", "")
        .output("present", "")
        .output("state", "")
}
