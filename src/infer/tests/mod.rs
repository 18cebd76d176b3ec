//! The rules, as tables of operands and results written as text.

mod control;
mod conv;
mod data;
mod math;
mod norm;
mod resample;
mod reshape;
mod rnn;
mod shapes;

use super::outputs;
use crate::network::{Dim, LayerKind, Network, Shape, ValueType};
use crate::tensor::DType;

/// A rule's case: the layer, its operands, and its outputs or what is wrong with it.
type Case<'a> = (LayerKind, &'a [&'a str], &'a str);

/// Infers each layer over its operands and compares the types, joined with `; `, or the error.
fn check<const N: usize>(cases: [Case<'static>; N]) {
    for (kind, inputs, expected) in cases {
        let mut network = Network::default();
        let inputs: Vec<_> = inputs.iter().map(|text| network.add_input("x", ty(text))).collect();
        let operands: Vec<_> = inputs.iter().map(|&input| network.ty(input)).collect();
        let actual = match outputs(&network, &kind, &inputs) {
            Ok(types) => {
                let types = types.into_iter().map(|ty| network.add_input("y", ty)).collect::<Vec<_>>();
                types.into_iter().map(|id| network.ty(id)).collect::<Vec<_>>().join("; ")
            }
            Err(error) => error.to_string(),
        };
        assert_eq!(actual, expected, "{kind:?} of {operands:?}");
    }
}

/// Reads `f32[N, 3]` or `i64[2] = [2*N, 3]`.
fn ty(text: &str) -> ValueType {
    let (text, elements) = match text.split_once(" = ") {
        Some((text, elements)) => (text, Some(dims(elements))),
        None => (text, None),
    };
    let (dtype, shape) = text.split_at(text.find('[').unwrap());
    let dtype: DType = serde_json::from_str(&format!("\"{dtype}\"")).unwrap();
    ValueType { dtype, shape: Shape(dims(shape)), elements: elements.map(Into::into) }
}

fn dims(text: &str) -> Vec<Dim> {
    let factor = |text: &str| text.parse::<i64>().map_or_else(|_| Dim::symbol(text), Dim::Known);
    let term = |text: &str| text.split('*').map(factor).fold(Dim::Known(1), |a, b| &a * &b);
    let sum = |text: &str| text.split('+').map(term).fold(Dim::Known(0), |a, b| &a + &b);
    let inside = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap();
    inside.split(", ").filter(|text| !text.is_empty()).map(sum).collect()
}

#[test]
fn names_made_up_are_told_from_the_models() {
    let fresh = |name: &str| super::is_fresh(&Dim::symbol(name));
    assert!(fresh("nonzero.12.0"));
    for name in ["N", "a.b.c", "nonzero.12", "nonzero..0", "nonzero.12.0.1"] {
        assert!(!fresh(name), "{name}");
    }
    let agree = |a, b| super::agrees(&ty(a), &ty(b));
    assert!(agree("f32[N, topk.3.0]", "f32[N, 7]"));
    assert!(agree("i64[1] = [N]", "i64[1]"));
    assert!(!agree("i64[1] = [N]", "i64[1] = [M]"));
    assert!(!agree("f32[N]", "f32[7]"));
    assert!(!agree("f32[7]", "f16[7]"));
}
