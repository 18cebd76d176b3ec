//! Faults of a conversion, as they happen: what a layer has or does becomes something else, of the
//! same type and shape.

use super::weights::{edited, transposed};
use onnx2plan::network::edit::Editor;
use onnx2plan::network::layer::{
    Activation, ActivationType, Arg, Cast, Constant, ElementWiseOperation as Ew, PaddingMode,
    PoolingType, ReduceOperation, ResizeRoundMode, UnaryOperation,
};
use onnx2plan::network::{Dim, LayerId, LayerKind, Network, ValueId};
use onnx2plan::tensor::{DType, Tensor};

/// Plants a fault in a layer; says whether there is room for it.
pub(super) type Plant = fn(&mut Network, LayerId) -> bool;

pub(super) const ALL: &[(&str, Plant)] = &[
    ("weights scaled by 1.1", |network, at| on_weights(network, at, |w| edited(w, |_, v| v * 1.1))),
    ("weights transposed", |network, at| on_weights(network, at, transposed)),
    ("weights of another layer", other_weights),
    ("gates swapped", gates),
    ("bias left out", bias),
    ("padding mirrored", padding),
    ("dilation", dilation),
    ("wrong axis", axis),
    ("epsilon times 1000", epsilon),
    ("rounding mode", rounding),
    ("operands swapped", operands),
    ("another operation", operation),
    ("constants of a broadcast turned", broadcast),
    ("mask lost", mask),
    ("slice off by one", slice),
    ("quantization scale doubled", scale),
    ("a cast to f16 too many", cast),
    ("activation left out", activation),
];

/// The weights of a layer, or the constant that it multiplies by.
fn on_weights(
    network: &mut Network,
    at: LayerId,
    change: impl Fn(&Tensor) -> Option<Tensor>,
) -> bool {
    let layer = &mut network.layers[at];
    let of = match &mut layer.kind {
        LayerKind::Convolution(of) => &mut of.weights,
        LayerKind::Deconvolution(of) => &mut of.0.weights,
        LayerKind::MatrixMultiply(_) => {
            let inputs = layer.inputs.clone();
            return inputs.iter().any(|&input| on_constant(network, input, &change));
        }
        _ => return false,
    };
    let Arg::Static(weights) = of else { return false };
    change(weights).is_some_and(|changed| {
        *weights = changed;
        true
    })
}

fn on_constant(
    network: &mut Network,
    value: ValueId,
    change: &dyn Fn(&Tensor) -> Option<Tensor>,
) -> bool {
    let Some(maker) = network.maker(value) else { return false };
    let LayerKind::Constant(Constant { weights }) = &mut network.layers[maker].kind else {
        return false;
    };
    change(weights).is_some_and(|changed| {
        *weights = changed;
        true
    })
}

fn static_weights(network: &Network, at: LayerId) -> Option<&Tensor> {
    match &network.layer(at).kind {
        LayerKind::Convolution(of) => of.weights.fixed(),
        LayerKind::Constant(of) if of.weights.dims().len() > 1 => Some(&of.weights),
        _ => None,
    }
}

fn other_weights(network: &mut Network, at: LayerId) -> bool {
    let Some(own) = static_weights(network, at).filter(|own| own.to_f32s().is_some()) else {
        return false;
    };
    let alike = |other: &&Tensor| {
        other.dims() == own.dims() && other.dtype() == own.dtype() && *other != own
    };
    let layers = network.live_layers();
    let found = layers.iter().filter_map(|&other| static_weights(network, other)).find(alike);
    let Some(other) = found.cloned() else { return false };
    match &mut network.layers[at].kind {
        LayerKind::Convolution(of) => of.weights = Arg::Static(other),
        LayerKind::Constant(of) => of.weights = other,
        _ => return false,
    }
    true
}

