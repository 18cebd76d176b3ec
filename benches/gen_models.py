#!/usr/bin/env python3
"""Generates the benchmark models: real architectures with random weights, the same bytes every time.

    gen_models.py [--out DIR] [--check] [NAME ...]      (no NAME: all)

Every tensor is drawn from numpy's PCG64 standard normal times 1/sqrt(fan-in), seeded with the CRC32 of "model/tensor".
The large models stream their weights to MODEL.onnx.data (external data at multiples of 4096 bytes), so that making
them takes little memory. Needs the packages of tests/requirements.txt.
"""

import argparse
import zlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
LOWEST = -3.0e38  # stands for minus infinity in attention masks
ALIGNMENT = 4096  # bytes, of every tensor in a .data file
EXTERNAL_FROM = 1024  # bytes; smaller tensors stay in the model file


class Graph:
    """A model under construction; values are passed around by name."""

    def __init__(self, path, *, external=False, opset=17):
        self.name, self.path, self.opset = path.stem, path, opset
        self.nodes, self.inputs, self.outputs = [], [], []
        self.initializers = {}
        self.data = open(f"{path}.data", "wb") if external else None

    def random(self, tensor):
        """The random generator that belongs to the tensor of this name."""
        return np.random.Generator(np.random.PCG64(zlib.crc32(f"{self.name}/{tensor}".encode())))

    def initializer(self, name, array):
        """Stores an array under this name."""
        if self.data is None or array.nbytes < EXTERNAL_FROM:
            self.initializers[name] = numpy_helper.from_array(array, name)
        else:
            self.initializers[name] = self.external(name, array)
        return name

    def external(self, name, array):
        """Appends an array to the .data file and returns the tensor that points there."""
        self.data.write(bytes(-self.data.tell() % ALIGNMENT))
        entries = {"location": f"{self.path.name}.data", "offset": self.data.tell(), "length": array.nbytes}
        np.ascontiguousarray(array).tofile(self.data)
        tensor = TensorProto(name=name, dims=array.shape, data_location=TensorProto.EXTERNAL)
        tensor.data_type = helper.np_dtype_to_tensor_dtype(array.dtype)
        for key, value in entries.items():
            tensor.external_data.add(key=key, value=str(value))
        return tensor

    def weight(self, name, shape, fan_in=None, mean=0.0):
        """A random float32 tensor, standard deviation 1/sqrt(fan_in); by default fan_in is the first dimension."""
        array = self.random(name).standard_normal(shape, dtype=np.float32)
        array *= np.float32(1.0 / np.sqrt(fan_in or shape[0]))
        return self.initializer(name, array + np.float32(mean) if mean else array)

    def constant(self, value, dtype=np.int64):
        """A small constant, stored once however often it is asked for."""
        array = np.asarray(value, dtype=dtype)
        shape, values = "x".join(map(str, array.shape)), "_".join(map(str, array.reshape(-1)))
        name = f"k_{array.dtype}_{shape}_{values}".replace("-", "m").replace(".", "p")
        return name if name in self.initializers else self.initializer(name, array)

    def scalar(self, value):
        """A float32 constant of rank 0."""
        return self.constant(value, np.float32)

    def op(self, kind, *inputs, outputs=1, **attributes):
        """Adds a node; returns the name of its output, or a list of names if it has several."""
        name = f"{kind}_{len(self.nodes) + 1}"
        names = [f"{name}_out{index if outputs > 1 else ''}" for index in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, name=name, **attributes))
        return names[0] if outputs == 1 else names

    def input(self, name, dtype, shape):
        self.inputs.append(helper.make_tensor_value_info(name, dtype, shape))
        return name

    def output(self, value, name, dtype, shape):
        """Makes `value` a graph output called `name`."""
        self.nodes.append(helper.make_node("Identity", [value], [name], name=f"out_{name}"))
        self.outputs.append(helper.make_tensor_value_info(name, dtype, shape))

    def save(self):
        graph = helper.make_graph(self.nodes, self.name, self.inputs, self.outputs, list(self.initializers.values()))
        opsets = [helper.make_opsetid("", self.opset)]
        model = helper.make_model(
            graph, opset_imports=opsets, ir_version=8, producer_name="gen_models", producer_version="1"
        )
        if self.data:
            self.data.close()
        self.path.write_bytes(model.SerializeToString())


# Transformers


