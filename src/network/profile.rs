//! Optimization profiles: the shapes a plan must work for.

/// Ranges for all inputs with a size known only at run time: `nvinfer1::IOptimizationProfile`.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Profile {
    /// One entry per input that has a range.
    pub inputs: Vec<Range>,
    /// One entry per input whose values are sizes: what each element may be.
    pub values: Vec<Range>,
}

/// Smallest, likeliest and largest shape, or values, of one input.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Range {
    /// Name of the input.
    pub input: String,
    /// Smallest sizes, one per axis, or smallest values, one per element.
    pub min: Vec<i64>,
    /// What to optimize for.
    pub opt: Vec<i64>,
    /// Largest sizes or values.
    pub max: Vec<i64>,
}
