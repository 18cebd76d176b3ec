use super::Case;
use crate::support::Model;

pub(super) const CASES: &[Case] = &[
    Case { name: "matmul", model: matmul },
    Case { name: "integers", model: integers },
    Case { name: "gemm", model: gemm },
    Case { name: "first_gemm", model: first_gemm },
    Case { name: "gemm_7", model: gemm_7 },
    Case { name: "transposed_operand", model: transposed_operand },
    Case { name: "determinant", model: determinant },
];

fn matmul() -> Model {
    Model::new(13)
        .input("a", "f32[N, 2, 3]")
        .input("v", "f32[3]")
        .weights("w", &[3, 4])
        .node("MatMul", "a w", "matrix")
        .output("matrix", "")
        .node("MatMul", "a v", "vector")
        .output("vector", "")
        .node("MatMul", "v w", "row")
        .output("row", "")
}

fn integers() -> Model {
    Model::new(13)
        .input("a", "i32[2, 3]")
        .input("b", "i32[3, 4]")
        .node("MatMul", "a b", "exact")
        .output("exact", "")
        .input("q", "u8[2, 3]")
        .init("w", &[3, 2], &[1u8, 2, 3, 4, 5, 6])
        .init("zero", &[], &[128u8])
        .init("zeros", &[2], &[3u8, 4])
        .node("MatMulInteger", "q w zero zeros", "quantized")
        .output("quantized", "")
}

fn gemm() -> Model {
    Model::new(13)
        .input("a", "f32[3, N]")
        .input("b", "f32[3, 4]")
        .weights("w", &[4, 3])
        .weights("c", &[4])
        .node("Gemm", "a w c", "folded")
        .attr("transA", 1)
        .attr("transB", 1)
        .attr("alpha", 2.0)
        .attr("beta", 0.5)
        .output("folded", "")
        .node("Gemm", "a b", "computed")
        .attr("transA", 1)
        .attr("alpha", 2.0)
        .output("computed", "")
}

fn first_gemm() -> Model {
    Model::new(6)
        .input("a", "f32[N, 3]")
        .weights("w", &[3, 4])
        .weights("c", &[4])
        .node("Gemm", "a w c", "y")
        .attr("broadcast", 1)
        .output("y", "")
}

fn gemm_7() -> Model {
    Model::new(7)
        .input("a", "f32[N, 3]")
        .weights("w", &[3, 4])
        .weights("c", &[4])
        .node("Gemm", "a w c", "y")
        .output("y", "")
}

/// Attention's scores: the transpose goes into the product.
fn transposed_operand() -> Model {
    Model::new(13)
        .input("q", "f32[N, 2, T, 8]")
        .input("k", "f32[N, 2, T, 8]")
        .node("Transpose", "k", "turned")
        .attr("perm", [0, 1, 3, 2])
        .node("MatMul", "q turned", "scores")
        .output("scores", "")
}

fn determinant() -> Model {
    Model::new(11).input("x", "f32[N, 3, 3]").node("Det", "x", "y").output("y", "")
}
