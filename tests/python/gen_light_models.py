"""Writes onnx's light models with their data in the layout of its other models.

Usage: gen_light_models.py FOLDER

The package holds the models with their outputs only; the input is a ramp from 0 to 1 over all elements.
"""

import shutil
import sys
from pathlib import Path

import numpy
import onnx
from onnx import numpy_helper

PREFIX = "light_"


def ramp(info):
    """The input that the stored outputs belong to."""
    sizes = [dim.dim_value or 1 for dim in info.type.tensor_type.shape.dim]
    count = numpy.prod(sizes)
    return (numpy.arange(count).reshape(sizes) / count).astype(numpy.float32)


def write(model_path, folder):
    """Writes one model with its data."""
    data = folder / "test_data_set_0"
    data.mkdir(parents=True)
    shutil.copyfile(model_path, folder / "model.onnx")
    graph = onnx.load(model_path).graph
    constants = {initializer.name for initializer in graph.initializer}
    inputs = [info for info in graph.input if info.name not in constants]
    for at, info in enumerate(inputs):
        proto = numpy_helper.from_array(ramp(info), info.name)
        (data / f"input_{at}.pb").write_bytes(proto.SerializeToString())
    for at in range(len(graph.output)):
        output = model_path.with_name(f"{model_path.stem}_output_{at}.pb")
        shutil.copyfile(output, data / f"output_{at}.pb")


def main():
    """Writes all light models to the folder that the command line names."""
    folder = Path(sys.argv[1])
    light = Path(onnx.__file__).parent / "backend/test/data/light"
    for path in sorted(light.glob(f"{PREFIX}*.onnx")):
        write(path, folder / path.stem.removeprefix(PREFIX))


if __name__ == "__main__":
    main()
