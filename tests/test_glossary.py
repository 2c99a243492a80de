"""The glossary covers the code: public classes of the core, tables of both databases, and references that exist.

Each check is a function of the glossary's text, so that a test can also pass it a text with a planted omission.
"""

import ast
import importlib
import pkgutil
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

import station.core
from server.app import create_app
from server.config import HubConfig
from server.db.schema import metadata
from server.db.store import Store
from server.ops.bootstrap import initialise
from server.projection.tables import TABLES
from station.journal.schema import bring_up_to_date

ROOT = Path(__file__).parent.parent
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text()
ROW = re.compile(r"^\| \*\*(?P<term>[^*]+)\*\* \| (?P<meaning>[^|]+) \| (?P<carried_by>[^|]+) \| (?P<source>[^|]+) \|$")
SPAN = re.compile(r"`([^`]+)`")
DOTTED = re.compile(r"(station|server|drivers)(\.\w+)+")
VARIABLE = re.compile(r"<[^>]*>|\{[^}]*\}")
TECHNICAL_TABLES = {"_sqlite_migrations"}  # of sqlite-utils


def rows(text: str) -> list[re.Match[str]]:
    """The rows of all term tables; an AssertionError names a row that is not in the form of one."""
    lines = [line for line in text.splitlines() if line.startswith("| **")]
    malformed = [line for line in lines if not ROW.match(line)]
    assert malformed == [], "expected | **Term** | meaning | `carried by` | source |"
    return [match for line in lines if (match := ROW.match(line))]


def references(text: str) -> set[str]:
    """Every reference in the third column: dotted names, tables and addresses."""
    return {span for row in rows(text) for span in SPAN.findall(row["carried_by"])}


def core_classes() -> Iterator[str]:
    """The dotted name of each class in `station.core` whose name has no leading underscore."""
    for module in pkgutil.walk_packages(station.core.__path__, "station.core."):
        origin = importlib.import_module(module.name).__file__
        assert origin is not None
        for node in ast.parse(Path(origin).read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                yield f"{module.name}.{node.name}"


def columns() -> dict[str, set[str]]:
    """The columns of each table: `hub:` those of the hub's database, `journal:` those of a new journal."""
    hub_tables = {table.name: table for table in (*metadata.tables.values(), *TABLES)}
    found = {f"hub:{name}": set(table.columns.keys()) for name, table in hub_tables.items()}
    journal = Database(memory=True)
    bring_up_to_date(journal)
    for name in set(journal.table_names()) - TECHNICAL_TABLES:
        found[f"journal:{name}"] = set(journal[name].columns_dict)
    journal.close()
    return found


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[set[str]]:
    """Every address of the hub, with `{}` in place of each variable part."""
    store = Store(tmp_path_factory.mktemp("glossary") / "hub.db")
    initialise(store)
    yield {VARIABLE.sub("{}", rule.rule) for rule in create_app(HubConfig(), store).url_map.iter_rules()}
    store.close()


def missing_classes(text: str) -> set[str]:
    """Public classes of the core that no row carries."""
    return set(core_classes()) - references(text)


def missing_tables(text: str) -> set[str]:
    """Tables that no row carries."""
    return set(columns()) - references(text)


def exists(dotted: str) -> bool:
    """Whether a dotted name is a module, or an attribute of a class or module, class fields included."""
    names = dotted.split(".")
    for length in range(len(names), 0, -1):
        try:
            value: Any = importlib.import_module(".".join(names[:length]))
        except ModuleNotFoundError:
            continue
        for name in names[length:]:
            if not hasattr(value, name) and name not in getattr(value, "__dataclass_fields__", {}):
                return False
            value = getattr(value, name, None)
        return True
    return False


def broken_references(text: str, addresses: set[str]) -> list[str]:
    """References that lead nowhere, sorted."""
    tables = columns()

    def leads_somewhere(reference: str) -> bool:
        if reference.startswith("/"):
            return VARIABLE.sub("{}", reference) in addresses
        table, _, column = reference.partition(".")
        if ":" in table:
            return table in tables and (not column or column in tables[table])
        return bool(DOTTED.fullmatch(reference)) and exists(reference)

    return sorted(reference for reference in references(text) if not leads_somewhere(reference))


def repeated_terms(text: str) -> list[str]:
    """Terms with more than one row, upper and lower case alike."""
    counted = Counter(row["term"].casefold() for row in rows(text))
    return [term for term, count in counted.items() if count > 1]


def test_each_public_class_of_the_core_is_in_the_glossary() -> None:
    assert missing_classes(GLOSSARY) == set()


def test_each_table_of_the_hub_and_the_journal_is_in_the_glossary() -> None:
    assert missing_tables(GLOSSARY) == set()


def test_each_reference_in_the_glossary_exists(addresses: set[str]) -> None:
    assert broken_references(GLOSSARY, addresses) == []


def test_each_term_has_one_row_with_a_reference_and_a_source() -> None:
    assert repeated_terms(GLOSSARY) == []
    assert [row["term"] for row in rows(GLOSSARY) if not SPAN.search(row["carried_by"])] == []
    assert len(rows(GLOSSARY)) >= 80


@pytest.mark.parametrize("name", ["station.core.event.Event", "station.core.codes.automaton.Automaton"])
def test_a_class_without_a_row_is_reported(name: str) -> None:
    assert missing_classes(GLOSSARY.replace(f"`{name}`", "")) == {name}


@pytest.mark.parametrize("name", ["hub:ledger", "hub:event_state", "hub:set_aside", "journal:mark"])
def test_a_table_without_a_row_is_reported(name: str) -> None:
    assert missing_tables(GLOSSARY.replace(f"`{name}`", "")) == {name}


@pytest.mark.parametrize(
    ("reference", "broken"),
    [
        ("station.core.event.Event", "station.core.event.Evnt"),
        ("station.core.event.Event.action", "station.core.event.Event.deed"),
        ("station.core.ledger.postings", "station.core.ledger.posting_table"),
        ("hub:ledger", "hub:leger"),
        ("hub:parcel.started_us", "hub:parcel.begun_us"),
        ("/items/{item}", "/item/{item}"),
        ("/stations", "stations"),
    ],
)
def test_a_reference_that_leads_nowhere_is_reported(addresses: set[str], reference: str, broken: str) -> None:
    assert f"`{reference}`" in GLOSSARY
    assert broken_references(GLOSSARY.replace(f"`{reference}`", f"`{broken}`"), addresses) == [broken]


def test_a_second_row_of_a_term_is_reported() -> None:
    assert repeated_terms(GLOSSARY + "\n| **parcel** | Again. | `hub:parcel` | Ours |\n") == ["parcel"]


def test_a_row_in_another_form_is_reported() -> None:
    with pytest.raises(AssertionError, match="expected"):
        rows("| **Parcel** | A quantity. |")
