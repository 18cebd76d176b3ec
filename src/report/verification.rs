//! How the numbers of a plan, or of an evaluated network, compare with a reference.

use super::histogram::Errors;
use super::limit::Measure;
use serde::{Deserialize, Serialize};

/// What computed outputs that are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Candidate {
    /// A plan, on the GPU.
    Gpu,
    /// The network, evaluated on the CPU.
    Cpu,
}

/// What a comparison says, the gravest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Judgment {
    /// Every element is within what is allowed.
    Agrees,
    /// So it is, and would be if the numbers were wrong: this data tests nothing.
    Vacuous,
    /// Rounding alone moves the numbers as far as they differ, which leaves too few digits to say.
    Undetermined,
    /// Type, shape or numbers are others than the reference's.
    Differs,
}

/// One comparison of all outputs with a reference.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Verification {
    /// What computed the outputs.
    pub candidate: Candidate,
    /// Where inputs and expected outputs come from.
    pub reference: String,
    /// Whether every output agrees, as the verdict says.
    pub agrees: bool,
    /// The gravest of its outputs.
    pub verdict: Judgment,
    /// The data set whose outputs do not count, because ONNX Runtime gives others; absent where
    /// they do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overrules: Option<String>,
    /// Whether two runs gave the same bytes; absent where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deterministic: Option<bool>,
    /// One entry for each output, in the model's order.
    pub outputs: Vec<OutputComparison>,
}

/// The first node, or smallest group of nodes, whose outputs are wrong although its inputs are the
/// reference's.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Fault {
    /// The nodes in order, by name and operator.
    pub nodes: Vec<String>,
    /// How what leaves the nodes compares.
    pub outputs: Vec<OutputComparison>,
    /// How many parts of the model were computed to find them.
    pub parts_run: usize,
    /// The folder with the nodes as a model and its data, if one was asked for.
    pub reproducer: Option<String>,
}

/// How one output compares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OutputComparison {
    /// Name of the output.
    pub name: String,
    /// Type and shape as computed: `f32[2, 3]`.
    pub actual: String,
    /// Type and shape of the reference.
    pub expected: String,
    /// Whether type and shape fit and every element is within the tolerance, as the verdict says.
    pub agrees: bool,
    /// What the comparison says.
    pub verdict: Judgment,
    /// What makes the two incomparable: another type or another shape.
    pub incomparable: Option<String>,
    /// Why agreement proves nothing; absent where it does.
    #[serde(default)]
    pub untested: Option<String>,
    /// Elements that the plan did not write; 0 where the network was evaluated.
    pub unwritten: usize,
    /// Largest relative and absolute error allowed; both 0 where elements must be equal.
    pub tolerance: Tolerance,
    /// What rounding alone does to the output; absent where nobody had to know.
    #[serde(default)]
    pub rounding: Option<Rounding>,
    /// What was measured where the user set limits, which then decide.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<Measure>,
    /// What the elements say; absent where the two are incomparable.
    pub statistics: Option<Statistics>,
    /// Elements by error, for the histogram of a report on one model; absent where elements must be
    /// equal.
    #[serde(skip)]
    pub errors: Option<Errors>,
}

impl Verification {
    /// What was compared, with a verdict on the whole.
    pub fn new(candidate: Candidate, reference: String, outputs: Vec<OutputComparison>) -> Self {
        let verdict = Judgment::Agrees;
        let mut made = Self {
            candidate,
            reference,
            agrees: true,
            verdict,
            overrules: None,
            deterministic: None,
            outputs,
        };
        made.conclude();
        made
    }

    /// Takes the verdict from the outputs.
    pub fn conclude(&mut self) {
        let verdicts = self.outputs.iter().map(|output| output.verdict);
        self.verdict = verdicts.max().unwrap_or(Judgment::Agrees);
        self.agrees = self.verdict == Judgment::Agrees;
    }
}

impl OutputComparison {
    /// Judges the output so.
    pub fn judged(&mut self, verdict: Judgment) {
        self.verdict = verdict;
        self.agrees = verdict == Judgment::Agrees;
    }
}

/// An element may differ by `absolute` + `relative` · |expected|.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Tolerance {
    /// Error allowed at 0.
    pub absolute: f64,
    /// Error allowed in proportion to the expected value.
    pub relative: f64,
}

/// How far rounding alone moves an output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Rounding {
    /// How many runs, rounded at random, say so.
    pub runs: usize,
    /// How far its elements move: the root of the mean square.
    pub spread: f64,
    /// The share of its elements that move by more than 3 % of themselves.
    pub lost: f64,
    /// Whether the others are enough for the output to be compared.
    pub determined: bool,
    /// The node in which most digits are lost; absent where enough are left, or none stands out.
    #[serde(default)]
    pub lost_in: Option<String>,
}

/// Differences over all elements. Errors are taken over the elements that are finite on both sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Statistics {
    /// Number of elements.
    pub elements: usize,
    /// Elements out of tolerance, those included that are NaN or infinite on one side only.
    pub mismatches: usize,
    /// Elements that are NaN, or the same infinity, on one side only.
    pub special_mismatches: usize,
    /// Largest |actual − expected|.
    pub max_absolute: f64,
    /// Mean of |actual − expected|.
    pub mean_absolute: f64,
    /// Largest |actual − expected| / |expected|, elements expected to be 0 left out.
    pub max_relative: f64,
    /// Mean of the same.
    pub mean_relative: f64,
    /// Cosine of the angle between the two as vectors; absent where one of them is 0.
    pub cosine: Option<f64>,
    /// The element furthest out of tolerance; where all are within, the one nearest to its edge.
    pub worst: Option<Element>,
}

/// One element on both sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Element {
    /// Its position along each axis.
    pub index: Vec<usize>,
    /// What was computed.
    pub actual: String,
    /// What the reference says.
    pub expected: String,
}
