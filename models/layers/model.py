"""A model with test data, one per section: nodes and data in, `model.onnx` and `test_data_set_0` out."""

from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

OPSET = 17
NATIVE = "trt"  # the domain of nodes that are TensorRT layers; any would do


class Section:
    """A model under construction; values are passed around by name."""

    def __init__(self, name):
        self.name = name
        self.nodes, self.inputs, self.outputs, self.initializers = [], [], [], []
        self.given, self.expected = [], []

    def input(self, name, array, dims=None):
        """An input of the model with its data; `dims` has names for sizes that only the run knows."""
        dtype = helper.np_dtype_to_tensor_dtype(array.dtype)
        self.inputs.append(helper.make_tensor_value_info(name, dtype, list(dims or array.shape)))
        self.given.append(numpy_helper.from_array(array, name))
        return name

    def constant(self, array):
        """An initializer."""
        name = f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def ints(self, *values):
        return self.constant(np.array(values, np.int64))

    def node(self, op, /, *inputs, outputs=1, **attributes):
        """A node; gives the name of its output, or the names if it has several. `TRT_…` is a TensorRT layer."""
        name = f"{op}_{len(self.nodes)}"
        names = [f"{name}.{i}" for i in range(outputs)]
        domain = NATIVE if op.startswith("TRT_") else ""
        self.nodes.append(helper.make_node(op, inputs, names, name=name, domain=domain, **attributes))
        return names[0] if outputs == 1 else names

    def output(self, name, value, expected, printed=None, tolerance=1e-5):
        """Makes a value an output that should be `expected`.

        `printed` has numbers as a document prints them, NaN where they are unreadable: they must agree with what the
        rule gives, up to `tolerance` of their size.
        """
        expected = np.ascontiguousarray(expected)
        if expected.dtype == np.float64:
            expected = expected.astype(np.float32)
        if printed is not None:
            printed = np.broadcast_to(np.asarray(printed, np.float64), expected.shape)
            known = ~np.isnan(printed)
            np.testing.assert_allclose(expected[known], printed[known], tolerance, 1e-9, err_msg=f"{self.name}: {name}")
        for node in self.nodes:
            node.output[:] = [name if old == value else old for old in node.output]
            node.input[:] = [name if old == value else old for old in node.input]
        dtype = helper.np_dtype_to_tensor_dtype(expected.dtype)
        self.outputs.append(helper.make_tensor_value_info(name, dtype, [None] * expected.ndim))
        self.expected.append(numpy_helper.from_array(expected, name))
        return name

    def save(self, root):
        graph = helper.make_graph(self.nodes, self.name, self.inputs, self.outputs, self.initializers)
        opsets = [helper.make_opsetid("", OPSET)]
        if any(node.domain == NATIVE for node in self.nodes):
            opsets.append(helper.make_opsetid(NATIVE, 1))
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="models/layers")
        onnx.checker.check_model(model)
        data = Path(root) / self.name / "test_data_set_0"
        data.mkdir(parents=True)
        (data.parent / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
        for kind, tensors in (("input", self.given), ("output", self.expected)):
            for i, tensor in enumerate(tensors):
                (data / f"{kind}_{i}.pb").write_bytes(tensor.SerializeToString(deterministic=True))
