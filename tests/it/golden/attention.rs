use super::Case;
use crate::support::Model;

pub(super) const CASES: &[Case] = &[
    Case { name: "packed", model: packed },
    Case { name: "cached", model: cached },
    Case { name: "windowed", model: windowed },
    Case { name: "flexible", model: flexible },
];

/// Two query heads for each head of keys, with a mask that lacks a key.
fn packed() -> Model {
    Model::new(23)
        .input("q", "f32[N, 3, 8]")
        .input("k", "f32[N, 5, 4]")
        .input("v", "f32[N, 5, 6]")
        .input("mask", "bool[3, 4]")
        .node("Attention", "q k v mask", "y")
        .attr("q_num_heads", 4)
        .attr("kv_num_heads", 2)
        .attr("softcap", 2.0)
        .output("y", "")
}

fn cached() -> Model {
    Model::new(24)
        .input("q", "f16[2, 2, 3, 4]")
        .input("k", "f16[2, 2, 3, 4]")
        .input("v", "f16[2, 2, 3, 4]")
        .input("past_key", "f16[2, 2, P, 4]")
        .input("past_value", "f16[2, 2, P, 4]")
        .node("Attention", "q k v - past_key past_value", "y key value shares")
        .attr("is_causal", 1)
        .attr("qk_matmul_output_mode", 3)
        .attr("softmax_precision", 1)
        .output("y", "")
        .output("key", "")
        .output("value", "")
        .output("shares", "")
}

fn windowed() -> Model {
    Model::new(25)
        .input("q", "f32[2, 2, 3, 4]")
        .input("k", "f32[2, 2, 5, 4]")
        .input("v", "f32[2, 2, 5, 4]")
        .input("filled", "i64[2]")
        .node("Attention", "q k v - - - filled", "y")
        .attr("left_window_size", 2)
        .attr("right_window_size", 1)
        .output("y", "")
}

/// With a graph that changes the scores.
fn flexible() -> Model {
    let body = Model::new(26)
        .input("scores", "f32[2, 2, 3, 5]")
        .node("Tanh", "scores", "bounded")
        .output("bounded", "f32[2, 2, 3, 5]");
    Model::new(26)
        .opset("ai.onnx.preview", 1)
        .input("q", "f32[2, 2, 3, 4]")
        .input("k", "f32[2, 1, 5, 4]")
        .input("v", "f32[2, 1, 5, 4]")
        .node("ai.onnx.preview.FlexAttention", "q k v", "y")
        .attr("score_mod", body)
        .output("y", "")
}
