"""Convolution: kernel and bias, stride, paddings and their modes, dilation, groups, three axes, computed weights."""

import itertools

import numpy as np

from model import Section

# 1 to 9 in a tile, and a kernel that shows each of its taps as a digit.
DATA = np.tile(np.arange(1, 10, dtype=np.float64).reshape(3, 3), (2, 3))[None, None]
KERNEL = (10.0 ** np.arange(4, -5, -1)).reshape(1, 1, 3, 3)
BIAS = np.zeros(1)


def sections():
    yield initial()
    yield parameters()
    yield variants("stride", "strides", [(2, 2), (2, 1), (1, 2)])
    yield paddings("padding", lambda p: (*p, *p))
    yield paddings("pre-padding", lambda p: (*p, 0, 0))
    yield paddings("post-padding", lambda p: (0, 0, *p))
    yield padding_mode()
    yield padding_mode_native()
    yield variants("dilation", "dilations", [(2, 2), (2, 1), (1, 2)])
    yield groups()
    yield one_axis()
    yield three_axes()
    yield transposed()
    yield transposed_native()
    yield set_input()


def convolve(x, w, *, strides=None, pads=None, dilations=None, group=1, up=False):
    """The convolution by its formula; `pads` is (before…, behind…), `up` rounds the output's size up."""
    axes = w.ndim - 2
    strides, dilations, pads = strides or (1,) * axes, dilations or (1,) * axes, pads or (0,) * 2 * axes
    extents = [dilation * (taps - 1) + 1 for dilation, taps in zip(dilations, w.shape[2:])]
    sizes = []
    for size, before, behind, extent, stride in zip(x.shape[2:], pads, pads[axes:], extents, strides):
        room = size + before + behind - extent
        sizes.append((-(-room // stride) if up else room // stride) + 1)
    # Windows that reach beyond the padding see zeros there, too.
    reach = [(size - 1) * stride + extent for size, stride, extent in zip(sizes, strides, extents)]
    margins = [(before, max(0, r - size - before)) for size, before, r in zip(x.shape[2:], pads, reach)]
    x = np.pad(x, [(0, 0), (0, 0), *margins])
    maps, share = w.shape[0] // group, w.shape[1]
    y = np.zeros((x.shape[0], w.shape[0], *sizes))
    for g, tap in itertools.product(range(group), itertools.product(*map(range, w.shape[2:]))):
        window = [slice(t * d, t * d + (n - 1) * s + 1, s) for t, d, n, s in zip(tap, dilations, sizes, strides)]
        seen = x[(slice(None), slice(g * share, (g + 1) * share), *window)]
        kernel = w[(slice(g * maps, (g + 1) * maps), slice(None), *tap)]
        y[:, g * maps : (g + 1) * maps] += np.einsum("oc,nc...->no...", kernel, seen)
    return y


def f32(array):
    return np.asarray(array, np.float32)


ROWS = {
    1: [12345.679, 23156.49, 31264.598, 12345.679, 23156.49, 31264.598, 12345.679],
    4: [45678.914, 56489.723, 64597.832, 45678.914, 56489.723, 64597.832, 45678.914],
    7: [78912.34, 89723.16, 97831.27, 78912.34, 89723.16, 97831.27, 78912.34],
}
PLAIN = [[[ROWS[1], ROWS[4], ROWS[7], ROWS[1]]]]
LAST = [45678.9, 56489.7, 64597.8, 45678.9, 56489.7, 64597.8, 45678.9]
FIRST = [12.3456, 23.1564, 31.2645, 12.3456, 23.1564, 31.2645, 12.3456]
LEFT = [1.2045, 1204.5078, 4507.801, 7801.2046, 1204.5078, 4507.8]
RIGHT = [23.056, 23056.09, 56089.023, 89023.055, 23056.09, 56089]


def initial():
    s = Section("convolution-initial")
    y = s.node("Conv", s.input("x", f32(DATA)), s.constant(f32(KERNEL)), s.constant(f32(BIAS)))
    s.output("y", y, convolve(DATA, KERNEL), PLAIN)
    return s


def parameters():
    s = Section("convolution-parameters")
    operands = [s.input("x", f32(DATA)), s.constant(f32(KERNEL)), s.constant(f32(BIAS + 0.5))]
    y = s.node("TRT_Convolution", *operands, num_output_maps=1, kernel_size_nd=[3, 3])
    s.output("y", y, convolve(DATA, KERNEL) + 0.5, np.array(PLAIN) + 0.5)
    return s


PRINTED = {
    ("stride", (2, 2)): [[[ROWS[1][::2], ROWS[7][::2]]]],
    ("stride", (2, 1)): [[[ROWS[1], ROWS[7]]]],
    ("stride", (1, 2)): np.array(PLAIN)[..., ::2],
    ("dilation", (2, 2)): [[[[13279.847, 21387.955, 32198.766, 13279.847, 21387.955],
                             [46513.277, 54621.387, 65432.2, 46513.277, 54621.387]]]],
}  # fmt: skip


def variants(name, attribute, values):
    s = Section(f"convolution-{name}")
    x, w = s.input("x", f32(DATA)), s.constant(f32(KERNEL))
    for value in values:
        expected = convolve(DATA, KERNEL, **{attribute: value})
        y = s.node("Conv", x, w, **{attribute: value})
        s.output("y{}{}".format(*value), y, expected, PRINTED.get((name, value)))
    return s


def paddings(name, pads):
    s = Section(f"convolution-{name}")
    x, w = s.input("x", f32(DATA)), s.constant(f32(KERNEL))
    for value in [(1, 1), (1, 0), (0, 1)]:
        before, left, behind, right = pads(value)
        printed = np.full((4 + before + behind, 7 + left + right), np.nan)
        printed[before : before + 4, left : left + 7] = PLAIN[0][0]
        if before:
            printed[0, left : left + 7] = FIRST
        if behind:
            printed[-1, left : left + 7] = LAST
        rows = slice(1 - before, 5 + behind)
        if left:
            printed[:, 0] = LEFT[rows]
        if right:
            printed[:, -1] = RIGHT[rows]
        y = s.node("Conv", x, w, pads=pads(value))
        # The document rounds small numbers to four or five digits, and keeps 5 of large ones in the last row.
        s.output("y{}{}".format(*value), y, convolve(DATA, KERNEL, pads=pads(value)), printed[None, None], 3e-5)
    return s


MODES = {
    "SAME_UPPER": dict(pads=(0, 1, 1, 1)),
    "SAME_LOWER": dict(pads=(1, 1, 0, 1)),
    "EXPLICIT_ROUND_UP": dict(up=True),
    "EXPLICIT_ROUND_DOWN": {},
    "CAFFE_ROUND_UP": dict(up=True),
    "CAFFE_ROUND_DOWN": {},
}


def padding_mode():
    """The modes that ONNX has; the rows get one element more, the columns one on both sides."""
    s = Section("convolution-padding-mode")
    x, w = s.input("x", f32(DATA)), s.constant(f32(KERNEL))
    for mode in ("SAME_UPPER", "SAME_LOWER"):
        y = s.node("Conv", x, w, auto_pad=mode, strides=(2, 2))
        s.output(mode.lower(), y, convolve(DATA, KERNEL, strides=(2, 2), **MODES[mode]))
    return s


def padding_mode_native():
    """All six, without padding and, where explicit paddings count, with some."""
    s = Section("convolution-padding-mode-native")
    x, w = s.input("x", f32(DATA)), s.constant(f32(KERNEL))
    down = [ROWS[1][::2], ROWS[7][::2]]
    printed = dict(EXPLICIT_ROUND_DOWN=down, CAFFE_ROUND_DOWN=down)
    printed["EXPLICIT_ROUND_UP"] = printed["CAFFE_ROUND_UP"] = [*down, LAST[::2]]
    for mode, rule in MODES.items():
        expected = convolve(DATA, KERNEL, strides=(2, 2), **rule)
        y = s.node("TRT_Convolution", x, w, stride_nd=(2, 2), padding_mode=mode)
        s.output(mode.lower(), y, expected, [[printed[mode]]] if mode in printed else None, 2e-5)
        if mode.startswith("SAME"):
            continue
        pads = (1, 0, 1, 0) if mode.startswith("CAFFE") else (1, 0, 0, 1)
        expected = convolve(DATA, KERNEL, strides=(2, 2), **{**rule, "pads": pads})
        y = s.node("TRT_Convolution", x, w, stride_nd=(2, 2), pre_padding=(1, 0), post_padding=(0, 1), padding_mode=mode)
        s.output(f"{mode.lower()}_padded", y, expected)
    return s


def groups():
    s = Section("convolution-groups")
    x, w = np.tile(DATA, (1, 2, 1, 1)), np.concatenate([KERNEL, -KERNEL])
    y = s.node("Conv", s.input("x", f32(x)), s.constant(f32(w)), group=2)
    printed = np.array(PLAIN)
    s.output("y", y, convolve(x, w, group=2), np.concatenate([printed, -printed], 1))
    return s


def one_axis():
    s = Section("convolution-1d")
    x, w = DATA[:, :, 0], KERNEL[:, :, 1]
    y = s.node("Conv", s.input("x", f32(x)), s.constant(f32(w)), strides=[2], pads=[1, 0])
    s.output("y", y, convolve(x, w, strides=(2,), pads=(1, 0)))
    return s


def three_axes():
    """Two planes against a kernel whose planes cancel each other, and one whose planes add up.

    Taps are powers of two here: only then is nothing left in single precision, whatever the order of the sums.
    """
    s = Section("convolution-3d")
    planes = 2.0 ** np.arange(4, -5, -1).reshape(1, 1, 3, 3)
    x, opposed, alike = (np.stack(pair, 2) for pair in ((DATA, DATA), (planes, -planes), (planes, planes)))
    data, bias = s.input("x", f32(x)), s.constant(f32(BIAS))
    s.output("y", s.node("Conv", data, s.constant(f32(opposed)), bias), np.zeros((1, 1, 1, 4, 7)))
    s.output("doubled", s.node("Conv", data, s.constant(f32(alike)), bias), 2 * convolve(DATA, planes)[:, :, None])
    return s


def deconvolve(x, w, strides, pads=(0, 0, 0, 0)):
    """Each element spreads the kernel over the output; `pads` are cropped."""
    sizes = [(n - 1) * s + k for n, s, k in zip(x.shape[2:], strides, w.shape[2:])]
    y = np.zeros((x.shape[0], w.shape[1], *sizes))
    for i, j in itertools.product(range(x.shape[2]), range(x.shape[3])):
        spread = np.einsum("nc,cohw->nohw", x[:, :, i, j], w)
        top, left = i * strides[0], j * strides[1]
        y[:, :, top : top + w.shape[2], left : left + w.shape[3]] += spread
    return y[:, :, pads[0] : sizes[0] - pads[2], pads[1] : sizes[1] - pads[3]]


SMALL = DATA[:, :, :3, :3]


def transposed():
    s = Section("convolution-transposed")
    x, w = s.input("x", f32(SMALL)), s.constant(f32(KERNEL))
    s.output("y", s.node("ConvTranspose", x, w), deconvolve(SMALL, KERNEL, (1, 1)))
    pads = (1, 0, 0, 1)
    y = s.node("ConvTranspose", x, w, strides=(2, 2), pads=pads)
    s.output("strided", y, deconvolve(SMALL, KERNEL, (2, 2), pads))
    return s


def transposed_native():
    s = Section("convolution-transposed-native")
    x, w, b = s.input("x", f32(SMALL)), s.constant(f32(KERNEL)), s.constant(f32(BIAS + 2))
    y = s.node("TRT_Deconvolution", x, w, b, stride_nd=(2, 2), pre_padding=(1, 0), post_padding=(0, 1))
    s.output("y", y, deconvolve(SMALL, KERNEL, (2, 2), (1, 0, 0, 1)) + 2)
    for mode, pads in (("SAME_UPPER", (0, 0, 1, 1)), ("SAME_LOWER", (1, 1, 0, 0))):
        y = s.node("TRT_Deconvolution", x, w, stride_nd=(2, 2), padding_mode=mode)
        s.output(mode.lower(), y, deconvolve(SMALL, KERNEL, (2, 2), pads))
    return s


def set_input():
    """A kernel that is a tensor: both operands are quantized to 8 bits, which keeps whole numbers up to 127."""
    s = Section("convolution-set-input")
    scale, zero = s.constant(np.float32(1)), s.constant(np.int8(0))

    def quantized(value):
        return s.node("DequantizeLinear", s.node("QuantizeLinear", value, scale, zero), scale, zero)

    x, w = quantized(s.input("x", f32(DATA))), quantized(s.constant(f32(KERNEL)))
    expected = convolve(DATA, np.clip(np.rint(KERNEL), -128, 127))
    printed = [
        [726, 791, 772, 726, 791, 772, 726],
        [1821, 1886, 1867, 1821, 1886, 1867, 1821],
        [2817, 2882, 2863, 2817, 2882, 2863, 2817],
        [726, 791, 772, 726, 791, 772, 726],
    ]
    s.output("y", s.node("Conv", x, w), expected, [[printed]])
    return s
