#!/usr/bin/env python3
"""Writes the models of this folder: one per section of what TensorRT's five oldest layers do.

    generate.py [FOLDER]        (no FOLDER: this one)

Each section's numbers follow from the layer's rule, computed here in double precision, and are held against those that
are printed in documents where these are readable. Needs the packages of tests/requirements.txt.
"""

import shutil
import sys
from pathlib import Path

import convolution
import resize
import rnn
import scale
import shuffle

CHAPTERS = (shuffle, convolution, rnn, resize, scale)


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for model in root.glob("*/model.onnx"):
        shutil.rmtree(model.parent)
    for chapter in CHAPTERS:
        for section in chapter.sections():
            section.save(root)


if __name__ == "__main__":
    main()
