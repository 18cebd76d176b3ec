//! How a plan is built, and what a build came to.

use super::ffi;
use super::log::LogSink;
use crate::network::{Caps, Network, Profile};
use crate::recipe::Recipe;
use crate::tensor::DType;
use std::sync::Arc;
use std::time::Duration;

/// What TensorRT may do besides following the network: `nvinfer1::BuilderFlag`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flag {
    /// Compute in `f16` where that is faster. Only where types are not strong: TensorRT 8 and 10.
    Fp16,
    /// Compute in `bf16` where that is faster. TensorRT 10.
    Bf16,
    /// Compute in `i8` where that is faster. TensorRT 8 and 10.
    Int8,
    /// Compute in `f8e4m3` where that is faster. TensorRT 8 and 10.
    Fp8,
    /// Take the layers' own precisions as orders. TensorRT 8 and 10.
    ObeyPrecisionConstraints,
    /// Look for weights that are 2:4 sparse.
    SparseWeights,
    /// Let weights be changed in the finished plan.
    Refit,
    /// Leave the weights out of the plan.
    StripPlan,
    /// Let weights be put back, unchanged, in the finished plan.
    RefitIdentical,
    /// Let weights stay in host memory at run time.
    WeightStreaming,
    /// Keep NaN and infinity where faster kernels would lose them.
    StrictNans,
    /// Let later versions run the plan.
    VersionCompatible,
    /// Leave the runtime out of a version-compatible plan.
    ExcludeLeanRuntime,
}

impl From<Flag> for ffi::BuilderFlag {
    fn from(flag: Flag) -> Self {
        match flag {
            Flag::Fp16 => Self::Fp16,
            Flag::Bf16 => Self::Bf16,
            Flag::Int8 => Self::Int8,
            Flag::Fp8 => Self::Fp8,
            Flag::ObeyPrecisionConstraints => Self::ObeyPrecisionConstraints,
            Flag::SparseWeights => Self::SparseWeights,
            Flag::Refit => Self::Refit,
            Flag::StripPlan => Self::StripPlan,
            Flag::RefitIdentical => Self::RefitIdentical,
            Flag::WeightStreaming => Self::WeightStreaming,
            Flag::StrictNans => Self::StrictNans,
            Flag::VersionCompatible => Self::VersionCompatible,
            Flag::ExcludeLeanRuntime => Self::ExcludeLeanRuntime,
        }
    }
}

/// How a plan is built.
#[derive(Clone)]
pub struct BuildOptions {
    /// What the user asks of the plan: its targets, TF32, the level of optimization.
    pub recipe: Recipe,
    /// Further permissions.
    pub flags: Vec<Flag>,
    /// Shapes the plan must work for; empty if no input has a size that only the run knows.
    pub profiles: Vec<Profile>,
    /// Takes TensorRT's log.
    pub log: LogSink,
}

impl BuildOptions {
    /// The flags that a network needs in a library whose types do not follow from operands: `f16`
    /// must be allowed and then ordered layer by layer, `i8` must be allowed.
    pub fn flags_for(network: &Network, caps: Caps) -> Vec<Flag> {
        if caps.strongly_typed {
            return Vec::new();
        }
        let has = |dtype| network.values.iter().any(|value| value.ty.dtype == dtype);
        let half =
            if has(DType::F16) { &[Flag::Fp16, Flag::ObeyPrecisionConstraints][..] } else { &[] };
        let quantized = if has(DType::I8) { &[Flag::Int8][..] } else { &[] };
        [half, quantized].concat()
    }
}

impl Default for BuildOptions {
    fn default() -> Self {
        Self {
            recipe: Recipe::default(),
            flags: Vec::new(),
            profiles: Vec::new(),
            log: Arc::new(|_, _| ()),
        }
    }
}

/// What a build came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuildStats {
    /// Size of the plan.
    pub plan_bytes: u64,
    /// Time that TensorRT took.
    pub elapsed: Duration,
}
