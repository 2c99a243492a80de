"""The benches run when somebody asks for figures; that they can be loaded is looked at in every run."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_every_bench_can_be_loaded_and_every_one_is_called():
    said = subprocess.run(
        [sys.executable, "tests/bench", "nothing"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert said.returncode == 1
    assert said.stderr.startswith("No bench nothing: expected some of ")
    named = said.stderr.split("expected some of ")[1].strip(".\n").split(", ")
    files = sorted(each.stem.removeprefix("bench_") for each in (ROOT / "tests" / "bench").glob("bench_*.py"))
    assert sorted(named) == files
    loads = (
        "import importlib, sys; sys.path[:0] = ['tests/bench', 'tests/support', '.'];"
        f"[importlib.import_module('bench_' + each) for each in {files}]"
    )
    subprocess.run([sys.executable, "-c", loads], cwd=ROOT, check=True)
