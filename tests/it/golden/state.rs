use super::Case;
use crate::support::Model;

pub(super) const CASES: &[Case] = &[
    Case { name: "convolution", model: convolution },
    Case { name: "recurrence", model: recurrence },
    Case { name: "single_step", model: single_step },
    Case { name: "scatter", model: scatter },
];

fn convolution() -> Model {
    Model::new(27)
        .input("x", "f32[N, 2, 4]")
        .weights("w", &[2, 1, 3])
        .node("CausalConvWithState", "x w", "y state")
        .attr("activation", "silu")
        .output("y", "")
        .output("state", "")
}

fn recurrence() -> Model {
    Model::new(27)
        .input("q", "f16[2, T, 8]")
        .input("k", "f16[2, T, 4]")
        .input("v", "f16[2, T, 6]")
        .input("decay", "f16[2, T, 2]")
        .input("beta", "f16[2, T, 1]")
        .node("LinearAttention", "q k v - decay beta", "y state")
        .attr("q_num_heads", 4)
        .attr("kv_num_heads", 2)
        .output("y", "")
        .output("state", "")
}

fn single_step() -> Model {
    Model::new(27)
        .input("q", "f32[2, 1, 4]")
        .input("k", "f32[2, 1, 4]")
        .input("v", "f32[2, 1, 6]")
        .input("past", "f32[2, 2, 2, 3]")
        .node("LinearAttention", "q k v past", "y state")
        .attr("q_num_heads", 2)
        .attr("kv_num_heads", 2)
        .attr("update_rule", "linear")
        .output("y", "")
        .output("state", "")
}

fn scatter() -> Model {
    Model::new(24)
        .input("cache", "f32[2, 4, 3]")
        .input("update", "f32[2, 2, 3]")
        .input("first", "i64[2]")
        .node("TensorScatter", "cache update first", "y")
        .attr("mode", "circular")
        .output("y", "")
}
