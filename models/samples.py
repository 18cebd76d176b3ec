"""What the scripts that train the models of this folder share: their options, and how models and samples are written."""

import argparse
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

sys.path.append(str(Path(__file__).parent / "exports"))
from common import session  # noqa: E402

BATCH = 64  # samples in one archive


def folders(description, home):
    """The options of a training script: where the model goes, and where its samples go, if anywhere."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=home, help="folder to write the model to (default: here)")
    parser.add_argument(
        "--samples", type=Path, help="do not train; write calibrate/*.npz, evaluate/*.npz and labels.npy to this folder"
    )
    return parser.parse_args()


def parts(things):
    """The things for one archive after the other."""
    return [things[start : start + BATCH] for start in range(0, len(things), BATCH)]


def write(folder, calibrate, evaluate, labels):
    """Writes the inputs of each archive to calibrate by and to evaluate by, and the labels of the latter in the same order."""
    for name, archives in ("calibrate", calibrate), ("evaluate", evaluate):
        to = folder / name
        to.mkdir(parents=True, exist_ok=True)
        for old in to.glob("*.npz"):
            old.unlink()
        for number, inputs in enumerate(archives):
            np.savez(to / f"{number:03}.npz", **inputs)
    np.save(folder / "labels.npy", np.asarray(labels, np.int64))


def run(model, inputs):
    """The first output for all samples."""
    (output, *_) = session(model.SerializeToString()).run(None, inputs)
    return output


def save(folder, model, inputs):
    """Writes the model, and what ONNX Runtime makes of a few samples, as its test data."""
    onnx.checker.check_model(model, full_check=True)
    data = folder / "test_data_set_0"
    data.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
    outputs = dict(zip([value.name for value in model.graph.output], session(model.SerializeToString()).run(None, inputs)))
    for kind, values in ("input", inputs), ("output", outputs):
        for place, (name, array) in enumerate(values.items()):
            (data / f"{kind}_{place}.pb").write_bytes(numpy_helper.from_array(array, name).SerializeToString(deterministic=True))


def share(right):
    """`447 of 450 (99.33 %)`, from a truth for each sample."""
    return f"{int(np.sum(right))} of {len(right)} ({100 * np.mean(right):.2f} %)"
