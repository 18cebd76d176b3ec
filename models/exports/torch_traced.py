"""Models by PyTorch's exporter that traces or compiles TorchScript, at opsets from 9 to 20."""

import contextlib
import io
from typing import List

import onnx
import torch
import torch.nn.functional as F
import torchvision
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import common
from networks import Calls, Classifier, Of, Reader, bert, conditioned, continued, gpt2, t5, texts, wav2vec2

torch.set_num_threads(1)
randn, tensor = torch.randn, torch.tensor


def export(make, opset, inputs, **options):
    """What a function's network becomes, and its data."""
    torch.manual_seed(0)
    network, sets = make()
    sets = [data if isinstance(data, tuple) else (data,) for data in sets]
    file = io.BytesIO()
    with contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
        torch.onnx.export(
            network, sets[0], file, dynamo=False, opset_version=opset, input_names=list(inputs),
            dynamic_axes={name: common.axes(sizes) for name, sizes in inputs.items()}, **options,
        )
    data = [{name: part.numpy() for name, part in zip(inputs, data)} for data in sets]
    return onnx.load_from_string(file.getvalue()), data


def traced(opset, outputs=None, **inputs):
    """Adds the model that the function below describes; `_` is a size that is fixed."""
    def add(make):
        common.model(f"{make.__name__}_traced_{opset}", lambda: export(make, opset, inputs, output_names=outputs))
        return make
    return add


# Text and sound


@traced(11, ids="batch length", mask="batch length")
def bert_masked():
    """An encoder as most stand in the world: sizes by Shape and Gather, a mask of numbers."""
    return bert(), texts((2, 7), (3, 4))


@traced(13, ids="batch new", mask="batch total", key="batch _ past _", value="batch _ past _")
def gpt2_past():
    """A decoder with its past and learned positions; heads are split by Reshape and Split."""
    return gpt2(), continued(4, (2, 3, 5), (1, 1, 4))


@traced(13, ids="batch length", mask="batch length")
def t5_encoder():
    """Relative positions: buckets by Log and Where, a mask whose sizes come from several places."""
    return Calls(t5().encoder, ("input_ids", "attention_mask"), ("last_hidden_state",)), texts((2, 7), (3, 4))


@traced(14, wave="batch time")
def wav2vec2_ctc():
    """Strided convolutions one behind the other: the length is a chain of floors."""
    return wav2vec2(), [randn(2, 240), randn(1, 317)]


