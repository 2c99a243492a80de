"""The drawn pictures of the manual show this source: their script draws the files that are committed."""

import importlib.util
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from types import ModuleType

import pytest
from read_back import scanned, svg_picture

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "pictures"
NAMES = ("architecture.svg", "scan.svg")
PAPERS = {
    "traveller": [b"WO-1042"] * 2,
    "label-sheet": [
        b"WO-1042", b"010950600013435210AB", "Größe-17".encode(), b"WIP:BADGE:F6", b"WIP:STAGE:deburr", b"WIP:REASON:bore",
        b"WIP:QTY:5", *(b"SN-%05d" % number for number in range(1, 15)),
    ],
    "label-roll": [b"WO-1042"],
    "danger-cards": [
        b"WIP:SCRAP", b"WIP:REWORK", b"WIP:REWORK:assembly", b"WIP:REWORK:deburr", b"WIP:FINISH", b"WIP:ALL", b"WIP:UNDO",
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def draw() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("draw_pictures", FOLDER / "draw.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look their module up there
    spec.loader.exec_module(module)
    return module


def planted(folder: Path, **files: str) -> Path:
    """A small tree: an empty pyproject.toml and modules by their dotted names (`__` for a dot)."""
    (folder / "pyproject.toml").write_text("[tool.importlinter]\ncontracts = []\n")
    for package in ("station/core", "station/system", "drivers", "server"):
        (folder / package).mkdir(parents=True)
    for name, content in files.items():
        path = folder.joinpath(*name.split("__")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_the_committed_picture_is_what_the_script_draws(name: str, tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(FOLDER / "draw.py"), str(tmp_path)], check=True)
    do = "Draw it again: python3 docs/pictures/draw.py"
    assert (tmp_path / name).read_text() == (FOLDER / name).read_text(), do
    assert ET.parse(tmp_path / name).getroot().tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314 - our own file


def test_the_committed_papers_are_what_their_script_draws_and_a_scanner_reads_them(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(FOLDER / "papers.py"), str(tmp_path)], check=True, cwd=ROOT)
    do = "Draw them again: .venv/bin/python docs/pictures/papers.py"
    drawn = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert drawn == {name: (FOLDER / name).read_text() for name in drawn}, do
    assert set(drawn) == {"kit.svg", *(f"{name}.svg" for name in PAPERS)}
    for name, contents in PAPERS.items():
        assert sorted(raw for _, raw in scanned(svg_picture(drawn[f"{name}.svg"]))) == sorted(contents)
    kit = {raw for _, raw in scanned(svg_picture(drawn["kit.svg"]))}
    assert {b"WIP:STAGE:deburr", b"WIP:DONE", b"WIP:SCRAP", b"WIP:REASON:burr", b"WIP:REWORK:deburr"} < kit


def test_every_module_of_a_scan_exists(draw: ModuleType) -> None:
    absent = [step.module for step in draw.STEPS if importlib.util.find_spec(step.module) is None]
    assert absent == []


def test_the_arrows_are_the_imports_of_the_source(draw: ModuleType) -> None:
    arrows = draw.imports(ROOT)
    assert {("station", "drivers"), ("station", "station.core"), ("server", "station.core")} <= arrows
    assert arrows & draw.forbidden(ROOT) == set()
    assert (FOLDER / "architecture.svg").read_text().count("<line ") == len(arrows)


@pytest.mark.parametrize(
    ("module", "line", "arrow"),
    [
        ("server__web__board", "from drivers import Read", ("server", "drivers")),
        ("server__web__board", "from station import core", ("server", "station.core")),
        ("server__web__board", "def late():\n    import station.system.clock", ("server", "station.system")),
        ("drivers__keyboard", "from station.scan import pipeline", ("drivers", "station")),
        ("station__core__event", "import station.daemon", ("station.core", "station")),
    ],
)
def test_a_planted_import_is_an_arrow(
    module: str, line: str, arrow: tuple[str, str], draw: ModuleType, tmp_path: Path
) -> None:
    assert draw.imports(planted(tmp_path, **{module: line})) == {arrow}


def test_a_forbidden_import_is_not_drawn(draw: ModuleType, tmp_path: Path) -> None:
    tree = planted(tmp_path, drivers__keyboard="import station.daemon\n")
    contract = 'type = "forbidden"\nsource_modules = ["drivers"]\nforbidden_modules = ["station"]\n'
    (tree / "pyproject.toml").write_text(f"[[tool.importlinter.contracts]]\n{contract}")
    with pytest.raises(SystemExit, match="forbidden by pyproject"):
        draw.architecture(tree)


def test_a_step_without_its_module_is_not_drawn(draw: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"There is no module drivers\.keyboard"):
        draw.scan(planted(tmp_path))
