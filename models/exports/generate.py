#!/usr/bin/env python3
"""Writes the models of this folder: small networks as exporters write them, each with data by ONNX Runtime.

    generate.py [--into FOLDER] [NAME...]        (no NAME: all that the packages at hand can write)

PyTorch and TensorFlow want an environment each: requirements-torch.txt and requirements-tensorflow.txt. Run it once in
either of them.
"""

import argparse
import importlib
import logging
import os
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path

# Numbers should not depend on how many cores there are, nor the order of nodes on the hashes of strings.
FIXED = {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0", "TF_CPP_MIN_LOG_LEVEL": "3"}
if not FIXED.items() <= os.environ.items():
    os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **FIXED})

import common

EXPORTERS = {"torch": ["torch_traced", "torch_captured", "quantized"], "tf2onnx": ["from_tensorflow"]}


def main():
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    parser = argparse.ArgumentParser()
    parser.add_argument("--into", type=Path, default=Path(__file__).parent)
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    for package, exporters in EXPORTERS.items():
        if find_spec(package):
            for exporter in exporters:
                importlib.import_module(exporter)
    for name in arguments.names or common.MODELS:
        common.save(arguments.into, name)
        print(name)


if __name__ == "__main__":
    main()
