//! Whole chains of shape arithmetic, as models compute them, built with [`add`](super::super::add).

use super::{check, ty};
use crate::infer::{InferError, add};
use crate::network::layer::{
    Arg, Concatenation, Constant, ElementWise, ElementWiseOperation, Gather, GatherMode, Reshape,
    SampleMode, Shuffle, Slice,
};
use crate::network::{Block, LayerKind, Network, ValueId};
use crate::site::Site;
use crate::tensor::Tensor;

#[derive(Default)]
struct Chain {
    network: Network,
    block: Block,
}

impl Chain {
    fn add(
        &mut self,
        kind: impl Into<LayerKind>,
        inputs: &[ValueId],
    ) -> Result<ValueId, InferError> {
        let site = Site::node("main", 0, "n", "Op", 17, "y");
        Ok(add(&mut self.network, &mut self.block, kind.into(), inputs, &[site])?[0])
    }

    fn constant(&mut self, values: &[i64]) -> ValueId {
        self.add(Constant { weights: Tensor::vector(values) }, &[]).unwrap()
    }
}

#[test]
fn a_reshape_to_a_computed_shape_is_known() {
    let mut chain = Chain::default();
    let x = chain.network.add_input("x", ty("f32[N, 3, H, W]"));
    let shape = chain.add(LayerKind::Shape, &[x]).unwrap();
    let zero = chain.constant(&[0]);
    let gather = Gather { mode: GatherMode::Default, axis: 0, element_wise_dims: 0 };
    let batch = chain.add(gather, &[shape, zero]).unwrap();
    let rest = chain.constant(&[-1]);
    let target = chain.add(Concatenation { axis: 0 }, &[batch, rest]).unwrap();
    let reshape = Some(Reshape::Input { zero_is_placeholder: true });
    let flat = chain.add(Shuffle { reshape, ..Shuffle::default() }, &[x, target]).unwrap();
    assert_eq!(chain.network.ty(target), "i64[2] = [N, -1]");
    assert_eq!(chain.network.ty(flat), "f32[N, 3·H·W]");
    assert_eq!(chain.block.layers.len(), 6);
}

#[test]
fn an_expanded_shape_is_known() {
    let mut chain = Chain::default();
    let x = chain.network.add_input("x", ty("f32[N, 1]"));
    let shape = chain.add(LayerKind::Shape, &[x]).unwrap();
    let other = chain.constant(&[1, 4]);
    let size =
        chain.add(ElementWise { operation: ElementWiseOperation::Max }, &[shape, other]).unwrap();
    let slice = Slice {
        start: Arg::Static(vec![0, 0]),
        size: Arg::Input(1),
        stride: Arg::Static(vec![1, 0]),
        mode: SampleMode::StrictBounds,
        fill: None,
    };
    let out = chain.add(slice, &[x, size]).unwrap();
    assert_eq!(chain.network.ty(out), "f32[max(1, N), 4]");
}

#[test]
fn sizes_known_only_at_run_time_have_different_names() {
    let mut chain = Chain::default();
    let x = chain.network.add_input("x", ty("f32[N]"));
    let a = chain.add(LayerKind::NonZero, &[x]).unwrap();
    let b = chain.add(LayerKind::NonZero, &[x]).unwrap();
    assert_ne!(chain.network.ty(a), chain.network.ty(b));
    let failed = chain.add(Concatenation { axis: 2 }, &[a, b]);
    assert_eq!(failed, Err(InferError::Axis { axis: 2, rank: 2 }));
    assert_eq!(chain.block.layers.len(), 2, "a layer that is wrong is not added");
}

#[test]
fn expressions_stay_short() {
    let mut chain = Chain::default();
    let parts: Vec<_> =
        (0..100).map(|i| chain.network.add_input("x", ty(&format!("f32[n{i}]")))).collect();
    let long = chain.add(Concatenation { axis: 0 }, &parts).unwrap();
    assert_eq!(chain.network.ty(long), "f32[concatenation#0]");

    let mut square = chain.network.add_input("n", ty("i64[] = [N]"));
    for _ in 0..64 {
        square = chain
            .add(ElementWise { operation: ElementWiseOperation::Prod }, &[square, square])
            .unwrap();
    }
    assert_eq!(chain.network.ty(square), "i64[]");

    let sums = ["a+b+c+d", "e+f+g+h", "i+j+k+l", "m+n+o+p"].join(", ");
    let x = chain.network.add_input("x", ty(&format!("f32[{sums}]")));
    let reshape = Some(Reshape::Static { dims: vec![-1], zero_is_placeholder: true });
    let flat = chain.add(Shuffle { reshape, ..Shuffle::default() }, &[x]).unwrap();
    assert!(chain.network.ty(flat).starts_with("f32[shuffle#"), "{}", chain.network.ty(flat));
}

#[test]
fn sources_of_elements() {
    let constant = |weights| LayerKind::from(Constant { weights });
    let pick =
        || LayerKind::from(Gather { mode: GatherMode::Default, axis: 0, element_wise_dims: 0 });
    check([
        (LayerKind::Shape, &["f32[N, 3]"], "i64[2] = [N, 3]"),
        (LayerKind::Shape, &["f32[]"], "i64[0] = []"),
        (constant(Tensor::scalar(7i32)), &[], "i32[] = [7]"),
        (constant(Tensor::vector(&[1i64; 65])), &[], "i64[65]"),
        (constant(Tensor::vector(&[1f32])), &[], "f32[1]"),
        (constant(Tensor::of_bools(vec![2], [true, false]).unwrap()), &[], "bool[2] = [1, 0]"),
        (
            constant(Tensor::scalar(7u64)),
            &[],
            "the type of the data is u64 but must be one that TensorRT has",
        ),
        (pick(), &["i64[2] = [N, 3]", "i64[] = [0]"], "i64[] = [N]"),
        (pick(), &["i64[2] = [N, 3]", "i64[2] = [1, 1]"], "i64[2] = [3, 3]"),
        (pick(), &["i64[2] = [N, 3]", "i64[1] = [-1]"], "i64[1]"),
        (pick(), &["i64[2] = [N, 3]", "i64[1] = [2]"], "i64[1]"),
        (pick(), &["i64[2] = [N, 3]", "i64[1]"], "i64[1]"),
    ]);
}
