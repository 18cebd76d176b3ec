"""Scale: (x · scale + shift)^power with one coefficient for all, for a channel, or for an element."""

import numpy as np

from model import Section

DATA = np.arange(1, 28, dtype=np.float32).reshape(1, 3, 3, 3)
ZEROS = np.zeros((2, 2, 3, 4), np.float32)


def f32(*values):
    return np.array(values, np.float32)


def sections():
    yield uniform()
    yield uniform_native()
    yield channel()
    yield channel_native()
    yield elementwise()
    yield elementwise_native()
    yield power()
    yield channel_axis()
    yield channel_axis_native()
    yield folded()


HALVED = DATA / 2 - 7
HALVED_ROW = [[-6.5, -6, -5.5], [-5, -4.5, -4], [-3.5, -3, -2.5]]


def uniform():
    s = Section("scale-initial")
    y = s.node("Mul", s.input("x", DATA), s.constant(np.float32(0.5)))
    s.output("y", s.node("Add", y, s.constant(np.float32(-7))), HALVED)
    return s


def uniform_native():
    s = Section("scale-mode-native")
    assert HALVED[0, 0].tolist() == HALVED_ROW
    coefficients = [s.constant(f32(value)) for value in (-7, 0.5, 1)]
    s.output("y", s.node("TRT_Scale", s.input("x", DATA), *coefficients, mode="UNIFORM"), HALVED)
    return s


SHIFTS = f32(-2.5, -7, -11.5)
BY_CHANNEL = DATA / 2 + SHIFTS[:, None, None]


def channel():
    s = Section("scale-channel")
    assert BY_CHANNEL[0, 2].tolist() == [[-2, -1.5, -1], [-0.5, 0, 0.5], [1, 1.5, 2]]
    y = s.node("Mul", s.input("x", DATA), s.constant(np.full((3, 1, 1), 0.5, np.float32)))
    s.output("y", s.node("Add", y, s.constant(SHIFTS.reshape(1, 3, 1, 1))), BY_CHANNEL)
    return s


def channel_native():
    s = Section("scale-channel-native")
    coefficients = [s.constant(values) for values in (SHIFTS, np.full(3, 0.5, np.float32), np.ones(3, np.float32))]
    s.output("y", s.node("TRT_Scale", s.input("x", DATA), *coefficients, mode="CHANNEL"), BY_CHANNEL)
    return s


def elementwise():
    s = Section("scale-elementwise")
    y = s.node("Mul", s.input("x", DATA), s.constant(np.full((3, 3, 3), 0.5, np.float32)))
    s.output("y", s.node("Add", y, s.constant(np.full((3, 3, 3), -7, np.float32))), HALVED)
    return s


def elementwise_native():
    s = Section("scale-elementwise-native")
    coefficients = [s.constant(np.full((3, 3, 3), value, np.float32)) for value in (-7, 0.5, 1)]
    s.output("y", s.node("TRT_Scale", s.input("x", DATA), *coefficients, mode="ELEMENTWISE"), HALVED)
    return s


def power():
    """A power that is not 1, in both forms."""
    s = Section("scale-power")
    x = s.input("x", DATA)
    expected = (DATA / 2 + 1) ** np.float32(2)
    y = s.node("Add", s.node("Mul", x, s.constant(np.float32(0.5))), s.constant(np.float32(1)))
    s.output("y", s.node("Pow", y, s.constant(np.float32(2))), expected)
    s.output("native", s.node("TRT_Scale", x, *(s.constant(f32(value)) for value in (1, 0.5, 2))), expected)
    return s


SHIFTED = {0: ZEROS + f32(2, 3).reshape(2, 1, 1, 1), 1: ZEROS + f32(2, 3).reshape(1, 2, 1, 1)}


def channel_axis():
    s = Section("scale-channel-axis")
    x = s.input("x", ZEROS)
    for axis, expected in SHIFTED.items():
        dims = [1, 1, 1, 1]
        dims[axis] = 2
        y = s.node("Mul", x, s.constant(np.ones(dims, np.float32)))
        s.output(f"y{axis}", s.node("Add", y, s.constant(f32(2, 3).reshape(dims))), expected)
    return s


def channel_axis_native():
    s = Section("scale-channel-axis-native")
    x, one = s.input("x", ZEROS), s.constant(f32(1, 1))
    for axis, expected in SHIFTED.items():
        y = s.node("TRT_Scale", x, s.constant(f32(2, 3)), one, one, mode="CHANNEL", channel_axis=axis)
        s.output(f"y{axis}", y, expected)
    return s


def folded():
    """Behind a convolution the chain becomes part of its weights."""
    s = Section("scale-behind-convolution")
    weights = (np.arange(6, dtype=np.float32) - 2).reshape(2, 3, 1, 1)
    y = s.node("Conv", s.input("x", DATA), s.constant(weights))
    y = s.node("Mul", y, s.constant(f32(0.5, -2).reshape(2, 1, 1)))
    y = s.node("Sub", y, s.constant(np.float32(3)))
    y = s.node("Div", y, s.constant(f32(2, 4).reshape(1, 2, 1, 1)))
    convolved = np.einsum("oc,nchw->nohw", weights[:, :, 0, 0], DATA)
    expected = (convolved * f32(0.5, -2).reshape(2, 1, 1) - 3) / f32(2, 4).reshape(2, 1, 1)
    s.output("y", y, expected)
    return s
