//! What TensorRT 8 lacks has an equal there.

use super::*;
use crate::network::layer::math::{
    Cumulative, CumulativeOperation, MatrixMultiply, MatrixOperation, Unary,
};
use crate::network::layer::norm::{Scale, ScaleMode};
use crate::verify::boundary;

/// An input with sizes that only the run knows, by name.
fn open(net: &mut Net, dtype: DType, names: &[&str]) -> ValueId {
    let size = |name: &&str| name.parse().map_or_else(|_| Dim::named(*name), Dim::Known);
    let ty = ValueType::new(dtype, names.iter().map(size).collect());
    net.network.add_input(&format!("x{}", net.network.inputs.len()), ty)
}

/// Whole numbers, the largest and the smallest among them.
fn whole(dims: &[usize]) -> Tensor {
    let some = [7, i32::MAX, -3, 7, i32::MIN, 0, 16_777_217, 16_777_216, -3, i32::MAX - 1, 65_536];
    let count = dims.iter().product();
    Tensor::of(dims.to_vec(), some.into_iter().cycle().take(count).collect()).unwrap()
}

fn networks_of(net: Net) -> (Network, Network) {
    net.legalized_for(Caps::eight())
}

#[test]
fn numbers_that_do_not_fit_are_told_by_name() {
    let mut net = Net::default();
    let x = net.input(DType::I64, &[1]);
    let c = net.constant(Tensor::vector(&[1i64 << 40]));
    let y = net.add(ew(ElementWiseOperation::Sum), &[x, c]);
    net.output(y);
    net.network.body = net.body;
    let error = legalize(&mut net.network, Caps::eight()).unwrap_err();
    assert_eq!(error.kind(), Kind::Unsupported);
    assert!(
        error.to_string().contains("holds 1099511627776, but this TensorRT has no i64"),
        "{error}"
    );
}
