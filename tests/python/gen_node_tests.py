"""Writes onnx's node tests as folders: NAME/model.onnx and NAME/test_data_set_N/{input,output}_M.pb.

Usage: gen_node_tests.py FOLDER

The cases draw their data from numpy's global generator, which is seeded here, so that every run writes the same bytes.
"""

import random
import sys
from pathlib import Path

import numpy
from onnx import TensorProto, numpy_helper
from onnx.backend.test.case.node import collect_testcases

SEED = 0


def to_proto(value, info):
    """The value as the message that the type of `info` asks for."""
    if isinstance(value, TensorProto):
        return value
    kinds = {
        "map_type": numpy_helper.from_dict,
        "sequence_type": numpy_helper.from_list,
        "optional_type": numpy_helper.from_optional,
    }
    for field, convert in kinds.items():
        if info.type.HasField(field):
            return convert(value, info.name)
    return numpy_helper.from_array(value, info.name)


def write(case, folder):
    """Writes one case."""
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(case.model.SerializeToString(deterministic=True))
    graph = case.model.graph
    for number, (inputs, outputs) in enumerate(case.data_sets):
        data = folder / f"test_data_set_{number}"
        data.mkdir()
        for kind, values, infos in (("input", inputs, graph.input), ("output", outputs, graph.output)):
            for at, (value, info) in enumerate(zip(values, infos, strict=True)):
                proto = to_proto(value, info)
                (data / f"{kind}_{at}.pb").write_bytes(proto.SerializeToString(deterministic=True))


def main():
    """Writes all cases to the folder that the command line names."""
    random.seed(SEED)
    numpy.random.seed(SEED)
    folder = Path(sys.argv[1])
    for case in collect_testcases(None):
        write(case, folder / case.name)


if __name__ == "__main__":
    main()
