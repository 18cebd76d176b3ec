#!/usr/bin/env python3
"""Trains the residual sample network and writes model.onnx and test_data_set_0 beside this file.

Deterministic: seeds and one thread, so the same package versions give the same bytes. README.md lists the versions.
"""

import contextlib
import io
import sys
from pathlib import Path

import numpy as np
import onnx
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional as F

HOME = Path(__file__).parent
sys.path.append(str(HOME.parent))
import samples  # noqa: E402

SEED = 21
EPOCHS = 40
BATCH = 64
OPSET = 17
SIZE = 16  # pixels of a side; the data set has 8
STAGES = (16, 2), (32, 2), (48, 1)  # channels and blocks
CALIBRATE = 512  # samples
VIEWS = 4  # distorted samples of each held-out image
SHOWN = 4  # images in test_data_set_0


class Block(nn.Module):
    """Two 3x3 convolutions and a shortcut, which is a 1x1 convolution where the size changes."""

    def __init__(self, narrow, wide):
        super().__init__()
        step = 1 if narrow == wide else 2
        self.conv1, self.bn1 = nn.Conv2d(narrow, wide, 3, step, 1, bias=False), nn.BatchNorm2d(wide)
        self.conv2, self.bn2 = nn.Conv2d(wide, wide, 3, 1, 1, bias=False), nn.BatchNorm2d(wide)
        self.short = nn.Identity()
        if step == 2:
            self.short = nn.Sequential(nn.Conv2d(narrow, wide, 1, step, bias=False), nn.BatchNorm2d(wide))

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(y)) + self.short(x))


class Residual(nn.Module):
    """A stem, three stages of residual blocks, the mean over pixels and one dense layer; returns logits `[batch, 10]`."""

    def __init__(self):
        super().__init__()
        width = STAGES[0][0]
        self.stem, self.bn = nn.Conv2d(1, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        blocks = []
        for wide, count in STAGES:
            for _ in range(count):
                blocks.append(Block(width, wide))
                width = wide
        self.blocks = nn.Sequential(*blocks)
        self.fc = nn.Linear(width, 10)

    def forward(self, image):
        x = torch.relu(self.bn(self.stem(image)))
        return self.fc(F.adaptive_avg_pool2d(self.blocks(x), 1).flatten(1))


def distorted(images, seed):
    """Each image turned, scaled, sheared and moved a little, made lighter or darker, with noise; levels in 0..1."""
    source = torch.Generator().manual_seed(seed)
    uniform = lambda low, high, *shape: low + (high - low) * torch.rand(shape or (len(images),), generator=source)
    angle, scale, shear = uniform(-0.5, 0.5), uniform(0.85, 1.3), uniform(-0.3, 0.3)
    cos, sin = angle.cos() * scale, angle.sin() * scale
    move = uniform(-0.2, 0.2, len(images), 2)
    rows = [torch.stack([cos, shear - sin, move[:, 0]], 1), torch.stack([sin, cos, move[:, 1]], 1)]
    grid = F.affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
    images = F.grid_sample(images, grid, align_corners=False)
    images = images * uniform(0.5, 1.0)[:, None, None, None]
    return (images + 0.1 * torch.randn(images.shape, generator=source)).clamp(0, 1)


def load():
    """Images as `[n, 1, 16, 16]` in 0..1 and their labels, split into train and test (a quarter, stratified)."""
    data = load_digits()
    images = torch.from_numpy((data.images / 16.0).astype(np.float32)[:, None])
    images = F.interpolate(images, size=(SIZE, SIZE), mode="bilinear", align_corners=False)
    parts = train_test_split(np.arange(len(images)), test_size=0.25, stratify=data.target, random_state=SEED)
    labels = torch.from_numpy(data.target)
    return [(images[part], labels[part]) for part in parts]


def train(images, labels):
    """A trained network in evaluation mode."""
    torch.manual_seed(SEED)
    net = Residual()
    steps = EPOCHS * -(-len(images) // BATCH)
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for epoch in range(EPOCHS):
        seen = distorted(images, SEED + epoch)
        for picked in torch.randperm(len(images)).split(BATCH):
            optimizer.zero_grad()
            F.cross_entropy(net(seen[picked]), labels[picked], label_smoothing=0.1).backward()
            optimizer.step()
            schedule.step()
    return net.eval()


def to_onnx(net):
    """The network by PyTorch's exporter, BatchNormalization left where it is."""
    file = io.BytesIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        torch.onnx.export(
            net, torch.zeros(2, 1, SIZE, SIZE), file, dynamo=False, opset_version=OPSET, input_names=["image"],
            output_names=["logits"], dynamic_axes={"image": {0: "batch"}, "logits": {0: "batch"}},
            training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False,
        )
    return onnx.load_from_string(file.getvalue())


def views(images, labels):
    """Several distorted samples of each held-out image, and their labels."""
    return distorted(images.repeat(VIEWS, 1, 1, 1), SEED - 1).numpy(), labels.repeat(VIEWS).numpy()


def main():
    options = samples.folders(__doc__, HOME)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    (images, labels), held_out = load()
    shown, expected = views(*held_out)
    if options.samples:
        others = distorted(images[:CALIBRATE], SEED - 2).numpy()
        calibrate, evaluate = ([{"image": part} for part in samples.parts(those)] for those in (others, shown))
        samples.write(options.samples, calibrate, evaluate, expected)
        return

    net = train(images, labels)
    model = to_onnx(net)
    samples.save(options.out, model, {"image": shown[:SHOWN]})
    logits = samples.run(model, {"image": shown})
    with torch.no_grad():
        difference = np.abs(logits - net(torch.from_numpy(shown)).numpy()).max()
    assert difference < 1e-4, f"the ONNX model differs from PyTorch by {difference}"
    plain = samples.run(model, {"image": held_out[0].numpy()})
    print(f"accuracy on held-out images: {samples.share(plain.argmax(1) == held_out[1].numpy())}")
    print(f"accuracy on {VIEWS} distorted samples of each: {samples.share(logits.argmax(1) == expected)}")
    print(f"largest difference between PyTorch and ONNX Runtime: {difference:.1e}")
    print(f"test_data_set_0 shows the digits {expected[:SHOWN].tolist()}")


if __name__ == "__main__":
    main()
