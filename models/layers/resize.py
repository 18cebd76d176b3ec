"""Resize: sizes or scales from anywhere, what lies between two elements, and where an output element lies."""

import numpy as np

from model import Section

DATA = np.arange(60, dtype=np.float32).reshape(1, 3, 4, 5)
SIZES = (1, 3, 6, 10)


def sections():
    yield initial()
    yield shape()
    yield scales()
    yield mode()
    yield coordinates()
    yield coordinates_native()
    yield align_corners()
    yield rounding()
    yield rounding_native()
    yield selector()
    yield selector_native()
    yield cubic()
    yield shape_constant()
    yield shape_input()
    yield shape_computed()
    yield beyond()


def positions(size, out, where, upper=False):
    """Where the output elements of an axis lie in the input."""
    i = np.arange(out)
    if out == 1 and (upper or where == "ALIGN_CORNERS"):
        return np.zeros(1)
    if where == "ALIGN_CORNERS":
        return i * (size - 1) / (out - 1)
    if where == "HALF_PIXEL":
        return (i + 0.5) * size / out - 0.5
    return i * size / out


ROUNDINGS = {
    "FLOOR": np.floor,
    "CEIL": np.ceil,
    "HALF_DOWN": lambda x: np.ceil(x - 0.5),
    "HALF_UP": lambda x: np.floor(x + 0.5),
}


def matrix(size, x, mode, rounding, a=-0.75):
    """The weight of each input element for positions `x`."""
    if mode == "NEAREST":
        taps = [(ROUNDINGS[rounding](x), 1.0)]
    elif mode == "LINEAR":
        part = x - np.floor(x)
        taps = [(np.floor(x), 1 - part), (np.floor(x) + 1, part)]
    else:
        part = x - np.floor(x)
        near = lambda d: ((a + 2) * d - (a + 3)) * d * d + 1
        far = lambda d: ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
        weights = far(1 + part), near(part), near(1 - part), far(2 - part)
        taps = [(np.floor(x) + k, weight) for k, weight in zip((-1, 0, 1, 2), weights)]
    weights = np.zeros((len(x), size))
    for at, weight in taps:
        weights[np.arange(len(x)), np.clip(at, 0, size - 1).astype(int)] += weight
    return weights


def resize(x, sizes, mode="NEAREST", where="ASYMMETRIC", rounding="FLOOR", upper=False):
    y = x.astype(np.float64)
    for axis, (size, out) in enumerate(zip(x.shape, sizes)):
        weights = matrix(size, positions(size, out, where, upper), mode, rounding)
        y = np.moveaxis(np.tensordot(weights, y, (1, axis)), 0, axis)
    return y



