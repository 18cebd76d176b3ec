//! Compute capabilities: which instructions a GPU has.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A compute capability. Written `sm89`; NVIDIA also writes 8.9.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct ComputeCapability(u32);

impl ComputeCapability {
    /// Version `major.minor`; a minor number has one digit.
    pub const fn new(major: u32, minor: u32) -> Self {
        Self(major.saturating_mul(10).saturating_add(minor))
    }

    /// As TensorRT counts: 10 · major + minor.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// As NVIDIA writes it: `8.9`.
    pub fn dotted(self) -> String {
        format!("{}.{}", self.0 / 10, self.0 % 10)
    }
}

impl FromStr for ComputeCapability {
    type Err = String;

    /// Reads `sm89`, `89` or `8.9`.
    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.trim_start_matches("sm").trim_start_matches('_').replace('.', "");
        match digits.parse() {
            Ok(number @ 50..=999) => Ok(Self(number)),
            _ => Err("a compute capability is written like sm89".into()),
        }
    }
}

impl TryFrom<String> for ComputeCapability {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map_err(|why| format!("`{text}`: {why}"))
    }
}

impl From<ComputeCapability> for String {
    fn from(capability: ComputeCapability) -> Self {
        capability.to_string()
    }
}

impl fmt::Display for ComputeCapability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sm{}", self.0)
    }
}
