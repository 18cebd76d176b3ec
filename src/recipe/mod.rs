//! What shapes a plan besides the model: every option that does, in one struct.
//!
//! [`Recipe`] is at once the options of the command line, the keys of a zoo's listing, and the
//! `options` of manifests and reports. The name of a field is its key, and its documentation is
//! the help that users read. A new option that shapes a plan is a field here and the place that
//! heeds it.

pub mod capability;
pub mod freeze;
pub mod line;
pub mod precision;
pub mod sizes;
pub mod syntax;

mod arguments;
#[cfg(test)]
mod tests;

pub use capability::ComputeCapability;
use clap::ValueEnum;
pub use freeze::Frozen;
use precision::{Bound, Calibration, Kept, Precision, Quantized, Real};
use serde::{Deserialize, Serialize};
use sizes::Sizes;
use std::collections::BTreeMap;
use std::fmt;
use std::num::{NonZeroU16, NonZeroU32};
use std::str::FromStr;

/// Headings of the help.
pub(crate) const NETWORK: &str = "Network";
const BUILDER: &str = "TensorRT's builder";
pub(crate) const TYPES: &str = "Types of layers";

/// What shapes a plan besides the model.
#[derive(Debug, Clone, PartialEq, Default, clap::Args, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
#[non_exhaustive]
pub struct Recipe {
    /// The part of the model that is converted.
    #[command(flatten)]
    #[serde(flatten)]
    pub part: Part,
    /// Sizes known only at run time.
    #[command(flatten)]
    #[serde(flatten)]
    pub sizes: Sizes,
    /// Make an input a constant, such as `axes=[0,2]` or `k=5`; without a value, take it from
    /// the data: that of --freeze-from, or a zoo's test data
    #[arg(long, value_name = "NAME[=VALUE]", help_heading = NETWORK)]
    pub freeze: Vec<Frozen>,
    /// Let every NonMaxSuppression output exactly N rows; unused rows contain -1, and rows beyond N
    /// are lost
    #[arg(long, value_name = "N", help_heading = NETWORK)]
    pub nms_fixed: Option<NonZeroU16>,
    /// Limit a Loop that collects values, and has no limit of its own, to N iterations; the rest is
    /// cut off. TensorRT must know a limit
    #[arg(long, value_name = "N", help_heading = NETWORK)]
    pub max_trip: Option<NonZeroU32>,
    /// What recurrent operators become; TensorRT 8.x also has a layer for many of them
    #[arg(long, value_name = "FORM", value_enum, default_value_t, help_heading = NETWORK)]
    pub rnn: RnnForm,
    /// Skip an optimization pass
    #[arg(long = "without-pass", value_name = "NAME", value_enum, help_heading = NETWORK)]
    pub without_passes: Vec<Pass>,
    /// Compute capabilities to build for, such as sm89,sm120 [default: Ampere and later]
    #[arg(long = "target", value_name = "SM", value_delimiter = ',', help_heading = BUILDER)]
    pub targets: Vec<ComputeCapability>,
    /// Do not use TF32 (10 bits of mantissa) for f32 products
    #[arg(long, help_heading = BUILDER)]
    #[serde(rename = "tf32", with = "inverted")]
    #[cfg_attr(test, schemars(with = "bool"))]
    pub no_tf32: bool,
    /// From 0 (fastest build) to 5 (fastest plan); TensorRT-RTX ignores it [default: TensorRT's
    /// choice]
    #[arg(long, value_name = "LEVEL", help_heading = BUILDER)]
    pub optimization_level: Option<Level>,
    /// Scratch memory that the plan may use, in MiB [default: TensorRT's own choice]
    #[arg(long, value_name = "MIB", help_heading = BUILDER)]
    pub workspace: Option<NonZeroU32>,
    /// Type that layers compute in, where the outputs stay within the bound of --within; the others
    /// compute in f32, with int8 and fp8 in f16 where that holds
    #[arg(long, value_name = "TYPE", value_enum, default_value_t, help_heading = TYPES)]
    pub precision: Precision,
    /// Type of a node, or of all nodes of an operator, such as Softmax=f32
    #[arg(long, value_name = "NODE|OP=TYPE", help_heading = TYPES)]
    pub keep: Vec<Kept>,
    /// Type of 8 bits for a node's products, with the scales of its data, such as conv1=int8:0.02;
    /// manifests say what --precision chose in this form
    #[arg(long, value_name = "NODE=TYPE:SCALE,…", help_heading = TYPES)]
    pub quantize: Vec<Quantized>,
    /// How int8 and fp8 take the scale of a tensor from its numbers
    #[arg(long, value_name = "WAY", value_enum, default_value_t, help_heading = TYPES)]
    pub calibration: Calibration,
    /// Type of the model's inputs and outputs that are f32 [default: f32]
    #[arg(long, value_name = "TYPE", value_enum, help_heading = TYPES)]
    pub io_precision: Option<Real>,
    /// How far --precision may move an output, as a share of its largest number [default: 0.01; 0.05
    /// for int8 and fp8]
    #[arg(long, value_name = "SHARE", help_heading = TYPES)]
    pub within: Option<Bound>,
    /// Seconds that the choice of types may take [default: 120]
    #[arg(long, value_name = "SECONDS", help_heading = TYPES)]
    pub budget: Option<NonZeroU32>,
}

