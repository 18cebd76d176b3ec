use super::Case;
use crate::support::Model;

pub(super) const CASES: &[Case] = &[
    Case { name: "gather", model: gather },
    Case { name: "one_hot", model: one_hot },
    Case { name: "top_k", model: top_k },
    Case { name: "first_top_k", model: first_top_k },
    Case { name: "compress", model: compress },
    Case { name: "places", model: places },
    Case { name: "reverse_sequence", model: reverse_sequence },
    Case { name: "features", model: features },
];

fn gather() -> Model {
    Model::new(13)
        .input("x", "f32[N, 4]")
        .input("i", "i64[2]")
        .init("fixed", &[2], &[0i64, -1])
        .node("Gather", "x fixed", "constant")
        .attr("axis", 1)
        .output("constant", "")
        .node("Gather", "x i", "computed")
        .attr("axis", 1)
        .output("computed", "")
        .init("each", &[1, 2], &[0i64, -1])
        .node("GatherElements", "x each", "elements")
        .attr("axis", 1)
        .output("elements", "")
        .init("points", &[2, 2], &[0i64, 1, 0, -1])
        .node("GatherND", "x points", "nd")
        .output("nd", "")
}

fn one_hot() -> Model {
    Model::new(11)
        .input("i", "i64[N]")
        .init("depth", &[], &[5i64])
        .init("values", &[2], &[0f32, 1.0])
        .node("OneHot", "i depth values", "y")
        .output("y", "")
        .input("single", "i64[]")
        .node("OneHot", "single depth values", "row")
        .output("row", "")
}

fn top_k() -> Model {
    Model::new(11)
        .input("x", "f32[N, 10]")
        .init("k", &[1], &[3i64])
        .node("TopK", "x k", "largest places")
        .output("largest", "")
        .output("places", "")
        .node("TopK", "x k", "smallest")
        .attr("axis", 1)
        .attr("largest", 0)
        .output("smallest", "")
}

fn first_top_k() -> Model {
    Model::new(9)
        .input("x", "f32[N, 10]")
        .node("TopK", "x", "y i")
        .attr("k", 2)
        .output("y", "")
        .output("i", "")
}

fn compress() -> Model {
    Model::new(13)
        .input("x", "f32[3, 2]")
        .init("where", &[3], &[true, false, true])
        .node("Compress", "x where", "y")
        .attr("axis", 0)
        .output("y", "")
}

/// Sizes that depend on the data.
fn places() -> Model {
    Model::new(13)
        .input("x", "f32[3, 2]")
        .input("where", "bool[6]")
        .node("Compress", "x where", "some")
        .output("some", "")
        .node("NonZero", "x", "places")
        .output("places", "")
}

fn reverse_sequence() -> Model {
    Model::new(10)
        .input("x", "f32[T, N, 2]")
        .input("lengths", "i64[N]")
        .node("ReverseSequence", "x lengths", "y")
        .output("y", "")
}

fn features() -> Model {
    Model::new(13)
        .opset("ai.onnx.ml", 1)
        .input("x", "f32[N, 4]")
        .init("i", &[2], &[0i64, 2])
        .node("ai.onnx.ml.ArrayFeatureExtractor", "x i", "y")
        .output("y", "")
}
