"""The shell parts of what users put into their CI, run in a scratch repository.

`.ci/wheel` names the wheel in ONNX2PLAN_WHEEL.
"""

import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


def _field(number, data):
    return bytes([number << 3 | 2, len(data)]) + data


#: A model of opset 17 whose only node is `com.example.Foo`.
FOREIGN = b"\x08\x08" + _field(
    7,
    _field(1, _field(1, b"x") + _field(2, b"y") + _field(4, b"Foo") + _field(7, b"com.example"))
    + _field(2, b"g")
    + _field(11, _field(1, b"x") + _field(2, _field(1, b"\x08\x01" + _field(2, b""))))
    + _field(12, _field(1, b"y") + _field(2, _field(1, b"\x08\x01" + _field(2, b"")))),
) + _field(8, b"\x10\x11") + _field(8, _field(1, b"com.example") + b"\x10\x01")


@pytest.fixture
def repository(tmp_path):
    models = tmp_path / "models"
    shutil.copytree(ROOT / "models" / "digits", models / "digits")
    broken = models / "broken.onnx"
    broken.write_bytes(b"no model")
    return tmp_path


@pytest.mark.skipif("ONNX2PLAN_WHEEL" not in os.environ, reason="only .ci/wheel has a wheel")
def test_the_action_installs_the_wheel_and_reports(repository):
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    inputs = {name: given["default"] for name, given in action["inputs"].items()}
    inputs["wheel"] = os.environ["ONNX2PLAN_WHEEL"]
    summary, path = repository / "summary.md", repository / "path"
    path.touch()
    codes = []
    for step in action["runs"]["steps"]:
        if "run" not in step:
            continue
        env = {
            **os.environ,
            "GITHUB_STEP_SUMMARY": str(summary),
            "GITHUB_PATH": str(path),
            "RUNNER_TEMP": str(repository / "temp"),
            "PATH": os.pathsep.join([*path.read_text().splitlines(), os.environ["PATH"]]),
        }
        for name, value in step["env"].items():
            key = value.removeprefix("${{ inputs.").removesuffix(" }}")
            env[name] = inputs[key]
        # What GitHub runs for `shell: bash`.
        line = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        codes.append(subprocess.run(line, cwd=repository, env=env).returncode)
    assert codes == [0, 3], "the broken model fails the job"
    report = json.loads((repository / inputs["report"] / "report.json").read_text())
    assert [model["status"] for model in report["models"]] == ["invalid", "evaluated"]
    assert "1 of 2 models not as expected" in summary.read_text()


def test_the_hook_refuses_what_cannot_be_converted(repository):
    [hook] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    run = lambda *models: subprocess.run(
        [*shlex.split(hook["entry"]), *models], cwd=repository, capture_output=True, text=True
    )
    good = "models/digits/model.onnx"
    assert run(good, good).returncode == 0
    refused = run(good, "models/broken.onnx")
    assert refused.returncode == 3
    assert "models/broken.onnx" in refused.stderr

    # One that ONNX allows and that cannot be converted: the node is named, and what follows is
    # looked at as well.
    foreign = repository / "models" / "foreign.onnx"
    foreign.write_bytes(FOREIGN)
    refused = run("models/foreign.onnx", "models/broken.onnx")
    assert refused.returncode == 3
    assert "Foo" in refused.stdout
    assert "models/foreign.onnx" in refused.stderr and "models/broken.onnx" in refused.stderr
