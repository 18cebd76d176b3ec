use super::Case;
use crate::support::Model;

pub(super) const CASES: &[Case] = &[
    Case { name: "reshape", model: reshape },
    Case { name: "reshape_computed", model: reshape_computed },
    Case { name: "first_forms", model: first_forms },
    Case { name: "squeeze", model: squeeze },
    Case { name: "repeat", model: repeat },
    Case { name: "depth", model: depth },
    Case { name: "transposes", model: transposes },
    Case { name: "squeeze_even", model: squeeze_even },
    Case { name: "left_over", model: left_over },
];

fn reshape() -> Model {
    Model::new(14)
        .input("x", "f32[N, 4, 6]")
        .init("shape", &[3], &[0i64, -1, 3])
        .init("empty", &[2], &[-1i64, 24])
        .node("Reshape", "x shape", "kept")
        .output("kept", "")
        .node("Reshape", "x empty", "rest")
        .attr("allowzero", 1)
        .output("rest", "")
        .node("Flatten", "x", "flat")
        .attr("axis", 2)
        .output("flat", "")
}

/// A shape that only the run knows.
fn reshape_computed() -> Model {
    Model::new(14)
        .input("x", "f32[24]")
        .input("shape", "i64[2]")
        .node("Reshape", "x shape", "y")
        .output("y", "")
}

fn first_forms() -> Model {
    Model::new(1)
        .input("x", "f32[1, 4, 6]")
        .init("tiles", &[], &[2i64])
        .init("axis", &[], &[1i64])
        .node("Reshape", "x", "flat")
        .attr("shape", [4, 6])
        .node("Unsqueeze", "flat", "raised")
        .attr("axes", [0])
        .node("Squeeze", "x", "lowered")
        .attr("axes", [0])
        .node("Tile", "raised tiles axis", "tiled")
        .node("Concat", "flat lowered", "y")
        .output("tiled", "")
        .output("y", "")
}

fn squeeze() -> Model {
    Model::new(13)
        .input("x", "f32[N, 1, 3, 1]")
        .input("s", "f32[1, 3, 1]")
        .init("axes", &[2], &[-1i64, 1])
        .node("Squeeze", "x axes", "y")
        .output("y", "")
        .node("Squeeze", "s", "all")
        .output("all", "")
        .node("Unsqueeze", "all axes", "raised")
        .output("raised", "")
}

fn repeat() -> Model {
    Model::new(13)
        .input("x", "f32[N, 1]")
        .init("shape", &[3], &[2i64, 1, 5])
        .init("repeats", &[2], &[2i64, 3])
        .node("Expand", "x shape", "expanded")
        .output("expanded", "")
        .node("Tile", "x repeats", "tiled")
        .output("tiled", "")
}

fn depth() -> Model {
    Model::new(13)
        .input("x", "f32[N, 8, 2, 3]")
        .node("DepthToSpace", "x", "dcr")
        .attr("blocksize", 2)
        .output("dcr", "")
        .node("DepthToSpace", "x", "crd")
        .attr("blocksize", 2)
        .attr("mode", "CRD")
        .node("SpaceToDepth", "crd", "back")
        .attr("blocksize", 2)
        .output("back", "")
}

/// What the optimizer makes of transposes that cancel or meet a reshape.
fn transposes() -> Model {
    Model::new(13)
        .input("x", "f32[2, 3, 4]")
        .node("Transpose", "x", "there")
        .attr("perm", [0, 2, 1])
        .node("Transpose", "there", "back")
        .attr("perm", [0, 2, 1])
        .node("Relu", "back", "relu")
        .node("Transpose", "relu", "turned")
        .init("shape", &[2], &[12i64, 2])
        .node("Reshape", "turned shape", "y")
        .output("y", "")
        .node("Concat", "x relu", "joined")
        .attr("axis", -1)
        .output("joined", "")
}

/// A size of which no more is known than that it is no 1.
fn squeeze_even() -> Model {
    Model::new(13)
        .input("x", "f32[1, N]")
        .node("Concat", "x x", "doubled")
        .attr("axis", 1)
        .node("Squeeze", "doubled", "y")
        .output("y", "")
}

/// Two reshapes whose sizes left over are quotients that one reshape would not round twice.
fn left_over() -> Model {
    Model::new(13)
        .input("x", "f32[N, 6]")
        .init("rows", &[2], &[4i64, -1])
        .init("columns", &[2], &[2i64, -1])
        .node("Reshape", "x rows", "in_rows")
        .node("Reshape", "in_rows columns", "y")
        .output("y", "")
}
