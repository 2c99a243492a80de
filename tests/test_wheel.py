"""The product from its wheel: built, installed in a fresh environment, started in an empty folder, the clone unseen."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EMPTY = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LANG": "C.UTF-8"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel and what it asks for, and nothing of this one."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    subprocess.run(
        [str(python), "-m", "pip", "install", "--quiet", f"{wheel}[hub]"], check=True, stderr=subprocess.DEVNULL
    )
    return python


def run(python: Path, folder: Path, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one of the installed commands isolated, in an empty folder."""
    line = [str(python), "-I", str(python.parent / command), *arguments]
    return subprocess.run(line, cwd=folder, env=EMPTY, capture_output=True, text=True, check=False, timeout=120)


def test_nothing_comes_from_the_clone(python: Path, tmp_path: Path) -> None:
    lookup = "import station, drivers, server, config; print(*(p.__file__ for p in (station, drivers, server, config)))"
    found = subprocess.run(
        [str(python), "-I", "-c", lookup], cwd=tmp_path, env=EMPTY, capture_output=True, text=True, check=True
    )
    assert [path for path in found.stdout.split() if not path.startswith(str(python.parent.parent))] == []


def test_the_wheel_holds_the_four_packages_and_their_files_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {
        "station",
        "drivers",
        "server",
        "config",
        "wipline-0.1.0.dist-info",
    }
    for needed in (
        "config/station.toml",
        "config/hub.toml",
        "config/demo/stages.csv",
        "config/systemd/wipline-station.service",
        "config/udev/70-wipline-readers.rules",
        "server/web/static/wipline.css",
        "server/web/templates/base.html",
        "server/db/migrations/env.py",
    ):
        assert needed in names


def test_the_hub_from_the_wheel_makes_a_database_and_a_token(python: Path, tmp_path: Path) -> None:
    database = str(tmp_path / "hub.db")
    assert run(python, tmp_path, "wipline-hub", "init", "--db", database).returncode == 0
    added = run(python, tmp_path, "wipline-hub", "station", "add", "saw-1", "--db", database)
    assert (added.returncode, len(added.stdout.strip())) == (0, 43)


def test_the_station_from_the_wheel_reads_codes(python: Path, tmp_path: Path) -> None:
    line = [str(python), "-I", str(python.parent / "wipline-station"), "decode"]
    read = subprocess.run(
        line, cwd=tmp_path, env=EMPTY, input="WIP:QTY:2.5\n", capture_output=True, text=True, check=False
    )
    assert read.returncode == 0, read.stderr
    assert json.loads(read.stdout)["scheme"] == "command"


def test_the_demo_from_the_wheel_shows_its_board(python: Path, tmp_path: Path) -> None:
    shown = run(python, tmp_path, "wipline-hub", "demo", "--port", "0", "--seconds", "6")
    assert shown.returncode == 0, shown.stderr
    assert "http://127.0.0.1:" in shown.stdout + shown.stderr
