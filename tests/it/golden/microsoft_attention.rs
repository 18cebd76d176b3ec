use super::Case;
use super::microsoft::model;
use crate::support::Model;

pub(super) const CASES: &[Case] = &[
    Case { name: "projected", model: projected },
    Case { name: "quantized", model: quantized },
    Case { name: "heads", model: heads },
    Case { name: "packed", model: packed },
    Case { name: "turned", model: turned },
];

/// With numbers of keys as the mask, and with a past.
fn projected() -> Model {
    model()
        .input("x", "f32[N, L, 6]")
        .input("lengths", "i32[N]")
        .input("past", "f32[2, N, 2, P, 2]")
        .weights("w", &[6, 12])
        .weights("b", &[12])
        .node("com.microsoft.Attention", "x w b lengths past", "y present")
        .attr("num_heads", 2)
        .attr("unidirectional", 1)
        .output("y", "")
        .output("present", "")
}

fn quantized() -> Model {
    model()
        .input("x", "f32[N, L, 4]")
        .input("mask", "i32[N, L]")
        .init("scale", &[], &[0.02f32])
        .init("zero", &[], &[120u8])
        .init("w", &[4, 6], &[3i8; 24])
        .init("w_scale", &[6], &[0.5f32; 6])
        .weights("b", &[6])
        .node("QuantizeLinear", "x scale zero", "q")
        .node("com.microsoft.QAttention", "q w b scale w_scale mask zero", "y")
        .attr("num_heads", 1)
        .output("y", "")
}

/// With a bias, a mask for each query, numbers added to the scores, and the scores wanted.
fn heads() -> Model {
    model()
        .input("q", "f32[N, 3, 4]")
        .input("k", "f32[N, L, 4]")
        .input("v", "f32[N, L, 6]")
        .input("mask", "i32[N, 3, L]")
        .input("added", "f32[1, 2, 3, L]")
        .weights("b", &[14])
        .node("com.microsoft.MultiHeadAttention", "q k v b mask added", "y key value scores")
        .attr("num_heads", 2)
        .attr("scale", 0.5)
        .attr("mask_filter_value", -100.0)
        .output("y", "")
        .output("scores", "")
}

/// Queries, keys and values in one; then a single query of keys that are heads already.
fn packed() -> Model {
    model()
        .input("qkv", "f16[N, L, 2, 3, 4]")
        .input("query", "f16[N, 1, 8]")
        .input("mask", "i32[N, L]")
        .node("com.microsoft.MultiHeadAttention", "qkv", "a key value")
        .attr("num_heads", 2)
        .node("com.microsoft.DecoderMaskedMultiHeadAttention", "query key value mask", "y")
        .attr("num_heads", 2)
        .output("a", "")
        .output("y", "")
}

/// Both layouts, all of a head and its beginning, positions of all tokens and of the first.
fn turned() -> Model {
    model()
        .input("x", "f32[N, L, 8]")
        .input("ids", "i64[N, L]")
        .input("first", "i64[1]")
        .weights("cos", &[8, 2])
        .weights("sin", &[8, 2])
        .weights("cos_part", &[8, 1])
        .weights("sin_part", &[8, 1])
        .node("com.microsoft.RotaryEmbedding", "x ids cos sin", "a")
        .node("com.microsoft.RotaryEmbedding", "a first cos_part sin_part", "y")
        .attr("interleaved", 1)
        .attr("num_heads", 2)
        .attr("rotary_embedding_dim", 2)
        .output("y", "")
}
