//! The operators, one file per family. Each file has a table of rows and the handlers they name.
//!
//! To add an operator: a row and a handler in its family's file, and a case in the family's golden list.

mod activation;
mod axes;
mod conv;
mod einsum;
mod elementwise;
mod matmul;
mod norm;
mod pads;
mod pool;
mod quantize;
mod reduce;
mod softmax;

use super::registry::Op;

/// Every family's rows.
pub(super) const FAMILIES: &[(&str, &[Op])] = &[
    ("activation", activation::OPS),
    ("conv", conv::OPS),
    ("einsum", einsum::OPS),
    ("elementwise", elementwise::OPS),
    ("matmul", matmul::OPS),
    ("norm", norm::OPS),
    ("pool", pool::OPS),
    ("quantize", quantize::OPS),
    ("reduce", reduce::OPS),
    ("softmax", softmax::OPS),
];
