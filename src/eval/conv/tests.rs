//! Convolutions and deconvolutions of random shape, against loops that follow the formulas.

use super::*;
use crate::network::layer::PaddingMode;

/// A small generator of whole numbers, the same on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    fn tensor(&mut self, dims: &[usize]) -> Tensor {
        let values = (0..dims.iter().product()).map(|_| self.below(9) as f32 - 4.0).collect();
        Tensor::of(dims.to_vec(), values).unwrap()
    }

    fn list(&mut self, len: usize, from: usize, end: usize) -> Vec<usize> {
        (0..len).map(|_| from + self.below(end - from)).collect()
    }
}

/// All index lists of a box.
fn indices(dims: &[usize]) -> Vec<Vec<usize>> {
    dims.iter().fold(vec![vec![]], |lists, &size| {
        lists.iter().flat_map(|list| (0..size).map(|i| [list.as_slice(), &[i]].concat())).collect()
    })
}

fn element(tensor: &Tensor, index: &[usize]) -> f32 {
    let at = index.iter().zip(tensor.dims()).fold(0, |at, (i, size)| at * size + i);
    tensor.to_f32s().unwrap()[at]
}

fn random_convolution(random: &mut Random) -> (Convolution, Tensor) {
    let rank = 2 + random.below(2);
    let groups = 1 + random.below(3);
    let (channels, maps) = (groups * (1 + random.below(5)), groups * (1 + random.below(5)));
    let kernel = random.list(rank, 1, 4);
    let layer = Convolution {
        maps,
        stride: random.list(rank, 1, 4),
        pre_padding: random.list(rank, 0, 4),
        post_padding: random.list(rank, 0, 4),
        padding_mode: PaddingMode::ExplicitRoundDown,
        dilation: random.list(rank, 1, 3),
        groups,
        weights: Arg::Static(
            random.tensor(&[&[maps, channels / groups], kernel.as_slice()].concat()),
        ),
        bias: (random.below(2) == 0).then(|| Arg::Static(random.tensor(&[maps]))),
        kernel,
    };
    // Five elements hold the largest window: 3 taps with a dilation of 2.
    let dims = [vec![1 + random.below(2), channels], random.list(rank, 5, 9)].concat();
    let data = random.tensor(&dims);
    (layer, data)
}

/// The formula of the convolution, element by element.
fn naive_convolution(layer: &Convolution, data: &Tensor, out: &[usize]) -> Vec<f32> {
    let Arg::Static(weights) = &layer.weights else { panic!("weights are static here") };
    let per_group = data.dims()[1] / layer.groups;
    let value = |at: &Vec<usize>| {
        let (map, position) = (at[1], &at[2..]);
        let mut sum =
            layer.bias.as_ref().map_or(0.0, |bias| element(bias.fixed().unwrap(), &[map]));
        for tap in indices(&weights.dims()[1..]) {
            let channel = map / (layer.maps / layer.groups) * per_group + tap[0];
            let inside = (0..position.len()).map(|i| {
                (position[i] * layer.stride[i] + tap[1 + i] * layer.dilation[i])
                    .checked_sub(layer.pre_padding[i])
                    .filter(|&x| x < data.dims()[2 + i])
            });
            if let Some(inside) = inside.collect::<Option<Vec<_>>>() {
                let weight = element(weights, &[&[map], tap.as_slice()].concat());
                sum += weight * element(data, &[&[at[0], channel], inside.as_slice()].concat());
            }
        }
        sum
    };
    indices(out).iter().map(value).collect()
}

#[test]
fn convolutions_follow_the_formula() {
    let mut random = Random(1);
    for round in 0..60 {
        let (layer, data) = random_convolution(&mut random);
        let actual = convolution(&layer, &[&data]).unwrap();
        let expected = naive_convolution(&layer, &data, actual.dims());
        assert_eq!(actual.to_f32s().unwrap()[..], expected, "round {round}: {layer:?} of {data:?}");
    }
}

