"""The module with the command of the same wheel, on the digits model."""

import json
import shutil
from pathlib import Path

import onnx2plan
import pytest
from onnx2plan._run import arguments

DIGITS = Path(__file__).resolve().parents[2] / "models" / "digits"


@pytest.fixture
def model(tmp_path):
    return shutil.copytree(DIGITS, tmp_path / "digits") / "model.onnx"


def test_the_command_is_that_of_the_wheel():
    assert onnx2plan.binary().is_file()


def test_a_conversion_gives_a_plan_and_what_happened(model):
    lines = []
    done = onnx2plan.convert(model, dim={"batch": (1, 2, 4)}, progress=lines.append)
    assert done.plan == model.with_suffix(".plan")
    assert done.plan.stat().st_size == done.plan_bytes > 0
    assert json.loads(done.manifest.read_text())["verification"] == done.verification
    assert done.guesses == [] and done.precision is None and done.layers > 0
    assert any("build" in line for line in lines), lines


def test_types_come_with_their_bound(model, tmp_path):
    done = onnx2plan.convert(model, tmp_path / "half.plan", precision="f16", within=0.02)
    assert done.plan == tmp_path / "half.plan"
    assert done.precision.within == 0.02 and done.precision.layers["f16"] > 0


def test_numbers_are_compared(model):
    proof = onnx2plan.verify(model, on="cpu")
    assert proof.agrees and proof.verdict == "agrees"
    [comparison] = proof.comparisons
    assert comparison.reference.endswith("test_data_set_0")
    assert comparison.outputs[0].name == "probabilities"
    assert comparison.outputs[0].max_absolute < 1e-5


def test_numbers_that_differ_are_a_result(model):
    data = model.parent / "test_data_set_0"
    output = data / "output_0.pb"
    written = bytearray(output.read_bytes())
    # The last element, a probability, becomes 0.5.
    written[-4:] = b"\x00\x00\x00\x3f"
    output.write_bytes(written)
    proof = onnx2plan.verify(model, on="cpu")
    assert not proof.agrees and proof.verdict == "differs"
    assert not proof.comparisons[0].outputs[0].agrees


def test_an_inspection_names_what_a_model_holds(model):
    found = onnx2plan.inspect(model)
    assert found.converts and found.operators["Conv"] == 3
    assert found.inputs == [{"name": "image", "type": "f32[batch, 1, 8, 8]"}]


@pytest.mark.parametrize(
    ("options", "code", "kind", "message"),
    [
        ({"shape": "image:1x3x8x8"}, 2, "usage", "input `image` is f32[batch, 1, 8, 8]"),
        ({"saveEngine": "x"}, 2, "usage", "`--saveEngine` is a word of trtexec: say `--output FILE`"),
        ({"to": "nowhere"}, 2, "usage", "the model has no tensor or node `nowhere`"),
    ],
)
def test_errors_have_a_code_and_a_kind(model, options, code, kind, message):
    with pytest.raises(onnx2plan.Error) as raised:
        onnx2plan.convert(model, **options)
    assert (raised.value.code, raised.value.kind) == (code, kind)
    assert raised.value.message.startswith(message)


def test_problems_name_their_nodes(tmp_path):
    model = tmp_path / "odd.onnx"
    model.write_bytes(unknown_operator())
    with pytest.raises(onnx2plan.Error) as raised:
        onnx2plan.convert(model)
    [problem] = raised.value.problems
    assert (raised.value.code, problem.kind) == (4, "unsupported")
    assert problem.message == "this operator is not supported"
    found = onnx2plan.inspect(model)
    assert not found.converts and found.problems[0]["message"] == problem.message


def unknown_operator():
    """A model of one node, `Foo` from x to y, in protobuf."""

    def field(number, *payload):
        payload = b"".join(payload)
        return bytes([number << 3 | 2, len(payload)]) + payload

    def value(name):
        return field(1, name) + field(2, field(1, b"\x08\x01", field(2, field(1, b"\x08\x03"))))

    node = field(1, field(1, b"x"), field(2, b"y"), field(3, b"odd"), field(4, b"Foo"))
    graph = node + field(2, b"g") + field(11, value(b"x")) + field(12, value(b"y"))
    return b"\x08\x08" + field(7, graph) + field(8, b"\x10\x11")


def test_keywords_are_the_long_options():
    line = arguments(
        {
            "dim": {"batch": (1, 8, 32), "seq": 5},
            "keep": ["Softmax=f32", "Conv_1=f32"],
            "no_tf32": True,
            "verify": False,
            "output": None,
            "from_": "x",
            "within": 1e-3,
            "calibrate": Path("data"),
        }
    )
    assert line == [
        "--dim=batch=1:8:32",
        "--dim=seq=5",
        "--keep=Softmax=f32",
        "--keep=Conv_1=f32",
        "--no-tf32",
        "--from=x",
        "--within=0.001",
        "--calibrate=data",
    ]


def test_what_fails_beside_a_result_raises(model):
    file = model.parent / "file"
    file.touch()
    with pytest.raises(onnx2plan.Error) as failed:
        onnx2plan.verify(model, on="cpu", report=file / "report")
    assert failed.value.code == 6


def test_shapes_are_tuples(model):
    assert arguments({"shape": {"x": (1, 3), "y": (4,)}}) == ["--shape=x:1x3,y:4"]
    done = onnx2plan.convert(model, shape={"image": (4, 1, 8, 8)})
    assert done.guesses == []


def test_a_plan_is_no_model(model):
    plan = onnx2plan.convert(model).plan
    with pytest.raises(ValueError):
        onnx2plan.inspect(plan)
