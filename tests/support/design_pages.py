"""Checks of the pages in docs/design against the code. Each check takes the text of a page and returns its problems.

A page marks what can be checked by its form: a table by its header, the fields of a struct by the dotted name of the struct
in parentheses before them, an example by its code block.
"""

import doctest
import importlib
import json
import re
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import create_engine
from sqlite_utils import Database

from drivers import kinds
from server.db.schema import metadata
from server.ledger.entry_schema import WHATS
from server.projection.station_snapshot import snapshot
from server.projection.tables import TABLES, definition
from station.core import protocol
from station.core.codes.command_cards import HEAD, Card
from station.core.event import Event, EventError, decode, encode
from station.core.ledger import fold, order_entries
from station.core.ledger.rules import RULES
from station.core.snapshot import Snapshot
from station.feedback.messages import Reason
from station.journal.schema import PRAGMAS, bring_up_to_date

SNAPSHOT = (Snapshot, protocol.SnapshotPosition)  # what a station reads of the body
ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("station", "server", "drivers")
_STRUCTS = re.compile(r"\(((?:`(?:station|server)(?:\.\w+)+`,?\s*)+)\):")
_DOTTED = re.compile(r"(?:station|server|drivers)(?:\.\w+)+")
_PATH = re.compile(r"(?:station|server|drivers|tests|config|docs)/[\w./*-]*")
_FILE = re.compile(r"[\w-]+\.(?:py|toml)")
_CLASS = re.compile(r"[A-Z][a-z]+(?:[A-Z][a-z]+)+")


def table(text: str, header: str) -> list[list[str]]:
    """The rows below the line that begins with `header`, as cells; none where the page has no such table."""
    lines = text.splitlines()
    start = next((n for n, line in enumerate(lines) if line.startswith(header)), len(lines))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip().strip("|").split("|")])
    return rows


def words(cell: str) -> list[str]:
    """The code words of a cell."""
    return re.findall(r"`([^`]+)`", cell)


def column(text: str, header: str) -> list[str]:
    """The code words in the first column of a table."""
    return [word for row in table(text, header) for word in words(row[0])]


def differs(what: str, found: Sequence[Any], expected: Sequence[Any]) -> list[str]:
    """A sentence where the page has something else than the code, in this order."""
    if list(found) == list(expected):
        return []
    return [f"{what}: the page has {list(found)}, the code {list(expected)}."]


def examples(text: str) -> list[str]:
    """The Python examples of a page run, one after the other, as one session."""
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    problems = [f"A block without a prompt is never run: {block[:60]!r}." for block in blocks if ">>> " not in block]
    said: list[str] = []
    test = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, "page", None, 0)
    doctest.DocTestRunner(verbose=False).run(test, out=said.append)
    return problems + (["".join(said)] if said else [])


def event_examples(text: str) -> list[str]:
    """Each JSON line of a page about events is what the encoder writes."""
    problems = []
    for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL):
        for line in block.strip().splitlines():
            try:
                again = encode(decode(line.encode()))
            except EventError as error:
                problems.append(f"{line[:60]}: {error}")
                continue
            problems += differs("example", [line], [again.decode()])
    return problems


def event_fields(text: str) -> list[str]:
    """The table of fields has the order of the encoder."""
    names = [field.encode_name for field in msgspec.structs.fields(Event)]
    return differs("fields of an event", column(text, "| field | group |"), names)


def entries_and_cards(text: str) -> list[str]:
    """All kinds of entry, and all cards."""
    whats, cards = column(text, "| `what` | fields"), column(text, "| card |")
    return differs("entries", sorted(whats), sorted(WHATS)) + differs(
        "cards", sorted(cards), sorted(HEAD + card for card in Card)
    )


