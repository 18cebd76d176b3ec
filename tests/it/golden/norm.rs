use super::Case;
use crate::support::Model;

pub(super) const CASES: &[Case] = &[
    Case { name: "single", model: single },
    Case { name: "batch", model: batch },
    Case { name: "batch_computed", model: batch_computed },
    Case { name: "batch_1", model: batch_1 },
    Case { name: "batch_7", model: batch_7 },
    Case { name: "batch_9", model: batch_9 },
    Case { name: "dropout", model: dropout },
    Case { name: "dropout_6", model: dropout_6 },
    Case { name: "dropout_7", model: dropout_7 },
    Case { name: "dropout_10", model: dropout_10 },
    Case { name: "instance_and_local", model: instance_and_local },
    Case { name: "layer", model: layer },
    Case { name: "layer_with_mean", model: layer_with_mean },
    Case { name: "layer_of_onnx_runtime", model: layer_of_onnx_runtime },
    Case { name: "group", model: group },
    Case { name: "group_18", model: group_18 },
    Case { name: "root_mean_square", model: root_mean_square },
];

/// Coefficients of two channels whose results are short numbers.
fn coefficients(model: Model) -> Model {
    model
        .init("scale", &[2], &[2f32, 3.0])
        .init("bias", &[2], &[0.5f32, 0.25])
        .init("mean", &[2], &[1f32, -1.0])
        .init("var", &[2], &[0.25f32, 4.0])
}

const BATCH: &str = "x scale bias mean var";

fn batch() -> Model {
    coefficients(Model::new(15).input("x", "f32[N, 2, 4, 4]"))
        .node("BatchNormalization", BATCH, "y")
        .attr("epsilon", 0.0)
        .attr("momentum", 0.9)
        .output("y", "")
}

fn batch_computed() -> Model {
    Model::new(15)
        .input("x", "f32[N, 2]")
        .input("scale", "f32[2]")
        .input("bias", "f32[2]")
        .input("mean", "f32[2]")
        .input("var", "f32[2]")
        .node("BatchNormalization", BATCH, "y")
        .output("y", "")
}

fn batch_1() -> Model {
    coefficients(Model::new(6).input("x", "f32[N, 2, 4]"))
        .node("BatchNormalization", BATCH, "y")
        .attr("is_test", 1)
        .attr("epsilon", 0.0)
        .output("y", "")
}

fn batch_7() -> Model {
    coefficients(Model::new(7).input("x", "f32[N, 2]"))
        .node("BatchNormalization", BATCH, "y")
        .attr("spatial", 0)
        .attr("epsilon", 0.0)
        .output("y", "")
}

fn batch_9() -> Model {
    coefficients(Model::new(9).input("x", "f32[N, 2, 4, 4]"))
        .node("BatchNormalization", BATCH, "y")
        .attr("epsilon", 0.0)
        .output("y", "")
}

fn dropout() -> Model {
    Model::new(13)
        .input("x", "f32[N, 2]")
        .init("ratio", &[], &[0.5f32])
        .node("Dropout", "x ratio", "kept mask")
        .node("Relu", "kept", "y")
        .output("y", "")
        .output("mask", "")
}

fn dropout_6() -> Model {
    Model::new(6)
        .input("x", "f32[N]")
        .node("Dropout", "x", "kept")
        .attr("is_test", 1)
        .node("Relu", "kept", "y")
        .output("y", "")
}

fn dropout_7() -> Model {
    Model::new(7)
        .input("x", "f32[N]")
        .node("Dropout", "x", "kept")
        .attr("ratio", 0.5)
        .node("Relu", "kept", "y")
        .output("y", "")
}

fn dropout_10() -> Model {
    Model::new(10)
        .input("x", "f32[N]")
        .node("Dropout", "x", "kept")
        .node("Relu", "kept", "y")
        .output("y", "")
}

fn instance_and_local() -> Model {
    Model::new(17)
        .input("x", "f32[N, 2, 4, 4]")
        .init("scale", &[2], &[2f32, 3.0])
        .init("bias", &[2], &[0.5f32, 0.25])
        .node("InstanceNormalization", "x scale bias", "instance")
        .output("instance", "")
        .node("LRN", "x", "lrn")
        .attr("size", 3)
        .output("lrn", "")
        .node("LpNormalization", "x", "lp")
        .attr("axis", 1)
        .attr("p", 1)
        .output("lp", "")
        .node("MeanVarianceNormalization", "x", "mean_variance")
        .output("mean_variance", "")
}

fn layer() -> Model {
    Model::new(17)
        .input("x", "f32[N, 4]")
        .weights("scale", &[4])
        .weights("bias", &[4])
        .node("LayerNormalization", "x scale bias", "y")
        .attr("epsilon", 0.5)
        .output("y", "")
}

fn layer_with_mean() -> Model {
    Model::new(17)
        .input("x", "f16[N, 4]")
        .input("scale", "f16[4]")
        .node("LayerNormalization", "x scale", "y mean deviation")
        .output("y", "")
        .output("mean", "")
        .output("deviation", "")
}

/// What its optimizer writes before opset 17.
fn layer_of_onnx_runtime() -> Model {
    Model::new(11)
        .input("x", "f32[N, 4]")
        .weights("scale", &[4])
        .weights("bias", &[4])
        .node("LayerNormalization", "x scale bias", "y")
        .attr("axis", -1)
        .node("SimplifiedLayerNormalization", "x scale", "z inverse")
        .attr("axis", -1)
        .attr("epsilon", 0.5)
        .output("y", "")
        .output("z", "")
        .output("inverse", "")
}

fn group() -> Model {
    Model::new(21)
        .input("x", "f32[N, 4, 3, 3]")
        .weights("scale", &[4])
        .weights("bias", &[4])
        .node("GroupNormalization", "x scale bias", "y")
        .attr("num_groups", 2)
        .output("y", "")
        .node("GroupNormalization", "x scale bias", "single")
        .attr("num_groups", 1)
        .output("single", "")
}

fn group_18() -> Model {
    Model::new(18)
        .input("x", "f32[N, 4, 3, 3]")
        .init("scale", &[2], &[2f32, 3.0])
        .init("bias", &[2], &[0.5f32, 0.25])
        .node("GroupNormalization", "x scale bias", "y")
        .attr("num_groups", 2)
        .output("y", "")
}

fn root_mean_square() -> Model {
    Model::new(23)
        .input("x", "f32[N, 4]")
        .weights("scale", &[4])
        .node("RMSNormalization", "x scale", "y")
        .output("y", "")
}

/// Each element is normalized by itself alone.
fn single() -> Model {
    let model = Model::new(21).input("x", "f32[N, 3, 1]").weights("scale", &[3]).weights("b", &[3]);
    let model = model.node("InstanceNormalization", "x scale b", "instance").output("instance", "");
    model.node("GroupNormalization", "x scale b", "group").attr("num_groups", 3).output("group", "")
}
