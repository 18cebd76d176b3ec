"""Turn ONNX models into TensorRT plans, and prove that they compute what the models say.

    import onnx2plan

    done = onnx2plan.convert("model.onnx", dim={"batch": (1, 8, 32)}, precision="f16")
    print(done.plan, done.verification)
    proof = onnx2plan.verify("model.onnx", on="cpu")
    assert proof.agrees

Each function runs the ``onnx2plan`` command of this package. Its keywords are the command's long
options with ``_`` in place of ``-``: a list repeats an option, a dict writes ``NAME=VALUE`` and a
tuple ``MIN:OPT:MAX``. What fails raises :class:`Error`.
"""

from ._results import Comparison, Conversion, Inspection, Output, Precision, Verification
from ._run import Error, Problem, binary, convert, inspect, verify

__all__ = [
    "Comparison",
    "Conversion",
    "Error",
    "Inspection",
    "Output",
    "Precision",
    "Problem",
    "Verification",
    "binary",
    "convert",
    "inspect",
    "verify",
]
