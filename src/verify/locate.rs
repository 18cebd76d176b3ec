//! The first node whose outputs are wrong, found by cutting the model.
//!
//! A stretch of nodes becomes a model of its own, whose inputs are the reference's numbers: what is
//! wrong in its outputs was made in it. Halving the stretch finds the node in few runs. Who
//! computes is a [`Candidate`]: the evaluator on the CPU, or a plan on a GPU. Cutting at tensors
//! leaves fusion inside a stretch as it is.

use super::compare::compare_or_within;
use crate::error::{Error, Kind, Result};
use crate::onnx::part::{Feed, Part, Whole};
use crate::onnx::{self, Constant, Model};
use crate::report::verification::{Fault, OutputComparison};
use crate::tensor::{DType, Tensor};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::path::PathBuf;

/// Converts a model and computes its outputs, in the model's order.
pub trait Candidate {
    /// The outputs for the inputs, which are named.
    ///
    /// # Errors
    /// Whatever stands in the way. A part of a model that cannot be computed is not judged.
    fn run(&mut self, model: &Model, inputs: &[(String, Tensor)]) -> Result<Vec<Tensor>>;
}

impl<F: FnMut(&Model, &[(String, Tensor)]) -> Result<Vec<Tensor>>> Candidate for F {
    fn run(&mut self, model: &Model, inputs: &[(String, Tensor)]) -> Result<Vec<Tensor>> {
        self(model, inputs)
    }
}

/// Computes tensors inside the model, by name, for the inputs at hand.
pub type Inner<'a> = dyn FnMut(&Whole, &[&str]) -> Result<Vec<Tensor>> + 'a;

/// A shape, axes or the like has at most so many elements; longer lists of whole numbers are data.
const MOST_SHAPE_ELEMENTS: usize = 64;

/// What was found.
#[derive(Debug)]
pub struct Located {
    /// The nodes, and how their outputs differ.
    pub fault: Fault,
    part: Part,
    inputs: Vec<(String, Tensor)>,
    expected: Vec<(String, Tensor)>,
}

/// Looks for the first node, or the smallest group of nodes, with wrong outputs although its inputs
/// are the reference's.
///
/// `wrong` names the model's outputs that differ, with how far any may be off where types were
/// chosen, and `inputs` the data. `None` where the candidate
/// agrees with the reference after all: what it was compared with before says something else.
///
/// # Errors
/// Of the reference, of cutting, and of the candidate where it cannot compute the whole of it. A
/// smaller part that it cannot compute is not judged.
pub fn locate(
    whole: &Whole,
    (wrong, within): (&[&str], Option<f64>),
    inputs: &[(String, Tensor)],
    reference: &mut Inner<'_>,
    candidate: &mut dyn Candidate,
) -> Result<Option<Located>> {
    let known = inputs.iter().map(|(name, tensor)| (name.clone(), tensor.clone())).collect();
    let nodes = computing(whole, wrong, inputs);
    let count = nodes.len();
    let wrong = wrong.iter().map(|&name| name.to_owned()).collect();
    let mut search =
        Search { whole, nodes, wrong, within, known, reference, candidate, runs: 0, refused: None };
    match (search.judge(0..count)?, search.refused.take()) {
        (None, refused) => {
            let unknown = || Error::new(Kind::Internal, "nothing was computed");
            return Err(refused.unwrap_or_else(unknown));
        }
        (Some(judged), _) if judged.outputs.iter().all(|output| output.agrees) => return Ok(None),
        (Some(_), _) => {}
    }
    let range = search.narrow(0..count)?;
    let Some(judged) = search.judge(range.clone())? else { return Ok(None) };
    let steps = search.nodes.get(range).unwrap_or_default();
    let labels = steps
        .iter()
        .filter_map(|&at| whole.nodes().get(at))
        .map(|node| node.label.clone())
        .collect();
    let fault =
        Fault { nodes: labels, outputs: judged.outputs, parts_run: search.runs, reproducer: None };
    Ok(Some(Located { fault, part: judged.part, inputs: judged.inputs, expected: judged.expected }))
}

