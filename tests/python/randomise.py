"""Gives a light model random weights, and computes with ONNX's reference evaluator what it then gives.

    randomise.py light_resnet50.onnx FOLDER

writes FOLDER/model.onnx, FOLDER/input.pb and FOLDER/output.pb, the same ones every time.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun


class BatchNormalization(OpRun):
    """As for inference; the evaluator's own of opset 9 computes means of the data, as for training."""

    def _run(self, x, scale, bias, mean, variance, epsilon=1e-5, **_):
        channels = [1, -1] + [1] * (x.ndim - 2)
        factor = scale / np.sqrt(variance + np.float32(epsilon))
        return ((x - mean.reshape(channels)) * factor.reshape(channels) + bias.reshape(channels),)


def randomise(model, random):
    """Puts initializers in the place of the ConstantOfShape nodes that stand for weights."""
    shapes = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    nodes = []
    for node in model.graph.node:
        if node.op_type != "ConstantOfShape":
            nodes.append(node)
            continue
        shape = shapes[node.input[0]]
        if len(shape) > 1:
            # Keeps the size of what flows through the network, layer for layer.
            values = random.normal(size=shape) * np.sqrt(2 / np.prod(shape[1:]))
        else:
            # Biases, means and variances alike: variances must be positive.
            values = random.uniform(0.5, 1.5, size=shape)
        model.graph.initializer.append(numpy_helper.from_array(values.astype(np.float32), node.output[0]))
    if nodes[-1].op_type == "Softmax":
        # Of large numbers it leaves ones and zeros, which say little.
        model.graph.output[0].name = nodes.pop().input[0]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def main(source, folder):
    model = onnx.load(source)
    random = np.random.default_rng(0)
    randomise(model, random)
    constants = {tensor.name for tensor in model.graph.initializer}
    (image,) = [value for value in model.graph.input if value.name not in constants]
    shape = [dim.dim_value for dim in image.type.tensor_type.shape.dim]
    data = random.normal(size=shape).astype(np.float32)
    (output,) = ReferenceEvaluator(model, new_ops=[BatchNormalization]).run(None, {image.name: data})
    onnx.save(model, folder / "model.onnx")
    for name, array in [("input.pb", data), ("output.pb", output)]:
        (folder / name).write_bytes(numpy_helper.from_array(array).SerializeToString())


main(Path(sys.argv[1]), Path(sys.argv[2]))
