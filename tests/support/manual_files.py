"""The page docs/reference/files.md beside the code: files that it names, and the tables of both databases."""

import ast
import importlib.util
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from manual import ROOT, differences, rows

import server.db.schema
import server.projection.internal_tables
import server.projection.tables
from station.journal.rotate import EARLIER, QUARANTINE

# Files whose names are not made with `with_name`: the databases, folders, and what a command or a person names.
OTHER_FILES = frozenset(
    {
        "journal.db", "status.json", "hub.db", "hub.db-wal", "hub.db-shm", "hub-<UTC>.db", "hub-<UTC>.dump",
        ".doctor-<pid>.db", f"{EARLIER}/<n>/", f"{QUARANTINE}/<n>/", "answers", "FILE", "wipline-setup.pdf",
        "wipline-cards.pdf", "wipline-demo-*/", "<hub id>.high",
    }
)  # fmt: skip
_STEMS = OTHER_FILES | {"readers.json", "hub.json"}


def files(page: str) -> list[str]:
    """Every file that the code names beside another one, with its module; the tables of both databases."""
    listed = [(row.names("file")[0], row.names("module")[0]) for row in rows(page) if "file" in row.cells]
    named = _named_files()
    found = {(module, ending) for name, module in listed for of, ending in named if of == module and _is(name, ending)}
    extra = {
        name
        for name, module in listed
        if name not in OTHER_FILES and not any(of == module and _is(name, ending) for of, ending in named)
    }
    wrong = [f"the code makes no {name}" for name in sorted(extra)]
    wrong += [f"the page does not list *{ending} of {module}" for module, ending in sorted(named - found)]
    wrong += [f"the page does not list {name}" for name in sorted(OTHER_FILES - {name for name, _ in listed})]
    wrong += [f"there is no module {module}" for _, module in listed if importlib.util.find_spec(module) is None]
    tables = {
        (row.heading, row.names("table")[0], tuple(row.names("columns"))) for row in rows(page) if "table" in row.cells
    }
    return wrong + differences(tables, _tables())


@cache
def _named_files() -> frozenset[tuple[str, str]]:
    return frozenset(file_endings(ROOT))


@cache
def _tables() -> frozenset[tuple[str, str, tuple[str, ...]]]:
    journal = {("Tables of the journal", *each) for each in journal_tables()}
    return frozenset(journal | {("Tables of the hub", *each) for each in hub_tables()})


def _is(name: str, ending: str) -> bool:
    """Whether a listed name is one that `with_name` makes with this ending."""
    whole = re.sub(r"<n>/?$", "", name)
    return whole == ending or (whole.endswith(ending) and whole.removesuffix(ending) in _STEMS)


def file_endings(root: Path) -> Iterator[tuple[str, str]]:
    """(module, name or ending) of the files that `with_name` makes in station/ and server/: `.lock`, `readers.json` ..."""
    for path in (each for package in ("station", "server") for each in (root / package).rglob("*.py")):
        tree = ast.parse(path.read_text())
        constants = {
            target.id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        module = ".".join(path.relative_to(root).with_suffix("").parts)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "with_name":
                yield from ((module, text) for text in _texts(node.args, constants) if text not in ("", "-"))


def _texts(arguments: Iterable[ast.expr], constants: Mapping[str, Any]) -> Iterator[str]:
    for argument in arguments:
        for node in ast.walk(argument):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
            elif isinstance(node, ast.Name) and isinstance(constants.get(node.id), str):
                yield constants[node.id]


def journal_tables() -> Iterator[tuple[str, tuple[str, ...]]]:
    """(table, columns) of a journal of this version."""
    from sqlite_utils import Database

    from station.journal.schema import bring_up_to_date

    database = Database(memory=True)
    bring_up_to_date(database)
    for table in database.tables:
        if not table.name.startswith(("_", "sqlite_")):
            yield table.name, tuple(column.name for column in table.columns)
    database.close()


def hub_tables() -> Iterator[tuple[str, tuple[str, ...]]]:
    """(table, columns) of a hub of this version."""
    for name, table in server.db.schema.metadata.tables.items():
        yield name, tuple(table.columns.keys())
