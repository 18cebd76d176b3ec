//! What handlers build with: the state of an import, and pieces of network that families share.
//!
//! Nothing here knows an operator's handler. [`ctx::Ctx`] is what a handler may do, `layers` adds
//! single layers, `nested` loops and branches; the other files hold forms that several families
//! write: cutting along axes, numbers known only at run time, padding, resampling, attention.

pub(in crate::import) mod attention_bias;
pub(in crate::import) mod axes;
pub mod ctx;
pub(in crate::import) mod graph;
pub(in crate::import) mod heads;
pub mod layers;
pub(in crate::import) mod nested;
pub(in crate::import) mod numbers;
pub mod op;
pub(in crate::import) mod operand;
pub(in crate::import) mod pads;
pub(in crate::import) mod resample;
