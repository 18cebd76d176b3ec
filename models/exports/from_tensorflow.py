"""Models of TensorFlow, Keras and TensorFlow Lite by tf2onnx, at opsets 13 and 15."""

import os
import tempfile
from pathlib import Path

os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import numpy as np
import tensorflow as tf
import tf2onnx
from keras import layers

import common

tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
rng = None


def randn(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def made(make):
    """A function's network and its data, the same each time."""
    global rng
    rng = np.random.default_rng(0)
    keras.backend.clear_session()
    tf2onnx.utils.INTERNAL_NAME = 1  # which is part of names
    keras.utils.set_random_seed(0)
    network, sets = make()
    for layer in network.layers if isinstance(network, keras.Model) else []:
        if isinstance(layer, layers.BatchNormalization):
            layer.moving_mean.assign(randn(*layer.moving_mean.shape) * 0.1)
            layer.moving_variance.assign(np.abs(randn(*layer.moving_variance.shape)) * 0.3 + 0.7)
    return network, [data if isinstance(data, tuple) else (data,) for data in sets]


def signature(inputs, data):
    """The inputs' types; sizes that have a name are open."""
    def shape(sizes, array):
        return [None if axis in common.axes(sizes) else size for axis, size in enumerate(array.shape)]

    return [tf.TensorSpec(shape(sizes, array), array.dtype, name) for (name, sizes), array in zip(inputs.items(), data)]


def named(model, inputs, sets):
    """The data sets by what tf2onnx calls the inputs."""
    names = {name: place for place, name in enumerate(inputs)}
    return [{value.name: data[names[value.name.split(":")[0]]] for value in model.graph.input} for data in sets]


def converted(opset=15, **inputs):
    """Adds the model that the function below describes; `_` is a size that is fixed."""
    def add(make):
        def convert():
            network, sets = made(make)
            options = {"training": False} if isinstance(network, keras.Model) else {}
            types = signature(inputs, sets[0])
            call = tf.function(lambda *arrays: network(*arrays, **options), input_signature=types)
            model, _ = tf2onnx.convert.from_function(call, input_signature=types, opset=opset)
            return model, named(model, inputs, sets)

        common.model(f"{make.__name__}_tensorflow_{opset}", convert)
        return make
    return add


def by_lite(opset=15):
    """As `converted`, but quantized and by way of TensorFlow Lite."""
    def add(make):
        def convert():
            network, sets = made(make)
            with tempfile.TemporaryDirectory() as folder:
                network.export(folder, verbose=False)
                lite = tf.lite.TFLiteConverter.from_saved_model(folder)
                lite.optimizations = [tf.lite.Optimize.DEFAULT]
                lite.representative_dataset = lambda: (list(data) for data in sets)
                lite.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
                file = Path(folder) / "model.tflite"
                file.write_bytes(lite.convert())
                model, _ = tf2onnx.convert.from_tflite(str(file), opset=opset)
            return model, [{value.name: array for value, array in zip(model.graph.input, data)} for data in sets]

        common.model(f"{make.__name__}_lite_{opset}", convert)
        return make
    return add


def sequential(*shape_and_layers):
    shape, *stack = shape_and_layers
    return keras.Sequential([keras.Input(shape), *stack])


# Networks of layers


@converted(opset=13, image="batch _ _ _")
def classifier():
    """Images with channels last: convolutions of each kind, pools, normalised."""
    network = sequential(
        (12, 12, 3), layers.Conv2D(6, 3, 2, "same"), layers.BatchNormalization(), layers.ReLU(6),
        layers.DepthwiseConv2D(3, padding="same"), layers.SeparableConv2D(8, 3, activation="swish"),
        layers.MaxPooling2D(3, 2, "same"), layers.GlobalAveragePooling2D(), layers.Dense(5, activation="softmax"),
    )
    return network, [randn(2, 12, 12, 3), randn(1, 12, 12, 3)]


@converted(x="batch time _")
def lstm():
    """Keras's LSTM in both directions, found again in TensorFlow's loops."""
    network = sequential((None, 4), layers.Bidirectional(layers.LSTM(5, return_sequences=True)), layers.Dense(3))
    return network, [randn(2, 6, 4), randn(3, 4, 4)]


@converted(words="batch time")
def lstm_masked():
    """Words, where zero is none: the mask goes into the loop."""
    network = sequential((None,), layers.Embedding(20, 6, mask_zero=True), layers.LSTM(5, use_cudnn=False), layers.Dense(2))
    return network, [np.array([[1, 2, 3, 0], [4, 5, 0, 0]], np.float32), np.array([[1, 2, 3]], np.float32)]


@converted(x="batch length _")
def transformer():
    """Attention by Einsum, normalised layers."""
    x = keras.Input((None, 8))
    y = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 4)(x, x))
    z = layers.Dense(8)(layers.Dense(16, activation="swish")(y))
    return keras.Model(x, layers.LayerNormalization()(y + z)), [randn(2, 5, 8), randn(3, 7, 8)]


