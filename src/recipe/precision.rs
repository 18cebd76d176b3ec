//! In which type a plan computes: `--precision`, `--keep`, `--quantize`, `--io-precision`,
//! `--within`, `--calibration`.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// In which type the layers compute that may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Precision {
    /// As the model says
    #[default]
    F32,
    /// In f16, where the outputs stay within the bound
    F16,
    /// In bf16, where the outputs stay within the bound
    Bf16,
    /// In f16 where that holds, in bf16 where f16 has not the range, else in f32
    Auto,
    /// Products with constant weights take 8-bit whole numbers, the rest computes in f16, where the
    /// outputs stay within the bound; scales come from data
    Int8,
    /// The same with 8-bit real numbers of 4 bits of exponent and 3 of mantissa, which GPUs have
    /// from sm89 on
    Fp8,
}

impl Precision {
    /// The type of the operands of products, where that is of 8 bits.
    pub fn eight(self) -> Option<Eight> {
        match self {
            Self::Int8 => Some(Eight::Int8),
            Self::Fp8 => Some(Eight::Fp8),
            _ => None,
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.to_possible_value();
        f.write_str(name.as_ref().map_or("", |name| name.get_name()))
    }
}

/// A type of 8 bits for the operands of products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Eight {
    /// Whole numbers from −128 to 127
    Int8,
    /// Real numbers with 4 bits of exponent and 3 of mantissa
    Fp8,
}

impl fmt::Display for Eight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.to_possible_value();
        f.write_str(name.as_ref().map_or("", |name| name.get_name()))
    }
}

/// How the scale of a tensor comes from its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Calibration {
    /// What makes the sum of the squared errors least
    #[default]
    Mse,
    /// So that the largest number fits
    Max,
    /// So that 99.99 % of the numbers fit
    Percentile,
    /// What keeps most of the distribution (least Kullback-Leibler divergence)
    Entropy,
}

/// A type of real numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
#[allow(missing_docs, reason = "the names are the types")]
pub enum Real {
    F32,
    F16,
    Bf16,
}

impl fmt::Display for Real {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.to_possible_value();
        f.write_str(name.as_ref().map_or("", |name| name.get_name()))
    }
}

/// A node, or all nodes of an operator, with the type that its layers compute in: `Softmax=f32`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct Kept {
    /// The node's name, or an operator.
    pub name: String,
    /// The type.
    pub dtype: Real,
}

impl FromStr for Kept {
    type Err = String;

    /// The name ends at the last `=`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}`: written like NODE=f32, with f32, f16 or bf16");
        let (name, dtype) = text.rsplit_once('=').ok_or_else(wrong)?;
        let dtype = Real::from_str(dtype, false).map_err(|_| wrong())?;
        Ok(Self { name: name.to_owned(), dtype })
    }
}

impl TryFrom<String> for Kept {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Kept> for String {
    fn from(Kept { name, dtype }: Kept) -> Self {
        format!("{name}={dtype}")
    }
}

/// A node whose products take operands of 8 bits, with the scales of its data in the order of its
/// layers: `conv1=int8:0.02,0.11`. The scales of weights follow from the weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct Quantized {
    /// The node's name.
    pub name: String,
    /// The type.
    pub to: Eight,
    /// The scales, each finite and above 0.
    pub scales: Vec<f32>,
}

impl FromStr for Quantized {
    type Err = String;

    /// The name ends at the last `=`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("`{text}`: written like NODE=int8:0.02, with int8 or fp8 and scales above 0")
        };
        let (name, rest) = text.rsplit_once('=').ok_or_else(wrong)?;
        let (to, scales) = rest.split_once(':').ok_or_else(wrong)?;
        let to = Eight::from_str(to, false).map_err(|_| wrong())?;
        let scale =
            |text: &str| text.parse().ok().filter(|scale: &f32| scale.is_finite() && *scale > 0.0);
        let scales: Option<Vec<f32>> = scales.split(',').map(scale).collect();
        Ok(Self { name: name.to_owned(), to, scales: scales.ok_or_else(wrong)? })
    }
}

impl TryFrom<String> for Quantized {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Quantized> for String {
    fn from(Quantized { name, to, scales }: Quantized) -> Self {
        let scales: Vec<String> = scales.iter().map(f32::to_string).collect();
        format!("{name}={to}:{}", scales.join(","))
    }
}

/// How far outputs may be off: a share of the largest number of each.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(try_from = "f64", into = "f64")]
pub struct Bound(f64);

impl Bound {
    /// What holds where nobody says another.
    pub const STANDARD: Self = Self(1e-2);
    /// The same for products in 8 bits: `int8` rounds to a 254th of the largest number or worse.
    pub const EIGHT_BITS: Self = Self(5e-2);
}

impl TryFrom<f64> for Bound {
    type Error = String;

    fn try_from(bound: f64) -> Result<Self, String> {
        if bound > 0.0 && bound <= 1.0 {
            Ok(Self(bound))
        } else {
            Err(format!("a bound is above 0 and at most 1, not {bound}"))
        }
    }
}

impl From<Bound> for f64 {
    fn from(bound: Bound) -> Self {
        bound.0
    }
}

impl FromStr for Bound {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bound: f64 =
            text.parse().map_err(|_| format!("a bound is above 0 and at most 1, not {text}"))?;
        Self::try_from(bound)
    }
}
