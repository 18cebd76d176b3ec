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
use crate::network::dim::Solution;
use crate::network::{Dim, LayerKind, Network, Shape, Symbol, ValueType};
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
                let types =
                    types.into_iter().map(|ty| network.add_input("y", ty)).collect::<Vec<_>>();
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
    let factor = |text: &str| text.parse::<i64>().map_or_else(|_| symbol(text), Dim::Known);
    let term = |text: &str| text.split('*').map(factor).fold(Dim::Known(1), |a, b| &a * &b);
    let sum = |text: &str| text.split('+').map(term).fold(Dim::Known(0), |a, b| &a + &b);
    let inside = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap();
    inside.split(", ").filter(|text| !text.is_empty()).map(sum).collect()
}

/// Reads `N`, or `?3` for a size that is made up.
fn symbol(text: &str) -> Dim {
    let number = text.strip_prefix('?').map(|number| number.parse().unwrap());
    number
        .map_or_else(|| Dim::named(text), |number| Symbol::MadeUp { number, from: "Slice" }.into())
}

#[test]
fn stored_types_agree_where_one_says_nothing() {
    let agree = |a, b| super::agrees(&ty(a), &ty(b), &Solution::default());
    assert!(agree("f32[N, ?3]", "f32[N, 7]"));
    assert!(agree("i64[1] = [N]", "i64[1]"));
    assert!(!agree("i64[1] = [N]", "i64[1] = [M]"));
    assert!(!agree("f32[N]", "f32[7]"));
    assert!(!agree("f32[7]", "f16[7]"));
    // No name of a model's size makes it one of which nothing is known.
    for name in ["nonzero.12.0", "nonzero#12", "slice#3", "loop.4.0"] {
        assert!(!super::agrees(
            &ValueType::new(DType::F32, Shape(vec![Dim::named(name)])),
            &ty("f32[7]"),
            &Solution::default()
        ));
    }
}

#[test]
fn stored_types_agree_where_the_network_demands_it() {
    let mut known = Solution::default();
    known.add(&Dim::named("N"), &Dim::Known(1));
    assert!(super::agrees(&ty("f32[T]"), &ty("f32[N*T]"), &known));
    assert!(!super::agrees(&ty("f32[T]"), &ty("f32[T+N]"), &known));
}

#[test]
fn every_size_that_is_made_up_is_another() {
    let mut network = Network::default();
    let x = network.add_input("x", ty("bool[N, 3]"));
    let site = crate::site::Site::node("main", 0, "node", "NonZero", 17, "y");
    let mut body = crate::network::Block::default();
    let mut found = || {
        super::add(&mut network, &mut body, LayerKind::NonZero, &[x], std::slice::from_ref(&site))
            .unwrap()[0]
    };
    let (first, second) = (found(), found());
    network.body = body;
    network.outputs.push(crate::network::Output {
        name: "y".into(),
        value: second,
        declared: None,
        site,
    });
    assert_ne!(network.value(first).ty.shape, network.value(second).ty.shape);
    // Renumbering gives the second layer the first one's id, and a new layer the second one's.
    let kept = network.value(second).ty.clone();
    network.compact();
    let x = network.inputs[0];
    assert_eq!(network.layers.len(), 1);
    assert_eq!(network.value(network.outputs[0].value).ty, kept);
    let new = outputs(&network, &LayerKind::NonZero, &[x]).unwrap();
    assert_ne!(new[0], kept);
}