impl Recipe {
    /// How far outputs may be off for the types that were chosen; `None` where none were.
    pub fn bound(&self) -> Option<f64> {
        let half = |kept: &Kept| kept.dtype != Real::F32;
        let moves = self.precision != Precision::F32 || self.keep.iter().any(half);
        let moves = moves || self.io_precision.is_some_and(|dtype| dtype != Real::F32);
        let eight = self.precision.eight().is_some() || !self.quantize.is_empty();
        let standard = if eight { Bound::EIGHT_BITS } else { Bound::STANDARD };
        (moves || eight).then(|| self.within.unwrap_or(standard).into())
    }
}

/// A part of a model instead of all of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, clap::Args, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[command(next_help_heading = "Part of the model")]
#[serde(try_from = "WrittenPart")]
pub struct Part {
    /// Keep only these outputs; NAME=NEW renames one
    #[arg(long, value_name = "NAME[=NEW]", value_delimiter = ',', conflicts_with = "to")]
    pub outputs: Vec<Wanted>,
    /// Convert only what comes after these tensors, which become the inputs
    #[arg(long, value_name = "TENSOR", value_delimiter = ',')]
    pub from: Vec<String>,
    /// Convert only what these tensors depend on; they become the outputs
    #[arg(long, value_name = "TENSOR", value_delimiter = ',')]
    pub to: Vec<Wanted>,
}

/// The keys of a part, which may say too much.
#[derive(Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
struct WrittenPart {
    outputs: Vec<Wanted>,
    from: Vec<String>,
    to: Vec<Wanted>,
}

impl TryFrom<WrittenPart> for Part {
    type Error = &'static str;

    fn try_from(WrittenPart { outputs, from, to }: WrittenPart) -> Result<Self, Self::Error> {
        if outputs.is_empty() || to.is_empty() {
            Ok(Self { outputs, from, to })
        } else {
            Err("`outputs` and `to` both say what the outputs are: give one of them")
        }
    }
}

impl Part {
    /// Whether all of the model is wanted.
    pub fn is_all(&self) -> bool {
        self.from.is_empty() && self.wanted().next().is_none()
    }

    /// The tensors that become outputs; none where the model's own outputs stay.
    pub fn wanted(&self) -> impl Iterator<Item = &Wanted> {
        self.outputs.iter().chain(&self.to)
    }

    /// New names of outputs, by the model's names.
    pub fn names(&self) -> BTreeMap<String, String> {
        let renamed = |wanted: &Wanted| Some((wanted.tensor.clone(), wanted.renamed.clone()?));
        self.wanted().filter_map(renamed).collect()
    }
}

/// A tensor that becomes an output, and its name as one: `NAME` or `NAME=NEW`. A name that has an
/// `=` itself and stays as it is ends with another: `a=b=`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(from = "String", into = "String")]
pub struct Wanted {
    /// Its name in the model.
    pub tensor: String,
    /// Its name as an output, where that is another.
    pub renamed: Option<String>,
}

impl From<String> for Wanted {
    fn from(text: String) -> Self {
        let (tensor, new) = text.rsplit_once('=').unwrap_or((&text, ""));
        Self { tensor: tensor.into(), renamed: (!new.is_empty()).then(|| new.into()) }
    }
}

impl From<Wanted> for String {
    fn from(Wanted { tensor, renamed }: Wanted) -> Self {
        match renamed {
            Some(new) => format!("{tensor}={new}"),
            None if tensor.contains('=') => format!("{tensor}="),
            None => tensor,
        }
    }
}

/// What recurrent operators become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum RnnForm {
    /// A loop, which is faster; for `TRT_RNNv2` nodes the layer, if the library has it
    #[default]
    Auto,
    /// Always a loop
    Loop,
    /// The layer if it computes the same for non-empty sequences, otherwise a loop
    Layer,
}

/// An optimization pass, by its name; `opt` says what each does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the passes are described where they are")]
#[non_exhaustive]
pub enum Pass {
    Dedupe,
    Clip,
    Scale,
    ConvScale,
    MatmulTranspose,
    Shuffle,
}

impl fmt::Display for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.to_possible_value();
        f.write_str(name.as_ref().map_or("", |name| name.get_name()))
    }
}

/// How much time TensorRT may take to find a fast plan, from 0 to 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(try_from = "u8", into = "u8")]
pub struct Level(u8);

impl TryFrom<u8> for Level {
    type Error = String;

    fn try_from(level: u8) -> Result<Self, String> {
        if level <= 5 { Ok(Self(level)) } else { Err(format!("levels are 0 to 5, not {level}")) }
    }
}

impl From<Level> for u8 {
    fn from(level: Level) -> Self {
        level.0
    }
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let level: u8 = text.parse().map_err(|_| format!("levels are 0 to 5, not {text}"))?;
        Self::try_from(level)
    }
}

/// A flag whose key says the opposite of its name.
mod inverted {
    use serde::{Deserialize, Deserializer, Serializer};

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
    pub(super) fn serialize<S: Serializer>(flag: &bool, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bool(!flag)
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<bool, D::Error> {
        bool::deserialize(from).map(|allowed| !allowed)
    }
}
