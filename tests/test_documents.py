"""The manual is true: its examples run, and what the code has stands in it."""

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import click
import pytest

import drivers
import server
import station
import station.feedback.outputs
from server.config import BackupConfig, HubConfig, WebConfig
from server.config import load as load_hub
from station.config import GpioLinesConfig, OutputConfig, ReaderConfig, StationConfig
from station.config import HubConfig as Hub
from station.config import load as load_station
from station.core.ledger.rules import RULES

ROOT = Path(__file__).parent.parent
DOCS = {
    path.name: path.read_text() for path in [*(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "reference").glob("*.md")]
}
README = (ROOT / "README.md").read_text()


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


@pytest.mark.parametrize(
    "form", [StationConfig, Hub, ReaderConfig, OutputConfig, GpioLinesConfig, HubConfig, WebConfig, BackupConfig]
)
def test_every_configuration_key_stands_in_the_reference(form: type) -> None:
    tables = {"hub", "reader", "signal", "web", "backup"}
    reference = DOCS["configuration.md"]
    keys = form.__struct_fields__  # type: ignore[attr-defined]
    missing = [key for key in keys if (f"[{key}]" if key in tables else f"`{key}`") not in reference]
    assert missing == []


@pytest.mark.parametrize("kind", sorted(drivers.kinds()))
def test_every_reader_kind_stands_in_the_reference(kind: str) -> None:
    assert f"`{kind}`" in DOCS["configuration.md"]


@pytest.mark.parametrize("kind", sorted(station.feedback.outputs.kinds()))
def test_every_signal_kind_stands_in_the_reference(kind: str) -> None:
    assert f"`{kind}`" in DOCS["configuration.md"]


def test_the_sample_configurations_load() -> None:
    assert load_station(ROOT / "config" / "station.toml").station == "saw-1"
    assert load_hub(ROOT / "config" / "hub.toml").currency == "EUR"


@pytest.mark.parametrize("rule", [rule.name for rule in RULES])
def test_every_rule_stands_in_the_manual(rule: str) -> None:
    assert f"`{rule}`" in DOCS["rules.md"]


@pytest.mark.parametrize("main", ["station.cli.main", "server.cli.main"])
def test_every_command_stands_in_the_manual(main: str) -> None:
    group = importlib.import_module(main).main
    commands = group.list_commands(click.Context(group))
    assert len(commands) > 5
    command = {"station.cli.main": "wipline-station", "server.cli.main": "wipline-hub"}[main]
    missing = [name for name in commands if f"`{command} {name}" not in DOCS["commands.md"]]
    assert missing == []


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
