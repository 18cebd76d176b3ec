use super::*;
use crate::network::{Dim, ValueType};
use crate::tensor::{DType, Tensor};

fn network() -> Network {
    let mut network = Network::default();
    let shape = |dims: &[Dim]| ValueType::new(DType::F32, dims.iter().cloned().collect());
    let (n, w) = (Dim::named("N"), Dim::named("W"));
    network.add_input("x", shape(&[n.clone(), Dim::Known(3), w]));
    network.add_input("y", shape(&[n]));
    network.add_input("z", shape(&[Dim::Known(2)]));
    network
}

fn request(min: &str, opt: &str, max: &str) -> Request {
    let end = |text: &str| {
        if text.is_empty() {
            End::default()
        } else {
            crate::recipe::syntax::parse_end(text).unwrap()
        }
    };
    Request { min: end(min), opt: end(opt), max: end(max), ..Request::default() }
}

#[test]
fn what_is_not_given_is_guessed_once_per_symbol() {
    let planned = plan(&network(), &Request::default(), &Data::default()).unwrap();
    assert_eq!(
        planned.guesses,
        [
            "input `x`, axis 0 (N): 1 to 8, optimized for 1",
            "input `x`, axis 2 (W): 1 to 256, optimized for 64"
        ]
    );
    let names: Vec<_> = planned.profile.inputs.iter().map(|range| range.input.as_str()).collect();
    assert_eq!(names, ["x", "y"]);
    assert_eq!(planned.profile.inputs[1].max, [8]);
}

#[test]
fn contradictions_are_usage_errors() {
    let cases = [
        (request("w:1", "", ""), "the model has no input `w`\n  its inputs are `x`, `y`, `z`"),
        (request("", "x:1x3", ""), "input `x` has shape [N, 3, W], but [1, 3] was given for it"),
        (
            request("", "x:1x4x9", ""),
            "axis 1 of input `x` has size 3, but [4, 4, 4] was given for it",
        ),
        (
            request("x:2x3x9", "x:1x3x9", ""),
            "axis 0 of input `x`: min, opt, max are [2, 1, 1], which do not rise",
        ),
        (
            request("", "", "x:1x3x2147483648"),
            "`W` is [2147483648, 2147483648, 2147483648] (min, opt, max), but sizes are from 0 to \
             2147483647",
        ),
        (
            request("", "x:4x3x9,y:5", ""),
            "`N` is [4, 4, 4] for one input and [5, 5, 5] for another (min, opt, max)\n\nhint: \
             give all inputs that share it the same sizes",
        ),
    ];
    for (request, text) in cases {
        let error = plan(&network(), &request, &Data::default()).unwrap_err();
        assert_eq!((error.to_string().as_str(), error.kind()), (text, Kind::Usage));
    }
}

/// Whole numbers that are data have no range: only those of inputs that hold sizes do.
#[test]
fn exact_requests_have_values_of_sizes_only() {
    let mut network = network();
    network.add_input("w", ValueType::new(DType::I64, [Dim::Known(2)].into_iter().collect()));
    let inputs = [
        ("x", Tensor::of(vec![2, 3, 1], vec![0f32; 6]).unwrap()),
        ("y", Tensor::vector(&[0f32; 2])),
        ("w", Tensor::vector(&[5i64, 6])),
        ("frozen", Tensor::vector(&[7i64])),
    ];
    let inputs = inputs.map(|(name, tensor)| (name.to_owned(), tensor));
    let request = exactly(&network, &inputs);
    assert!(request.opt.values.is_empty(), "{request:?}");
    let planned = plan(&network, &request, &Data::default()).unwrap();
    assert_eq!(
        (&planned.profile.inputs[0].min, &planned.profile.inputs[0].max),
        (&vec![2, 3, 1], &vec![2, 3, 1])
    );
    assert!(planned.guesses.is_empty(), "{:?}", planned.guesses);
}
