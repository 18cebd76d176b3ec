#!/usr/bin/env python3
"""Writes this model and its test data: a tiny reader of text lines with random weights, and what ONNX Runtime makes of it.

Needs the packages of tests/requirements.txt and onnxruntime.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
from onnx import numpy_helper

FOLDER = Path(__file__).parent
sys.path.append(str(FOLDER.parent.parent / "benches"))
import gen_models  # noqa: E402


def main():
    with tempfile.TemporaryDirectory() as made:
        path = Path(made) / "crnn_small.onnx"
        gen_models.MODELS[path.stem](path)
        (FOLDER / "model.onnx").write_bytes(path.read_bytes())
    image = np.random.Generator(np.random.PCG64(4)).uniform(0, 1, (2, 1, 16, 32)).astype(np.float32)
    session = onnxruntime.InferenceSession(str(FOLDER / "model.onnx"), providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {"image": image})
    data = FOLDER / "test_data_set_0"
    data.mkdir(exist_ok=True)
    (data / "input_0.pb").write_bytes(numpy_helper.from_array(image, "image").SerializeToString())
    (data / "output_0.pb").write_bytes(numpy_helper.from_array(expected, "logp").SerializeToString())


if __name__ == "__main__":
    main()
