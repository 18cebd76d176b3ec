//! In which type a plan computes: `--precision`, `--keep`, `--io-precision`, `--within`.

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

/// How far outputs may be off: a share of the largest number of each.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(try_from = "f64", into = "f64")]
pub struct Bound(f64);

impl Bound {
    /// What holds where nobody says another.
    pub const STANDARD: Self = Self(1e-2);
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
