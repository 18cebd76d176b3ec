#!/usr/bin/env python3
"""Trains the encoder sample network and writes model.onnx and test_data_set_0 beside this file.

Deterministic: seeds and one thread, so the same package versions give the same bytes. README.md lists the versions.
"""

import contextlib
import io
import random
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import torch
import transformers
from babel import Locale
from torch.nn import functional as F

HOME = Path(__file__).parent
sys.path += [str(HOME.parent), str(HOME.parent / "exports")]
import samples  # noqa: E402
from common import clean  # noqa: E402

SEED = 22
EPOCHS = 32
BATCH = 32
RATE = 2e-3
OPSET = 18
LANGUAGES = "de en es fi fr hu it nl pl tr".split()
KINDS = "languages", "territories", "currencies", "scripts"
HELD_OUT = 0.2  # of what is named; its names in all languages
LONGEST = 24  # characters of a name
LEAST, MOST = 2, 4  # names of a sample, which are of one language
BETWEEN = ", "
PAD, START, UNKNOWN = range(3)  # the tokens before those of characters
CALIBRATE = 512  # samples
ROUNDS = 3  # how often each held-out name occurs in a sample
# Of our own making, and in no list of names.
SHOWN = {
    "de": "Straßenbahnhaltestelle", "en": "the old lighthouse, rope", "fi": "keltainen polkupyörä, järvi",
    "fr": "une boîte à chapeaux, le lendemain", "hu": "zöld erdei ösvény", "pl": "szybka łódź rybacka, wiatr, mgła",
}


def load():
    """Names that one language alone has, and the numbers of their languages, in two parts: to train by, and held out."""
    draw = random.Random(SEED)
    kept, held = {}, {}
    for kind in KINDS:
        for key in sorted(set().union(*(getattr(Locale(language), kind) for language in LANGUAGES))):
            part = held if draw.random() < HELD_OUT else kept
            for number, language in enumerate(LANGUAGES):
                name = getattr(Locale(language), kind).get(key, "")
                # A name is often its own code where a language has none.
                if 3 < len(name) <= LONGEST and name.lower() != key.lower():
                    part.setdefault(name, set()).add(number)
    alone = lambda part, but: sorted((name, *of) for name, of in part.items() if len(of) == 1 and name not in but)
    return alone(kept, {}), alone(held, kept)


def grouped(names, draw):
    """Every name once, in an order that is drawn: samples of two to four names of a language."""
    groups = []
    for number in range(len(LANGUAGES)):
        left = [name for name, of in names if of == number]
        draw.shuffle(left)
        while left:
            count = draw.randint(LEAST, MOST)
            groups.append((BETWEEN.join(left[:count]), number))
            left = left[count:]
    draw.shuffle(groups)
    return groups


def alphabet(names):
    """The token of each character that occurs at least ten times."""
    often = Counter(character for name, _ in names for character in name)
    known = sorted(character for character, count in often.items() if count >= 10)
    return {character: UNKNOWN + 1 + place for place, character in enumerate(known)}


def encoded(texts, tokens):
    """Texts as tokens `[n, length]`, padded to the longest, and a mask that is 1 where a token stands."""
    rows = [[START, *(tokens.get(character, UNKNOWN) for character in text)] for text in texts]
    longest = max(map(len, rows))
    ids = np.array([row + [PAD] * (longest - len(row)) for row in rows], np.int64)
    return {"ids": ids, "mask": (ids != PAD).astype(np.int64)}


class Encoder(torch.nn.Module):
    """BERT as transformers defines it, small, with its pooler and a classifier; returns logits `[batch, 10]`."""

    def __init__(self, vocabulary):
        super().__init__()
        config = transformers.BertConfig(
            vocab_size=vocabulary, hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=160,
            max_position_embeddings=1 + LONGEST * MOST + len(BETWEEN) * (MOST - 1), type_vocab_size=1,
            num_labels=len(LANGUAGES), pad_token_id=PAD,
        )
        self.bert = transformers.BertForSequenceClassification(config)

    def forward(self, ids, mask):
        return self.bert(ids, mask).logits


def train(names, tokens):
    """A trained network in evaluation mode."""
    torch.manual_seed(SEED)
    net = Encoder(UNKNOWN + 1 + len(tokens)).train()
    draw = random.Random(SEED)
    batches = []
    for _ in range(EPOCHS):
        groups = grouped(names, draw)
        batches += [groups[start : start + BATCH] for start in range(0, len(groups), BATCH)]
    optimizer = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, len(batches), pct_start=0.1)
    for batch in batches:
        texts, labels = zip(*batch)
        data = {name: torch.from_numpy(part) for name, part in encoded(texts, tokens).items()}
        optimizer.zero_grad()
        F.cross_entropy(net(**data), torch.tensor(labels)).backward()
        optimizer.step()
        schedule.step()
    return net.eval()


def to_onnx(net):
    """The network by PyTorch's exporter that captures the program, for any number and length of names."""
    # Two tensors, since one in both places would be exported as one input.
    example = torch.ones(2, 7, dtype=torch.int64), torch.ones(2, 7, dtype=torch.int64)
    axes = {0: "batch", 1: "length"}
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), torch.no_grad():
        program = torch.onnx.export(
            net, example, dynamo=True, opset_version=OPSET, input_names=["ids", "mask"], output_names=["logits"],
            dynamic_shapes=(axes, axes), external_data=False, verbose=False,
        )
    model = program.model_proto
    clean(model)
    return model


def main():
    options = samples.folders(__doc__, HOME)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    names, held_out = load()
    tokens = alphabet(names)
    draw = random.Random(SEED)
    texts, labels = zip(*(group for _ in range(ROUNDS) for group in grouped(held_out, draw)))
    if options.samples:
        others = [text for text, _ in grouped(names, draw)[:CALIBRATE]]
        calibrate, evaluate = ([encoded(part, tokens) for part in samples.parts(those)] for those in (others, texts))
        samples.write(options.samples, calibrate, evaluate, labels)
        return

    evaluate = encoded(texts, tokens)
    net = train(names, tokens)
    model = to_onnx(net)
    samples.save(options.out, model, encoded(SHOWN.values(), tokens))
    logits = samples.run(model, evaluate)
    with torch.no_grad():
        expected = net(**{name: torch.from_numpy(part) for name, part in evaluate.items()}).numpy()
    difference = np.abs(logits - expected).max()
    assert difference < 1e-4, f"the ONNX model differs from PyTorch by {difference}"
    common = Counter(labels).most_common(1)[0][1]
    shown = samples.run(model, encoded(SHOWN.values(), tokens)).argmax(1)
    count = sum(part.numel() for part in net.parameters())
    print(f"{len(names)} names to train by, {len(tokens)} characters, {count} parameters")
    print(f"accuracy on samples of held-out names: {samples.share(logits.argmax(1) == np.array(labels))}")
    print(f"always the commonest language: {common} of {len(labels)} ({100 * common / len(labels):.2f} %)")
    print(f"largest difference between PyTorch and ONNX Runtime: {difference:.1e}")
    print("test_data_set_0:", ", ".join(f"{text} ({LANGUAGES[best]})" for text, best in zip(SHOWN.values(), shown)))


if __name__ == "__main__":
    main()
