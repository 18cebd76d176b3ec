use super::Case;
use crate::support::Model;

pub(super) const CASES: &[Case] = &[Case { name: "losses", model: losses }];

fn losses() -> Model {
    Model::new(13)
        .input("x", "f32[N, 3, 4]")
        .input("classes", "i64[N, 4]")
        .input("weights", "f32[3]")
        .node("NegativeLogLikelihoodLoss", "x classes weights", "likelihood")
        .attr("ignore_index", -1)
        .node("SoftmaxCrossEntropyLoss", "x classes", "entropy logarithms")
        .attr("reduction", "none")
        .output("likelihood", "")
        .output("entropy", "")
        .output("logarithms", "")
}
