//! Sizes that only the run knows, each with an identity of its own.

use std::fmt;
use std::sync::Arc;

/// A size known only at run time. It is never negative.
///
/// Two symbols are the same size only where they are equal. Their text is for display: a model may
/// give a size any name, that of another symbol's text included.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Symbol {
    /// A size that the model names: ONNX's `dim_param`. One name is one size wherever it stands.
    Named(Arc<str>),
    /// An axis of an input of the model to which the model gives no name.
    Axis {
        /// The input.
        input: Arc<str>,
        /// The axis.
        axis: usize,
    },
    /// A size that depends on data, such as the number of elements that are not 0.
    MadeUp {
        /// Its number among those of one network; see
        /// [`Network::make_up`](super::super::Network::make_up).
        number: u64,
        /// What kind of layer it comes from.
        from: &'static str,
    },
}

impl Symbol {
    /// Its number, if it is made up.
    pub fn number(&self) -> Option<u64> {
        match self {
            Symbol::MadeUp { number, .. } => Some(*number),
            Symbol::Named(_) | Symbol::Axis { .. } => None,
        }
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Symbol::Named(name) => f.write_str(name),
            Symbol::Axis { input, axis } => write!(f, "{input}.{axis}"),
            Symbol::MadeUp { number, from } => write!(f, "{}#{number}", from.to_lowercase()),
        }
    }
}
