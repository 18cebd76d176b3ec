"""Networks that more than one exporter writes, and what makes their numbers worth comparing."""

import torch
import transformers
from torch import nn
from transformers.cache_utils import DynamicCache
from transformers.integrations.executorch import sdpa_mask_without_vmap
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS

WORDS, WIDTH, HEADS = 40, 16, 4
TEXT = {
    "vocab_size": WORDS, "hidden_size": WIDTH, "num_hidden_layers": 1, "num_attention_heads": HEADS,
    "intermediate_size": 24, "max_position_embeddings": 32,
}


def additive_mask(*arguments, **options):
    """The mask as numbers to add: by the functions that torch.export and tracing can follow, as Optimum has it."""
    options.pop("allow_is_causal_skip", None)
    dtype = options.get("dtype", torch.float32)
    seen = sdpa_mask_without_vmap(*arguments, allow_is_causal_skip=False, **options)
    return torch.where(seen, torch.tensor(0.0, dtype=dtype), torch.tensor(torch.finfo(dtype).min, dtype=dtype))


ALL_MASK_ATTENTION_FUNCTIONS.register("sdpa", sdpa_mask_without_vmap)
ALL_MASK_ATTENTION_FUNCTIONS.register("eager", additive_mask)


def conditioned(network):
    """Weights with which every layer matters and no number grows: a fault should show, rounding should not."""
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if weight.dim() >= 2:
                weight.normal_(std=weight[0].numel() ** -0.5)
            elif name.endswith("bias"):
                weight.normal_(std=0.1)
        for part in network.modules():
            if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)):
                part.running_mean.normal_(std=0.1)
                part.running_var.uniform_(0.5, 1.5)
                part.weight.uniform_(0.75, 1.25)
    return network.eval()


class Of(nn.Module):
    """A network from a function; what has weights is given by name and found as an attribute."""

    def __init__(self, compute, **parts):
        super().__init__()
        self.compute = compute
        for name, part in parts.items():
            setattr(self, name, part)
        conditioned(self)

    # Not `*inputs`, whose sizes torch.export cannot guard.
    def forward(self, a, b=None, c=None):
        inputs = [x for x in (a, b, c) if x is not None]
        return self.compute(self, *inputs) if list(self.children()) else self.compute(*inputs)


class Calls(nn.Module):
    """A model of transformers, called with these keys; gives these of its outputs."""

    def __init__(self, network, keys, outputs, **fixed):
        super().__init__()
        self.network, self.keys, self.outputs, self.fixed = conditioned(network), keys, outputs, fixed

    def forward(self, a, b=None, c=None):
        found = self.network(**dict(zip(self.keys, (a, b, c))), **self.fixed)
        return tuple(getattr(found, output) for output in self.outputs)


class WithPast(nn.Module):
    """A decoder with the keys and values of what came before, as it is exported for generation."""

    def __init__(self, network):
        super().__init__()
        self.network = conditioned(network)

    def forward(self, ids, mask, key, value):
        past = DynamicCache.from_legacy_cache(((key, value),))
        found = self.network(input_ids=ids, attention_mask=mask, past_key_values=past, use_cache=True)
        return (found.logits, *found.past_key_values.to_legacy_cache()[0])


def tokens(batch, length):
    return torch.randint(3, WORDS, (batch, length))


def mask(batch, length):
    """The first sequence is whole, the others end before."""
    lengths = torch.arange(length, length - batch, -1).clamp(min=1)
    return (torch.arange(length) < lengths[:, None]).long()


def texts(*sizes):
    return [(tokens(*size), mask(*size)) for size in sizes]


def continued(heads, *sizes):
    """Data of a decoder: (batch, new tokens, tokens of the past)."""
    return [
        (tokens(batch, new), torch.ones(batch, past + new, dtype=torch.long), *torch.randn(2, batch, heads, past, WIDTH // HEADS))
        for batch, new, past in sizes
    ]


def bert():
    network = transformers.BertModel(transformers.BertConfig(**TEXT, attn_implementation="eager"))
    return Calls(network, ("input_ids", "attention_mask"), ("last_hidden_state", "pooler_output"))


def gpt2():
    config = transformers.GPT2Config(
        vocab_size=WORDS, n_embd=WIDTH, n_layer=1, n_head=HEADS, n_positions=32, attn_implementation="eager",
    )
    return WithPast(transformers.GPT2LMHeadModel(config))


def llama():
    config = transformers.LlamaConfig(**TEXT, num_key_value_heads=2, attn_implementation="eager")
    return WithPast(transformers.LlamaForCausalLM(config))


def t5():
    config = transformers.T5Config(
        vocab_size=WORDS, d_model=WIDTH, d_kv=4, d_ff=24, num_layers=1, num_heads=HEADS,
        relative_attention_num_buckets=8, relative_attention_max_distance=16,
    )
    return transformers.T5ForConditionalGeneration(config)


def wav2vec2():
    config = transformers.Wav2Vec2Config(
        vocab_size=12, hidden_size=WIDTH, num_hidden_layers=1, num_attention_heads=HEADS, intermediate_size=24,
        conv_dim=(8, 8, 8), conv_stride=(5, 2, 2), conv_kernel=(10, 3, 3), num_feat_extract_layers=3,
        num_conv_pos_embeddings=8, num_conv_pos_embedding_groups=4, attn_implementation="eager",
    )
    return Calls(transformers.Wav2Vec2ForCTC(config), ("input_values",), ("logits",))


class Classifier(nn.Module):
    """Images to classes, with a residual and squeeze-and-excitation."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.Hardswish())
        self.deep = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False), nn.BatchNorm2d(8), nn.ReLU6())
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 4, 1), nn.ReLU(), nn.Conv2d(4, 8, 1), nn.Hardsigmoid())
        self.pool, self.classes = nn.MaxPool2d(2), nn.Linear(8 * 2 * 2, 5)

    def forward(self, image):
        x = self.stem(image)
        y = self.deep(x)
        return self.classes(torch.flatten(self.pool(x + y * self.gate(y)), 1))


class Reader(nn.Module):
    """Lines of text of any width to letters: convolutions, then a recurrence in both directions."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3, (2, 1), 1), nn.ReLU(),
        )
        self.reader, self.letters = nn.LSTM(8, 6, bidirectional=True), nn.Linear(12, 7)

    def forward(self, line):
        x = self.features(line)
        batch, channels, height, width = x.shape
        x = x.reshape(batch, channels * height, width).permute(2, 0, 1)
        return self.letters(self.reader(x)[0]).log_softmax(2)
