"""The manual is true: its examples run, and what the code has stands in it."""

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import drivers
import server
import station
from server.config import load as load_hub
from station.config import load as load_station
from station.core.ledger.rules import RULES

ROOT = Path(__file__).parent.parent


def modules() -> list[str]:
    """Every module of the three packages, but those that only run inside a tool of their own."""
    found = []
    for package in (station, drivers, server):
        found += [each.name for each in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
    return [name for name in found if not name.startswith("server.db.migrations")]


@pytest.mark.parametrize("name", modules())
def test_the_examples_in_a_module_run(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__, f"{name} does not say what it is"
    failed, _ = doctest.testmod(module)
    assert failed == 0


def test_the_sample_configurations_load() -> None:
    assert load_station(ROOT / "config" / "station.toml").station == "saw-1"
    assert load_hub(ROOT / "config" / "hub.toml").currency == "EUR"


@pytest.mark.parametrize("rule", [rule.name for rule in RULES])
def test_every_rule_stands_in_the_manual(rule: str) -> None:
    assert f"`{rule}`" in (ROOT / "docs" / "rules.md").read_text()


def test_decisions_are_short() -> None:
    long = [path.name for path in (ROOT / "docs" / "adr").glob("*.md") if len(path.read_text().splitlines()) > 30]
    assert long == []


def test_links_between_documents_lead_somewhere() -> None:
    broken = [
        f"{path.name}: {target}"
        for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
        for target in re.findall(r"\]\(([^)#\s]+)", path.read_text())
        if not target.startswith(("http", "mailto")) and not (path.parent / target).exists()
    ]
    assert broken == []


@pytest.mark.parametrize("package", ["station", "server", "drivers"])
def test_contributing_names_every_folder(package: str) -> None:
    contributing = (ROOT / "CONTRIBUTING.md").read_text()
    folders = [path.name for path in (ROOT / package).iterdir() if any(path.glob("*.py")) or any(path.glob("*/*.py"))]
    inside = (
        [f"{package}/{name}/" for name in folders]
        if package in ("station", "server")
        else [f"{name}/" for name in folders]
    )
    assert [name for name in inside if f"`{name}`" not in contributing] == []


def test_the_readme_counts_the_faults_of_the_matrix() -> None:
    rows = re.findall(r"^\| (\d+) \|", (ROOT / "docs" / "reliability.md").read_text(), flags=re.MULTILINE)
    assert f"lists {len(rows)} kinds of fault" in (ROOT / "README.md").read_text()


def test_nothing_advises_to_install_a_name_that_no_registry_has() -> None:
    advice = re.compile(r"pip3? install[^\n]*['\" ]wipline\b(?![/.])")
    assert advice.search("pip install 'wipline[print]'")
    places = [
        *ROOT.glob("*.md"),
        *(path for name in ("docs", "config", "station", "drivers", "server") for path in (ROOT / name).rglob("*")),
    ]
    texts = {
        path: path.read_text(errors="replace")
        for path in places
        if path.suffix in {".md", ".py", ".html", ".toml", ".service"}
    }
    assert [str(path) for path, text in texts.items() if advice.search(text)] == []
