#!/usr/bin/env python3
"""Writes the models of this folder: small networks with sizes that only the run knows, as PyTorch exports them.

    generate.py [FOLDER]        (no FOLDER: this one)

Each network is written twice, by the exporter that traces (`-traced`) and by the one that captures the program
(`-captured`); the detector's head, whose suppression PyTorch itself lacks, is written by hand. Needs torch, onnx and
onnxscript; the files were written with torch 2.15.0.
"""

import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import helper, numpy_helper
from torch import nn
from torch.export import Dim


class Cnn(nn.Module):
    """Images to classes, any batch."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1), nn.BatchNorm2d(16), nn.SiLU(), nn.AdaptiveAvgPool2d(2),
        )
        self.classes = nn.Linear(64, 10)

    def forward(self, image):
        x = self.features(image)
        return self.classes(x.view(x.size(0), -1)).softmax(-1)


class Attention(nn.Module):
    """Several heads, written out, so that each exporter shows how it splits and merges them."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.out = (nn.Linear(width, width) for _ in range(4))

    def split(self, x):
        batch, length, width = x.shape
        return x.view(batch, length, self.heads, width // self.heads).transpose(1, 2)

    def forward(self, x, mask, past=None):
        q, k, v = self.split(self.q(x)), self.split(self.k(x)), self.split(self.v(x))
        if past is not None:
            k, v = torch.cat([past[0], k], 2), torch.cat([past[1], v], 2)
        scores = q @ k.transpose(2, 3) / (q.size(-1) ** 0.5) + mask
        mixed = (scores.softmax(-1) @ v).transpose(1, 2)
        return self.out(mixed.reshape(mixed.size(0), mixed.size(1), -1)), k, v


class Encoder(nn.Module):
    """Tokens with a mask to vectors, any batch and length."""

    def __init__(self, words=50, width=32, heads=4, longest=64):
        super().__init__()
        self.words, self.places = nn.Embedding(words, width), nn.Embedding(longest, width)
        self.attention, self.norms = Attention(width, heads), nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.wide, self.narrow = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, ids, mask):
        places = torch.arange(ids.size(1), device=ids.device).unsqueeze(0)
        x = self.norms[0](self.words(ids) + self.places(places))
        far = (1.0 - mask[:, None, None, :].to(x.dtype)) * -1e4
        x = self.norms[1](x + self.attention(x, far)[0])
        return self.norms[2](x + self.narrow(F.gelu(self.wide(x))))


class Decoder(nn.Module):
    """The next tokens behind those in the cache, which grows."""

    def __init__(self, words=50, width=32, heads=4):
        super().__init__()
        self.words, self.norm = nn.Embedding(words, width), nn.LayerNorm(width)
        self.attention, self.head = Attention(width, heads), nn.Linear(width, words)

    def forward(self, ids, past_key, past_value):
        x = self.words(ids)
        past, new = past_key.size(2), ids.size(1)
        rows, columns = torch.arange(new).unsqueeze(1) + past, torch.arange(past + new).unsqueeze(0)
        mask = torch.where(columns <= rows, 0.0, -1e4)
        y, key, value = self.attention(self.norm(x), mask, (past_key, past_value))
        return self.head(x + y), key, value


class UNet(nn.Module):
    """Images of any size to masks of that size; what is made larger takes its size from what it joins."""

    def __init__(self):
        super().__init__()
        self.down, self.middle = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 16, 3, padding=1)
        self.deep, self.up, self.out = nn.Conv2d(16, 16, 3, padding=1), nn.Conv2d(24, 8, 3, padding=1), nn.Conv2d(11, 1, 1)

    def forward(self, image):
        a = F.relu(self.down(image))
        b = F.relu(self.middle(F.max_pool2d(a, 2)))
        c = F.relu(self.deep(F.max_pool2d(b, 2)))
        c = F.interpolate(c, size=b.shape[-2:], mode="nearest")
        c = F.interpolate(c, size=a.shape[-2:], mode="bilinear", align_corners=False)
        x = F.relu(self.up(torch.cat([c, a], 1)))
        return self.out(torch.cat([x, image], 1)).sigmoid()


