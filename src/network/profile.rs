//! Optimization profiles: the shapes a plan must work for.

/// Ranges for all inputs with a size known only at run time: `nvinfer1::IOptimizationProfile`.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Profile {
    /// One entry per input that has a range.
    pub inputs: Vec<Range>,
}

/// Smallest, likeliest and largest shape of one input.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Range {
    /// Name of the input.
    pub input: String,
    /// Smallest sizes, one per axis.
    pub min: Vec<i64>,
    /// The sizes to optimise for.
    pub opt: Vec<i64>,
    /// Largest sizes.
    pub max: Vec<i64>,
}
