//! The networks of which no layer can compute in a type: what is refused is as much a part of the
//! behavior as what holds.

/// Those in `f16`.
pub(crate) const F16: &[&str] = &[
    "(1000 + x) − 1000",
    "1/x² · x²",
    "1/√x of tiny numbers",
    "a large table",
    "a state that adds up",
    "a threshold",
    "a/b of small b",
    "batch norm of tiny variance",
    "cosine",
    "dot product of large numbers",
    "instance norm of large numbers",
    "log of the sum of exponentials",
    "log of what is clipped at 1e-12",
    "log(1 + x) of small x",
    "log(exp(x)) of 12",
    "log(sigmoid(x))",
    "product of 32",
    "row and column of an index",
    "sine of a large angle",
    "tangent near its pole",
    "the first of near numbers",
    "the largest of near numbers",
    "whole numbers in floats, divided",
    "x · 1e-9 / 1e-9",
    "x · 1e6 / 1e6",
    "x² of 200, just within",
    "x⁵",
    "√(x²) of 400",
];

/// Those in `bf16`.
pub(crate) const BF16: &[&str] = &[
    "(1000 + x) − 1000",
    "a large table",
    "a state that adds up",
    "a threshold",
    "batch norm of tiny variance",
    "instance norm of large numbers",
    "log(1 + x) of small x",
    "product of 32",
    "row and column of an index",
    "sine of a large angle",
    "tangent near its pole",
    "the first of near numbers",
    "the largest of near numbers",
    "variance of a large mean",
    "whole numbers in floats, divided",
    "x² of 200, just within",
    "x⁵",
];

/// Those in `f16` where drawn inputs decide.
pub(crate) const DRAWN: &[&str] = &[
    "(1000 + x) − 1000",
    "a large table",
    "a state that adds up",
    "batch norm of tiny variance",
    "log of what is clipped at 1e-12",
    "product of 32",
    "tangent near its pole",
    "x · 1e-9 / 1e-9",
    "x · 1e6 / 1e6",
];

/// Those whose formula is for no drawn inputs.
pub(crate) const UNJUDGED: &[&str] = &["mask computed of the lowest"];