/// The nodes on the way from the inputs to the wrong outputs, by position. What only constants make
/// is no cut.
pub(super) fn computing(whole: &Whole, wrong: &[&str], inputs: &[(String, Tensor)]) -> Vec<usize> {
    let mut varies: HashSet<&str> = inputs.iter().map(|(name, _)| name.as_str()).collect();
    let mut forward = Vec::new();
    for (at, node) in whole.nodes().iter().enumerate() {
        // A node without inputs may be random; its numbers come from the reference, like those of
        // all others.
        if node.inputs.iter().any(|name| varies.contains(name.as_str())) {
            varies.extend(node.outputs.iter().map(String::as_str));
            forward.push((at, node));
        }
    }
    let mut wanted: HashSet<&str> = wrong.iter().copied().collect();
    let mut back = Vec::new();
    for (at, node) in forward.into_iter().rev() {
        if node.outputs.iter().any(|name| wanted.contains(name.as_str())) {
            wanted.extend(node.inputs.iter().map(String::as_str));
            back.push(at);
        }
    }
    back.reverse();
    back
}

struct Search<'s> {
    whole: &'s Whole,
    /// The nodes in question, by position.
    nodes: Vec<usize>,
    wrong: BTreeSet<String>,
    within: Option<f64>,
    /// What the reference says, as far as it was asked.
    known: HashMap<String, Tensor>,
    reference: &'s mut Inner<'s>,
    candidate: &'s mut dyn Candidate,
    runs: usize,
    /// What the candidate said of the first part that it could not compute.
    refused: Option<Error>,
}

/// A stretch of nodes that was computed alone.
struct Judged {
    part: Part,
    inputs: Vec<(String, Tensor)>,
    expected: Vec<(String, Tensor)>,
    outputs: Vec<OutputComparison>,
}

impl Search<'_> {
    /// The smallest stretch of wrong outputs in a wrong one: the first half that is wrong, and so
    /// on.
    fn narrow(&mut self, mut range: Range<usize>) -> Result<Range<usize>> {
        while range.len() > 1 {
            let middle = range.start + range.len() / 2;
            if self.is_wrong(range.start..middle)? {
                range.end = middle;
            } else if self.is_wrong(middle..range.end)? {
                range.start = middle;
            } else {
                return self.shrink(range, middle);
            }
        }
        Ok(range)
    }

    /// A stretch of which neither half alone is wrong, without the nodes at its ends that do not
    /// matter.
    fn shrink(&mut self, range: Range<usize>, middle: usize) -> Result<Range<usize>> {
        let (mut wrong, mut right) = (range.start, middle);
        while right - wrong > 1 {
            let start = wrong.midpoint(right);
            if self.is_wrong(start..range.end)? { wrong = start } else { right = start }
        }
        let start = wrong;
        let (mut right, mut wrong) = (middle, range.end);
        while wrong - right > 1 {
            let end = right.midpoint(wrong);
            if self.is_wrong(start..end)? { wrong = end } else { right = end }
        }
        Ok(start..wrong)
    }

    fn is_wrong(&mut self, range: Range<usize>) -> Result<bool> {
        let judged = self.judge(range)?;
        Ok(judged.is_some_and(|judged| judged.outputs.iter().any(|output| !output.agrees)))
    }

    /// Computes a stretch of nodes on the reference's numbers; `None` where the candidate cannot.
    fn judge(&mut self, range: Range<usize>) -> Result<Option<Judged>> {
        let (cuts, outputs) = self.ends(&range);
        self.ask(cuts.iter().chain(&outputs))?;
        let expected = self.named(&outputs)?;
        // A shape that is no constant any more, because it was cut off, may be more than the
        // candidate can do.
        for constants in [false, true] {
            let (part, inputs) = self.part(&cuts, &outputs, constants)?;
            self.runs += 1;
            let computed = match self.candidate.run(&part.model()?, &inputs) {
                Ok(computed) => computed,
                Err(error) => {
                    self.refused.get_or_insert(error);
                    continue;
                }
            };
            let pairs = computed.iter().zip(&expected);
            let compare = |(actual, (name, expected)): (&Tensor, &(String, Tensor))| {
                compare_or_within(name, actual, &Constant::Tensor(expected.clone()), self.within)
            };
            let outputs = pairs.map(compare).collect();
            return Ok(Some(Judged { part, inputs, expected, outputs }));
        }
        Ok(None)
    }

    /// What enters a stretch from nodes in front of it, and what leaves it.
    fn ends(&self, range: &Range<usize>) -> (Vec<String>, Vec<String>) {
        let steps = |range: Range<usize>| {
            let nodes = self.nodes.get(range).unwrap_or_default();
            nodes.iter().filter_map(|&at| self.whole.nodes().get(at))
        };
        let before: HashSet<&String> =
            steps(0..range.start).flat_map(|node| &node.outputs).collect();
        let later: HashSet<&String> =
            steps(range.end..self.nodes.len()).flat_map(|node| &node.inputs).collect();
        let read: BTreeSet<&String> = steps(range.clone()).flat_map(|node| &node.inputs).collect();
        let cuts = read.into_iter().filter(|name| before.contains(name)).cloned().collect();
        let made = steps(range.clone()).flat_map(|node| &node.outputs);
        let outputs = made
            .filter(|name| later.contains(name) || self.wrong.contains(*name))
            .cloned()
            .collect();
        (cuts, outputs)
    }

    /// The stretch as a model, with its inputs; what may be a shape is a constant where that is
    /// wanted.
    fn part(
        &self,
        cuts: &[String],
        outputs: &[String],
        constants: bool,
    ) -> Result<(Part, Vec<(String, Tensor)>)> {
        let mut feeds = Vec::with_capacity(cuts.len());
        for name in cuts {
            let tensor = self.get(name)?;
            let feed = if constants && may_be_shape(tensor) {
                Feed::Constant(tensor)
            } else {
                Feed::Like(tensor)
            };
            feeds.push((name.as_str(), feed));
        }
        let outputs: Vec<&str> = outputs.iter().map(String::as_str).collect();
        let part = self.whole.part(&feeds, &outputs)?;
        let names: Vec<String> =
            part.model()?.graph.inputs.iter().map(|info| info.name.to_string()).collect();
        let inputs = self.named(&names)?;
        Ok((part, inputs))
    }

    /// Has the reference compute the tensors that are not known yet.
    fn ask<'n>(&mut self, names: impl Iterator<Item = &'n String>) -> Result<()> {
        let new: Vec<&str> =
            names.filter(|name| !self.known.contains_key(*name)).map(String::as_str).collect();
        if new.is_empty() {
            return Ok(());
        }
        let tensors = (self.reference)(self.whole, &new)?;
        self.known.extend(new.iter().map(|&name| name.to_owned()).zip(tensors));
        Ok(())
    }

    fn named(&self, names: &[String]) -> Result<Vec<(String, Tensor)>> {
        names.iter().map(|name| Ok((name.clone(), self.get(name)?.clone()))).collect()
    }

    fn get(&self, name: &str) -> Result<&Tensor> {
        self.known
            .get(name)
            .ok_or_else(|| Error::new(Kind::Usage, format!("there is no data for tensor `{name}`")))
    }
}

