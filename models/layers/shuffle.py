"""Shuffle: transpose, reshape, transpose, and where the new shape comes from."""

import numpy as np

from model import Section

# Hundreds, tens and ones of each element are its channel, row and column.
DATA = (100 * np.arange(3)[:, None, None] + 10 * np.arange(4)[:, None] + np.arange(5)).astype(np.float32)[None]
TURN = (0, 2, 1, 3)


def sections():
    yield unchanged()
    yield first_transpose()
    yield reshape()
    yield reshape_zero()
    yield second_transpose()
    yield combined()
    yield combined_native()
    yield zero_is_placeholder()
    yield zero_is_a_size()
    yield shape_constant()
    yield shape_input()
    yield shape_computed()


def unchanged():
    s = Section("shuffle-initial")
    s.output("y", s.node("TRT_Shuffle", s.input("x", DATA)), DATA)
    return s


def first_transpose():
    s = Section("shuffle-first-transpose")
    expected = DATA.transpose(TURN)
    assert expected.shape == (1, 4, 3, 5) and expected[0, 2, 1].tolist() == [120, 121, 122, 123, 124]
    s.output("y", s.node("Transpose", s.input("x", DATA), perm=TURN), expected)
    return s


def reshape():
    s = Section("shuffle-reshape")
    expected = DATA.reshape(2, 2, 15)
    assert expected[0, 1, :6].tolist() == [30, 31, 32, 33, 34, 100]
    s.output("y", s.node("Reshape", s.input("x", DATA), s.ints(-1, 2, 15)), expected)
    return s


def reshape_zero():
    s = Section("shuffle-reshape-zero")
    s.output("y", s.node("Reshape", s.input("x", DATA), s.ints(0, 0, -1)), DATA.reshape(1, 3, 20))
    return s


def second_transpose():
    s = Section("shuffle-second-transpose")
    s.output("y", s.node("TRT_Shuffle", s.input("x", DATA), second_transpose=TURN), DATA.transpose(TURN))
    return s


def all_three():
    expected = DATA.transpose(TURN).reshape(1, 4, 5, 3).transpose(TURN)
    assert expected.shape == (1, 5, 4, 3) and expected[0, 1, 0].tolist() == [3, 4, 100]
    return expected


def combined():
    s = Section("shuffle-combined")
    y = s.node("Transpose", s.input("x", DATA), perm=TURN)
    y = s.node("Reshape", y, s.ints(1, 4, 5, 3))
    s.output("y", s.node("Transpose", y, perm=TURN), all_three())
    return s


def combined_native():
    s = Section("shuffle-combined-native")
    attributes = dict(first_transpose=TURN, reshape_dims=[1, 4, 5, 3], second_transpose=TURN)
    s.output("y", s.node("TRT_Shuffle", s.input("x", DATA), **attributes), all_three())
    return s


def zero_is_placeholder():
    s = Section("shuffle-zero-is-placeholder")
    x = s.input("x", DATA)
    s.output("y", s.node("TRT_Shuffle", x, reshape_dims=[0, 0, 0, 0], zero_is_placeholder=1), DATA)
    s.output("onnx", s.node("Reshape", x, s.ints(0, 0, 0, 0)), DATA)
    return s


def zero_is_a_size():
    """An empty tensor takes the shape of another one but for the axis along which both are joined."""
    s = Section("shuffle-zero-is-a-size")
    x, empty = s.input("x", DATA), s.constant(np.zeros(0, np.float32))
    part = s.node("Reshape", empty, s.ints(1, 3, 4, 0), allowzero=1)
    s.output("y", s.node("Concat", x, part, axis=3), DATA)
    part = s.node("TRT_Shuffle", empty, reshape_dims=[1, 3, 4, 0], zero_is_placeholder=0)
    s.output("native", s.node("Concat", x, part, axis=3), DATA)
    return s


def shape_constant():
    s = Section("shuffle-shape-constant")
    shape = s.node("Constant", value_ints=[1, 4, 5, 3])
    s.output("y", s.node("Reshape", s.input("x", DATA), shape), DATA.reshape(1, 4, 5, 3))
    return s


def shape_input():
    s = Section("shuffle-shape-input")
    x, shape = s.input("x", DATA), s.input("shape", np.array([1, 4, 5, 3], np.int64))
    s.output("y", s.node("Reshape", x, shape), DATA.reshape(1, 4, 5, 3))
    return s


def shape_computed():
    """An axis of size 1 is appended and removed, of data of which no size is known."""
    s = Section("shuffle-shape-computed")
    x = s.input("x", DATA, dims="NCHW")
    shape = s.node("Concat", s.node("Shape", x), s.ints(1), axis=0)
    longer = s.output("longer", s.node("Reshape", x, shape), DATA[..., None])
    shape = s.node("Slice", s.node("Shape", longer), s.ints(0), s.ints(4), s.ints(0), s.ints(1))
    s.output("same", s.node("Reshape", longer, shape), DATA)
    return s
