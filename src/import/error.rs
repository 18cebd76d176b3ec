//! What can be wrong with one node. No place in here: the driver adds it.

use crate::Kind;
use crate::infer::InferError;
use crate::network::{Dim, Symbol};
use crate::onnx::AttrError;
use crate::tensor::{DType, TensorError};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Why a node cannot be imported.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OpError {
    /// An attribute is missing or has the wrong type.
    #[error(transparent)]
    Attr(#[from] AttrError),
    /// A layer made for the node breaks a rule of its kind.
    #[error(transparent)]
    Infer(#[from] InferError),
    /// Data of the wrong length.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// The node breaks a rule of its operator.
    #[error("{0}")]
    Invalid(String),
    /// An attribute or input has a value that is valid ONNX, but that we do not convert.
    #[error("{what} is {value}; supported: {supported}")]
    Value {
        /// The attribute or input: `` attribute `mode` ``.
        what: &'static str,
        /// The value found.
        value: String,
        /// The values that work.
        supported: &'static str,
    },
    /// A node of a graph that this node holds cannot be imported, and is reported as a problem of
    /// its own.
    #[error("a node of a nested graph cannot be imported")]
    Reported,
    /// Weights for another number of channels than the data has.
    #[error("input has {channels} channels but the weights take \
             {}", .per_group.saturating_mul(*.group))]
    Channels {
        /// Channels of the data.
        channels: usize,
        /// Channels that one group of the weights takes.
        per_group: usize,
        /// Number of groups.
        group: usize,
        /// Number of output channels.
        maps: usize,
    },
    /// A part of the operator that we do not convert.
    #[error("{0} is not supported")]
    Feature(&'static str),
    /// A loop of which nothing says how much it collects at most.
    #[error("collecting values in a loop without a limit on its iterations is not supported")]
    Unlimited,
    /// A part of the operator that we convert only where what decides on it is known at build time.
    #[error(
        "{what} {}",
        if .deciding.is_empty() {
            "is not supported"
        } else {
            "is converted only where what decides on it is known at build time"
        }
    )]
    Undecided {
        /// The part.
        what: String,
        /// What decides on it.
        deciding: Deciding,
    },
    /// A size that decides which layers there are, but that only the run knows.
    #[error("{what} must be known at build time, but axis {axis} has size {size}")]
    OpenSize {
        /// What has the size: `` input `X` ``.
        what: &'static str,
        /// The axis.
        axis: usize,
        /// Its size.
        size: Dim,
    },
    /// TensorRT needs this input at build time.
    #[error("input `{0}` must be known at build time, but depends on the model's inputs")]
    NotConstant(String),
    /// An element type that the operator or TensorRT does not take.
    #[error("{what} has type {dtype}; supported: {supported}")]
    DType {
        /// The operand.
        what: &'static str,
        /// The type found.
        dtype: DType,
        /// The types that work.
        supported: &'static str,
    },
    /// TensorRT's limit of 8 axes, or the operator's own.
    #[error("{what} has rank {rank}; supported: {supported}")]
    Rank {
        /// The operand.
        what: &'static str,
        /// The rank found.
        rank: usize,
        /// The ranks that work.
        supported: &'static str,
    },
}

/// What a value depends on that the user can fix.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Deciding {
    /// Sizes of the model's inputs.
    pub sizes: BTreeSet<Symbol>,
    /// Inputs whose elements are read.
    pub inputs: BTreeSet<Arc<str>>,
}

impl Deciding {
    fn is_empty(&self) -> bool {
        self.sizes.is_empty() && self.inputs.is_empty()
    }

    /// The options that fix it.
    fn hint(&self) -> Option<String> {
        let sizes = self.sizes.iter().map(|size| format!("`--dim {size}=…`"));
        let all: Vec<String> =
            sizes.chain(self.inputs.iter().map(|input| format!("`--freeze {input}=…`"))).collect();
        (!all.is_empty()).then(|| format!("give it with {}", all.join(" and ")))
    }
}

impl OpError {
    /// A broken rule of the operator: lower case, no full stop, with the values.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(message.into())
    }

    /// Whether the model is at fault or we are.
    pub fn kind(&self) -> Kind {
        match self {
            OpError::Attr(_)
            | OpError::Infer(_)
            | OpError::Tensor(_)
            | OpError::Invalid(_)
            | OpError::Channels { .. } => Kind::Invalid,
            OpError::Value { .. }
            | OpError::Feature(_)
            | OpError::Unlimited
            | OpError::Undecided { .. }
            | OpError::Reported
            | OpError::NotConstant(_)
            | OpError::OpenSize { .. }
            | OpError::DType { .. }
            | OpError::Rank { .. } => Kind::Unsupported,
        }
    }

    /// Whether all that is wrong is that an input's elements are not known at build time.
    pub fn wants_constant(&self) -> bool {
        match self {
            OpError::NotConstant(_) => true,
            OpError::Undecided { deciding, .. } => !deciding.inputs.is_empty(),
            _ => false,
        }
    }

    /// A fact that explains the message.
    pub fn note(&self) -> Option<String> {
        match self {
            OpError::Channels { group: 1, .. } => {
                Some("attribute `group` is 1, so axis 1 of W must be as long as axis 1 of X".into())
            }
            OpError::Channels { group, .. } => Some(format!(
                "attribute `group` is {group}, so {group} times axis 1 of W must be as long as \
                 axis 1 of X"
            )),
            _ => None,
        }
    }

    /// The way out, where there is one that fits every case.
    pub fn hint(&self) -> Option<String> {
        match self {
            OpError::Undecided { deciding, .. } => deciding.hint(),
            OpError::Unlimited => Some("`--max-trip N` limits it to N iterations".into()),
            OpError::NotConstant(_) => Some(
                "make it an initializer; where it is an input of the model, `--freeze` does that"
                    .into(),
            ),
            OpError::OpenSize { size, .. } => Some(match size.as_symbol() {
                Some(symbol) => format!("`--dim {symbol}=SIZE` fixes it"),
                None => "`--dim NAME=SIZE` fixes the sizes that it depends on".into(),
            }),
            OpError::Channels { channels, per_group, maps, .. } => {
                let fitting = channels.checked_div(*per_group).filter(|&group| group > 0)?;
                let fits = channels % per_group == 0 && maps % fitting == 0;
                fits.then(|| format!("weights of this shape fit `group` {fitting}"))
            }
            _ => None,
        }
    }
}
