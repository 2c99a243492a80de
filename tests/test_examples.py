"""The examples of CONTRIBUTING: the patch that adds a kind of reader applies to this tree, and its own test passes."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PATCH = ROOT / "docs" / "examples" / "add-a-reader-kind.patch"
COPIED = ("drivers", "station", "tests", "pyproject.toml")


@pytest.fixture(scope="module")
def patched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree with the patch."""
    copy = tmp_path_factory.mktemp("patched")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy / name)
    # A repository of its own: inside another one `git apply` passes over files that are not in it.
    for command in (("init", "--quiet"), ("apply", str(PATCH))):
        subprocess.run(["git", *command], cwd=copy, check=True)
    return copy


def test_the_new_kind_is_one_file_and_one_test() -> None:
    made = re.findall(r"^\+\+\+ b/(\S+)$", PATCH.read_text(), flags=re.MULTILINE)
    assert made == ["drivers/datagram.py", "tests/drivers/test_datagram.py"]
    contributing = (ROOT / "CONTRIBUTING.md").read_text()
    assert PATCH.relative_to(ROOT).as_posix() in contributing


def test_the_new_kind_passes_its_test(patched: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/drivers/test_datagram.py"]
    done = subprocess.run(
        command,
        cwd=patched,
        env={**os.environ, "PYTHONPATH": str(patched)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout


def test_the_new_kind_is_known_by_its_file(patched: Path) -> None:
    ask = "import drivers; print(drivers.__file__, *drivers.kinds())"
    done = subprocess.run(
        [sys.executable, "-c", ask], cwd=patched, env={**os.environ, "PYTHONPATH": str(patched)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    where, *kinds = done.stdout.split()
    assert Path(where).is_relative_to(patched)
    assert "datagram" in kinds


def test_the_new_files_pass_the_lint(patched: Path) -> None:
    ruff = Path(sys.executable).with_name("ruff")
    for words in (("check",), ("format", "--check")):
        done = subprocess.run(
            [ruff, *words, "--no-cache", "drivers/datagram.py", "tests/drivers/test_datagram.py"],
            cwd=patched, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
