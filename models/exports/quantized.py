"""Models that ONNX Runtime's quantizers and optimizers, or a converter to half precision, write from PyTorch's."""

import contextlib
import io
import tempfile
from pathlib import Path

import onnx
from onnxconverter_common import float16
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from onnxruntime.quantization.shape_inference import quant_pre_process
from onnxruntime.transformers import optimizer

import common
import torch_traced


class Data(CalibrationDataReader):
    def __init__(self, sets):
        self.sets = iter(sets)

    def get_next(self):
        return next(self.sets, None)


def of(source, opset=17, **inputs):
    """Adds the model that the function below makes of one of PyTorch's, which it gets as a file."""
    def add(make):
        def rewrite():
            model, sets = torch_traced.export(source, opset, inputs)
            common.clean(model)
            with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
                before, after = Path(folder) / "before.onnx", Path(folder) / "after.onnx"
                onnx.save(model, before)
                make(before, after, sets)
                return onnx.load(after), sets

        common.model(make.__name__, rewrite)
        return make
    return add


TEXT = {"ids": "batch length", "mask": "batch length"}
IMAGE = {"image": "batch _ _ _"}


def static(before, after, sets, **options):
    prepared = before.with_name("prepared.onnx")
    quant_pre_process(before, prepared, skip_symbolic_shape=True)
    quantize_static(prepared, after, Data(sets), **options)


@of(torch_traced.bert_masked, **TEXT)
def quantized_dynamic_bert(before, after, sets):
    """Matrices as whole numbers with a scale for each column, the rest quantized as it comes: MatMulInteger."""
    quantize_dynamic(before, after, weight_type=QuantType.QUInt8, per_channel=True)


@of(torch_traced.classifier, **IMAGE)
def quantized_dynamic_classifier(before, after, sets):
    """Convolutions of whole numbers: ConvInteger."""
    quantize_dynamic(before, after, weight_type=QuantType.QUInt8)


@of(torch_traced.classifier, **IMAGE)
def quantized_pairs_classifier(before, after, sets):
    """Quantized and back around each operator, with a scale for each channel of the weights."""
    signed = {"activation_type": QuantType.QInt8, "weight_type": QuantType.QInt8}
    static(before, after, sets, quant_format=QuantFormat.QDQ, per_channel=True, **signed)


@of(torch_traced.unet_padded, opset=13, image="batch _ height width")
def quantized_pairs_unet(before, after, sets):
    """Quantized and back, with zeros that are not in the middle."""
    unsigned = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QUInt8}
    static(before, after, sets, quant_format=QuantFormat.QDQ, **unsigned)


@of(torch_traced.classifier, **IMAGE)
def quantized_operators_classifier(before, after, sets):
    """Operators of quantized data, some of ONNX Runtime's own: QLinearConv, QGemm, QLinearGlobalAveragePool."""
    unsigned = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QUInt8}
    static(before, after, sets, quant_format=QuantFormat.QOperator, **unsigned)


@of(torch_traced.bert_masked, **TEXT)
def quantized_blocks_bert(before, after, sets):
    """Weights of 4 bits with a scale and a zero point for each block: MatMulNBits."""
    quantizer = MatMulNBitsQuantizer(onnx.load(before), block_size=16, is_symmetric=False, accuracy_level=1)
    quantizer.process()
    onnx.save(quantizer.model.model, after)


@of(torch_traced.bert_masked, **TEXT)
def optimized_bert(before, after, sets):
    """Fused by ONNX Runtime's optimizer: EmbedLayerNormalization, Attention, SkipLayerNormalization, BiasGelu."""
    made = optimizer.optimize_model(str(before), "bert", num_heads=0, hidden_size=0, opt_level=0)
    made.save_model_to_file(str(after))


@of(torch_traced.text_reader, line="batch _ _ width")
def half_reader(before, after, sets):
    """A recurrence in half precision, between casts."""
    onnx.save(float16.convert_float_to_float16(onnx.shape_inference.infer_shapes(onnx.load(before)), keep_io_types=True), after)
