//! Axes that PyTorch squeezes if their size is 1: an If whose branches have two ranks. What follows
//! mostly takes only one of these. Where a size does not decide, both are tried; if the model fits
//! together with one alone, that is what it means. The layer that takes the axis away, or goes on
//! with it, sees to it that other sizes are refused at run time.

use super::{Fitted, FoldFn, Imported, attempt};
use crate::error::Problem;
use crate::onnx::{Graph, Model};
use crate::site::Site;
use std::collections::HashMap;

/// Conditions whose answers are assumed, by their nodes.
pub(super) type Assumed = HashMap<Site, bool>;

/// The most nodes for which both answers are tried.
const MOST: usize = 16;

/// An import that may have met conditions which nothing decides.
pub(super) struct Attempt {
    pub(super) imported: Option<Imported>,
    pub(super) problems: Vec<Problem>,
    /// The nodes of these conditions. Each of them is a problem as well.
    pub(super) open: Vec<Site>,
}

impl Attempt {
    /// How many problems have nothing to do with such a condition.
    fn others(&self) -> usize {
        self.problems.iter().filter(|problem| !self.open.contains(&problem.site)).count()
    }
}

/// Imports a model with the answers that fit, as far as they can be told.
pub(super) fn resolved(model: &Model, fitted: &Fitted, fold: &FoldFn<'_>) -> Attempt {
    let mut assumed = Assumed::new();
    let mut best = attempt(model, fitted, fold, &assumed);
    while let Some(site) = best.open.iter().find(|site| !assumed.contains_key(*site)).cloned()
        && assumed.len() < MOST
    {
        let tries = [true, false].map(|holds| {
            let assumed: Assumed = assumed
                .iter()
                .map(|(site, holds)| (site.clone(), *holds))
                .chain([(site.clone(), holds)])
                .collect();
            (attempt(model, fitted, fold, &assumed), assumed)
        });
        let fits = |attempt: &Attempt| attempt.others() <= best.others();
        let [first, second] = tries;
        let found = match (fits(&first.0), fits(&second.0)) {
            (true, false) => first,
            (false, true) => second,
            // Either may be meant, or neither.
            _ => break,
        };
        (best, assumed) = found;
    }
    best
}

/// Whether an If takes an axis away in one branch, and does nothing in the other.
pub(super) fn is_squeeze([then_branch, else_branch]: [&Graph; 2]) -> bool {
    let data = |graph: &Graph, op: &str| {
        let mut nodes = graph.nodes.iter().filter(|node| node.op != "Constant");
        let (Some(node), None) = (nodes.next(), nodes.next()) else { return None };
        (node.op == op && graph.outputs.len() == 1).then(|| node.inputs.first().cloned())?
    };
    [(then_branch, else_branch), (else_branch, then_branch)].into_iter().any(|(one, other)| {
        let squeezed = data(one, "Squeeze");
        squeezed.is_some() && squeezed == data(other, "Identity")
    })
}
