"""What the command writes and reads is as docs/schemas says."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import onnx2plan
import pytest

ROOT = Path(__file__).resolve().parents[2]


def validator(name):
    schema = json.loads((ROOT / "docs" / "schemas" / f"{name}.schema.json").read_text())
    kind = jsonschema.validators.validator_for(schema)
    kind.check_schema(schema)
    return kind(schema)


def mistakes(name, value):
    return [f"{error.json_path}: {error.message}" for error in validator(name).iter_errors(value)]


@pytest.mark.parametrize("sample", ["zoo", "differs", "unsupported", "verified"])
def test_samples_are_as_their_schemas_say(sample):
    value = json.loads((ROOT / "tests" / "report" / f"{sample}.json").read_text())
    assert mistakes("zoo" if sample == "zoo" else "model", value) == []
    value["schema"] = "one"
    assert len(mistakes("zoo" if sample == "zoo" else "model", value)) == 1


def test_what_is_written_is_as_its_schema_says(tmp_path):
    line = [onnx2plan.binary(), "zoo", ROOT / "models" / "digits", "--on", "cpu", "--no-cache"]
    subprocess.run([*line, "--report", tmp_path / "report", "-o", tmp_path / "plans"], check=True)
    read = lambda path: json.loads((tmp_path / path).read_text())
    zoo = read("report/report.json")
    assert mistakes("zoo", zoo) == []
    page = Path(zoo["models"][0]["page"]).with_name("report.json")
    assert mistakes("model", read("report" / page)) == []
    [manifest] = (tmp_path / "plans").glob("*.plan.json")
    assert mistakes("manifest", read(manifest)) == []


@pytest.mark.skipif(sys.version_info < (3, 11), reason="tomllib came with 3.11")
def test_listings_are_as_their_schema_says():
    import tomllib

    text = (ROOT / "models" / "zoo.toml").read_text()
    assert mistakes("listing", tomllib.loads(text)) == []
    said = 'path = "a.onnx"\ndim = ["n=1:2:3"]\nfreeze = ["axes=[0,2]"]\ntolerance = '
    good = tomllib.loads(f"[[model]]\n{said}{{absolute = 1e-3, relative = 0.0}}")
    assert mistakes("listing", good) == []
    for wrong in ["[[model]]\npath = 5", "[[model]]\nprecision = 'f15'", "[[model]]\nprecison = 'f16'", "[[models]]"]:
        assert mistakes("listing", tomllib.loads(wrong)) != [], wrong
