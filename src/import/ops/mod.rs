//! The operators, one file per family. Each file has a table of rows and the handlers they name.
//!
//! To add an operator: a row and a handler in its family's file, and a case in the family's golden
//! list.

mod activation;
mod attention;
mod bits;
mod boxes;
mod constant;
mod control;
mod conv;
mod einsum;
mod elementwise;
mod gather;
mod image;
mod layout;
mod loss;
mod matmul;
mod microsoft;
mod native;
mod norm;
mod nvidia;
mod pool;
mod power;
mod quantize;
mod recurrent;
mod reduce;
mod regions;
mod resize;
mod rotary;
mod sample;
mod scan;
mod scatter;
mod sequence;
mod slice;
mod softmax;
mod spectral;
mod state;
mod training;
mod unique;

use super::build::op::Op;

/// Every family's rows.
pub(super) const FAMILIES: &[(&str, &[Op])] = &[
    ("activation", activation::OPS),
    ("attention", attention::OPS),
    ("bits", bits::OPS),
    ("boxes", boxes::OPS),
    ("constant", constant::OPS),
    ("control", control::OPS),
    ("conv", conv::OPS),
    ("einsum", einsum::OPS),
    ("elementwise", elementwise::OPS),
    ("gather", gather::OPS),
    ("image", image::OPS),
    ("layout", layout::OPS),
    ("loss", loss::OPS),
    ("matmul", matmul::OPS),
    ("microsoft", microsoft::OPS),
    ("microsoft_attention", microsoft::attention::OPS),
    ("microsoft_blocks", microsoft::block_quantized::OPS),
    ("microsoft_experts", microsoft::experts::OPS),
    ("microsoft_fused", microsoft::fused::OPS),
    ("microsoft_grouped", microsoft::grouped::OPS),
    ("microsoft_norm", microsoft::norm::OPS),
    ("microsoft_qlinear", microsoft::qlinear::OPS),
    ("microsoft_rest", microsoft::rest::OPS),
    ("native", native::OPS),
    ("norm", norm::OPS),
    ("nvidia_batched", nvidia::batched::OPS),
    ("nvidia_efficient", nvidia::efficient::OPS),
    ("nvidia_plugins", nvidia::plugins::OPS),
    ("pool", pool::OPS),
    ("power", power::OPS),
    ("quantize", quantize::OPS),
    ("recurrent", recurrent::OPS),
    ("reduce", reduce::OPS),
    ("regions", regions::OPS),
    ("resize", resize::OPS),
    ("rotary", rotary::OPS),
    ("sample", sample::OPS),
    ("scan", scan::OPS),
    ("scatter", scatter::OPS),
    ("sequence", sequence::OPS),
    ("slice", slice::OPS),
    ("softmax", softmax::OPS),
    ("spectral", spectral::OPS),
    ("state", state::OPS),
    ("training", training::OPS),
    ("unique", unique::OPS),
];