def posting_table(text: str) -> list[str]:
    """Every verb that posts has a row, and the golden cases stand in the page one by one."""
    problems = differs("verbs", column(text, "| event | from |"), [*fold.ROWS, *order_entries.ROWS])
    golden = json.loads((ROOT / "tests" / "contract" / "v1" / "postings.json").read_text())
    scans = [_case(f"`{row['verb'] or 'bare'}` at {row['stage']}", row["fields"], row) for row in golden["scans"]]
    entries = [_case(f"`{row['entry']}`", row["data"], row) for row in golden["entries"]]
    for header, cases in (("| scan | postings |", scans), ("| entry | postings |", entries)):
        found = table(text, header)
        problems += differs(f"cases below {header}", [row[0] for row in found], [case[0] for case in cases])
        for row, case in zip(found, cases, strict=False):
            problems += differs(f"case {case[0]}", row, case)
    return problems


def _case(what: str, fields: dict[str, Any], row: dict[str, Any]) -> list[str]:
    given = "".join(
        f", {name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in fields.items()
    )
    posts = "; ".join(f"{source} -> {target} {quantity}" for source, target, quantity in row["posts"])
    stands = ", ".join(f"{account} {quantity}" for account, quantity in row["stands"].items())
    return [what + given, posts or "none", stands or "nothing"]


def hub_tables(text: str) -> list[str]:
    """The columns of the hub's tables."""
    found = {words(row[0])[0]: words(row[1]) for row in table(text, "| hub table |")}
    expected = {
        name: [column.name for column in metadata.tables[name].columns] for name in found.keys() & metadata.tables
    }
    return differs("tables of the hub", sorted(found.items()), sorted(expected.items()))


def findings(text: str) -> list[str]:
    """The rules in their order, and which are on."""
    found = [(*words(row[0]), row[1]) for row in table(text, "| rule |")]
    return differs("rules", found, [(rule.name, "yes" if rule.on else "no") for rule in RULES])