fn may_be_shape(tensor: &Tensor) -> bool {
    (tensor.dtype().is_int() || tensor.dtype() == DType::Bool)
        && tensor.dims().len() <= 1
        && tensor.len() <= MOST_SHAPE_ELEMENTS
}

impl Located {
    /// The nodes as a model with its data, in the layout of ONNX's own: what stands in which file,
    /// `model.onnx` first, then those in `test_data_set_0/`.
    ///
    /// # Errors
    /// Those of [`Part::bytes`](onnx::part::Part::bytes).
    pub fn files(&self) -> Result<impl Iterator<Item = (PathBuf, Vec<u8>)>> {
        let model = (PathBuf::from("model.onnx"), self.part.bytes()?);
        let all = [("input", &self.inputs), ("output", &self.expected)].into_iter();
        let data = all.flat_map(|(kind, tensors)| {
            tensors.iter().enumerate().map(move |(at, (name, tensor))| {
                let path = format!("test_data_set_0/{kind}_{at}.pb").into();
                (path, onnx::tensor_bytes(name, tensor))
            })
        });
        Ok(std::iter::once(model).chain(data))
    }
}

/// What an error says of the nodes: a line on them, and one for each output that differs.
pub fn lines(fault: &Fault) -> Vec<String> {
    let nodes = fault.nodes.join(", ");
    let mut lines = vec![match fault.nodes.len() {
        1 => format!("first wrong node: {nodes}; its inputs are the reference's"),
        count => format!("smallest group of nodes that is wrong, {count} of them: {nodes}"),
    }];
    lines.extend(fault.outputs.iter().filter(|output| !output.agrees).map(super::summary));
    lines.extend(
        fault
            .reproducer
            .as_ref()
            .map(|folder| format!("written as a model with its data: {folder}")),
    );
    lines
}
