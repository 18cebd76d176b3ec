#!/usr/bin/env python3
"""Compares onnx2plan with a peer converter: both make a plan of the same models, in turn, each run a fresh process.

    compare.py --ours target/release/onnx2plan --peer PEER --libdir DIR --models DIR [NAME ...]

Both get the same TensorRT library. The peer is any executable with this interface, printing one JSON object with
`parse_s` and `build_s` on stdout (seconds):

    PEER MODEL.onnx -o PLAN --sm 89 --libdir DIR

Dynamic models need the same profile on both sides: give it in --ours-args and --peer-args, one such model a call.

Prints one Markdown table per model. Wall time, processor time and peak memory are the kernel's account of the whole
process; the import and build times are what the tools say themselves. Every tool runs once before it counts, so that
the libraries and the model are in the page cache.
"""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, fields
from pathlib import Path

MIB = 1024 * 1024


class Failed(Exception):
    """A tool ended with another status than 0, or printed no JSON."""


@dataclass
class Run:
    """What one conversion cost; None where the tool does not say."""

    wall_s: float
    cpu_s: float
    peak_mib: float
    import_s: float | None
    build_s: float | None
    both_s: float | None
    plan_mib: float
    layers: int | None


LABELS = {
    "wall_s": "wall time, s",
    "cpu_s": "processor time, s",
    "peak_mib": "peak memory, MiB",
    "import_s": "import, s",
    "build_s": "build in TensorRT, s",
    "both_s": "import and build, s",
    "plan_mib": "plan, MiB",
    "layers": "layers",
}
assert list(LABELS) == [field.name for field in fields(Run)]


def run(command, plan, read_report):
    """Runs one conversion and measures it; `read_report` gives (import_s, build_s, layers) of the tool's JSON."""
    # What an earlier run still has to write to the disk must not slow this one down.
    os.sync()
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=stdout, stderr=stderr)
        # wait4 tells what this child used. Its peak memory starts from what this script had at the fork, about 20 MiB.
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        stdout.seek(0)
        stderr.seek(0)
        printed, problem = stdout.read().decode(), stderr.read().decode(errors="replace")
    if process.returncode != 0:
        raise Failed(f"{shlex.join(command)} ended with {process.returncode}\n{printed}{problem}".rstrip())
    try:
        report = json.loads(printed)
    except json.JSONDecodeError as error:
        raise Failed(f"{shlex.join(command)} printed no JSON: {error}") from error
    import_s, build_s, layers = read_report(report)
    cpu, size = usage.ru_utime + usage.ru_stime, plan.stat().st_size
    # Linux counts ru_maxrss in KiB.
    both_s = None if None in (import_s, build_s) else import_s + build_s
    return Run(wall, cpu, usage.ru_maxrss / 1024, import_s, build_s, both_s, size / MIB, layers)


def read_ours(report):
    """Reading the model and improving the network both count as import: the peer's parser does what it does in one."""
    seconds = report.get("seconds", {})
    parts = [seconds[stage] for stage in ("import", "optimise") if stage in seconds]
    return (sum(parts) if parts else None), seconds.get("build"), report.get("layers")


def read_peer(report):
    return report.get("parse_s"), report.get("build_s"), report.get("layers")


def compare(model, args, folder):
    """The counted runs of both tools, interleaved; which one starts changes every round."""
    plans = {"ours": folder / "ours.plan", "peer": folder / "peer.plan"}
    library = args.libdir / "libtensorrt_rtx.so.1"
    commands = {
        "ours": [args.ours, model, "-o", plans["ours"], "--json", "--tensorrt", library, *shlex.split(args.ours_args)],
        "peer": [args.peer, model, "-o", plans["peer"], "--sm", args.sm, "--libdir", args.libdir],
    }
    commands["peer"] += shlex.split(args.peer_args)
    readers, runs = {"ours": read_ours, "peer": read_peer}, {"ours": [], "peer": []}
    for turn in range(args.runs + 1):
        for tool in ("ours", "peer") if turn % 2 else ("peer", "ours"):
            plans[tool].unlink(missing_ok=True)
            measured = run([str(part) for part in commands[tool]], plans[tool], readers[tool])
            if turn > 0:
                runs[tool].append(measured)
    return runs


def number(value):
    """Three significant digits, and all digits before the point."""
    if value is None:
        return "-"
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:#.3g}".rstrip(".")


def table(name, runs):
    """The Markdown table of one model."""
    count = len(runs["ours"])
    lines = [
        f"### {name}: {count} run{'s' if count > 1 else ''} of each",
        "",
        "| | ours, median | ours, least | peer, median | peer, least | ours / peer, median | ours / peer, least |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for field, label in LABELS.items():
        cells = []
        for tool in ("ours", "peer"):
            values = [getattr(run, field) for run in runs[tool]]
            cells += [None, None] if None in values else [statistics.median(values), min(values)]
        ratios = [ours / peer if ours is not None and peer else None for ours, peer in zip(cells[:2], cells[2:])]
        lines.append(f"| {label} | {' | '.join(map(number, cells + ratios))} |")
    return "\n".join(lines)


def program(path):
    """The absolute path, because a bare file name would be looked up in PATH."""
    return Path(path).absolute()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", type=program, required=True, metavar="PATH", help="the onnx2plan executable")
    parser.add_argument("--peer", type=program, required=True, metavar="PATH", help="the peer's executable")
    parser.add_argument("--libdir", type=Path, required=True, metavar="DIR", help="where libtensorrt_rtx.so.1 is")
    parser.add_argument("--models", type=Path, required=True, metavar="DIR", help="where the models are")
    parser.add_argument("names", nargs="*", metavar="NAME", help="models, without .onnx (none: all in the folder)")
    parser.add_argument("-n", "--runs", type=int, default=5, help="counted runs of each tool (default: %(default)s)")
    parser.add_argument("--sm", default="89", help="compute capability that the peer builds for (default: %(default)s)")
    parser.add_argument("--ours-args", default="", metavar="ARGS", help="more arguments for ours, as in a shell")
    parser.add_argument("--peer-args", default="", metavar="ARGS", help="more arguments for the peer, as in a shell")
    args = parser.parse_args()
    if args.runs < 1:
        parser.error("--runs must be at least 1")
    names = args.names or sorted(path.stem for path in args.models.glob("*.onnx"))
    if not names:
        parser.error(f"{args.models} has no .onnx file")

    failed = False
    with tempfile.TemporaryDirectory(dir=args.models) as folder:
        for name in names:
            try:
                print(table(name, compare(args.models / f"{name}.onnx", args, Path(folder))), end="\n\n", flush=True)
            except Failed as failure:
                failed = True
                print(f"{name}: {failure}", file=sys.stderr)
    sys.exit(failed)


if __name__ == "__main__":
    main()