/// The gates of a recurrent layer, side by side in its weights, take each other's place.
fn gates(network: &mut Network, at: LayerId) -> bool {
    match &mut network.layers[at].kind {
        LayerKind::Rnn(of) => {
            let Some(cell) = of.cells.first_mut() else { return false };
            turned(&cell.recurrent, 0).is_some_and(|turned| {
                cell.recurrent = turned;
                true
            })
        }
        LayerKind::Loop(of) => {
            let inside = of.body.layers.clone();
            let products = inside
                .into_iter()
                .filter(|&id| matches!(network.layer(id).kind, LayerKind::MatrixMultiply(_)));
            let weights: Vec<ValueId> =
                products.flat_map(|id| network.layer(id).inputs.clone()).collect();
            weights.into_iter().any(|value| {
                on_constant(network, value, &|tensor| {
                    let last = tensor.dims().len().checked_sub(1)?;
                    turned(tensor, last)
                })
            })
        }
        _ => false,
    }
}

/// A quarter, or a third, of an axis moved to its end.
fn turned(tensor: &Tensor, axis: usize) -> Option<Tensor> {
    let size = *tensor.dims().get(axis)?;
    let parts = [4, 3].into_iter().find(|parts| size % parts == 0 && size > *parts)?;
    let inner: usize = tensor.dims().get(axis + 1..)?.iter().product();
    let block = size * inner;
    let values = tensor.to_f32s()?.into_owned();
    let moved = values.chunks(block).flat_map(|chunk| {
        let mut chunk = chunk.to_vec();
        chunk.rotate_left(block / parts);
        chunk
    });
    let moved: Vec<f32> = moved.collect();
    edited(tensor, |at, _| moved[at])
}

fn bias(network: &mut Network, at: LayerId) -> bool {
    let zero = |tensor: &Tensor| edited(tensor, |_, _| 0.0);
    match &mut network.layers[at].kind {
        LayerKind::Convolution(of) => match &mut of.bias {
            Some(Arg::Static(bias)) => zero(bias).is_some_and(|none| {
                *bias = none;
                true
            }),
            _ => false,
        },
        LayerKind::ElementWise(of) if of.operation == Ew::Sum => {
            let inputs = network.layer(at).inputs.clone();
            let vector =
                |tensor: &Tensor| tensor.dims().iter().filter(|&&size| size > 1).count() == 1;
            let none = |tensor: &Tensor| zero(tensor).filter(|_| vector(tensor));
            inputs.iter().any(|&input| on_constant(network, input, &none))
        }
        _ => false,
    }
}

fn padding(network: &mut Network, at: LayerId) -> bool {
    let (before, after) = match &mut network.layers[at].kind {
        LayerKind::Convolution(of) if of.padding_mode == PaddingMode::ExplicitRoundDown => {
            (&mut of.pre_padding, &mut of.post_padding)
        }
        LayerKind::Pooling(of) if of.padding_mode == PaddingMode::ExplicitRoundDown => {
            (&mut of.pre_padding, &mut of.post_padding)
        }
        _ => return false,
    };
    if before != after {
        std::mem::swap(before, after);
        return true;
    }
    let Some(axis) = before.iter().position(|&by| by > 0) else { return false };
    before[axis] -= 1;
    after[axis] += 1;
    true
}

/// A kernel twice as wide, with the padding that keeps the shape.
fn dilation(network: &mut Network, at: LayerId) -> bool {
    let LayerKind::Convolution(of) = &mut network.layers[at].kind else { return false };
    if of.padding_mode != PaddingMode::ExplicitRoundDown {
        return false;
    }
    let Some(axis) = of.kernel.iter().position(|&taps| taps > 1 && taps % 2 == 1) else {
        return false;
    };
    let more = of.dilation[axis] * (of.kernel[axis] - 1) / 2;
    of.dilation[axis] *= 2;
    of.pre_padding[axis] += more;
    of.post_padding[axis] += more;
    true
}

fn size(network: &Network, at: LayerId, axis: usize) -> Option<i64> {
    let data = *network.layer(at).inputs.first()?;
    network.value(data).ty.shape.get(axis).and_then(Dim::known)
}