class Crnn(nn.Module):
    """Lines of text of any width to letters."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d((2, 1)),
        )
        self.reader, self.letters = nn.LSTM(32, 12, bidirectional=True, batch_first=True), nn.Linear(24, 11)

    def forward(self, line):
        x = self.features(line)
        x = x.permute(0, 3, 1, 2).flatten(2)
        return self.letters(self.reader(x)[0]).log_softmax(-1)


BATCH, LENGTH, PAST, HEIGHT, WIDTH = (Dim(name) for name in ("batch", "length", "past", "height", "width"))


def cases():
    torch.manual_seed(0)
    ids = torch.randint(50, (2, 5))
    cache = torch.randn(2, 4, 3, 8)
    yield "cnn", Cnn(), {"image": (torch.randn(2, 3, 12, 12), {0: BATCH})}, ["classes"]
    places = {0: BATCH, 1: LENGTH}
    yield "encoder", Encoder(), {"ids": (ids, places), "mask": (torch.ones(2, 5, dtype=torch.int64), places)}, ["states"]
    grows = {0: BATCH, 2: PAST}
    inputs = {"ids": (ids, places), "past_key": (cache, grows), "past_value": (cache * 0.5, grows)}
    yield "decoder", Decoder(), inputs, ["logits", "key", "value"]
    image = {"image": (torch.randn(1, 3, 20, 28), {0: BATCH, 2: HEIGHT, 3: WIDTH})}
    yield "unet", UNet(), image, ["mask"]
    yield "crnn", Crnn(), {"line": (torch.randn(2, 1, 16, 24), {0: BATCH, 3: WIDTH})}, ["letters"]


def export(network, inputs, outputs, path, captured):
    tensors = tuple(tensor for tensor, _ in inputs.values())
    names = {"input_names": list(inputs), "output_names": outputs}
    if captured:
        shapes = tuple(dict(axes) for _, axes in inputs.values())
        torch.onnx.export(network, tensors, path, dynamo=True, dynamic_shapes=shapes, external_data=False, verbose=False, **names)
    else:
        axes = {name: {axis: dim.__name__ for axis, dim in axes.items()} for name, (_, axes) in inputs.items()}
        torch.onnx.export(network, tensors, path, dynamo=False, dynamic_axes=axes, opset_version=17, **names)
    model = onnx.load(path)
    # What tells of the machine and of the code, not of the network.
    model.producer_version, model.doc_string = "", ""
    del model.metadata_props[:]
    for graph in [model.graph, *model.functions]:
        graph.doc_string = ""
        del graph.metadata_props[:]
        for node in graph.node:
            node.doc_string = ""
            del node.metadata_props[:]
        for value in [*graph.value_info]:
            del value.metadata_props[:]
    for value in [*model.graph.input, *model.graph.output, *model.graph.initializer]:
        del value.metadata_props[:]
    path.write_bytes(model.SerializeToString(deterministic=True))


def detector(path):
    """Images of any size to boxes: the best places by TopK, of which those that overlap better ones are dropped."""
    rng = np.random.default_rng(0)
    nodes, constants = [], []

    def constant(array):
        constants.append(numpy_helper.from_array(np.asarray(array), f"c{len(constants)}"))
        return constants[-1].name

    def op(kind, *inputs, outputs=None, **attributes):
        outputs = outputs or [f"{kind}_{len(nodes)}"]
        nodes.append(helper.make_node(kind, inputs, outputs, name=f"{kind}_{len(nodes)}", **attributes))
        return outputs[0] if len(outputs) == 1 else outputs

    ints = lambda *values: constant(np.array(values, np.int64))
    weights = lambda *shape: constant((rng.standard_normal(shape) * 0.4).astype(np.float32))
    x = op("Relu", op("Conv", "image", weights(8, 3, 4, 4), strides=[4, 4]))
    x = op("Conv", x, weights(7, 8, 1, 1))
    x = op("Reshape", x, ints(1, 7, -1))
    boxes, scores = op("Split", x, ints(4, 3), outputs=["boxes_raw", "scores_raw"], axis=1)
    boxes, scores = op("Transpose", op("Sigmoid", boxes), perm=[0, 2, 1]), op("Sigmoid", scores)
    best = op("ReduceMax", scores, axes=[1], keepdims=0)
    places = op("Gather", op("Shape", best), ints(1), axis=0)
    kept = op("TopK", best, op("Min", places, ints(20)), outputs=["best", "kept"], axis=1)[1]
    kept = op("Squeeze", kept, ints(0))
    boxes, scores = op("Gather", boxes, kept, axis=1), op("Gather", scores, kept, axis=2)
    limits = [ints(4), constant(np.float32([0.5])), constant(np.float32([0.6]))]
    op("NonMaxSuppression", boxes, scores, *limits, outputs=["selected"])
    number = op("Slice", "selected", ints(2), ints(3), ints(1))
    op("Gather", op("Squeeze", boxes, ints(0)), op("Squeeze", number, ints(1)), outputs=["boxes"], axis=0)
    image = helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, [1, 3, "height", "width"])
    outputs = [("selected", onnx.TensorProto.INT64, ["found", 3]), ("boxes", onnx.TensorProto.FLOAT, ["found", 4])]
    outputs = [helper.make_tensor_value_info(*output) for output in outputs]
    graph = helper.make_graph(nodes, "detector", [image], outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="onnx")
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


def main():
    warnings.filterwarnings("ignore")
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for name, network, inputs, outputs in cases():
        for captured in (False, True):
            folder = root / f"{name}-{'captured' if captured else 'traced'}"
            folder.mkdir(parents=True, exist_ok=True)
            export(network.eval(), inputs, outputs, folder / "model.onnx", captured)
    (root / "detector").mkdir(exist_ok=True)
    detector(root / "detector/model.onnx")


if __name__ == "__main__":
    main()
