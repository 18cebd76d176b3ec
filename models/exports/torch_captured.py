"""Models by PyTorch's exporter that captures the program (torch.export), at opsets from 18 to 23."""

import contextlib
import io

import torch
import torch.nn.functional as F
import transformers
from torch import nn

import common
from networks import Calls, Of, continued, llama, tokens

torch.set_num_threads(1)
randn, tensor = torch.randn, torch.tensor


def export(make, opset, inputs, **options):
    """What a function's network becomes, and its data."""
    torch.manual_seed(0)
    network, sets = make()
    sets = [data if isinstance(data, tuple) else (data,) for data in sets]
    shapes = tuple(common.axes(sizes) for sizes in inputs.values())
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), torch.no_grad():
        program = torch.onnx.export(
            network, sets[0], dynamo=True, opset_version=opset, input_names=list(inputs), dynamic_shapes=shapes,
            external_data=False, verbose=False, **options,
        )
    return program.model_proto, [{name: part.numpy() for name, part in zip(inputs, data)} for data in sets]


def captured(opset, optimize=True, **inputs):
    """Adds the model that the function below describes; `_` is a size that is fixed."""
    def add(make):
        common.model(f"{make.__name__}_captured_{opset}", lambda: export(make, opset, inputs, optimize=optimize))
        return make
    return add


# Text and sound


@captured(20, ids="batch new", mask="batch total", key="batch _ past _", value="batch _ past _")
def llama_past():
    """A decoder with its past, rotary positions, and keys that several heads share."""
    return llama(), continued(2, (2, 3, 5), (3, 2, 4))


@captured(20, features="batch _ _", ids="batch length")
def whisper():
    """Spectra of a fixed length to text of any: an encoder and a decoder in one model."""
    config = transformers.WhisperConfig(
        vocab_size=40, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=4, decoder_attention_heads=4,
        encoder_ffn_dim=24, decoder_ffn_dim=24, num_mel_bins=4, max_source_positions=10, max_target_positions=12,
        pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1, attn_implementation="eager",
    )
    network = transformers.WhisperForConditionalGeneration(config)
    network = Calls(network, ("input_features", "decoder_input_ids"), ("logits",), use_cache=False)
    return network, [(randn(2, 4, 20), tokens(2, 4)), (randn(3, 4, 20), tokens(3, 7))]


@captured(20, ids="batch _")
def mamba():
    """A state that is carried from token to token, unrolled."""
    config = transformers.MambaConfig(vocab_size=40, hidden_size=8, num_hidden_layers=1, state_size=4)
    return Calls(transformers.MambaForCausalLM(config), ("input_ids",), ("logits",), use_cache=False), [tokens(2, 4), tokens(3, 4)]


@captured(23, query="batch _ length _", key="batch _ length _", value="batch _ length _")
def attention():
    """Attention as an operator of its own, causal and scaled."""
    def compute(*inputs):
        return F.scaled_dot_product_attention(*inputs, is_causal=True), F.scaled_dot_product_attention(*inputs, scale=0.3)

    return Of(compute), [tuple(randn(3, 2, 4, 5, 4)), tuple(randn(3, 3, 4, 7, 4))]


@captured(20, x="batch _ _")
def fourier():
    """Fourier transforms, real and complex, there and back."""
    compute = lambda x: (torch.view_as_real(torch.fft.fft2(x)), torch.fft.irfft(torch.fft.rfft(x) * 2, 8))
    return Of(compute), [randn(2, 4, 8), randn(3, 4, 8)]


# Control flow


@captured(20, x="batch _")
def branch():
    """torch.cond on the numbers themselves."""
    def compute(net, x):
        return torch.cond(x.mean() > 0, lambda x: net.high(x), lambda x: net.low(x) * 2, (x,))

    return Of(compute, high=nn.Linear(4, 3), low=nn.Linear(4, 3)), [randn(2, 4) + 1, randn(3, 4) - 1]


@captured(20, x="time _", start="_")
def scan():
    """A scan over time: ONNX's Scan, its body a graph of its own."""
    from torch._higher_order_ops.scan import scan

    step = lambda state, x: (state * 0.9 + x, (state + x).tanh())
    return Of(lambda x, start: scan(step, start, x, dim=0)), [(randn(5, 4), randn(4)), (randn(7, 4), randn(4))]


# Images


@captured(18, image="batch _ height width")
def convnext():
    """Layers normalised over channels that are moved last, wide kernels, GELU."""
    def compute(net, x):
        x = net.stem(x)
        y = net.norm(net.deep(x).permute(0, 2, 3, 1))
        return net.classes((x + net.narrow(F.gelu(net.wide(y))).permute(0, 3, 1, 2)).mean((2, 3)))

    parts = {
        "stem": nn.Conv2d(3, 8, 2, 2), "deep": nn.Conv2d(8, 8, 7, padding=3, groups=8), "norm": nn.LayerNorm(8),
        "wide": nn.Linear(8, 24), "narrow": nn.Linear(24, 8), "classes": nn.Linear(8, 5),
    }
    return Of(compute, **parts), [randn(2, 3, 8, 10), randn(3, 3, 12, 6)]


