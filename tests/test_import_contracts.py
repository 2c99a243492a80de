"""Import contracts of pyproject.toml: each breaks on a planted import, and each lists every package that it must."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("station", "drivers", "server")
SHARED = {"core", "system"}

PLANTED = [
    ("drivers/hotplug.py", "station.log", "Drivers import nothing of ours"),
    ("station/core/event.py", "sqlite3", "The core is pure"),
    ("station/core/hash_chain.py", "time", "The core is pure"),
    ("station/core/ledger/fold.py", "station.clock", "The core is pure"),
    ("station/core/codes/code.py", "station.system.clock", "The core is pure"),
    ("station/core/codes/gs1/epc.py", "random", "The core is pure"),
    ("station/core/printing/svg.py", "os", "The core is pure"),
    ("station/system/files.py", "station.core.event", "The shared operating-system modules"),
    ("station/status.py", "server.config", "The station does not import the hub"),
    ("server/ledger/ingest.py", "station.journal", "The hub imports only"),
    ("server/queries/wip.py", "station.sync.client", "The hub imports only"),
    ("server/text.py", "drivers.decode.scan", "The hub imports only"),
]


def lint(folder: Path) -> str:
    """What import-linter prints for the packages in `folder`."""
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-logo", "--no-cache"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The report on a copy of the tree with every import of `PLANTED` in it."""
    folder = tmp_path_factory.mktemp("planted")
    shutil.copy(ROOT / "pyproject.toml", folder)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for path, module, _contract in PLANTED:
        with (folder / path).open("a") as file:
            file.write(f"\nimport {module}  # noqa\n")
    return lint(folder)


@pytest.mark.parametrize(("path", "module", "contract"), PLANTED)
def test_a_planted_import_breaks_its_contract(planted: str, path: str, module: str, contract: str) -> None:
    importer = path.removesuffix(".py").replace("/", ".")
    broken = {line.rsplit(" ", 1)[0] for line in planted.splitlines() if line.endswith(" BROKEN")}
    assert any(name.startswith(contract) for name in broken), planted
    assert f"{importer} -> {module}" in planted


def test_the_contracts_list_every_package_of_the_station() -> None:
    """A new module or folder of the station is forbidden to the core, to the shared modules and to the hub."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    forbidden = {tuple(contract["source_modules"]): set(contract["forbidden_modules"]) for contract in contracts}
    station = ROOT / "station"
    names = {path.stem for path in station.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    own = {f"station.{name}" for name in names - {"__init__"}}
    shared = {f"station.{name}" for name in SHARED}
    assert own - shared <= forbidden["server",]
    assert own - {"station.core"} <= forbidden["station.core",]
    assert own - {"station.system"} <= forbidden["station.system",]