def gelu_tanh(g, x):
    cube = g.op("Pow", x, g.scalar(3.0))
    t = g.op("Add", x, g.op("Mul", cube, g.scalar(0.044715)))
    t = g.op("Tanh", g.op("Mul", t, g.scalar(0.7978845608)))
    t = g.op("Add", t, g.scalar(1.0))
    return g.op("Mul", g.op("Mul", x, t), g.scalar(0.5))


def gelu_erf(g, x):
    t = g.op("Erf", g.op("Div", x, g.scalar(1.4142135381698608)))
    t = g.op("Add", t, g.scalar(1.0))
    return g.op("Mul", g.op("Mul", x, t), g.scalar(0.5))


def layer_norm(g, x, prefix, size):
    scale, bias = g.weight(f"{prefix}.weight", (size,), 100, mean=1.0), g.weight(f"{prefix}.bias", (size,), 100)
    return g.op("LayerNormalization", x, scale, bias, axis=-1, epsilon=1e-5)


def linear(g, x, prefix, inner, outer):
    product = g.op("MatMul", x, g.weight(f"{prefix}.weight", (inner, outer), inner))
    return g.op("Add", product, g.weight(f"{prefix}.bias", (outer,), 100))


def head_shapes(g, x, sequence, heads, size):
    """The shapes that split the last dimension into heads and join it again.

    Constant for batch 1 and a known sequence length, else computed from `x`, as exporters write it.
    """
    if sequence:
        return g.constant([1, sequence, heads, size]), g.constant([1, sequence, heads * size])
    shape = g.op("Shape", x)
    batch = g.op("Unsqueeze", g.op("Gather", shape, g.constant(0), axis=0), g.constant([0]))
    length = g.op("Unsqueeze", g.op("Gather", shape, g.constant(1), axis=0), g.constant([0]))
    split = g.op("Concat", batch, length, g.constant([heads]), g.constant([size]), axis=0)
    return split, g.op("Concat", batch, length, g.constant([heads * size]), axis=0)


def attention(g, x, prefix, width, heads, mask, *, sequence=None, fused=False):
    """Multi-head self-attention; `fused` makes query, key and value with one MatMul."""
    size = width // heads
    split, join = head_shapes(g, x, sequence, heads, size)
    if fused:
        query, key, value = g.op("Split", linear(g, x, f"{prefix}.c_attn", width, 3 * width), outputs=3, axis=2)
    else:
        query, key, value = (linear(g, x, f"{prefix}.{part}", width, width) for part in ("query", "key", "value"))
    query = g.op("Transpose", g.op("Reshape", query, split), perm=[0, 2, 1, 3])
    key = g.op("Transpose", g.op("Reshape", key, split), perm=[0, 2, 3, 1])
    value = g.op("Transpose", g.op("Reshape", value, split), perm=[0, 2, 1, 3])
    scores = mask(g.op("Div", g.op("MatMul", query, key), g.scalar(float(np.sqrt(size)))))
    mixed = g.op("MatMul", g.op("Softmax", scores, axis=-1), value)
    mixed = g.op("Reshape", g.op("Transpose", mixed, perm=[0, 2, 1, 3]), join)
    return linear(g, mixed, f"{prefix}.c_proj", width, width)


def gpt(path, layers, width, heads, sequence=128, vocabulary=8192):
    """A GPT-2-like decoder of static shape, weights in external data."""
    g = Graph(path, external=True)
    ids = g.input("input_ids", INT64, [1, sequence])
    tokens = g.weight("wte", (vocabulary, width), width)
    x = g.op("Add", g.op("Gather", tokens, ids, axis=0), g.weight("wpe", (1, sequence, width), width))
    causal = g.initializer("causal_mask", np.tril(np.ones((1, 1, sequence, sequence), dtype=bool)))

    def mask(scores):
        return g.op("Where", causal, scores, g.scalar(LOWEST))

    for layer in range(layers):
        prefix = f"h.{layer}"
        y = layer_norm(g, x, f"{prefix}.ln_1", width)
        y = attention(g, y, f"{prefix}.attn", width, heads, mask, sequence=sequence, fused=True)
        x = g.op("Add", x, y)
        y = linear(g, layer_norm(g, x, f"{prefix}.ln_2", width), f"{prefix}.mlp.c_fc", width, 4 * width)
        x = g.op("Add", x, linear(g, gelu_tanh(g, y), f"{prefix}.mlp.c_proj", 4 * width, width))
    x = layer_norm(g, x, "ln_f", width)
    logits = g.op("MatMul", x, g.op("Transpose", tokens, perm=[1, 0]))
    g.output(logits, "logits", FLOAT, [1, sequence, vocabulary])
    g.save()


