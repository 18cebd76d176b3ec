"""Runs the command, and turns what it prints into results and exceptions."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Iterable, List, Mapping, Optional, Tuple, Union

from ._results import Conversion, Inspection, Verification

PathLike = Union[str, "os.PathLike[str]"]
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Problem:
    """One thing wrong with one node of the model."""

    kind: str
    message: str
    #: Where in the model: graph, index, name, operator and opset of the node.
    site: Mapping[str, Any] = field(default_factory=dict)
    operands: List[str] = field(default_factory=list)
    notes: List[str] = field(default_factory=list)
    hint: Optional[str] = None


class Error(Exception):
    """What the command says when it fails."""

    def __init__(self, fields: Mapping[str, Any]):
        #: The exit code, one per kind of failure: 2 to 8, 70, 130; 1 where numbers differ.
        self.code: int = fields["exit_code"]
        #: The kind in a word: ``unsupported``, ``mismatch``, ``environment``, …
        self.kind: str = fields["kind"]
        self.message: str = fields["message"]
        self.hint: Optional[str] = fields.get("hint")
        self.notes: List[str] = list(fields.get("notes") or [])
        self.causes: List[str] = list(fields.get("causes") or [])
        self.problems: List[Problem] = [
            Problem(**{key: problem[key] for key in Problem.__dataclass_fields__ if key in problem})
            for problem in fields.get("problems") or []
        ]
        #: The result where there is one all the same: numbers that differ.
        self.result: Any = None
        super().__init__(str(self))

    def __str__(self) -> str:
        told = [problem.message for problem in self.problems] + self.causes + self.notes
        if self.hint:
            told.append(f"hint: {self.hint}")
        return "\n  ".join([self.message, *told])


def binary() -> Path:
    """The command that came with this package; else the one on ``PATH``.

    Raises ``FileNotFoundError`` where there is none.
    """
    name = "onnx2plan" + (sysconfig.get_config_var("EXE") or "")
    folders = [sysconfig.get_path("scripts"), os.path.dirname(sys.executable)]
    folders.append(sysconfig.get_path("scripts", f"{os.name}_user"))
    for folder in folders:
        file = Path(folder) / name
        if file.is_file():
            return file
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError("the command `onnx2plan` is not beside Python and not on PATH")
    return Path(found)


def convert(
    model: PathLike,
    output: Optional[PathLike] = None,
    *,
    progress: Optional[Progress] = None,
    **options: Any,
) -> Conversion:
    """Converts a model; the plan is written beside it, or to ``output``.

    ``progress`` is called with each line that the command would print on its way. Raises
    :class:`Error`.
    """
    return Conversion._of(_json(["convert"], model, {"output": output, **options}, progress))


def verify(
    model: PathLike, *, progress: Optional[Progress] = None, **options: Any
) -> Verification:
    """Compares a model's network, or a plan, with test data or ONNX Runtime.

    Numbers that differ are no exception here: see :attr:`Verification.agrees`. All other failures
    raise :class:`Error`.
    """
    return Verification._of(_judged(["verify"], model, options, progress, codes=(1, 7, 8)))


def inspect(model: PathLike, **options: Any) -> Inspection:
    """Says what a model holds, what its nodes become, and which cannot be converted."""
    if os.fspath(model).endswith(".plan"):
        raise ValueError("`inspect` is for models; a plan's manifest, beside it, is JSON")
    return Inspection._of(_judged(["inspect"], model, options, None, codes=(3, 4)))


def _judged(
    command: List[str],
    model: PathLike,
    options: Mapping[str, Any],
    progress: Optional[Progress],
    codes: Tuple[int, ...],
) -> Any:
    """The result, also of a command that ends with one of these codes, which are answers."""
    try:
        return _json(command, model, options, progress)
    except Error as error:
        if error.result is None or error.code not in codes:
            raise
        return error.result


#: Options that take a shape for each input: ``shape={"x": (1, 3, 224, 224)}``.
SHAPES = ("min", "opt", "max", "shape")


def arguments(options: Mapping[str, Any]) -> List[str]:
    """The command line of some keywords."""
    line: List[str] = []
    for key, value in options.items():
        # `from` is a word of Python's own: `from_`.
        flag = "--" + key.rstrip("_").replace("_", "-")
        if value is None or value is False:
            continue
        if value is True:
            line.append(flag)
        elif isinstance(value, Mapping) and key in SHAPES:
            shapes = ("x".join(map(str, each)) for each in value.values())
            line.append(f"{flag}=" + ",".join(map("{}:{}".format, value, shapes)))
        elif isinstance(value, Mapping):
            line += [f"{flag}={name}={_text(each)}" for name, each in value.items()]
        elif isinstance(value, list):
            line += [f"{flag}={_text(each)}" for each in value]
        else:
            line.append(f"{flag}={_text(value)}")
    return line


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ":".join(str(each) for each in value)
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)


def _json(
    command: List[str],
    model: PathLike,
    options: Mapping[str, Any],
    progress: Optional[Progress],
) -> Any:
    quiet = [] if progress else ["--quiet"]
    line = [str(binary()), *command, "--json", "--error-format=json", "--color=never", *quiet]
    line += [*arguments(options), "--", os.fspath(model)]
    # Data goes to a file: nobody reads a second pipe while the first is read.
    with tempfile.TemporaryFile() as data:
        with subprocess.Popen(line, stdout=data, stderr=subprocess.PIPE, encoding="utf-8") as process:
            last = _told(process.stderr, progress)
        data.seek(0)
        printed = data.read()
    result = json.loads(printed) if printed.strip() else None
    if process.returncode == 0:
        return result
    error = Error(_fields(last, process.returncode))
    error.result = result
    raise error


def _told(lines: Iterable[str], progress: Optional[Progress]) -> str:
    """Passes lines on as they come; gives the last one, which is the error if there is one."""
    last = ""
    for line in lines:
        line = line.rstrip("\n")
        last = line or last
        if progress and not line.startswith("{"):
            progress(line)
    return last


def _fields(said: str, code: int) -> Mapping[str, Any]:
    """The error that the command printed; one made up where it died without a word."""
    try:
        fields = json.loads(said)
    except ValueError:
        fields = None
    if isinstance(fields, dict) and "exit_code" in fields:
        return fields
    message = f"onnx2plan ended with {code}" + (f": {said}" if said else "")
    return {"exit_code": code, "kind": "internal", "message": message}
