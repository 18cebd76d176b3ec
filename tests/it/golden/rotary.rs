use super::Case;
use crate::support::Model;

pub(super) const CASES: &[Case] =
    &[Case { name: "halves", model: halves }, Case { name: "pairs", model: pairs }];

fn halves() -> Model {
    Model::new(23)
        .input("x", "f32[N, 2, L, 4]")
        .input("cos", "f32[N, L, 2]")
        .input("sin", "f32[N, L, 2]")
        .node("RotaryEmbedding", "x cos sin", "y")
        .output("y", "")
}

/// Packed heads of which half the elements are turned, by angles picked by position.
fn pairs() -> Model {
    Model::new(23)
        .input("x", "f32[2, 3, 8]")
        .input("cos", "f32[5, 1]")
        .input("sin", "f32[5, 1]")
        .input("positions", "i64[2, 3]")
        .node("RotaryEmbedding", "x cos sin positions", "y")
        .attr("num_heads", 2)
        .attr("interleaved", 1)
        .attr("rotary_embedding_dim", 2)
        .output("y", "")
}
