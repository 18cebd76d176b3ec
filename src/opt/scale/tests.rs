use super::*;
use crate::eval;
use crate::infer;
use crate::network::layer::{Arg, Cast, Constant, Convolution, ElementWise, PaddingMode, Unary};
use crate::network::{Block, Output, ValueType};
use crate::site::Site;
use crate::valid;

/// A chain of operations on data of one shape.
struct Chain {
    network: Network,
    body: Block,
    value: ValueId,
}

/// An operation and its constant: shape and numbers.
type Step = (Ew, [usize; 4], Vec<f32>);

impl Chain {
    fn new(dims: &[Dim; 4]) -> Self {
        let mut network = Network::default();
        let value =
            network.add_input("x", ValueType::new(DType::F32, dims.iter().cloned().collect()));
        Self { network, body: Block::default(), value }
    }

    fn add(&mut self, kind: impl Into<LayerKind>, inputs: &[ValueId]) -> ValueId {
        let site = Site::node("main", self.body.layers.len(), "n", "Op", 17, "y");
        infer::add(&mut self.network, &mut self.body, kind.into(), inputs, &[site]).unwrap()[0]
    }

    fn constant(&mut self, dims: [usize; 4], values: Vec<f32>) -> ValueId {
        self.add(Constant { weights: Tensor::of(dims.to_vec(), values).unwrap() }, &[])
    }

    /// x ∘ constant.
    fn step(mut self, (operation, dims, values): Step) -> Self {
        let constant = self.constant(dims, values);
        self.value = self.add(ElementWise { operation }, &[self.value, constant]);
        self
    }

    /// constant ∘ x.
    fn swapped(mut self, (operation, dims, values): Step) -> Self {
        let constant = self.constant(dims, values);
        self.value = self.add(ElementWise { operation }, &[constant, self.value]);
        self
    }

    /// A convolution of two channels to two.
    fn convolution(mut self) -> Self {
        let weights = Tensor::of(vec![2, 2, 1, 1], vec![1f32, 2.0, 3.0, 4.0]).unwrap();
        let layer = Convolution {
            maps: 2,
            kernel: vec![1, 1],
            stride: vec![1, 1],
            pre_padding: vec![0, 0],
            post_padding: vec![0, 0],
            padding_mode: PaddingMode::ExplicitRoundDown,
            dilation: vec![1, 1],
            groups: 1,
            weights: Arg::Static(weights),
            bias: None,
        };
        self.value = self.add(layer, &[self.value]);
        self
    }

    fn output(&mut self) {
        let name = format!("y{}", self.network.outputs.len());
        let site = Site::tensor("main", "output", &name);
        self.network.outputs.push(Output {
            name: name.as_str().into(),
            value: self.value,
            site,
            declared: None,
        });
    }

    /// The layers after the pass, constants left out; the numbers must stay.
    fn kinds(mut self, x: &[f32]) -> Vec<String> {
        self.output();
        self.network.body = self.body;
        let before = valid::check(self.network).unwrap().into_inner();
        let mut after = before.clone();
        run(&mut after);
        super::super::conv_scale::run(&mut after);
        after.compact();
        let after = valid::check(after).unwrap().into_inner();
        let dims: Vec<usize> = before
            .value(before.inputs[0])
            .ty
            .shape
            .iter()
            .map(|dim| dim.size().unwrap_or(2))
            .collect();
        let x = Tensor::of(dims, x.to_vec()).unwrap();
        let results =
            [&before, &after].map(|network| eval::run(network, std::slice::from_ref(&x)).unwrap());
        let [expected, found] = results.map(|outputs| outputs[0].to_f32s().unwrap().into_owned());
        for (expected, found) in expected.iter().zip(&found) {
            assert!((expected - found).abs() <= 1e-6 * expected.abs(), "{found} is not {expected}");
        }
        let kinds = after.live_layers().into_iter().map(|id| &after.layer(id).kind);
        kinds.filter(|kind| !matches!(kind, LayerKind::Constant(_))).map(text).collect()
    }
}

fn text(kind: &LayerKind) -> String {
    match kind {
        LayerKind::Scale(of) => {
            let numbers =
                |of: &Option<Tensor>| of.as_ref().map(|t| t.to_f32s().unwrap().into_owned());
            let coefficients = [&of.scale, &of.shift, &of.power].map(numbers);
            format!("{:?} {} {coefficients:?}", of.mode, of.channel_axis)
        }
        other => other.name().to_owned(),
    }
}

fn known() -> [Dim; 4] {
    [1i64, 2, 1, 2].map(Dim::from)
}

const X: &[f32] = &[1.0, 2.0, 3.0, 5.0];
const ONE: [usize; 4] = [1, 1, 1, 1];
const CHANNELS: [usize; 4] = [1, 2, 1, 1];

#[test]
fn a_chain_becomes_one_scale() {
    let chain = Chain::new(&known())
        .step((Ew::Sub, CHANNELS, vec![1.0, 2.0]))
        .step((Ew::Div, ONE, vec![4.0]))
        .step((Ew::Prod, CHANNELS, vec![3.0, 5.0]))
        .step((Ew::Sum, ONE, vec![2.0]))
        .step((Ew::Pow, ONE, vec![2.0]));
    let expected = "Channel 1 [Some([0.75, 1.25]), Some([1.25, -0.5]), Some([2.0, 2.0])]";
    assert_eq!(chain.kinds(X), [expected]);
    let chain =
        Chain::new(&known()).swapped((Ew::Sub, ONE, vec![7.0])).swapped((Ew::Prod, ONE, vec![2.0]));
    assert_eq!(chain.kinds(X), ["Uniform 1 [Some([-2.0]), Some([14.0]), None]"]);
    let open = [Dim::named("N"), Dim::from(2i64), Dim::named("H"), Dim::named("W")];
    let chain = Chain::new(&open).step((Ew::Prod, CHANNELS, vec![2.0, 3.0])).step((
        Ew::Sum,
        ONE,
        vec![1.0],
    ));
    assert_eq!(chain.kinds(&[0.5; 16]), ["Channel 1 [Some([2.0, 3.0]), Some([1.0, 1.0]), None]"]);
}