fn axis(network: &mut Network, at: LayerId) -> bool {
    let data = network.layer(at).inputs.first().copied();
    let Some(rank) = data.map(|data| network.value(data).ty.shape.len()) else { return false };
    let sizes: Vec<Option<i64>> = (0..rank).map(|axis| size(network, at, axis)).collect();
    let alike = |own: usize| (0..rank).find(|&other| other != own && sizes[other] == sizes[own]);
    match &mut network.layers[at].kind {
        LayerKind::SoftMax(of) => {
            let other = (0..rank).rev().find(|&axis| axis != of.axis && sizes[axis] != Some(1));
            other.is_some_and(|other| {
                of.axis = other;
                true
            })
        }
        LayerKind::Cumulative(of) => {
            of.reverse = !of.reverse;
            true
        }
        LayerKind::Reduce(of) if of.axes.len() == 1 => alike(of.axes[0]).is_some_and(|other| {
            of.axes[0] = other;
            true
        }),
        LayerKind::Concatenation(of) => {
            alike(of.axis).is_some() && {
                network.layers[at].inputs.reverse();
                true
            }
        }
        LayerKind::Shuffle(of) => {
            let Some(order) = &mut of.first_transpose else { return false };
            let places = (0..order.len()).flat_map(|a| (0..a).map(move |b| (a, b)));
            let swapped = places.into_iter().find(|&(a, b)| {
                let (a, b) = (sizes[order[a]], sizes[order[b]]);
                a.is_some() && a == b && a != Some(1)
            });
            swapped.is_some_and(|(a, b)| {
                order.swap(a, b);
                true
            })
        }
        _ => false,
    }
}

fn epsilon(network: &mut Network, at: LayerId) -> bool {
    match &mut network.layers[at].kind {
        LayerKind::Normalization(of) => {
            of.epsilon *= 1000.0;
            true
        }
        LayerKind::Constant(of) if of.weights.len() == 1 => {
            let small = of.weights.to_f32s().is_some_and(|v| v[0] > 0.0 && v[0] < 1.1e-5);
            let larger = edited(&of.weights, |_, value| value * 1000.0).filter(|_| small);
            larger.is_some_and(|larger| {
                of.weights = larger;
                true
            })
        }
        _ => false,
    }
}

fn rounding(network: &mut Network, at: LayerId) -> bool {
    match &mut network.layers[at].kind {
        LayerKind::Resize(of) => {
            let (old, up) = (of.nearest_rounding, ResizeRoundMode::Ceil);
            of.nearest_rounding = if old == up { ResizeRoundMode::Floor } else { up };
            true
        }
        LayerKind::Unary(of) => {
            let other = match of.operation {
                UnaryOperation::Round | UnaryOperation::Ceil => UnaryOperation::Floor,
                UnaryOperation::Floor => UnaryOperation::Ceil,
                _ => return false,
            };
            of.operation = other;
            true
        }
        _ => false,
    }
}

fn operands(network: &mut Network, at: LayerId) -> bool {
    let LayerKind::ElementWise(of) = &network.layer(at).kind else { return false };
    if !matches!(of.operation, Ew::Sub | Ew::Div | Ew::Pow | Ew::Less | Ew::Greater) {
        return false;
    }
    network.layers[at].inputs.reverse();
    true
}

fn operation(network: &mut Network, at: LayerId) -> bool {
    match &mut network.layers[at].kind {
        LayerKind::ElementWise(of) => {
            let other = match of.operation {
                Ew::Sum => Ew::Sub,
                Ew::Max => Ew::Min,
                Ew::Min => Ew::Max,
                _ => return false,
            };
            of.operation = other;
        }
        LayerKind::Reduce(of) => {
            let other = match of.operation {
                ReduceOperation::Avg => ReduceOperation::Max,
                ReduceOperation::Max => ReduceOperation::Avg,
                _ => return false,
            };
            of.operation = other;
        }
        LayerKind::Pooling(of) => {
            let max = of.kind == PoolingType::Max;
            of.kind = if max { PoolingType::Average } else { PoolingType::Max };
        }
        _ => return false,
    }
    true
}

/// A vector of constants in the order of another axis: by one place.
fn broadcast(network: &mut Network, at: LayerId) -> bool {
    if !matches!(network.layer(at).kind, LayerKind::ElementWise(_)) {
        return false;
    }
    let by_one = |tensor: &Tensor| {
        let mut values = tensor.to_f32s()?.into_owned();
        let by = usize::from(values.len() > 1);
        values.rotate_left(by);
        edited(tensor, |at, _| values[at]).filter(|turned| turned != tensor)
    };
    let inputs = network.layer(at).inputs.clone();
    inputs.iter().any(|&input| on_constant(network, input, &by_one))
}

