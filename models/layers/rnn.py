"""Recurrent layers: operations, lengths, input mode, direction, first states, several layers."""

import numpy as np

from model import Section

BATCH, STEPS, WIDTH, HIDDEN = 3, 4, 7, 5
DATA = np.ones((1, BATCH, STEPS, WIDTH), np.float32)
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}


def sections():
    yield initial()
    yield parameters_native()
    yield lengths()
    yield lengths_native()
    yield operations()
    yield operations_native()
    yield input_mode()
    yield input_mode_native()
    yield direction()
    yield direction_native()
    yield hidden_state()
    yield hidden_state_native()
    yield cell_state()
    yield lstm_both_ways()
    yield lstm_both_ways_native()
    yield time_first()
    yield layers()
    yield layers_native()
    yield gru_options()
    yield lstm_options()


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def relu(x):
    return np.maximum(x, 0)


def step_rnn(f):
    return lambda x, w, r, b, h, c: (f(x @ w.T + h @ r.T + b[0] + b[1]), c)


def step_lstm(x, w, r, b, h, c):
    i, o, f, g = np.split(x @ w.T + h @ r.T + b[0] + b[1], 4, -1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def step_gru(x, w, r, b, h, c):
    """With the reset gate behind the product, as TensorRT's layer has it."""
    xz, xr, xh = np.split(x @ w.T + b[0], 3, -1)
    hz, hr, hh = np.split(h @ r.T + b[1], 3, -1)
    z = sigmoid(xz + hz)
    return (1 - z) * np.tanh(xh + sigmoid(xr + hr) * hh) + z * h, c


def run(step, x, w, r, b=None, h=None, c=None, lengths=None, reverse=False):
    """All steps of one direction over `x[batch, time, width]`: each step's state, the last one, the last cell's."""
    batch, steps, hidden = x.shape[0], x.shape[1], r.shape[-1]
    b = np.zeros((2, r.shape[0])) if b is None else b
    h = np.zeros((batch, hidden)) if h is None else h
    c = np.zeros((batch, hidden)) if c is None else c
    lengths = np.full(batch, steps) if lengths is None else lengths
    out = np.zeros((batch, steps, hidden))
    for row, length in enumerate(lengths):
        order = range(length - 1, -1, -1) if reverse else range(length)
        for t in order:
            h[row], c[row] = step(x[row, t].astype(np.float64), w, r, b, h[row], c[row])
            out[row, t] = h[row]
    return out, h, c


def f32(array):
    return np.asarray(array, np.float32)


def ones(op, width=WIDTH, directions=1):
    """Weights W and R, all of them 1."""
    rows = GATES[op] * HIDDEN
    return np.ones((directions, rows, width)), np.ones((directions, rows, HIDDEN))


def recurrent(s, op, x, w, r, *more, open_time=False, **attributes):
    """The operator over the input `x[1, batch, time, width]`; gives its outputs with such an axis in front."""
    dims = (1, BATCH, "T", x.shape[3]) if open_time else None
    value = s.node("Squeeze", s.input("x", x, dims), s.ints(0))
    outputs = 3 if op == "LSTM" else 2
    operands = [value, s.constant(f32(w)), s.constant(f32(r)), *more]
    y, *states = s.node(op, *operands, outputs=outputs, hidden_size=HIDDEN, layout=1, **attributes)
    # [batch, time, direction, hidden]: directions side by side.
    y = s.node("Reshape", y, s.ints(1, BATCH, -1, w.shape[0] * HIDDEN))
    return [y, *(s.node("Unsqueeze", state, s.ints(0)) for state in states)]


def native(s, op, cells, lengths="", states=(), x=DATA, steps=STEPS, **attributes):
    """TensorRT's own layer; `cells` are (W, R, B) of each layer and direction, of which W and B may be left out."""
    operands = [s.input("x", x), lengths, *states, *[""] * (2 - len(states))]
    for cell in cells:
        operands += ["" if part is None else s.constant(f32(part)) for part in cell]
    outputs = 3 if op == "LSTM" else 2
    attributes = dict(op=op, hidden_size=HIDDEN, max_seq_length=steps) | attributes
    return s.node("TRT_RNNv2", *operands, outputs=outputs, **attributes)


def relu_steps(*values):
    """The same number for all of the batch and all of the state."""
    return np.array(values, np.float64)[None, None, :, None]


def initial():
    s = Section("rnn-initial")
    w, r = ones("RNN")
    y, h = recurrent(s, "RNN", DATA, w, r, activations=["Relu"])
    out, last, _ = run(step_rnn(relu), DATA[0], w[0], r[0])
    s.output("y", y, out[None], relu_steps(7, 42, 217, 1092))
    s.output("last", h, last[None, :, None], 1092)
    return s


def one_cell(op, width=WIDTH):
    w, r = ones(op, width)
    return w[0], r[0], None


def parameters_native():
    s = Section("rnn-parameters-native")
    y, h = native(s, "RELU", [one_cell("RNN")], num_layers=1)
    out, last, _ = run(step_rnn(relu), DATA[0], *one_cell("RNN")[:2])
    s.output("y", y, out[None], relu_steps(7, 42, 217, 1092))
    s.output("last", h, last[None, :, None], 1092)
    return s


def lengths():
    s = Section("rnn-sequence-lengths")
    w, r = ones("RNN")
    lens = np.array([4, 3, 2], np.int32)
    given = s.input("lengths", lens)
    y, h = recurrent(s, "RNN", DATA, w, r, "", given, open_time=True, activations=["Relu"])
    out, last, _ = run(step_rnn(relu), DATA[0], w[0], r[0], lengths=lens)
    printed = [[7, 42, 217, 1092], [7, 42, 217, 0], [7, 42, 0, 0]]
    s.output("y", y, out[None], np.array(printed)[None, ..., None])
    s.output("last", h, last[None, :, None], np.array([1092, 217, 42])[None, :, None, None])
    return s


def lengths_native():
    s = Section("rnn-sequence-lengths-native")
    lens = np.array([[4, 3, 2]], np.int32)
    y, h = native(s, "RELU", [one_cell("RNN")], s.input("lengths", lens))
    out, last, _ = run(step_rnn(relu), DATA[0], *one_cell("RNN")[:2], lengths=lens[0])
    s.output("y", y, out[None], np.array([[7, 42, 217, 1092], [7, 42, 217, 0], [7, 42, 0, 0]])[None, ..., None])
    s.output("last", h, last[None, :, None], np.array([1092, 217, 42])[None, :, None, None])
    return s


def some(seed, *shape):
    """Numbers between -1 and 1 without a visible pattern, the same on every machine."""
    steps = np.arange(seed, seed + np.prod(shape)) * 7919 % 2003
    return (steps / 1001.5 - 1).reshape(shape).astype(np.float32)


VARIED = some(5, *DATA.shape)


def operations():
    """The four operations, on numbers that tell the gates apart."""
    s = Section("rnn-operations")
    x = s.node("Squeeze", s.input("x", VARIED), s.ints(0))
    steps = {"relu": ("RNN", step_rnn(relu)), "tanh": ("RNN", step_rnn(np.tanh)), "lstm": ("LSTM", step_lstm)}
    steps["gru"] = ("GRU", step_gru)
    for name, (op, step) in steps.items():
        rows = GATES[op] * HIDDEN
        w, r, b = some(11, rows, WIDTH), some(23, rows, HIDDEN), some(31, 2, rows)
        attributes = dict(hidden_size=HIDDEN, layout=1)
        if op == "RNN":
            attributes["activations"] = [name.capitalize()]
        if name == "gru":
            attributes["linear_before_reset"] = 1
        operands = [s.constant(value[None]) for value in (w, r)] + [s.constant(b.reshape(1, -1))]
        y = s.node(op, x, *operands, outputs=2, **attributes)[0]
        s.output(name, s.node("Squeeze", y, s.ints(2)), run(step, VARIED[0], w, r, b)[0])
    return s


def operations_native():
    s = Section("rnn-operations-native")
    x = s.input("x", VARIED)
    steps = {"RELU": ("RNN", step_rnn(relu)), "TANH": ("RNN", step_rnn(np.tanh)), "LSTM": ("LSTM", step_lstm)}
    steps["GRU"] = ("GRU", step_gru)
    for name, (op, step) in steps.items():
        rows = GATES[op] * HIDDEN
        w, r, b = some(11, rows, WIDTH), some(23, rows, HIDDEN), some(31, 2, rows)
        outputs = 3 if op == "LSTM" else 2
        cell = [s.constant(value) for value in (w, r, b)]
        y = s.node("TRT_RNNv2", x, "", "", "", *cell, outputs=outputs, op=name, hidden_size=HIDDEN)[0]
        s.output(name.lower(), y, run(step, VARIED[0], w, r, b)[0][None])
    return s


def input_mode():
    """Weights W that are the identity: the layer may skip the product."""
    s = Section("rnn-input-mode")
    x = np.ones((1, BATCH, STEPS, HIDDEN), np.float32)
    w, r = np.eye(HIDDEN)[None], ones("RNN")[1]
    y, h = recurrent(s, "RNN", x, w, r, activations=["Relu"])
    out, last, _ = run(step_rnn(relu), x[0], w[0], r[0])
    s.output("y", y, out[None], relu_steps(1, 6, 31, 156))
    s.output("last", h, last[None, :, None], 156)
    return s


def input_mode_native():
    s = Section("rnn-input-mode-native")
    x = np.ones((1, BATCH, STEPS, HIDDEN), np.float32)
    r = one_cell("RNN")[1]
    y, h = native(s, "RELU", [(None, r, None)], x=x, input_mode="SKIP")
    out, last, _ = run(step_rnn(relu), x[0], np.eye(HIDDEN), r)
    s.output("y", y, out[None], relu_steps(1, 6, 31, 156))
    s.output("last", h, last[None, :, None], 156)
    return s


def direction():
    s = Section("rnn-direction")
    w, r = ones("RNN", directions=2)
    y, h = recurrent(s, "RNN", DATA, w, r, open_time=True, direction="bidirectional", activations=["Relu", "Relu"])
    ran = [run(step_rnn(relu), DATA[0], w[d], r[d], reverse=d == 1) for d in range(2)]
    steps = np.array([7, 42, 217, 1092])
    printed = np.repeat(np.stack([steps, steps[::-1]], -1), HIDDEN, -1)
    s.output("y", y, np.concatenate([ran[0][0], ran[1][0]], -1)[None], printed)
    s.output("last", h, np.stack([ran[0][1], ran[1][1]], 1)[None], 1092)
    return s


def direction_native():
    s = Section("rnn-direction-native")
    cell = one_cell("RNN")
    y, h = native(s, "RELU", [cell, cell], direction="BIDIRECTION")
    ran = [run(step_rnn(relu), DATA[0], *cell[:2], reverse=d == 1) for d in range(2)]
    s.output("y", y, np.concatenate([ran[0][0], ran[1][0]], -1)[None])
    s.output("last", h, np.stack([ran[0][1], ran[1][1]], 1)[None], 1092)
    return s


def hidden_state():
    s = Section("rnn-hidden-state")
    w, r = ones("RNN")
    first = s.constant(np.ones((BATCH, 1, HIDDEN), np.float32))
    y, h = recurrent(s, "RNN", DATA, w, r, "", "", first, activations=["Relu"])
    out, last, _ = run(step_rnn(relu), DATA[0], w[0], r[0], h=np.ones((BATCH, HIDDEN)))
    s.output("y", y, out[None], relu_steps(12, 67, 342, 1717))
    s.output("last", h, last[None, :, None], 1717)
    return s


def hidden_state_native():
    s = Section("rnn-hidden-state-native")
    first = s.constant(np.ones((1, BATCH, 1, HIDDEN), np.float32))
    y, h = native(s, "RELU", [one_cell("RNN")], states=[first])
    out, last, _ = run(step_rnn(relu), DATA[0], *one_cell("RNN")[:2], h=np.ones((BATCH, HIDDEN)))
    s.output("y", y, out[None], relu_steps(12, 67, 342, 1717))
    s.output("last", h, last[None, :, None], 1717)
    return s


def cell_state():
    """The document's program begins with a hidden state of ones, but its numbers are those for zeros."""
    s = Section("rnn-cell-state")
    w, r = ones("LSTM")
    states = [s.constant(np.zeros((BATCH, 1, HIDDEN), np.float32))] * 2
    y, h, c = recurrent(s, "LSTM", DATA, w, r, "", "", *states)
    out, last, cell = run(step_lstm, DATA[0], w[0], r[0])
    s.output("y", y, out[None], relu_steps(0.760517, 0.963940, 0.995037, 0.999321), 2e-6)
    s.output("last", h, last[None, :, None], 0.999321, 2e-6)
    s.output("cell", c, cell[None, :, None], 3.998999, 2e-6)
    return s


def lstm_both_ways():
    s = Section("rnn-bidirectional-lstm")
    w, r = ones("LSTM", directions=2)
    states = [s.constant(np.zeros((BATCH, 2, HIDDEN), np.float32))] * 2
    y, h, c = recurrent(s, "LSTM", DATA, w, r, "", "", *states, open_time=True, direction="bidirectional")
    ran = [run(step_lstm, DATA[0], w[d], r[d], reverse=d == 1) for d in range(2)]
    steps = np.array([0.760517, 0.963941, 0.995038, 0.999322])
    printed = np.repeat(np.stack([steps, steps[::-1]], -1), HIDDEN, -1)
    s.output("y", y, np.concatenate([ran[0][0], ran[1][0]], -1)[None], printed, 2e-6)
    s.output("last", h, np.stack([ran[0][1], ran[1][1]], 1)[None], 0.999322, 2e-6)
    s.output("cell", c, np.stack([ran[0][2], ran[1][2]], 1)[None], 3.998999, 2e-6)
    return s


def lstm_both_ways_native():
    """First states that are not 0, and different weights for each way."""
    s = Section("rnn-bidirectional-lstm-native")
    rows = GATES["LSTM"] * HIDDEN
    cells = [(some(11 + d, rows, WIDTH), some(23 + d, rows, HIDDEN), some(31 + d, 2, rows)) for d in range(2)]
    h0, c0 = some(3, 1, BATCH, 2, HIDDEN), some(4, 1, BATCH, 2, HIDDEN)
    states = [s.constant(h0), s.constant(c0)]
    y, h, c = native(s, "LSTM", cells, states=states, x=VARIED, direction="BIDIRECTION")
    firsts = [dict(h=h0[0, :, d].astype(np.float64), c=c0[0, :, d].astype(np.float64)) for d in range(2)]
    ran = [run(step_lstm, VARIED[0], *cells[d], **firsts[d], reverse=d == 1) for d in range(2)]
    s.output("y", y, np.concatenate([ran[0][0], ran[1][0]], -1)[None])
    s.output("last", h, np.stack([ran[0][1], ran[1][1]], 1)[None])
    s.output("cell", c, np.stack([ran[0][2], ran[1][2]], 1)[None])
    return s


def time_first():
    """Time in front of the batch, as the layer's first version had it."""
    s = Section("rnn-time-first")
    w, r = ones("RNN")
    x = s.node("Transpose", s.node("Squeeze", s.input("x", DATA), s.ints(0)), perm=[1, 0, 2])
    operands = [x, s.constant(f32(w)), s.constant(f32(r))]
    y, h = s.node("RNN", *operands, outputs=2, hidden_size=HIDDEN, activations=["Relu"])
    out, last, _ = run(step_rnn(relu), DATA[0], w[0], r[0])
    printed = np.array([7, 42, 217, 1092])[None, :, None, None]
    s.output("y", s.node("Reshape", y, s.ints(1, STEPS, BATCH, HIDDEN)), out.transpose(1, 0, 2)[None], printed)
    s.output("last", s.node("Unsqueeze", h, s.ints(0)), last[None, None], 1092)
    return s


def layers():
    """The second layer reads the first one's states."""
    s = Section("rnn-layers")
    (w, r), (w2, r2) = ones("RNN"), ones("RNN", HIDDEN)
    x = s.node("Squeeze", s.input("x", DATA, (1, BATCH, "T", WIDTH)), s.ints(0))
    attributes = dict(outputs=2, hidden_size=HIDDEN, layout=1, activations=["Relu"])
    y, first = s.node("RNN", x, s.constant(f32(w)), s.constant(f32(r)), **attributes)
    y, second = s.node("RNN", s.node("Squeeze", y, s.ints(2)), s.constant(f32(w2)), s.constant(f32(r2)), **attributes)
    out, h, _ = run(step_rnn(relu), DATA[0], w[0], r[0])
    out, h2, _ = run(step_rnn(relu), out, w2[0], r2[0])
    s.output("y", s.node("Reshape", y, s.ints(1, BATCH, -1, HIDDEN)), out[None], relu_steps(35, 385, 3010, 20510))
    last = s.node("Unsqueeze", s.node("Concat", first, second, axis=1), s.ints(0))
    s.output("last", last, np.stack([h, h2], 1)[None], np.array([1092, 20510])[:, None])
    return s


def layers_native():
    s = Section("rnn-layers-native")
    cells = [one_cell("RNN"), one_cell("RNN", HIDDEN)]
    y, h = native(s, "RELU", cells, num_layers=2)
    out, first, _ = run(step_rnn(relu), DATA[0], *cells[0][:2])
    out, second, _ = run(step_rnn(relu), out, *cells[1][:2])
    s.output("y", y, out[None], relu_steps(35, 385, 3010, 20510))
    s.output("last", h, np.stack([first, second], 1)[None], np.array([1092, 20510])[:, None])
    return s


def gru_options():
    """The reset gate in front of the product, backwards, with lengths."""
    s = Section("rnn-gru-options")
    rows = GATES["GRU"] * HIDDEN
    w, r, b = some(11, rows, WIDTH), some(23, rows, HIDDEN), some(31, 2, rows)
    lens = np.array([2, 4, 3], np.int32)

    def step(x, w, r, b, h, c):
        (wz, wr, wh), (rz, rr, rh), sums = np.split(w, 3), np.split(r, 3), np.split(b[0] + b[1], 3)
        z, reset = sigmoid(x @ wz.T + h @ rz.T + sums[0]), sigmoid(x @ wr.T + h @ rr.T + sums[1])
        return (1 - z) * np.tanh(x @ wh.T + (reset * h) @ rh.T + sums[2]) + z * h, c

    out, last, _ = run(step, VARIED[0], w, r, b, lengths=lens, reverse=True)
    given = s.input("lengths", lens)
    bias = s.constant(b.reshape(1, -1))
    y, h = recurrent(s, "GRU", VARIED, w[None], r[None], bias, given, open_time=True, direction="reverse")
    s.output("y", y, out[None])
    s.output("last", h, last[None, :, None])
    return s


def lstm_options():
    """Peepholes, clipped gates, a forget gate tied to the input gate, other functions; none of it is TensorRT's."""
    s = Section("rnn-lstm-options")
    rows = GATES["LSTM"] * HIDDEN
    w, r, b, p = some(11, rows, WIDTH), some(23, rows, HIDDEN), some(31, 2, rows), some(47, 3, HIDDEN)

    def clip(x):
        return np.clip(x, -0.75, 0.75)

    def step(x, w, r, b, h, c):
        i, o, _, g = np.split(x @ w.T + h @ r.T + b[0] + b[1], 4, -1)
        i = np.clip(0.3 * clip(i + p[0] * c) + 0.4, 0, 1)
        c = (1 - i) * c + i * np.tanh(clip(g))
        return np.clip(0.3 * clip(o + p[1] * c) + 0.4, 0, 1) * np.where(c < 0, 0.05 * c, c), c

    out, last, cell = run(step, VARIED[0], w, r, b)
    more = [s.constant(b.reshape(1, -1)), "", "", "", s.constant(p.reshape(1, -1))]
    attributes = dict(activations=["HardSigmoid", "Tanh", "LeakyRelu"])
    attributes |= dict(activation_alpha=[0.3, 0.05], activation_beta=[0.4], clip=0.75, input_forget=1)
    y, h, c = recurrent(s, "LSTM", VARIED, w[None], r[None], *more, open_time=True, **attributes)
    s.output("y", y, out[None])
    s.output("last", h, last[None, :, None])
    s.output("cell", c, cell[None, :, None])
    return s