GROWN = resize(DATA, (2, 3, 6, 10))
assert GROWN[1, 0, 3].tolist() == [10, 10, 11, 11, 12, 12, 13, 13, 14, 14]
NEAREST = dict(mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")


def initial():
    s = Section("resize-initial")
    s.output("y", s.node("TRT_Resize", s.input("x", DATA)), DATA)
    return s


def shape():
    s = Section("resize-shape")
    x = s.input("x", DATA)
    s.output("y", s.node("Resize", x, "", "", s.ints(2, 3, 6, 10), **NEAREST), GROWN)
    s.output("native", s.node("TRT_Resize", x, shape=[2, 3, 6, 10]), GROWN)
    return s


def scales():
    s = Section("resize-scales")
    x, factors = s.input("x", DATA), [2.0, 1.0, 1.5, 2.0]
    s.output("y", s.node("Resize", x, "", s.constant(np.array(factors, np.float32)), **NEAREST), GROWN)
    s.output("native", s.node("TRT_Resize", x, scales=factors), GROWN)
    return s


def mode():
    s = Section("resize-mode")
    y = s.node("TRT_Resize", s.input("x", DATA), shape=SIZES, resize_mode="LINEAR")
    s.output("y", y, resize(DATA, SIZES, "LINEAR"))
    return s


# The first two rows of the first channel.
PRINTED = {
    "HALF_PIXEL": [[0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.25, 3.75, 4],
                   [2.5, 2.75, 3.25, 3.75, 4.25, 4.75, 5.25, 5.75, 6.25, 6.5]],
    "ALIGN_CORNERS": [[0, 0.444, 0.889, 1.333, 1.778, 2.222, 2.667, 3.111, 3.556, 4],
                      [3, 3.444, 3.889, 4.333, 4.778, 5.222, 5.667, 6.111, 6.556, 7]],
    "ASYMMETRIC": [[0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4],
                   [3.333, 3.833, 4.333, 4.833, 5.333, 5.833, 6.333, 6.833, 7.333, 7.333]],
}  # fmt: skip


def printed(where):
    rows = np.full(SIZES, np.nan)
    rows[0, 0, :2] = PRINTED[where]
    return rows


def coordinates():
    s = Section("resize-coordinates")
    x, sizes = s.input("x", DATA), s.ints(*SIZES)
    for where in PRINTED:
        y = s.node("Resize", x, "", "", sizes, mode="linear", coordinate_transformation_mode=where.lower())
        s.output(where.lower(), y, resize(DATA, SIZES, "LINEAR", where), printed(where), 2e-3)
    return s


def coordinates_native():
    s = Section("resize-coordinates-native")
    x = s.input("x", DATA)
    for where in PRINTED:
        y = s.node("TRT_Resize", x, shape=SIZES, resize_mode="LINEAR", coordinate_transformation=where)
        s.output(where.lower(), y, resize(DATA, SIZES, "LINEAR", where), printed(where), 2e-3)
    return s


def align_corners():
    """What older versions called `align_corners`: true, or false as version 7 and as version 6 took it."""
    s = Section("resize-align-corners")
    x, sizes = s.input("x", DATA), s.ints(*SIZES)
    for name, where in (("true", "ALIGN_CORNERS"), ("false_7", "HALF_PIXEL"), ("false_6", "ASYMMETRIC")):
        y = s.node("Resize", x, "", "", sizes, mode="linear", coordinate_transformation_mode=where.lower())
        s.output(name, y, resize(DATA, SIZES, "LINEAR", where), printed(where), 2e-3)
    return s


# The first row of the first channel and its second.
ROUNDED = {
    "FLOOR": [[0, 0, 1, 1, 2, 2, 3, 3, 4, 4]] * 2,
    "CEIL": [[0, 1, 1, 2, 2, 3, 3, 4, 4, 4], [5, 6, 6, 7, 7, 8, 8, 9, 9, 9]],
    "HALF_DOWN": [[0, 0, 1, 1, 2, 2, 3, 3, 4, 4], [5, 5, 6, 6, 7, 7, 8, 8, 9, 9]],
    "HALF_UP": [[0, 1, 1, 2, 2, 3, 3, 4, 4, 4], [5, 6, 6, 7, 7, 8, 8, 9, 9, 9]],
}


def rounding():
    s = Section("resize-nearest-rounding")
    x, sizes = s.input("x", DATA), s.ints(*SIZES)
    names = dict(FLOOR="floor", CEIL="ceil", HALF_DOWN="round_prefer_floor", HALF_UP="round_prefer_ceil")
    for how, name in names.items():
        y = s.node("Resize", x, "", "", sizes, **{**NEAREST, "nearest_mode": name})
        rounded = resize(DATA, SIZES, rounding=how)
        assert rounded[0, 0, :2].tolist() == ROUNDED[how]
        s.output(how.lower(), y, rounded)
    return s


def rounding_native():
    s = Section("resize-nearest-rounding-native")
    x = s.input("x", DATA)
    for how in ROUNDED:
        y = s.node("TRT_Resize", x, shape=SIZES, nearest_rounding=how)
        s.output(how.lower(), y, resize(DATA, SIZES, rounding=how))
    return s


def selector():
    """An output of one element: the first of its channel, or what the formula gives."""
    s = Section("resize-selector")
    x, sizes = s.input("x", DATA), s.ints(1, 3, 1, 1)
    corner = np.array([0, 20, 40]).reshape(1, 3, 1, 1)
    y = s.node("Resize", x, "", "", sizes, mode="linear", coordinate_transformation_mode="pytorch_half_pixel")
    s.output("upper", y, resize(DATA, (1, 3, 1, 1), "LINEAR", "HALF_PIXEL", upper=True), corner)
    y = s.node("Resize", x, "", "", sizes, mode="linear", coordinate_transformation_mode="half_pixel")
    s.output("formula", y, resize(DATA, (1, 3, 1, 1), "LINEAR", "HALF_PIXEL"), corner + 9.5)
    return s


def selector_native():
    s = Section("resize-selector-native")
    x = s.input("x", DATA)
    corner = np.array([0, 20, 40]).reshape(1, 3, 1, 1)
    for which, where, expected in (
        ("UPPER", "HALF_PIXEL", corner),
        ("FORMULA", "HALF_PIXEL", corner + 9.5),
        ("UPPER", "ASYMMETRIC", corner),
        ("FORMULA", "ASYMMETRIC", corner),
    ):
        attributes = dict(selector_for_single_pixel=which, coordinate_transformation=where)
        y = s.node("TRT_Resize", x, shape=[1, 3, 1, 1], resize_mode="LINEAR", **attributes)
        ruled = resize(DATA, (1, 3, 1, 1), "LINEAR", where, upper=which == "UPPER")
        s.output(f"{which}_{where}".lower(), y, ruled, expected)
    return s


def cubic():
    s = Section("resize-cubic")
    x, sizes = s.input("x", DATA), s.ints(*SIZES)
    for where in PRINTED:
        expected = resize(DATA, SIZES, "CUBIC", where)
        y = s.node("Resize", x, "", "", sizes, mode="cubic", coordinate_transformation_mode=where.lower())
        s.output(where.lower(), y, expected)
        y = s.node("TRT_Resize", x, shape=SIZES, resize_mode="CUBIC", coordinate_transformation=where)
        s.output(f"{where.lower()}_native", y, expected)
    return s


def shape_constant():
    s = Section("resize-shape-constant")
    sizes = s.node("Constant", value_ints=[2, 3, 6, 10])
    s.output("y", s.node("Resize", s.input("x", DATA), "", "", sizes, **NEAREST), GROWN)
    return s


def shape_input():
    s = Section("resize-shape-input")
    x, sizes = s.input("x", DATA), s.input("sizes", np.array([2, 3, 6, 10], np.int64))
    s.output("y", s.node("Resize", x, "", "", sizes, **NEAREST), GROWN)
    return s


def shape_computed():
    """All axes twice as large, of data of which no size is known."""
    s = Section("resize-shape-computed")
    x = s.input("x", DATA, dims="NCHW")
    size = s.node("Shape", x)
    doubled = s.node("Add", size, size)
    s.output("y", s.node("Resize", x, "", "", doubled, **NEAREST), resize(DATA, (2, 6, 8, 10)))
    return s


def beyond():
    """What ONNX has and TensorRT lacks: a third way to lie, a part of the data, some axes, a bound on the shape."""
    s = Section("resize-beyond-tensorrt")
    x = s.input("x", DATA)
    y = s.node("Resize", x, "", "", s.ints(*SIZES), coordinate_transformation_mode="tf_half_pixel_for_nn", nearest_mode="floor")
    rows, columns = ((np.arange(out) + 0.5) * size / out for size, out in ((4, 6), (5, 10)))
    s.output("half_pixel_for_nn", y, DATA[:, :, rows.astype(int)][..., columns.astype(int)])
    roi = s.constant(np.array([0, 0, 0.25, 0, 1, 1, 1, 0.5], np.float32))
    attributes = dict(mode="linear", coordinate_transformation_mode="tf_crop_and_resize", extrapolation_value=-1.0)
    y = s.node("Resize", x, roi, "", s.ints(1, 3, 3, 2), **attributes)
    weights = [
        matrix(size, start * (size - 1) + np.arange(out) * (end - start) * (size - 1) / (out - 1), "LINEAR", None)
        for size, out, start, end in ((4, 3, 0.25, 1), (5, 2, 0, 0.5))
    ]
    s.output("crop", y, np.einsum("ih,jw,nchw->ncij", *weights, DATA))
    return s