fn mask(network: &mut Network, at: LayerId) -> bool {
    let LayerKind::Constant(of) = &mut network.layers[at].kind else { return false };
    let masks = of.weights.to_f32s().is_some_and(|v| v.iter().any(|&value| value <= -1e4));
    let open = edited(&of.weights, |_, value| if value <= -1e4 { 0.0 } else { value });
    open.filter(|_| masks).is_some_and(|open| {
        of.weights = open;
        true
    })
}

fn slice(network: &mut Network, at: LayerId) -> bool {
    let sizes: Vec<Option<i64>> = (0..8).map(|axis| size(network, at, axis)).collect();
    let LayerKind::Slice(of) = &mut network.layers[at].kind else { return false };
    let (Arg::Static(start), Arg::Static(size), Arg::Static(stride)) =
        (&mut of.start, &of.size, &of.stride)
    else {
        return false;
    };
    let room = |axis: usize, from: i64| {
        let last = from + (size[axis] - 1) * stride[axis];
        sizes.get(axis).copied().flatten().is_some_and(|all| {
            (0..all).contains(&from) && (0..all).contains(&last) && size[axis] < all
        })
    };
    let moved =
        (0..start.len()).flat_map(|axis| [(axis, start[axis] + 1), (axis, start[axis] - 1)]);
    let Some((axis, from)) = moved.into_iter().find(|&(axis, from)| room(axis, from)) else {
        return false;
    };
    start[axis] = from;
    true
}

fn scale(network: &mut Network, at: LayerId) -> bool {
    if !matches!(network.layer(at).kind, LayerKind::Quantize(_) | LayerKind::Dequantize(_)) {
        return false;
    }
    let Some(scale) = network.layer(at).inputs.get(1).copied() else { return false };
    on_constant(network, scale, &|tensor| edited(tensor, |_, value| value * 2.0))
}

/// What a layer of `f32` takes first, in `f16` and back.
fn cast(network: &mut Network, at: LayerId) -> bool {
    let computes = matches!(
        network.layer(at).kind,
        LayerKind::Convolution(_) | LayerKind::MatrixMultiply(_) | LayerKind::SoftMax(_)
    );
    let Some(data) = network.layer(at).inputs.first().copied() else { return false };
    let ty = network.value(data).ty.clone();
    if !computes || ty.dtype != DType::F32 {
        return false;
    }
    let layer = network.layer(at).clone();
    let mut editor = Editor::new(network);
    let to = |editor: &mut Editor<'_>, dtype: DType, value: ValueId| {
        let mut ty = ty.clone();
        ty.dtype = dtype;
        editor.add_before(at, Cast { to: dtype }.into(), &[value], &layer.sites, [ty])[0]
    };
    let narrow = to(&mut editor, DType::F16, data);
    let wide = to(&mut editor, DType::F32, narrow);
    let mut inputs = layer.inputs.clone();
    inputs[0] = wide;
    editor.change(at, layer.kind.clone(), &inputs);
    editor.finish();
    true
}

fn activation(network: &mut Network, at: LayerId) -> bool {
    let LayerKind::Activation(of) = &mut network.layers[at].kind else { return false };
    *of = Activation { kind: ActivationType::LeakyRelu, alpha: 1.0, beta: 0.0 };
    true
}

/// The type that most of a network's numbers have, of those that lose the most.
pub(super) fn precision(network: &Network) -> &'static str {
    let layers = network.live_layers();
    let kinds = || layers.iter().map(|&id| &network.layer(id).kind);
    if kinds().any(|kind| matches!(kind, LayerKind::Quantize(_))) {
        return "int8";
    }
    let of = |dtype: DType| {
        let outputs = layers.iter().flat_map(|&id| network.layer(id).outputs.iter());
        outputs.filter(|&&value| network.value(value).ty.dtype == dtype).count()
    };
    match (of(DType::F16), of(DType::BF16)) {
        (0, 0) => "f32",
        (halves, brains) if halves >= brains => "f16",
        _ => "bf16",
    }
}