@captured(20, image="batch _ _ _")
def swin():
    """Attention inside of windows, which are shifted by Roll and masked."""
    config = transformers.SwinConfig(image_size=8, patch_size=2, embed_dim=8, depths=[2], num_heads=[2], window_size=2)
    return Calls(transformers.SwinModel(config), ("pixel_values",), ("last_hidden_state",)), [randn(2, 3, 8, 8), randn(3, 3, 8, 8)]


@captured(20, image="batch _ height width")
def vit_positions():
    """Patches of images of any size: the table of positions is resized to them."""
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=4, intermediate_size=24, image_size=12, patch_size=4,
        attn_implementation="eager",
    )
    network = Calls(transformers.ViTModel(config), ("pixel_values",), ("last_hidden_state",), interpolate_pos_encoding=True)
    return network, [randn(2, 3, 16, 12), randn(3, 3, 20, 24)]


@captured(20, image="batch _ height width")
def segformer():
    """Attention over places whose keys are fewer, and maps that are made larger and joined."""
    config = transformers.SegformerConfig(
        num_encoder_blocks=2, depths=[1, 1], sr_ratios=[2, 1], hidden_sizes=[8, 16], patch_sizes=[7, 3], strides=[4, 2],
        num_attention_heads=[1, 2], mlp_ratios=[2, 2], decoder_hidden_size=8, num_labels=3, attn_implementation="eager",
    )
    network = Calls(transformers.SegformerForSemanticSegmentation(config), ("pixel_values",), ("logits",))
    return network, [randn(2, 3, 16, 24), randn(3, 3, 32, 16)]


@captured(19, x="batch _ _ _")
def resize_sharp():
    """Made smaller with antialiasing, linear and cubic."""
    compute = lambda x: tuple(F.interpolate(x, (5, 3), mode=mode, antialias=True) for mode in ("bilinear", "bicubic"))
    return Of(compute), [randn(2, 2, 8, 8), randn(3, 2, 8, 8)]


@captured(20, x="batch _ time")
def transposed():
    """Transposed convolutions of signals and volumes, with strides and output padding."""
    def compute(net, x):
        return net.signal(x), net.volume(x[:, :, :, None, None].expand(-1, -1, -1, 2, 2))

    parts = {"signal": nn.ConvTranspose1d(4, 3, 5, 3, 1, output_padding=2), "volume": nn.ConvTranspose3d(4, 2, 3, 2, 1, 1)}
    return Of(compute, **parts), [randn(2, 4, 5), randn(3, 4, 4)]


@captured(20, x="batch _ _ _")
def unfolded():
    """Patches taken out of an image and put back, and windows over an axis."""
    def compute(x):
        there_and_back = F.fold(F.unfold(x, 2, stride=2), (6, 6), 2, stride=2)
        return F.unfold(x, 3, 1, 1, 2), there_and_back, x.unfold(3, 4, 2).mean(-1)

    return Of(compute), [randn(2, 2, 6, 6), randn(3, 2, 6, 6)]


@captured(21, x="batch _ _ _")
def normalised():
    """Groups, instances and layers, normalised; activations of several kinds."""
    def compute(net, x):
        return F.silu(net.group(x)), F.hardswish(net.instance(x)), F.mish(net.layer(x)), F.gelu(x, approximate="tanh")

    parts = {"group": nn.GroupNorm(2, 4), "instance": nn.InstanceNorm2d(4, affine=True), "layer": nn.LayerNorm([3, 5])}
    return Of(compute, **parts), [randn(2, 4, 3, 5), randn(3, 4, 3, 5)]


# Indices and sums


@captured(20, nodes="nodes _", edges="_ edges")
def graph_sums():
    """A network over a graph: what comes in at each node, summed."""
    def compute(net, nodes, edges):
        origin, end = edges[0], edges[1]
        return torch.zeros(nodes.shape[0], 5).index_add(0, end, net.out(nodes)[origin])

    sets = [(randn(5, 4), tensor([[0, 1, 2, 3], [1, 2, 2, 0]])), (randn(4, 4), tensor([[0, 1, 2], [1, 1, 3]]))]
    return Of(compute, out=nn.Linear(4, 5)), sets


@captured(20, optimize=False, x="rows columns")
def not_optimised():
    """What the exporter writes when nothing tidies up behind it: functions, constants, casts."""
    compute = lambda x: (x.cumsum(1), x.logsumexp(1), x.var(0), F.normalize(x, dim=1), x.flip(1).clamp(min=0))
    return Of(compute), [randn(4, 6), randn(3, 5)]