class FoldedHeads(nn.Module):
    """Attention that folds heads into the batch, by sizes that are computed: [4·batch, -1, 4]."""

    def __init__(self):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(16, 16) for _ in range(3))

    def fold(self, x):
        length, batch, width = x.shape
        return x.contiguous().view(-1, batch * 4, width // 4).transpose(0, 1)

    def forward(self, x):
        length, batch, width = x.shape
        q, k, v = self.fold(self.q(x)), self.fold(self.k(x)), self.fold(self.v(x))
        mixed = torch.bmm((torch.bmm(q, k.transpose(1, 2)) / 2).softmax(-1), v)
        return mixed.transpose(0, 1).contiguous().view(length, batch, width)


@traced(9, x="length batch _")
def folded_heads():
    """Heads folded into the batch, at an opset without much."""
    return conditioned(FoldedHeads()), [randn(5, 2, 16), randn(3, 1, 16)]


class Conformer(nn.Module):
    """Positions relative to each other by padding and reshaping, and a convolution that is masked."""

    def __init__(self):
        super().__init__()
        self.q, self.places, self.wide = nn.Linear(16, 16), nn.Linear(16, 16), nn.Conv1d(16, 32, 1)
        self.deep, self.norm = nn.Conv1d(16, 16, 5, padding=2, groups=16), nn.BatchNorm1d(16)

    def forward(self, x, lengths):
        batch, length, width = x.shape
        far = torch.arange(length - 1, -length, -1.0)[:, None] * torch.exp(torch.arange(0, 16, 2) * -0.5)
        places = self.places(torch.cat([far.sin(), far.cos()], 1)).view(-1, 4, 4).transpose(0, 1)
        q = self.q(x).view(batch, length, 4, 4).transpose(1, 2)
        moved = F.pad(q @ places.transpose(1, 2), (1, 0)).view(batch, 4, 2 * length, length)[:, :, 1:]
        moved = moved.reshape(batch, 4, length, 2 * length - 1)[..., :length]
        inside = torch.arange(length) < lengths[:, None]
        scores = (q @ q.transpose(2, 3) + moved).masked_fill(~inside[:, None, None], -1e4)
        x = x + (scores.softmax(-1) @ q).transpose(1, 2).reshape(batch, length, width)
        return x + F.silu(self.norm(self.deep(F.glu(self.wide(x.transpose(1, 2)), 1) * inside[:, None]))).transpose(1, 2)


@traced(17, x="batch length _", lengths="batch")
def conformer():
    """Relative positions as speech recognisers shift them, and lengths as an input."""
    return conditioned(Conformer()), [(randn(2, 6, 16), tensor([6, 4])), (randn(1, 9, 16), tensor([8]))]


@traced(17, wave="batch time")
def spectrum():
    """A spectrogram by STFT, through a bank of filters, as logarithms."""
    window, bank = torch.hann_window(32), torch.rand(17, 6)

    def compute(wave):
        parts = torch.stft(wave, 32, 8, window=window, center=True, return_complex=False)
        return (parts.pow(2).sum(-1).transpose(1, 2) @ bank).clamp(min=1e-3).log()

    return Of(compute), [randn(2, 160), randn(1, 200)]


# Recurrences


@traced(11, line="batch _ _ width")
def text_reader():
    """Lines of text of any width: convolutions, then an LSTM."""
    return conditioned(Reader()), [randn(2, 1, 8, 24), randn(1, 1, 8, 33)]


class Packed(nn.Module):
    """Sequences of several lengths, packed."""

    def __init__(self):
        super().__init__()
        self.reader, self.out = nn.LSTM(4, 6, bidirectional=True, batch_first=True), nn.Linear(12, 3)

    def forward(self, x, lengths):
        states, (last, _) = self.reader(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
        states, lengths = pad_packed_sequence(states, batch_first=True)
        return self.out(states), last, lengths


@traced(13, x="batch time _", lengths="batch")
def packed_lstm():
    """Sequences of several lengths, sorted, packed, and put back in their order."""
    return conditioned(Packed()), [(randn(3, 7, 4), tensor([5, 7, 2])), (randn(2, 4, 4), tensor([4, 1]))]


@traced(9, x="time batch _", start="_ batch _")
def gru_stacked():
    """Two layers of a GRU in both directions, with a state to start from."""
    network = conditioned(nn.GRU(4, 6, 2, bidirectional=True))
    return network, [(randn(6, 2, 4), randn(4, 2, 6)), (randn(3, 1, 4), randn(4, 1, 6))]


@traced(15, wave="batch time", hidden="_ batch _", cell="_ batch _")
def voice_stream():
    """A detector of voices: a spectrum by convolution, an LSTM, its state in and out."""
    def compute(net, wave, hidden, cell):
        real, imaginary = net.spectrum(F.pad(wave[:, None], (4, 4), "reflect")).chunk(2, 1)
        states, (hidden, cell) = net.reader((real * real + imaginary * imaginary + 0.1).sqrt().transpose(1, 2), (hidden, cell))
        return net.out(states).squeeze(-1).sigmoid(), hidden, cell

    parts = {"spectrum": nn.Conv1d(1, 18, 16, 8, bias=False), "reader": nn.LSTM(9, 6, batch_first=True), "out": nn.Linear(6, 1)}
    return Of(compute, **parts), [(randn(2, 80), *randn(2, 1, 2, 6)), (randn(1, 96), *randn(2, 1, 1, 6))]


# Control flow, compiled from Python


class Repeated(nn.Module):
    def __init__(self):
        super().__init__()
        self.step = nn.Linear(4, 4)

    def forward(self, x, times: int):
        for turn in range(times):
            x = torch.tanh(self.step(x)) + float(turn) * 0.1
        return x


@traced(16, x="batch _", times="")
def loop_counted():
    """A loop whose number of turns is an input."""
    return torch.jit.script(conditioned(Repeated())), [(randn(2, 4), tensor(3)), (randn(3, 4), tensor(5))]


class Halved(nn.Module):
    def forward(self, x):
        turns = 0
        while bool(x.abs().sum() > 1.0) and turns < 20:
            x = x * 0.5
            turns += 1
        return x, torch.tensor(turns)


@traced(16, x="batch _")
def loop_until():
    """A loop that goes on until its numbers are small."""
    return torch.jit.script(Halved()), [randn(2, 4) * 10, randn(3, 4) * 0.001]


class Greedy(nn.Module):
    """Tokens, each from the one before."""

    def __init__(self):
        super().__init__()
        self.words, self.step, self.out = nn.Embedding(11, 8), nn.Linear(8, 8), nn.Linear(8, 11)

    def forward(self, state):
        token = torch.zeros(state.shape[0], dtype=torch.long)
        found: List[torch.Tensor] = []
        for _ in range(4):
            state = torch.tanh(self.words(token) + self.step(state))
            token = self.out(state).argmax(1)
            found.append(token)
        return torch.stack(found, 1)


@traced(16, state="batch _")
def loop_with_list():
    """A loop that collects in a list: a sequence in ONNX."""
    return torch.jit.script(conditioned(Greedy())), [randn(2, 8), randn(3, 8)]


class Smoothed(nn.Module):
    def forward(self, x):
        y, mean = torch.zeros_like(x), torch.zeros(x.shape[0])
        for time in range(x.shape[1]):
            mean = mean * 0.9 + x[:, time]
            y[:, time] = mean
        return y


@traced(17, x="batch time")
def loop_with_writes():
    """A loop that writes into a tensor in place: ScatterND, as many turns as an axis is long."""
    return torch.jit.script(Smoothed()), [randn(2, 5), randn(3, 8)]


# Images


@traced(12, image="batch _ _ _")
def classifier():
    """Convolutions, normalised, with a gate, pools and a residual."""
    return conditioned(Classifier()), [randn(2, 3, 8, 8), randn(1, 3, 8, 8)]


class Head(nn.Module):
    """Boxes of two scales, each place with its stride, distances as distributions."""

    def __init__(self):
        super().__init__()
        self.stem, self.down = nn.Conv2d(3, 8, 4, 4), nn.Conv2d(8, 8, 2, 2)
        self.heads = nn.ModuleList(nn.Conv2d(8, 16 + 3, 1) for _ in range(2))

    def forward(self, image):
        near = F.silu(self.stem(image))
        found, centres, strides = [], [], []
        for scale, (level, head) in enumerate(zip([near, F.silu(self.down(near))], self.heads)):
            height, width = level.shape[2:]
            y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
            centres.append(torch.stack((x, y), -1).view(-1, 2))
            strides.append(torch.full((height * width, 1), 4.0 * 2**scale))
            found.append(head(level).flatten(2))
        found, centres, strides = torch.cat(found, 2), torch.cat(centres).T, torch.cat(strides).T
        batch, _, places = found.shape
        shares = found[:, :16].view(batch, 4, 4, places).softmax(2)
        low, high = (shares * torch.arange(4.0)[None, None, :, None]).sum(2).chunk(2, 1)
        boxes = torch.cat([(centres - low + centres + high) / 2, low + high], 1) * strides
        return torch.cat([boxes, found[:, 16:].sigmoid()], 1)


@traced(13, image="batch _ height width")
def detector_head():
    """A detector without anchors: a grid of places by Range and Expand, from the sizes of maps."""
    return conditioned(Head()), [randn(2, 3, 16, 24), randn(1, 3, 24, 16)]


class Joined(nn.Module):
    """A small U: what was made larger is padded to what it joins."""

    def __init__(self):
        super().__init__()
        self.down, self.deep = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 8, 3, padding=1)
        self.up, self.out = nn.ConvTranspose2d(8, 4, 2, 2), nn.Conv2d(8, 2, 1)

    def forward(self, image):
        x = F.relu(self.down(image))
        y = self.up(F.relu(self.deep(F.max_pool2d(x, 2))))
        high, wide = x.shape[2] - y.shape[2], x.shape[3] - y.shape[3]
        y = F.pad(y, [wide // 2, wide - wide // 2, high // 2, high - high // 2])
        return self.out(torch.cat([x, y], 1))


@traced(13, image="batch _ height width")
def unet_padded():
    """Transposed convolution, and Pad by the difference of two sizes."""
    return conditioned(Joined()), [randn(2, 3, 11, 14), randn(1, 3, 12, 9)]


@traced(10, image="batch _ height width")
def upsample():
    """Nearest neighbours, twice as large: Resize as it first was."""
    compute = lambda net, x: net.conv(F.interpolate(x, scale_factor=2))
    return Of(compute, conv=nn.Conv2d(3, 4, 3)), [randn(2, 3, 6, 5), randn(1, 3, 4, 7)]


@traced(11, image="batch _ height width")
def resize_to_image():
    """What was pooled to one place is resized to the size of the image."""
    def compute(net, x):
        whole = F.interpolate(net.conv(F.adaptive_avg_pool2d(x, 1)), size=x.shape[2:], mode="bilinear", align_corners=False)
        return x + whole * F.interpolate(F.max_pool2d(x, 2), size=x.shape[2:])

    return Of(compute, conv=nn.Conv2d(4, 4, 1)), [randn(2, 4, 6, 8), randn(1, 4, 10, 6)]


@traced(13, image="batch _ height width")
def resize_by_factors():
    """Factors that are no whole numbers, corners aligned or not, and a cubic one."""
    def compute(x):
        uneven = F.interpolate(x, scale_factor=(1.5, 0.75), mode="bilinear", align_corners=False)
        aligned = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=True)
        return uneven, aligned, F.interpolate(x, scale_factor=2.0, mode="bicubic", align_corners=False)

    return Of(compute), [randn(2, 2, 8, 8), randn(1, 2, 12, 4)]


@traced(16, image="batch _ height width", places="batch rows columns _")
def sampled():
    """Images looked up at places that are given, in several ways."""
    def compute(image, places):
        ways = [("bilinear", "zeros", False), ("bilinear", "border", True), ("nearest", "reflection", False)]
        return tuple(F.grid_sample(image, places, mode, padding, corners) for mode, padding, corners in ways)

    sets = [(randn(2, 2, 5, 6), torch.rand(2, 3, 4, 2) * 2.4 - 1.2), (randn(1, 2, 8, 5), torch.rand(1, 4, 3, 2) * 2.4 - 1.2)]
    return Of(compute), sets


@traced(20, image="batch _ _ _")
def transformed():
    """Images turned by matrices of their own: AffineGrid and GridSample."""
    def compute(net, x):
        turns = net.turn(x.mean((2, 3))).view(-1, 2, 3) * 0.3 + torch.eye(2, 3)
        return F.grid_sample(x, F.affine_grid(turns, x.shape, align_corners=False), align_corners=False)

    return Of(compute, turn=nn.Linear(3, 6)), [randn(2, 3, 6, 8), randn(1, 3, 6, 8)]


@traced(13, x="batch _ height width")
def padded():
    """Every mode of Pad, and one that cuts."""
    def compute(x):
        modes = [F.pad(x, (1, 2, 1, 1), mode) for mode in ("reflect", "replicate", "circular")]
        return (*modes, F.pad(x, (1, 2, 3, 0)), F.pad(x, (-1, 2), value=3.0))

    return Of(compute), [randn(2, 2, 4, 5), randn(1, 2, 6, 4)]


@traced(13, x="batch _ height width")
def pooled():
    """Pools that overhang, dilated ones, and padding that is counted or not."""
    def compute(x):
        largest = F.max_pool2d(x, 3, 2, 1, ceil_mode=True), F.max_pool2d(x, 3, 1, 1, dilation=2), F.adaptive_max_pool2d(x, 1)
        return *largest, F.avg_pool2d(x, 3, 2, 1, count_include_pad=False), F.avg_pool2d(x, (2, 3), (2, 2), (0, 1))

    return Of(compute), [randn(2, 2, 9, 8), randn(1, 2, 12, 7)]


@traced(17, x="batch _ depth _ _")
def volumes():
    """Three spatial axes: a convolution, its transposition, pools, and a factor of two."""
    def compute(net, x):
        x = F.avg_pool3d(F.relu(net.conv(x)), 2)
        return net.up(x), F.interpolate(x, scale_factor=2.0)

    parts = {"conv": nn.Conv3d(2, 4, 3, padding=1), "up": nn.ConvTranspose3d(4, 2, 2, 2)}
    return Of(compute, **parts), [randn(2, 2, 6, 4, 4), randn(1, 2, 4, 4, 4)]


@traced(16, image="batch _ height width", boxes="boxes _")
def regions():
    """Parts of maps, cut out by boxes: RoiAlign."""
    sets = [(randn(2, 2, 8, 8), tensor([[0, 1, 1, 8, 8], [1, 2, 3, 12, 10.0]])), (randn(1, 2, 9, 6), tensor([[0, 1, 1, 8, 8.0]]))]
    return Of(lambda image, boxes: torchvision.ops.roi_align(image, boxes, (3, 3), 0.5, 2, True)), sets


BOXES = tensor([[0, 0, 10, 10], [1, 1, 11, 11], [20, 20, 30, 30], [0, 0, 9, 10.0]])


@traced(13, boxes="boxes _", scores="boxes", classes="boxes")
def suppressed_by_class():
    """Suppression of boxes, each class by itself: moved apart by the largest coordinate."""
    sets = [(BOXES, tensor([0.9, 0.8, 0.7, 0.6]), tensor([0, 0, 1, 1])), (BOXES[:2], tensor([0.5, 0.8]), tensor([0, 1]))]
    return Of(lambda boxes, scores, classes: torchvision.ops.batched_nms(boxes, scores, classes, 0.5)), sets


# Indices and sums


@traced(13, x="rows _", places="places", new="places _")
def index_put():
    """Rows written by their numbers, columns by slices, and sums where a number stands twice."""
    def compute(x, places, new):
        y, z, added = x.clone(), x.clone(), x.clone()
        y[places] = new
        z[:, 1:3] = 0
        z[..., ::2] *= 2
        return y, z, added.index_put_((places,), new, accumulate=True)

    return Of(compute), [(randn(5, 6), tensor([0, 2, 2]), randn(1, 6).repeat(3, 1)), (randn(4, 6), tensor([3, 0]), randn(2, 6))]


@traced(18, x="rows _", places="rows _", new="rows _")
def scattered():
    """ScatterElements with each reduction."""
    def compute(x, places, new):
        written, added = x.scatter(1, places, new), x.scatter_add(1, places, new)
        return written, added, x.scatter_reduce(1, places, new, "amax"), x.scatter_reduce(1, places, new, "prod")

    sets = [(randn(3, 5), tensor([[0, 2], [1, 4], [3, 1]]), randn(3, 2)), (randn(2, 5), tensor([[0, 2], [1, 3]]), randn(2, 2))]
    return Of(compute), sets


@traced(14, x="rows columns")
def chosen_by_mask():
    """Elements where a mask is true, and others written there: NonZero, GatherND, Where."""
    def compute(x):
        y = x.clone()
        y[x > 0.5] = -1
        return y, x[x > 0], torch.nonzero(x < 0)

    return Of(compute), [randn(3, 4), randn(2, 5)]


@traced(17, x="rows _")
def best_rows():
    """TopK of one axis; the rows that it finds."""
    return Of(lambda x: x[torch.topk(x[:, 0], 3)[1]]), [randn(5, 4), randn(8, 4)]


@traced(17, x="rows columns")
def sums():
    """Running sums, deviations, norms and logarithms of sums."""
    def compute(x):
        norms = x.norm(dim=1), x.norm(p=1, dim=1)
        return x.cumsum(1), x.flip(1).cumsum(0), x.prod(1), x.logsumexp(1), x.std(1), *norms

    return Of(compute), [randn(4, 6), randn(3, 5)]


@traced(12, x="batch _ _", y="batch _ _")
def einsum():
    """Products by letters: batches, traces, transposed results."""
    def compute(x, y):
        products = torch.einsum("bij,bjk->bik", x, y), torch.einsum("bij,bjk->ki", x, y)
        return *products, torch.einsum("bij,bij->b", x, x), torch.einsum("...ij->...ji", x)

    return Of(compute), [(randn(2, 3, 4), randn(2, 4, 5)), (randn(3, 3, 4), randn(3, 4, 5))]


@traced(11, x="batch rows _")
def reshaped():
    """Reshape with what remains, and with products of sizes."""
    def compute(x):
        turned, merged = x.permute(2, 0, 1).contiguous(), x.transpose(1, 2)
        views = x.view(x.size(0), -1, 2), x.reshape(-1, x.shape[-1]), turned.view(x.shape[2], -1)
        return *views, merged.reshape(x.shape[0] * x.shape[2], -1)

    return Of(compute), [randn(2, 3, 4), randn(1, 5, 4)]


@traced(18, a="count", b="count")
def whole_numbers():
    """Quotients and remainders of whole numbers, of either sign."""
    def compute(a, b):
        return a // b, a % b, torch.div(a, b, rounding_mode="trunc"), (a > b) & (a < 10), torch.fmod(a, 3)

    return Of(compute), [(tensor([7, -8, 3, 9]), tensor([2, 3, -5, 4])), (tensor([7, -1, 5]), tensor([2, 3, -2]))]


@traced(19, x="batch _ _")
def same_output_twice():
    """A value that two outputs give."""
    def compute(net, x):
        y = net.out(x)
        return y, y, y.softmax(-1)

    return Of(compute, out=nn.Linear(4, 3)), [randn(2, 3, 4), randn(1, 3, 4)]