def journal_tables(text: str) -> list[str]:
    """Tables, columns, triggers, settings and the keys of `meta`, against a journal that is made here."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        bring_up_to_date(Database(connection, execute_plugins=False))
        kept = "SELECT name FROM sqlite_schema WHERE type = ? AND name NOT LIKE '\\_sqlite%' ESCAPE '\\'"
        tables = {
            name: [row[1] for row in connection.execute(f"PRAGMA table_info({name})")]
            for (name,) in connection.execute(kept, ("table",))
        }
        triggers = [name for (name,) in connection.execute(kept, ("trigger",))]
    found = {words(row[0])[0]: words(row[1]) for row in table(text, "| table | columns |")}
    problems = differs("tables", sorted(found.items()), sorted(tables.items()))
    problems += differs("triggers", sorted(column(text, "| trigger |")), sorted(triggers))
    settings = [(*words(row[0]), row[1]) for row in table(text, "| pragma |")]
    return problems + differs("settings", settings, [(k, str(v)) for k, v in PRAGMAS.items()]) + _meta_keys(text)


def _meta_keys(text: str) -> list[str]:
    source = "".join(path.read_text() for path in sorted((ROOT / "station" / "journal").glob("*.py")))
    used = set(re.findall(r'(?:read|write)_meta\([\w.]+, "(\w+)"', source)) | {
        f"parent_{part}" for part in ("log", "seq", "hash", "cause")
    }
    return differs("keys of meta", sorted(column(text, "| key of `meta` |")), sorted(used))


def struct_fields(text: str) -> list[str]:
    """The fields behind `(module.Struct):` are those of the struct, in its order."""
    problems = []
    for match in _STRUCTS.finditer(text):
        names = words(match[1])
        behind = text[match.end() :].lstrip("\n")
        if behind.startswith("| field |"):
            found = column(behind, "| field |")
        else:
            found = words(re.match(r"\s*(?:`\w+`\s*)*", behind)[0])  # type: ignore[index]  # it may be empty
        for name in names:
            if is_struct(form := resolved(name)):  # a function has no fields
                problems += differs(name, found, [field.encode_name for field in msgspec.structs.fields(form)])
    return problems


def is_struct(value: object) -> bool:
    """Whether this is a struct type."""
    return isinstance(value, type) and issubclass(value, msgspec.Struct)


def protocol_structs(text: str) -> list[str]:
    """Every struct of the protocol has its fields in the page, and the snapshot its own."""
    named = {name for match in _STRUCTS.finditer(text) for name in words(match[1])}
    wanted = {f"{protocol.__name__}.{name}" for name, value in vars(protocol).items() if is_struct(value)}
    return [f"{name} is not in the page." for name in sorted(wanted - named)] + _snapshot_fields(text)


def _snapshot_fields(text: str) -> list[str]:
    engine = create_engine("sqlite://")
    slow = {"name": "slow", "regex": "(a+)+b", "as": "item"}  # one that is not used: `refused` is absent without one
    row = {
        "id": 1,
        "what": "pattern.define",
        "name": "slow",
        "holds_from_us": 0,
        "key_us": 0,
        "log_id": bytes(16),
        "seq": 1,
    }
    with engine.begin() as connection:
        metadata.create_all(connection, tables=list(TABLES))
        connection.execute(definition.insert(), [row | {"data": json.dumps(slow)}])
        body = json.loads(snapshot(connection, 0, (".", ","))[1])
    engine.dispose()
    found = re.search(r"gives 304\. Fields:(.*?)\n\n", text, re.DOTALL)
    fields = {*body, *(field.encode_name for kind in SNAPSHOT for field in msgspec.structs.fields(kind))}
    return differs("snapshot", sorted(words(found[1]) if found else []), sorted(fields))


def message_examples(text: str) -> list[str]:
    """Each example of a message says of which struct it is, decodes, and has no field that the struct lacks."""
    problems = []
    blocks = re.findall(r"(?:Example of `([\w.]+)`:\n\n)?```json\n(.*?)```", text, re.DOTALL)
    problems += [f"An example of nothing: {block[:60]!r}." for name, block in blocks if not name]
    for name, block in ((name, block) for name, block in blocks if name):
        form = resolved(name)
        known = {field.encode_name for field in msgspec.structs.fields(form)}
        try:
            msgspec.json.decode(block, type=form)
        except msgspec.MsgspecError as error:
            problems.append(f"{name}: {error}")
            continue
        problems += [f"{name} has no field {each}." for each in sorted(json.loads(block).keys() - known)]
    return problems


def reader_tables(text: str) -> list[str]:
    """The kinds of reader, and every reason of an answer."""
    reasons = {word for row in table(text, "| answer | receipt |") for word in words(row[2])}
    return differs("kinds", sorted(column(text, "| kind |")), kinds()) + differs(
        "reasons", sorted(reasons), sorted(Reason)
    )


def constants(text: str) -> list[str]:
    """Each table of constants has the values of the code."""
    problems = []
    rows = re.findall(r"^\| `((?:station|server|drivers)(?:\.\w+)+\.[A-Z_0-9]+)` \| ([^|]*) \|", text, re.MULTILINE)
    for name, value in rows:
        try:
            problems += differs(name, [value], [str(resolved(name))])
        except (ImportError, AttributeError) as error:
            problems.append(f"{name}: {error}.")
    return problems


def resolved(name: str) -> Any:
    """What a dotted name means. Raises ImportError or AttributeError where it means nothing."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            found = getattr(found, part)
        return found
    msg = f"no module {parts[0]}"
    raise ImportError(msg)


def names_in(text: str, sources: str, files: Iterable[str]) -> list[str]:
    """Every module, path, file and class that a page names exists. `sources`: the text of the product's modules."""
    problems, known = [], set(files)
    for word in sorted(set(re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)))):
        if word in WHATS:
            continue  # `station.define` is an entry
        if _FILE.fullmatch(word):
            problems += [] if word in known else [f"There is no file {word}."]
        elif _DOTTED.fullmatch(word):
            try:
                resolved(word)
            except (ImportError, AttributeError):
                problems.append(f"There is no {word}.")
        elif _PATH.fullmatch(word):
            problems += [] if any(ROOT.glob(word.rstrip("/"))) else [f"There is no path {word}."]
        elif _CLASS.fullmatch(word) and not re.search(rf"^\s*class {word}\b", sources, re.MULTILINE):
            problems.append(f"There is no class {word}.")
    return problems