def bert(path, layers, width, heads, longest=512, vocabulary=30522):
    """A BERT-like encoder with dynamic batch and sequence length, as exporters write it."""
    g = Graph(path, opset=18)
    ids = g.input("input_ids", INT64, ["batch", "seq"])
    kept = g.input("attention_mask", INT64, ["batch", "seq"])
    length = g.op("Gather", g.op("Shape", ids), g.constant(1), axis=0)
    table = g.weight("pos", (1, longest, width), width)
    end = g.op("Unsqueeze", length, g.constant([0]))
    positions = g.op("Slice", table, g.constant([0]), end, g.constant([1]))
    words = g.op("Gather", g.weight("emb", (vocabulary, width), width), ids, axis=0)
    x = layer_norm(g, g.op("Add", words, positions), "ln_e", width)
    kept = g.op("Cast", g.op("Unsqueeze", kept, g.constant([1, 2])), to=FLOAT)
    penalty = g.op("Mul", g.op("Sub", g.scalar(1.0), kept), g.scalar(LOWEST))

    def mask(scores):
        return g.op("Add", scores, penalty)

    for layer in range(layers):
        prefix = f"layer.{layer}"
        y = attention(g, x, f"{prefix}.attn", width, heads, mask)
        x = layer_norm(g, g.op("Add", x, y), f"{prefix}.ln1", width)
        y = gelu_erf(g, linear(g, x, f"{prefix}.fc", width, 4 * width))
        y = linear(g, y, f"{prefix}.out", 4 * width, width)
        x = layer_norm(g, g.op("Add", x, y), f"{prefix}.ln2", width)
    g.output(x, "last_hidden_state", FLOAT, ["batch", "seq", width])
    g.save()


# Convolutional networks


