"""`./wipline bench [NAME ...] [--long] [--check] [--events=N]`: the figures, as a table and as build/bench.json.

Exits 0: a figure is no test. With `--check`, as in the night, it exits 1 where a figure is not what was promised.
`--events`: of the bench `large`, in place of its 100,000, or 10,000,000 with `--long`.
"""

import importlib
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import msgspec

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

from figure import Figure  # noqa: E402 - the folder is on the path only now

BENCHES = (
    "scan", "idle", "readers", "plug", "codes", "ingest", "stations", "viewers", "crowd", "projector", "late_event",
    "rebuild", "board", "known", "value", "year", "live", "memory", "large",
)  # fmt: skip


def machine() -> dict[str, str | int]:
    """What the figures were measured on."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return {
        "machine": platform.machine(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "cores": os.cpu_count() or 0,
        "commit": commit.stdout.strip(),
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def row(figure: Figure) -> str:
    """One line of the table."""
    met = {True: "yes", False: "NO", None: "void"}[figure.met]
    floor = "" if figure.floor is None else f"{figure.floor:,.3f}"
    times = "" if figure.ratio is None else f"{figure.ratio:.2f}x"
    measured = f"{figure.name:<46} {figure.value:>12,.3f} {figure.unit:<9} {floor:>12} {times:>7}"
    return f"{measured}  {figure.target:<20} {met:<5} {figure.note}"


def main(arguments: list[str]) -> None:
    """Run the named benches, all without names."""
    long = "--long" in arguments
    names = [name for name in arguments if not name.startswith("--")] or list(BENCHES)
    asked = [int(each.removeprefix("--events=")) for each in arguments if each.startswith("--events=")]
    unknown = set(names) - set(BENCHES)
    if unknown:
        sys.exit(f"No bench {' '.join(sorted(unknown))}: expected some of {', '.join(BENCHES)}.")
    folder = ROOT / "build" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    figures: list[Figure] = []
    print(f"{'figure':<46} {'value':>12} {'unit':<9} {'floor':>12} {'ratio':>7}  {'at least':<20} {'met':<5} note")
    for name in names:
        more = {"events": asked[0]} if asked and name == "large" else {}
        for figure in importlib.import_module(f"bench_{name}").figures(folder, long, **more):
            figures.append(figure)
            print(row(figure), flush=True)
    report = {"machine": machine(), "figures": msgspec.to_builtins(figures)}
    (ROOT / "build" / "bench.json").write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    print("written: build/bench.json")
    missed = [figure.name for figure in figures if figure.met is False]
    if missed and "--check" in arguments:
        sys.exit(f"Not as promised: {', '.join(missed)}.")


if __name__ == "__main__":
    main(sys.argv[1:])
