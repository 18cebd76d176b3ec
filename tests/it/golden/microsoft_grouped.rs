use super::Case;
use super::microsoft::model;
use crate::support::Model;

pub(super) const CASES: &[Case] =
    &[Case { name: "prompt", model: prompt }, Case { name: "step", model: step }];

/// All in one, with a norm of each head, a window and a softer SoftMax.
fn prompt() -> Model {
    model()
        .input("qkv", "f32[N, L, 32]")
        .input("last", "i32[N]")
        .init("total", &[], &[6i32])
        .weights("norm", &[4])
        .node(
            "com.microsoft.GroupQueryAttention",
            "qkv - - - - last total - - - - - - - norm norm",
            "y key value",
        )
        .attr("num_heads", 4)
        .attr("kv_num_heads", 2)
        .attr("local_window_size", 3)
        .attr("smooth_softmax", 1)
        .attr("scale", 4.0)
        .attr("softcap", 5.0)
        .output("y", "")
        .output("key", "")
        .output("value", "")
}

/// With a cache, angles, and numbers added to the scores; how many keys there are is the length of
/// a mask.
fn step() -> Model {
    model()
        .input("q", "f32[N, 1, 8]")
        .input("k", "f32[N, 1, 4]")
        .input("v", "f32[N, 1, 4]")
        .input("past_key", "f32[N, 1, P, 4]")
        .input("past_value", "f32[N, 1, P, 4]")
        .input("last", "i32[N]")
        .input("mask", "i64[N, T]")
        .input("bias", "f32[N, 1, 1, T]")
        .weights("cos", &[8, 2])
        .weights("sin", &[8, 2])
        .init("one", &[], &[1i64])
        .node("Shape", "mask", "sizes")
        .node("Gather", "sizes one", "length")
        .node("Cast", "length", "total")
        .attr("to", 6)
        .node(
            "com.microsoft.GroupQueryAttention",
            "q k v past_key past_value last total cos sin - bias",
            "y key value",
        )
        .attr("num_heads", 2)
        .attr("kv_num_heads", 1)
        .attr("do_rotary", 1)
        .output("y", "")
        .output("key", "")
        .output("value", "")
}