def conv(g, x, prefix, inner, outer, kernel, stride=1, bias=False):
    inputs = [x, g.weight(f"{prefix}.weight", (outer, inner, kernel, kernel), inner * kernel * kernel)]
    if bias:
        inputs.append(g.weight(f"{prefix}.bias", (outer,), 100))
    return g.op("Conv", *inputs, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[kernel // 2] * 4)


def batch_norm(g, x, prefix, channels):
    variance = np.abs(g.random(f"{prefix}.var").standard_normal(channels, dtype=np.float32)) + np.float32(0.5)
    variance = g.initializer(f"{prefix}.var", variance)
    scale, bias = g.weight(f"{prefix}.weight", (channels,), 100, mean=1.0), g.weight(f"{prefix}.bias", (channels,), 100)
    mean = g.weight(f"{prefix}.mean", (channels,), 100)
    return g.op("BatchNormalization", x, scale, bias, mean, variance, epsilon=1e-5)


def bottleneck(g, x, prefix, inner, middle, outer, stride, project):
    """A residual block of three convolutions; `project` puts a convolution on the shortcut."""
    y = g.op("Relu", batch_norm(g, conv(g, x, f"{prefix}.conv1", inner, middle, 1), f"{prefix}.bn1", middle))
    y = g.op("Relu", batch_norm(g, conv(g, y, f"{prefix}.conv2", middle, middle, 3, stride), f"{prefix}.bn2", middle))
    y = batch_norm(g, conv(g, y, f"{prefix}.conv3", middle, outer, 1), f"{prefix}.bn3", outer)
    if project:
        x = batch_norm(g, conv(g, x, f"{prefix}.down", inner, outer, 1, stride), f"{prefix}.downbn", outer)
    return g.op("Relu", g.op("Add", y, x))


def wide_resnet50(path):
    """Wide ResNet-50-2, BatchNormalization not folded."""
    g = Graph(path)
    x = g.input("input", FLOAT, [1, 3, 224, 224])
    x = g.op("Relu", batch_norm(g, conv(g, x, "conv1", 3, 64, 7, 2), "bn1", 64))
    x = g.op("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    channels = 64
    for stage, blocks in enumerate((3, 4, 6, 3)):
        middle, outer = 128 << stage, 256 << stage
        for block in range(blocks):
            stride = 2 if block == 0 and stage > 0 else 1
            x = bottleneck(g, x, f"layer{stage + 1}.{block}", channels, middle, outer, stride, project=block == 0)
            channels = outer
    x = g.op("Flatten", g.op("GlobalAveragePool", x), axis=1)
    weight, bias = g.weight("fc.weight", (1000, channels), channels), g.weight("fc.bias", (1000,), 100)
    g.output(g.op("Gemm", x, weight, bias, transB=1), "logits", FLOAT, [1, 1000])
    g.save()


def upsample(g, x, linear_mode):
    """Doubles both image sides."""
    mode, coordinates = ("linear", "half_pixel") if linear_mode else ("nearest", "asymmetric")
    scales = g.constant([1, 1, 2, 2], np.float32)
    return g.op(
        "Resize", x, "", scales, mode=mode, coordinate_transformation_mode=coordinates, nearest_mode="floor"
    )


def unet(path, base=64, side=256):
    """U-Net with four levels; Resize is linear and nearest in turn."""
    g = Graph(path, opset=18)

    def double_conv(x, prefix, inner, outer):
        for index, channels in enumerate((inner, outer)):
            x = conv(g, x, f"{prefix}.{index}", channels, outer, 3)
            x = g.op("Relu", batch_norm(g, x, f"{prefix}.bn{index}", outer))
        return x

    x, channels, skips = g.input("image", FLOAT, [1, 3, side, side]), 3, []
    for level in range(4):
        x = double_conv(x, f"down{level}", channels, base << level)
        skips.append(x)
        x = g.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
        channels = base << level
    x = double_conv(x, "mid", channels, base << 4)
    channels = base << 4
    for level in reversed(range(4)):
        outer = base << level
        x = conv(g, upsample(g, x, level % 2 == 1), f"up{level}.c", channels, outer, 3, bias=True)
        x = double_conv(g.op("Concat", skips[level], x, axis=1), f"up{level}", 2 * outer, outer)
        channels = outer
    g.output(g.op("Sigmoid", conv(g, x, "head", channels, 1, 1, bias=True)), "mask", FLOAT, [1, 1, side, side])
    g.save()


# Recurrent networks


def recurrent(g, x, prefix, kind, width, hidden, sequence, batch, **attributes):
    """A bidirectional LSTM or GRU layer; returns `[sequence, batch, 2 * hidden]`."""
    gates = {"LSTM": 4, "GRU": 3}[kind]
    weights = g.weight(f"{prefix}.W", (2, gates * hidden, width), hidden)
    recurrence = g.weight(f"{prefix}.R", (2, gates * hidden, hidden), hidden)
    bias = g.weight(f"{prefix}.B", (2, 2 * gates * hidden), hidden)
    attributes |= {"hidden_size": hidden, "direction": "bidirectional"}
    outputs = 3 if kind == "LSTM" else 2
    y = g.op(kind, x, weights, recurrence, bias, outputs=outputs, **attributes)[0]
    y = g.op("Transpose", y, perm=[0, 2, 1, 3])
    return g.op("Reshape", y, g.constant([sequence, batch, 2 * hidden]))


def lstm_lm(path, hidden=512, sequence=128, batch=4, vocabulary=10000):
    """A language model of two bidirectional LSTM layers."""
    g = Graph(path)
    ids = g.input("tokens", INT64, [sequence, batch])
    x = g.op("Gather", g.weight("emb", (vocabulary, hidden), hidden), ids, axis=0)
    x = recurrent(g, x, "lstm0", "LSTM", hidden, hidden, sequence, batch)
    x = recurrent(g, x, "lstm1", "LSTM", 2 * hidden, hidden, sequence, batch)
    x = linear(g, x, "decoder", 2 * hidden, vocabulary)
    g.output(g.op("LogSoftmax", x, axis=-1), "logp", FLOAT, [sequence, batch, vocabulary])
    g.save()


def gru_tagger(path, embedding=256, hidden=256, sequence=64, batch=8, vocabulary=20000, tags=50):
    """A tagger of two bidirectional GRU layers, with integer output."""
    g = Graph(path)
    ids = g.input("tokens", INT64, [sequence, batch])
    x = g.op("Gather", g.weight("emb", (vocabulary, embedding), embedding), ids, axis=0)
    x = recurrent(g, x, "gru0", "GRU", embedding, hidden, sequence, batch, linear_before_reset=1)
    x = recurrent(g, x, "gru1", "GRU", 2 * hidden, hidden, sequence, batch, linear_before_reset=1)
    x = linear(g, x, "tag", 2 * hidden, tags)
    g.output(g.op("ArgMax", x, axis=-1, keepdims=0), "tags", INT64, [sequence, batch])
    g.save()


def crnn(path, hidden=256, height=32, width=128, batch=1, base=64, symbols=37):
    """A reader of text lines: convolutions down to a height of 1, then two bidirectional LSTM layers over the columns."""
    g = Graph(path)
    x = g.input("image", FLOAT, [batch, 1, height, width])
    channels = 1
    # Factor of the channels, whether they are normalized, and the pool behind.
    for index, (factor, norm, pool) in enumerate(
        [(1, False, [2, 2]), (2, False, [2, 2]), (4, True, None), (4, False, [2, 1]), (8, True, None), (8, True, [2, 1])]
    ):
        outer = factor * base
        x = conv(g, x, f"conv{index}", channels, outer, 3, bias=not norm)
        x = g.op("Relu", batch_norm(g, x, f"bn{index}", outer) if norm else x)
        if pool:
            x = g.op("MaxPool", x, kernel_shape=pool, strides=pool)
        channels = outer
    x = g.op("MaxPool", x, kernel_shape=[height // 16, 1], strides=[height // 16, 1])
    x = g.op("Transpose", g.op("Squeeze", x, g.constant([2])), perm=[2, 0, 1])
    sequence = width // 4
    x = recurrent(g, x, "lstm0", "LSTM", channels, hidden, sequence, batch)
    x = linear(g, x, "between", 2 * hidden, hidden)
    x = recurrent(g, x, "lstm1", "LSTM", hidden, hidden, sequence, batch)
    x = linear(g, x, "symbols", 2 * hidden, symbols)
    g.output(g.op("LogSoftmax", x, axis=-1), "logp", FLOAT, [sequence, batch, symbols])
    g.save()


# Overhead per node


def chain(path, length, constant_shape=()):
    """A chain of elementwise nodes over float32 `[64, 64]`; every second one has a constant of one element."""
    g = Graph(path)
    unary, binary = ("Relu", "Tanh", "Sigmoid", "Abs", "Neg"), ("Add", "Mul", "Sub")
    constants = g.random("c").uniform(0.5, 1.5, length).astype(np.float32)
    x = g.input("x", FLOAT, [64, 64])
    for index in range(length - 1):
        if index % 2:
            x = g.op(unary[index // 2 % 5], x)
        else:
            constant = g.initializer(f"c{index}", constants[index].reshape(constant_shape))
            x = g.op(binary[index // 2 % 3], x, constant)
    g.output(x, "y", FLOAT, [64, 64])
    g.save()


MODELS = {
    "gpt_24x1024": lambda path: gpt(path, 24, 1024, 16),  # 1.2 GB
    "gpt_32x1280": lambda path: gpt(path, 32, 1280, 20),  # 2.6 GB
    "bert_base_dyn": lambda path: bert(path, 12, 768, 12),  # 0.44 GB
    "wide_resnet50": wide_resnet50,  # 0.28 GB
    "unet": unet,
    "lstm_lm": lstm_lm,
    "gru_tagger": gru_tagger,
    "crnn": crnn,
    "crnn_small": lambda path: crnn(path, 8, 16, 32, 2, 2, 11),  # models/crnn
    "chain_1k": lambda path: chain(path, 1000),
    "chain_10k": lambda path: chain(path, 10000),
    "chain_10k_r2": lambda path: chain(path, 10000, (1, 1)),  # its constants need no reshape to broadcast
    "chain_50k": lambda path: chain(path, 50000),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(MODELS)}")
    parser.add_argument("--out", type=Path, default=Path("target/bench-models"), help="folder (default: %(default)s)")
    parser.add_argument("--check", action="store_true", help="run onnx.checker on every model made")
    args = parser.parse_args()
    if unknown := set(args.names) - set(MODELS):
        parser.error(f"no model is called {', '.join(sorted(unknown))}; there are {', '.join(MODELS)}")
    args.out.mkdir(parents=True, exist_ok=True)
    for name in args.names or MODELS:
        path = args.out / f"{name}.onnx"
        MODELS[name](path)
        if args.check:
            onnx.checker.check_model(str(path))
        print(path, flush=True)


if __name__ == "__main__":
    main()
