//! The operators, one file per family. Each file has a table of rows and the handlers they name.
//!
//! To add an operator: a row and a handler in its family's file, and a case in the family's golden list.

mod activation;
mod elementwise;

use super::registry::Op;

/// Every family's rows.
pub(super) const FAMILIES: &[(&str, &[Op])] = &[("activation", activation::OPS), ("elementwise", elementwise::OPS)];
