use super::Case;
use crate::support::Model;

pub(super) const CASES: &[Case] = &[
    Case { name: "products", model: products },
    Case { name: "diagonal", model: diagonal },
    Case { name: "whole", model: whole },
];

fn products() -> Model {
    Model::new(12)
        .input("a", "f32[N, 2, 3]")
        .input("b", "f32[N, 3, 4]")
        .input("c", "f32[4]")
        .node("Einsum", "a b", "batched")
        .attr("equation", "Bij, Bjk -> Bik")
        .output("batched", "")
        .node("Einsum", "a b c", "three")
        .attr("equation", "...ij,...jk,k->...i")
        .output("three", "")
}

fn diagonal() -> Model {
    Model::new(12)
        .input("x", "f32[3, 3]")
        .node("Einsum", "x", "y")
        .attr("equation", "ii->i")
        .output("y", "")
}

/// Whole numbers are multiplied and summed by layers that take them.
fn whole() -> Model {
    let model =
        Model::new(12).input("a", "i64[N, 2, 3]").input("b", "i64[3, 4]").input("c", "i64[4]");
    model.node("Einsum", "a b c", "y").attr("equation", "nij,jk,k->kn").output("y", "")
}