# Functions


@converted(x="batch _")
def mapped():
    """A function of each row."""
    return lambda x: tf.map_fn(lambda row: tf.reduce_sum(row) * row, x), [randn(2, 4), randn(3, 4)]


@converted(image="batch height width _")
def resize_twice():
    """Images made twice as large, by their sizes."""
    def compute(image):
        size = tf.shape(image)[1:3] * 2
        return tf.image.resize(image, size, "bilinear"), tf.image.resize(image, size, "nearest")

    return compute, [randn(2, 5, 6, 2), randn(1, 6, 4, 2)]


@converted(x="batch _", places="places")
def gathered():
    """Gather, GatherND, ScatterND and OneHot."""
    def compute(x, places):
        pairs = tf.stack([tf.zeros_like(places), places], 1)
        ones, written = tf.ones_like(places, tf.float32), tf.tensor_scatter_nd_update(x, [[0, 1]], [9.0])
        scattered = tf.scatter_nd(places[:, None], ones, [8])
        return tf.gather(x, places, axis=1), tf.gather_nd(x, pairs), scattered, tf.one_hot(places, 6, 3.0, -1.0), written

    return compute, [(randn(2, 6), np.array([1, 0, 5], np.int32)), (randn(3, 6), np.array([2, 3], np.int32))]


@converted(x="batch _")
def sliced():
    """Slices of every kind: backwards, by steps, with axes that come and go."""
    def compute(x):
        inner, middle = tf.slice(x, [0, 1], [-1, tf.shape(x)[1] - 2]), tf.split(x, 3, 1)[1]
        views = x[:, ::-1], x[..., 1:-1:2], x[:, None, -2], x[1:, :, tf.newaxis]
        return *views, inner, middle, tf.roll(x, 2, 1), tf.tile(x, [1, 2])

    return compute, [randn(2, 6), randn(3, 6)]


@converted(image="batch _ _ _")
def blocks():
    """Space to depth and back, space to batch, patches, mirrored padding."""
    def compute(image):
        mirrored = tf.pad(image, [[0, 0], [1, 1], [2, 2], [0, 0]], "SYMMETRIC")
        batches = tf.space_to_batch(image, [2, 2], [[0, 0], [0, 0]])
        return tf.nn.space_to_depth(image, 2), tf.nn.depth_to_space(image, 2), batches, mirrored

    return compute, [randn(2, 6, 6, 4), randn(1, 6, 6, 4)]


@converted(image="batch _ _ _")
def trained_quantized():
    """A convolution between quantizations that training had pretended."""
    kernel, fake = randn(3, 3, 2, 4), tf.quantization.fake_quant_with_min_max_args
    compute = lambda image: fake(tf.nn.conv2d(fake(image, -3, 3), fake(kernel, -2, 2), 1, "SAME"), -9, 9)
    return compute, [randn(2, 6, 6, 2), randn(1, 6, 6, 2)]


@by_lite()
def classifier_quantized():
    """A classifier in whole numbers, as phones have it."""
    network = sequential(
        (12, 12, 3), layers.Conv2D(6, 3, 2, "same", activation="relu6"), layers.DepthwiseConv2D(3, padding="same"),
        layers.Conv2D(6, 1, activation="relu"), layers.GlobalAveragePooling2D(), layers.Dense(5, activation="softmax"),
    )
    return network, [randn(1, 12, 12, 3), randn(1, 12, 12, 3)]
