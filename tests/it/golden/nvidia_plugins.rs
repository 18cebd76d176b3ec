use super::Case;
use crate::support::Model;

pub(super) const CASES: &[Case] = &[
    Case { name: "deformable", model: deformable },
    Case { name: "norms", model: norms },
    Case { name: "regions", model: regions },
];

fn model() -> Model {
    Model::new(17).opset("TRT", 1)
}

/// A convolution by either name, and samples of two images in one sequence.
fn deformable() -> Model {
    model()
        .input("x", "f32[1, 2, 5, 5]")
        .input("offset", "f32[1, 8, 4, 4]")
        .input("mask", "f32[1, 4, 4, 4]")
        .weights("w", &[2, 1, 2, 2])
        .weights("b", &[2])
        .node("TRT.ModulatedDeformConv2d", "x offset mask w b", "moved")
        .attr("group", 2)
        .node("TRT.MMCVModulatedDeformConv2d", "x offset mask w", "bare")
        .attr("stride", [1, 1])
        .attr("padding", [0, 0])
        .attr("dilation", [1, 1])
        .attr("group", 2)
        .attr("deformable_group", 1)
        .input("value", "f32[N, 10, 2, 3]")
        .init("sizes", &[2, 2], &[2i64, 3, 2, 2])
        .init("starts", &[2], &[0i64, 6])
        .input("places", "f32[N, Q, 2, 2, 2, 2]")
        .input("weights", "f32[N, Q, 2, 2, 2]")
        .node(
            "TRT.MultiscaleDeformableAttnPlugin_TRT",
            "value sizes starts places weights",
            "attended",
        )
        .output("moved", "")
        .output("bare", "")
        .output("attended", "")
}

fn norms() -> Model {
    model()
        .input("x", "f32[N, 4, 3, 3]")
        .weights("scale", &[4])
        .weights("bias", &[4])
        .node("TRT.GroupNormalizationPlugin", "x scale bias", "grouped")
        .attr("eps", 0.001)
        .attr("num_groups", 2)
        .node("TRT.InstanceNormalization_TRT", "x scale bias", "plain")
        .node("TRT.InstanceNormalization_TRT", "x", "leaky")
        .attr("epsilon", 0.001)
        .attr("relu", 1)
        .attr("alpha", 0.5)
        .attr("scales", [1.0, 2.0, 3.0, 4.0])
        .attr("bias", [0.0, 0.0, 1.0, 1.0])
        .output("grouped", "")
        .output("plain", "")
        .output("leaky", "")
}

fn regions() -> Model {
    model()
        .input("x", "f32[1, 2, 6, 6]")
        .init("rois", &[2, 4], &[0.0f32, 0.0, 4.0, 3.0, 1.0, 1.0, 5.0, 5.0])
        .init("images", &[2], &[0i32, 0])
        .node("TRT.ROIAlign_TRT", "x rois images", "y")
        .attr("output_height", 2)
        .attr("output_width", 2)
        .attr("sampling_ratio", 2)
        .attr("mode", 0)
        .attr("coordinate_transformation_mode", 0)
        .output("y", "")
}
