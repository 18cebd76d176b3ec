"""What the files of this folder share: which models there are, and how one is written with its data."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

onnxruntime.set_default_logger_severity(3)

# name: a function that gives a model and the data sets, each a dictionary from an input's name to an array
MODELS = {}


def model(name, make):
    """Adds a model; its name says what it is and who wrote it."""
    name = name.replace("_", "-")
    assert name not in MODELS, name
    MODELS[name] = make


def axes(sizes):
    """`batch _ time` as {0: "batch", 2: "time"}: the axes whose sizes only the run knows."""
    return {axis: name for axis, name in enumerate(sizes.split()) if name != "_"}


def clean(part):
    """Removes what tells of the machine and of the code, not of the network."""
    for field, value in list(part.ListFields()):
        if field.name in ("doc_string", "metadata_props"):
            part.ClearField(field.name)
        elif field.type == field.TYPE_MESSAGE and field.message_type.name != "TensorProto":
            repeated = not hasattr(value, "ListFields")
            for inner in value if repeated else [value]:
                clean(inner)
        elif field.type == field.TYPE_MESSAGE:
            for tensor in [value] if hasattr(value, "ListFields") else value:
                tensor.ClearField("doc_string")
                tensor.ClearField("metadata_props")


def session(data):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    # The numbers should be those of the model as it stands.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def save(root, name):
    """Writes a model, and for each of its data sets what ONNX Runtime makes of it."""
    made, sets = MODELS[name]()
    clean(made)
    onnx.checker.check_model(made)
    data = made.SerializeToString(deterministic=True)
    run = session(data)
    folder = Path(root) / name
    for old in folder.glob("test_data_set_*/*.pb"):
        old.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(data)
    for number, inputs in enumerate(sets):
        taken = [(value.name, np.asarray(inputs[value.name], order="C")) for value in run.get_inputs()]
        outputs = list(zip((value.name for value in run.get_outputs()), run.run(None, dict(taken))))
        for _, found in outputs:
            assert found.dtype.kind != "f" or np.isfinite(found).all(), name
        to = folder / f"test_data_set_{number}"
        to.mkdir(exist_ok=True)
        for kind, values in ("input", taken), ("output", outputs):
            for place, (value, array) in enumerate(values):
                (to / f"{kind}_{place}.pb").write_bytes(numpy_helper.from_array(np.asarray(array), value).SerializeToString())
