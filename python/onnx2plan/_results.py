"""What the commands print with ``--json``, as types.

Each result keeps the whole JSON in ``raw``: fields that are not named here are in it.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional


@dataclass(frozen=True)
class Precision:
    """The types that were chosen, and the bound that holds."""

    within: float
    #: How many layers compute in each type.
    layers: Dict[str, int]
    chosen_on: str


@dataclass(frozen=True)
class Conversion:
    """A plan that was written."""

    plan: Path
    #: ``None`` where the plan went into a pipe or a device, beside which nothing can lie.
    manifest: Optional[Path]
    plan_bytes: int
    layers: int
    library: str
    targets: List[str]
    #: Sizes that nobody gave, and what was taken for them.
    guesses: List[str]
    notes: List[str]
    #: ``verified`` if a GPU ran the plan, else ``not run``, …
    verification: str
    precision: Optional[Precision]
    raw: Mapping[str, Any] = field(repr=False)

    @classmethod
    def _of(cls, raw: Mapping[str, Any]) -> "Conversion":
        return cls(
            plan=Path(raw["plan"]),
            manifest=Path(raw["manifest"]) if raw["manifest"] else None,
            precision=_taken(Precision, raw["precision"]) if raw["precision"] else None,
            raw=raw,
            **_named(raw, "plan_bytes layers library targets guesses notes verification"),
        )


@dataclass(frozen=True)
class Output:
    """One output against the reference."""

    name: str
    agrees: bool
    #: Type and shape as computed: ``f32[4, 10]``.
    actual: str
    max_absolute: Optional[float]
    raw: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Comparison:
    """The outputs on one data set."""

    #: What gave the expected outputs: a folder with test data, or ONNX Runtime with its inputs.
    reference: str
    #: What was run: ``cpu``, or the name of the GPU.
    candidate: str
    agrees: bool
    outputs: List[Output]


@dataclass(frozen=True)
class Verification:
    """Whether numbers are right."""

    agrees: bool
    #: The gravest verdict of all comparisons.
    verdict: str
    note: Optional[str]
    comparisons: List[Comparison]
    raw: Mapping[str, Any] = field(repr=False)

    @classmethod
    def _of(cls, raw: Mapping[str, Any]) -> "Verification":
        comparisons = [_comparison(each) for each in raw["verifications"]]
        return cls(comparisons=comparisons, raw=raw, **_named(raw, "agrees verdict note"))


@dataclass(frozen=True)
class Inspection:
    """What a model holds."""

    #: Name and type: ``{"name": "x", "type": "f32[N, 3]"}``.
    inputs: List[Dict[str, str]]
    outputs: List[Dict[str, str]]
    #: How often each operator occurs.
    operators: Dict[str, int]
    weights_bytes: int
    #: What cannot be converted, as in :class:`onnx2plan.Problem`.
    problems: List[Dict[str, Any]]
    notes: List[str]
    raw: Mapping[str, Any] = field(repr=False)

    @property
    def converts(self) -> bool:
        """Whether every node can be converted."""
        return not self.problems

    @classmethod
    def _of(cls, raw: Mapping[str, Any]) -> "Inspection":
        names = "inputs outputs operators weights_bytes problems notes"
        return cls(raw=raw, **_named(raw, names))


def _comparison(raw: Mapping[str, Any]) -> Comparison:
    outputs = [
        Output(
            max_absolute=(each.get("statistics") or {}).get("max_absolute"),
            raw=each,
            **_named(each, "name agrees actual"),
        )
        for each in raw["outputs"]
    ]
    return Comparison(outputs=outputs, **_named(raw, "reference candidate agrees"))


def _named(raw: Mapping[str, Any], names: str) -> Dict[str, Any]:
    return {name: raw[name] for name in names.split()}


def _taken(kind: type, raw: Mapping[str, Any]) -> Any:
    return kind(**{name: raw[name] for name in kind.__dataclass_fields__})
