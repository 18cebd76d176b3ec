use super::*;
use crate::eval;
use crate::infer;
use crate::network::layer::{Constant, ElementWise};
use crate::network::{Block, Dim, Output, ValueType};
use crate::site::Site;
use crate::tensor::Tensor;
use crate::valid;

/// Bounds one behind the other; where they are `shared`, what is between them is an output too.
fn bounded(dtype: DType, steps: &[(Ew, &[f32])], shared: bool) -> Network {
    let (mut network, mut body) = (Network::default(), Block::default());
    let dims = [Dim::named("N"), Dim::from(2i64)];
    let mut value = network.add_input("x", ValueType::new(dtype, dims.into_iter().collect()));
    let site = Site::node("main", 0, "n", "Clip", 17, "y");
    let mut outputs = Vec::new();
    for (operation, bound) in steps {
        let weights = Tensor::of_reals(dtype, vec![1, bound.len()], bound.to_vec()).unwrap();
        let mut add = |kind: LayerKind, inputs: &[ValueId]| {
            infer::add(&mut network, &mut body, kind, inputs, std::slice::from_ref(&site)).unwrap()
                [0]
        };
        let constant = add(Constant { weights }.into(), &[]);
        value = add(ElementWise { operation: *operation }.into(), &[constant, value]);
        outputs.push(value);
    }
    let kept = if shared { &outputs[..] } else { &outputs[outputs.len() - 1..] };
    for (at, &value) in kept.iter().enumerate() {
        let name = format!("y{at}");
        let site = Site::tensor("main", "output", &name);
        network.outputs.push(Output { name: name.as_str().into(), value, site, declared: None });
    }
    network.body = body;
    valid::check(network).unwrap().into_inner()
}

/// The Clips after the pass; the numbers stay.
fn clips(before: &Network) -> Vec<(f32, f32)> {
    let mut after = before.clone();
    run(&mut after);
    after.compact();
    let after = valid::check(after).unwrap().into_inner();
    let dtype = before.value(before.inputs[0]).ty.dtype;
    let values = [f32::NEG_INFINITY, -1.0, -0.0, 2.5, 7.0, f32::INFINITY];
    for count in [0, 3] {
        let values = values[..count * 2].to_vec();
        let x = Tensor::of_reals(dtype, vec![count, 2], values).unwrap();
        let results =
            [before, &after].map(|network| eval::run(network, std::slice::from_ref(&x)).unwrap());
        assert_eq!(results[0], results[1]);
    }
    let kinds = after.live_layers().into_iter().map(|id| after.layer(id).kind.clone());
    kinds
        .filter_map(|kind| match kind {
            LayerKind::Activation(of) => {
                assert_eq!(of.kind, ActivationType::Clip);
                Some((of.alpha, of.beta))
            }
            _ => None,
        })
        .collect()
}

#[test]
fn two_bounds_become_one_clip() {
    for dtype in [DType::F32, DType::F16, DType::BF16] {
        let up = bounded(dtype, &[(Ew::Max, &[-0.5]), (Ew::Min, &[6.0])], false);
        assert_eq!(clips(&up), [(-0.5, 6.0)]);
        let down = bounded(dtype, &[(Ew::Min, &[6.0]), (Ew::Max, &[6.0])], false);
        assert_eq!(clips(&down), [(6.0, 6.0)]);
    }
}

#[test]
fn what_clip_does_not_compute_stays() {
    let none = |steps: &[(Ew, &[f32])]| clips(&bounded(DType::F32, steps, false)).is_empty();
    assert!(none(&[(Ew::Max, &[3.0]), (Ew::Min, &[1.0])]), "crossed bounds");
    assert!(none(&[(Ew::Max, &[1.0]), (Ew::Max, &[3.0])]), "two lower bounds");
    assert!(none(&[(Ew::Max, &[1.0]), (Ew::Prod, &[3.0])]), "no bound");
    assert!(none(&[(Ew::Max, &[0.0, 1.0]), (Ew::Min, &[3.0])]), "a bound for each channel");
    assert!(none(&[(Ew::Max, &[f32::NEG_INFINITY]), (Ew::Min, &[3.0])]), "an infinite bound");
    let steps: &[(Ew, &[f32])] = &[(Ew::Max, &[0.0]), (Ew::Min, &[6.0])];
    assert!(clips(&bounded(DType::F32, steps, true)).is_empty(), "what is between leaves");
}