#[test]
fn coefficients_reach_as_far_as_they_must() {
    let elements = [1, 2, 1, 2];
    let chain = Chain::new(&known()).step((Ew::Prod, CHANNELS, vec![2.0, 3.0])).step((
        Ew::Sum,
        elements,
        vec![1.0, 2.0, 3.0, 4.0],
    ));
    let expected = "ElementWise 1 [Some([2.0, 2.0, 3.0, 3.0]), Some([1.0, 2.0, 3.0, 4.0]), None]";
    assert_eq!(chain.kinds(X), [expected]);
    let chain = Chain::new(&known()).step((Ew::Prod, [1, 1, 1, 2], vec![2.0, 3.0])).step((
        Ew::Sum,
        ONE,
        vec![1.0],
    ));
    assert_eq!(chain.kinds(X), ["Channel 3 [Some([2.0, 3.0]), Some([1.0, 1.0]), None]"]);
    let batch = [2i64, 2, 1, 1].map(Dim::from);
    let chain = Chain::new(&batch).step((Ew::Prod, [2, 1, 1, 1], vec![2.0, 3.0])).step((
        Ew::Sum,
        ONE,
        vec![1.0],
    ));
    assert_eq!(chain.kinds(X), ["Channel 0 [Some([2.0, 3.0]), Some([1.0, 1.0]), None]"]);
    // Two axes that know nothing of each other would take a coefficient for each element.
    let chain = Chain::new(&known()).step((Ew::Prod, CHANNELS, vec![2.0, 3.0])).step((
        Ew::Sum,
        [1, 1, 1, 2],
        vec![1.0, 2.0],
    ));
    assert_eq!(chain.kinds(X), ["ElementWise", "ElementWise"]);
}

#[test]
fn what_rounds_or_says_more_than_a_scale_stays() {
    let stays = |first: Step, second: Step| {
        assert_eq!(
            Chain::new(&known()).step(first).step(second).kinds(X),
            ["ElementWise", "ElementWise"]
        );
    };
    stays((Ew::Sum, ONE, vec![12_582_912.0]), (Ew::Sub, ONE, vec![12_582_912.0]));
    stays((Ew::Pow, ONE, vec![2.0]), (Ew::Prod, ONE, vec![3.0]));
    stays((Ew::Prod, ONE, vec![1e-20]), (Ew::Prod, ONE, vec![1e-22]));
    stays((Ew::Prod, ONE, vec![2.0]), (Ew::Max, ONE, vec![3.0]));
    // The constant is larger than the data.
    let widened = Chain::new(&known()).step((Ew::Prod, ONE, vec![2.0])).step((
        Ew::Sum,
        [2, 1, 1, 1],
        vec![1.0, 2.0],
    ));
    assert_eq!(widened.kinds(X), ["ElementWise", "ElementWise"]);
    // A single operation gains nothing.
    assert_eq!(Chain::new(&known()).step((Ew::Prod, ONE, vec![2.0])).kinds(X), ["ElementWise"]);
}

#[test]
fn what_is_rounded_or_compared_stays() {
    let mut chain = Chain::new(&known()).convolution().step((Ew::Prod, ONE, vec![0.125]));
    chain.value = chain.add(Unary { operation: Un::Round }, &[chain.value]);
    assert_eq!(chain.kinds(X), ["Convolution", "ElementWise", "Unary"]);
    let mut chain =
        Chain::new(&known()).step((Ew::Prod, ONE, vec![0.125])).step((Ew::Sum, ONE, vec![1.0]));
    chain.value = chain.add(Cast { to: DType::I32 }, &[chain.value]);
    chain.value = chain.add(Cast { to: DType::F32 }, &[chain.value]);
    assert_eq!(chain.kinds(X), ["ElementWise", "ElementWise", "Cast", "Cast"]);
}

#[test]
fn a_value_that_others_take_stays() {
    let mut chain = Chain::new(&known()).step((Ew::Prod, ONE, vec![2.0]));
    chain.output();
    assert_eq!(chain.step((Ew::Sum, ONE, vec![1.0])).kinds(X), ["ElementWise", "ElementWise"]);
}

#[test]
fn a_convolution_takes_what_stands_behind_it() {
    let chain = Chain::new(&known()).convolution().step((Ew::Prod, CHANNELS, vec![2.0, 3.0]));
    assert_eq!(chain.step((Ew::Sub, ONE, vec![1.0])).kinds(X), ["Convolution"]);
    let chain = Chain::new(&known()).convolution().step((Ew::Sum, CHANNELS, vec![2.0, 3.0]));
    assert_eq!(chain.kinds(X), ["Convolution"]);
    let chain = Chain::new(&known()).convolution().step((Ew::Sum, [1, 1, 1, 2], vec![2.0, 3.0]));
    assert_eq!(chain.kinds(X), ["Convolution", "ElementWise"]);
}