#[test]
fn buffers_in_several_blocks_and_threads_change_nothing() {
    let mut random = Random(2);
    for (channels, groups, maps, size) in [(130, 1, 3, 44), (8, 8, 8, 100), (6, 1, 4, 300)] {
        let layer = Convolution {
            maps,
            kernel: vec![3, 3],
            stride: vec![1, 2],
            pre_padding: vec![1, 1],
            post_padding: vec![1, 0],
            padding_mode: PaddingMode::ExplicitRoundDown,
            dilation: vec![1, 1],
            groups,
            weights: Arg::Input(1),
            bias: None,
        };
        let (data, weights) = (
            random.tensor(&[1, channels, size, size]),
            random.tensor(&[maps, channels / groups, 3, 3]),
        );
        let out = convolution(&layer, &[&data, &weights]).unwrap();
        let layer = Convolution { weights: Arg::Static(weights), ..layer };
        let [_, _, height, width] = out.dims() else { panic!("{out:?}") };
        // The corners, and rows at which one block may end and another begin.
        for y in [0, 1, height / 3, height / 2, height - 2, height - 1] {
            for x in [0, width - 1] {
                let map = maps - 1;
                let mut expected = 0.0;
                let Arg::Static(weights) = &layer.weights else {
                    panic!("weights are static here")
                };
                for tap in indices(&[channels / groups, 3, 3]) {
                    let channel = map / (maps / groups) * (channels / groups) + tap[0];
                    let (Some(row), Some(column)) =
                        ((y + tap[1]).checked_sub(1), (2 * x + tap[2]).checked_sub(1))
                    else {
                        continue;
                    };
                    if row < size && column < size {
                        expected += element(weights, &[map, tap[0], tap[1], tap[2]])
                            * element(&data, &[0, channel, row, column]);
                    }
                }
                assert_eq!(
                    element(&out, &[0, map, y, x]),
                    expected,
                    "{channels} channels at {y}, {x}"
                );
            }
        }
    }
}

#[test]
fn deconvolutions_are_convolutions_backwards() {
    let mut random = Random(3);
    for round in 0..60 {
        let (forward, image) = random_convolution(&mut random);
        let small = Window::over(geometry(&forward), &image.dims()[2..]);
        let sizes = small.unwrap().output();
        // The kernel [maps, C / groups, …] of the convolution is the kernel of the deconvolution
        // that leads back.
        let Arg::Static(weights) = &forward.weights else { panic!("weights are static here") };
        let back =
            Deconvolution(Convolution { maps: image.dims()[1], bias: None, ..forward.clone() });
        let data = random.tensor(&[vec![image.dims()[0], forward.maps], sizes].concat());
        let actual = deconvolution(&back, &[&data]).unwrap();
        // Adjoint: the transpose of the convolution's matrix, built from the convolution of unit
        // images.
        let dot = |a: &Tensor, b: &Tensor| -> f32 {
            a.to_f32s().unwrap().iter().zip(b.to_f32s().unwrap().iter()).map(|(a, b)| a * b).sum()
        };
        let fitting = random.tensor(actual.dims());
        let unbiased = Convolution { bias: None, ..forward.clone() };
        let convolved = convolution(&unbiased, &[&fitting]).unwrap();
        assert_eq!(weights.dims()[0], forward.maps);
        assert_eq!(dot(&convolved, &data), dot(&fitting, &actual), "round {round}: {back:?}");
    }
}

#[test]
fn a_deconvolution_by_hand() {
    let layer = Convolution {
        maps: 1,
        kernel: vec![1, 3],
        stride: vec![1, 2],
        pre_padding: vec![0, 1],
        post_padding: vec![0, 0],
        padding_mode: PaddingMode::ExplicitRoundDown,
        dilation: vec![1, 1],
        groups: 1,
        weights: Arg::Static(Tensor::of(vec![1, 1, 1, 3], vec![1f32, 10.0, 100.0]).unwrap()),
        bias: Some(Arg::Input(1)),
    };
    let data = Tensor::of(vec![1, 1, 1, 2], vec![1f32, 2.0]).unwrap();
    let bias = Tensor::vector(&[1000f32]);
    let deconvolved = |layer: &Convolution| {
        deconvolution(&Deconvolution(layer.clone()), &[&data, &bias]).unwrap()
    };
    let out = deconvolved(&layer);
    assert_eq!(out, Tensor::of(vec![1, 1, 1, 4], vec![1010f32, 1102.0, 1020.0, 1200.0]).unwrap());
    let same = Convolution { padding_mode: PaddingMode::SameUpper, ..layer };
    assert_eq!(deconvolved(&same).dims(), [1, 1, 1, 4]);
    let gaps = Convolution { stride: vec![1, 5], ..same };
    assert_eq!(deconvolved(&gaps).dims(), [1, 1, 1, 8]);
}

#[test]
fn attributes_that_do_not_fit_are_errors() {
    let (layer, data) = random_convolution(&mut Random(4));
    let error = |layer: Convolution| convolution(&layer, &[&data]).unwrap_err();
    assert_eq!(
        error(Convolution { groups: 0, ..layer.clone() }).to_string(),
        "groups is 0, but must divide the channels of data and result"
    );
    let weights = Arg::Static(Tensor::vector(&[1f32]));
    assert!(matches!(error(Convolution { weights, ..layer.clone() }), EvalError::Shapes(..)));
    assert_eq!(
        error(Convolution { weights: Arg::Input(1), ..layer.clone() }),
        EvalError::Operands { at: 1, count: 1 }
    );
    assert!(matches!(
        error(Convolution { kernel: vec![1], ..layer }),
        EvalError::Shape { at: 0, .. }
    ));
}
