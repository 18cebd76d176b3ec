#!/usr/bin/env python3
"""Trains the digits sample model and writes model.onnx and test_data_set_0 beside this file.

Deterministic: one seed, one thread, so the same package versions give the same bytes. README.md lists the versions.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

HOME = Path(__file__).parent
sys.path.append(str(HOME.parent))
import samples  # noqa: E402

SEED = 20
EPOCHS = 40
BATCH = 64
OPSET = 17
SAMPLES = 4  # images in test_data_set_0
CALIBRATE = 512  # images of the train split


class Digits(nn.Module):
    """Three 3x3 convolutions, each with batch normalization, then one dense layer; returns logits `[batch, 10]`."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16)
        self.conv2, self.bn2 = nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32)
        self.conv3, self.bn3 = nn.Conv2d(32, 32, 3, padding=1), nn.BatchNorm2d(32)
        self.fc = nn.Linear(32 * 2 * 2, 10)

    def forward(self, image):
        x = torch.relu(self.bn1(self.conv1(image)))
        x = torch.relu(self.bn2(self.conv2(x)))
        x = torch.max_pool2d(x, 2)
        x = torch.relu(self.bn3(self.conv3(x)))
        x = torch.max_pool2d(x, 2)
        return self.fc(x.flatten(1))


def load():
    """Images as float32 `[n, 1, 8, 8]` in 0..1 and their labels, split into train and test (a quarter, stratified)."""
    data = load_digits()
    images = (data.images / 16.0).astype(np.float32)[:, None]
    return train_test_split(images, data.target, test_size=0.25, stratify=data.target, random_state=SEED)


def train(images, labels):
    """A trained network in evaluation mode."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    net, images, labels = Digits(), torch.from_numpy(images), torch.from_numpy(labels)
    steps = EPOCHS * -(-len(images) // BATCH)
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(EPOCHS):
        for picked in torch.randperm(len(images)).split(BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(images[picked]), labels[picked]).backward()
            optimizer.step()
            schedule.step()
    return net.eval()


def conv_block(index, source):
    """The nodes Conv, BatchNormalization and Relu of block `index`, reading the value `source`."""
    conv, bn = f"conv{index}", f"bn{index}"
    conv_inputs = [source, f"{conv}.weight", f"{conv}.bias"]
    bn_inputs = [conv] + [f"{bn}.{p}" for p in ("weight", "bias", "running_mean", "running_var")]
    return [
        helper.make_node("Conv", conv_inputs, [conv], name=f"Conv_{index}", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", bn_inputs, [bn], name=f"BatchNormalization_{index}", epsilon=1e-5),
        helper.make_node("Relu", [bn], [f"relu{index}"], name=f"Relu_{index}"),
    ]


def max_pool(index, source):
    """A 2x2 MaxPool node that halves both image sides."""
    name = f"MaxPool_{index}"
    return helper.make_node("MaxPool", [source], [f"pool{index}"], name=name, kernel_shape=[2, 2], strides=[2, 2])


def to_onnx(net):
    """The network as an ONNX model with every operator as PyTorch computes it: nothing folded, nothing fused."""
    nodes = [
        *conv_block(1, "image"),
        *conv_block(2, "relu1"),
        max_pool(1, "relu2"),
        *conv_block(3, "pool1"),
        max_pool(2, "relu3"),
        helper.make_node("Flatten", ["pool2"], ["features"], name="Flatten", axis=1),
        helper.make_node("Gemm", ["features", "fc.weight", "fc.bias"], ["logits"], name="Gemm", transB=1),
        helper.make_node("Softmax", ["logits"], ["probabilities"], name="Softmax", axis=1),
    ]
    weights = [
        numpy_helper.from_array(value.numpy(), name)
        for name, value in net.state_dict().items()
        if not name.endswith("num_batches_tracked")
    ]
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, 8, 8])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 10])],
        weights,
    )
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(
        graph, opset_imports=opsets, ir_version=8, producer_name="onnx2plan models/digits/train.py"
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def write_tensor(path, name, array):
    """Writes one array as a serialized TensorProto."""
    path.write_bytes(numpy_helper.from_array(array, name).SerializeToString(deterministic=True))


def main():
    options = samples.folders(__doc__, HOME)
    out = options.out
    train_images, test_images, train_labels, test_labels = load()
    if options.samples:
        calibrate, evaluate = (
            [{"image": part} for part in samples.parts(images)] for images in (train_images[:CALIBRATE], test_images)
        )
        samples.write(options.samples, calibrate, evaluate, test_labels)
        return
    net = train(train_images, train_labels)
    model = to_onnx(net)
    evaluator = ReferenceEvaluator(model)

    with torch.no_grad():
        expected = torch.softmax(net(torch.from_numpy(test_images)), 1).numpy()
    (probabilities,) = evaluator.run(None, {"image": test_images})
    difference = np.abs(probabilities - expected).max()
    assert difference < 1e-5, f"the ONNX model differs from PyTorch by {difference}"
    hits = int((probabilities.argmax(1) == test_labels).sum())

    data = out / "test_data_set_0"
    data.mkdir(parents=True, exist_ok=True)
    (out / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
    write_tensor(data / "input_0.pb", "image", test_images[:SAMPLES])
    (answer,) = evaluator.run(None, {"image": test_images[:SAMPLES]})
    write_tensor(data / "output_0.pb", "probabilities", answer)

    print(f"accuracy on the test split: {hits} of {len(test_labels)} ({100 * hits / len(test_labels):.2f} %)")
    print(f"largest difference between PyTorch and the ONNX reference evaluator: {difference:.1e}")
    print(f"test_data_set_0 shows the digits {test_labels[:SAMPLES].tolist()}")


if __name__ == "__main__":
    main()
