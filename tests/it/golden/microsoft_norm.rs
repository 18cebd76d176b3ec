use super::Case;
use super::microsoft::model;
use crate::support::Model;

pub(super) const CASES: &[Case] = &[
    Case { name: "embedded", model: embedded },
    Case { name: "skipped", model: skipped },
    Case { name: "groups", model: groups },
];

fn embedded() -> Model {
    model()
        .input("ids", "i32[N, L]")
        .input("segments", "i32[N, L]")
        .input("mask", "i32[N, L]")
        .weights("words", &[2, 4])
        .weights("places", &[8, 4])
        .weights("parts", &[2, 4])
        .weights("scale", &[4])
        .weights("bias", &[4])
        .node(
            "com.microsoft.EmbedLayerNormalization",
            "ids segments words places parts scale bias mask",
            "y kept sum",
        )
        .output("y", "")
        .output("kept", "")
        .output("sum", "")
}

/// With a skip that is the same for all samples, and with mean and deviation.
fn skipped() -> Model {
    model()
        .input("x", "f32[N, L, 4]")
        .input("skip", "f32[L, 4]")
        .weights("scale", &[4])
        .weights("bias", &[4])
        .node("com.microsoft.SkipLayerNormalization", "x skip scale bias bias", "a - - sum")
        .node("com.microsoft.SkipLayerNormalization", "a sum scale", "b mean inverse")
        .node("com.microsoft.SkipSimplifiedLayerNormalization", "b sum scale", "y - - all")
        .output("y", "")
        .output("all", "")
        .output("mean", "")
        .output("inverse", "")
}

fn groups() -> Model {
    model()
        .input("x", "f32[N, 3, 2, 4]")
        .input("skip", "f32[N, 4]")
        .weights("scale", &[4])
        .weights("bias", &[4])
        .node("com.microsoft.GroupNorm", "x scale bias", "a")
        .attr("groups", 2)
        .attr("activation", 1)
        .node("com.microsoft.SkipGroupNorm", "a scale bias skip bias", "y sum")
        .attr("groups", 1)
        .attr("activation", 0)
        .output("y", "")
        .output("sum", "")
}
