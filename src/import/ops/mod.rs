//! The operators, one file per family. Each file has a table of rows and the handlers they name.
//!
//! To add an operator: a row and a handler in its family's file, and a case in the family's golden list.

mod activation;
mod bits;
mod constant;
mod elementwise;
mod gather;
mod layout;
mod numbers;
mod resample;
mod resize;
mod sample;
mod slice;

use super::registry::Op;

/// Every family's rows.
pub(super) const FAMILIES: &[(&str, &[Op])] = &[
    ("activation", activation::OPS),
    ("bits", bits::OPS),
    ("constant", constant::OPS),
    ("elementwise", elementwise::OPS),
    ("gather", gather::OPS),
    ("layout", layout::OPS),
    ("resize", resize::OPS),
    ("sample", sample::OPS),
    ("slice", slice::OPS),
];
