"""The reference pages (docs/reference) beside the code: what a page lists, what the code has, and how they differ.

Each check takes the text of a page and returns one sentence for each difference; none means that page and code agree.
A page is read through its tables: a row belongs to the heading above it, and its first cell names the thing in backticks.
"""

import importlib
import importlib.util
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import click
import msgspec
from flask import Flask
from msgspec import inspect as shape

import drivers
import station.feedback.outputs
from server.api.openapi import spec
from server.auth.roles import needed_for
from server.config import BackupConfig, HubConfig, LabelSheetConfig, WebConfig
from server.ledger import entry_schema
from server.metrics import HubMetrics
from station import config as station_config
from station.core.event import Event, EventIdentity, LogPosition, Reader

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"
_CODE = re.compile(r"`([^`]+)`")
_CELLS = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table: the heading above it, its cells by the table's head, and its line in the page (from 0)."""

    heading: str
    cells: Mapping[str, str]
    line: int

    def names(self, column: str) -> list[str]:
        """What stands in backticks in a cell, a `|` without its escape."""
        return [name.replace("\\|", "|") for name in _CODE.findall(self.cells.get(column, ""))]


def rows(page: str) -> Iterator[Row]:
    """Every row of every table of a page."""
    heading, head = "", None
    for number, line in enumerate(page.splitlines()):
        if line.startswith("#"):
            heading = line.lstrip("# ")
        if not line.startswith("|"):
            head = None
            continue
        cells = [cell.strip() for cell in _CELLS.split(line)[1:-1]]
        if head is None:
            head = cells
        elif set(line) - set("|-: "):
            yield Row(heading, dict(zip(head, cells, strict=True)), number)


def differences(documented: Iterable[Any], real: Iterable[Any]) -> list[str]:
    """One sentence for each thing that only one side has."""
    listed, there = set(documented), set(real)
    return [
        *(f"the page does not list {each}" for each in sorted(map(str, there - listed))),
        *(f"the code has no {each}" for each in sorted(map(str, listed - there))),
    ]


# Commands -------------------------------------------------------------------------------------------------------------

MAINS = {"wipline-station": "station.cli.commands", "wipline-hub": "server.cli.commands"}


def commands(page: str) -> list[str]:
    """Every command with its options, arguments and their defaults; every verb of ./wipline; exit codes everywhere."""
    real = _real_commands()
    listed: dict[str, dict[str, str]] = {}
    for row in rows(page):
        if "option" in row.cells:
            option = row.names("option")[0].split()[0]
            listed.setdefault(_CODE.findall(row.heading)[-1], {})[option] = row.cells["default"]
    documented = {(name, option) for name, options in listed.items() for option in options}
    wrong = differences(documented, {(name, _name(each)) for name, command in real.items() for each in command.params})
    for name, command in real.items():
        for each in command.params:
            default = _default(each)
            if default is not None and default not in listed.get(name, {}).get(_name(each), default):
                wrong.append(f"{name} {_name(each)}: the default is {default}")
    sections = {_CODE.findall(head)[-1]: text for head, text in _sections(page) if head.startswith("### `wipline-")}
    callable_ = {
        name for name, each in real.items() if not isinstance(each, click.Group) or each.invoke_without_command
    }
    wrong += differences(sections, callable_ - set(MAINS))
    wrong += [f"{name}: no exit codes" for name, text in sections.items() if not re.search(r"Exit codes: `0`", text)]
    verbs = {row.names("verb")[0] for row in rows(page) if "verb" in row.cells}
    return wrong + differences(verbs, {f"./wipline {verb}" for verb in _verbs()})


@cache  # what the code has does not change while pages are compared with it
def _real_commands() -> dict[str, click.Command]:
    return {name: command for program in MAINS for name, command in _commands(program)}


def _commands(program: str) -> Iterator[tuple[str, click.Command]]:
    pending: list[tuple[str, click.Command]] = [(program, importlib.import_module(MAINS[program]).main)]
    while pending:
        name, command = pending.pop()
        yield name, command
        if isinstance(command, click.Group):
            context = click.Context(command)
            for sub in command.list_commands(context):
                found = command.get_command(context, sub)
                assert found is not None
                pending.append((f"{name} {sub}", found))


def _name(parameter: click.Parameter) -> str:
    return parameter.opts[0] if parameter.param_type_name == "option" else parameter.opts[0].upper()


def _default(parameter: click.Parameter) -> str | None:
    """A default that does not depend on anything, as the page writes it."""
    default = parameter.to_info_dict().get("default")
    if default is None or default is False or callable(default) or "UNSET" in repr(default):
        return None
    return ", ".join(f"`{word}`" for word in default) if isinstance(default, tuple) else str(default)


def _sections(page: str) -> Iterator[tuple[str, str]]:
    for part in re.split(r"^(?=#)", page, flags=re.MULTILINE):
        head, _, text = part.partition("\n")
        yield head, text


@cache
def _verbs() -> tuple[str, ...]:
    script = (ROOT / "wipline").read_text()
    labels = re.findall(r"^    ([a-z][^)\s]*)\)", script.partition("case $verb in")[2], flags=re.MULTILINE)
    return tuple(label.split("|")[0] for label in labels)


# Configuration --------------------------------------------------------------------------------------------------------

CONFIGURATION: dict[str, type[msgspec.Struct]] = {
    "station.toml": station_config.StationConfig,
    "[hub]": station_config.HubConfig,
    "[[reader]]": station_config.ReaderConfig,
    "[[signal]]": station_config.OutputConfig,
    "lines of a gpio signal": station_config.GpioLinesConfig,
    "hub.toml": HubConfig,
    "[web]": WebConfig,
    "[backup]": BackupConfig,
    "[[label_sheet]]": LabelSheetConfig,
}
_WORDS = {shape.StrType: "text", shape.IntType: "integer", shape.FloatType: "number", shape.BoolType: "boolean"}


def configuration(page: str) -> list[str]:
    """Every key with its type, default and range; every kind of reader and of signal."""
    listed = {(row.heading, row.names("key")[0]): row for row in rows(page) if "key" in row.cells}
    real = {(head, field.encode_name): field for head, form in CONFIGURATION.items() for field in _fields(form)}
    wrong = differences(listed, real)
    for place in listed.keys() & real.keys():
        field, cells = real[place], listed[place].cells
        wanted = {"type": type_word(field.type), "default": _default_of(field), "range": range_word(field.type)}
        wrong += [
            f"{' '.join(place)}: {name} is {word}, the page has {cells[name]!r}"
            for name, word in wanted.items()
            if word is not None and _plain(cells[name]) != _plain(word)
        ]
    kinds = {(row.heading, row.names("kind")[0]) for row in rows(page) if "kind" in row.cells}
    readers = {("[[reader]]", kind) for kind in drivers.kinds()}
    return wrong + differences(kinds, readers | {("[[signal]]", kind) for kind in station.feedback.outputs.kinds()})


@cache
def _fields(form: type) -> tuple[shape.Field, ...]:
    described = shape.type_info(form)
    assert isinstance(described, shape.StructType)
    return described.fields


def _plain(cell: str) -> list[str]:
    """The words of a cell in any order: those of a choice have none."""
    return sorted(cell.split())


def _present(kind: shape.Type) -> shape.Type:
    """The type of a value that is there."""
    if isinstance(kind, shape.UnionType):
        return next(each for each in kind.types if not isinstance(each, shape.NoneType))
    return kind


def type_word(kind: shape.Type) -> str:
    """A type as the configuration page names it."""
    kind = _present(kind)
    if isinstance(kind, shape.LiteralType):
        return "word"
    if isinstance(kind, shape.StructType):
        return "table"
    if isinstance(kind, shape.VarTupleType):
        return (
            "list of tables" if isinstance(kind.item_type, shape.StructType) else f"list of {type_word(kind.item_type)}"
        )
    return _WORDS[type(kind)]


def range_word(kind: shape.Type) -> str | None:
    """The bounds of a type as the page names them; None where it has none, or others than these."""
    kind = _present(kind)
    if isinstance(kind, shape.LiteralType):
        return " ".join(f"`{word}`" for word in kind.values)
    if isinstance(kind, shape.IntType | shape.FloatType) and kind.ge is not None:
        return f"{kind.ge:,} to {kind.le:,}"
    if isinstance(kind, shape.StrType) and kind.max_length is not None:
        return f"{kind.min_length:,} to {kind.max_length:,} characters"
    if isinstance(kind, shape.VarTupleType):
        most, each = f"at most {kind.max_length}", range_word(kind.item_type)
        return most if each is None else f"{most}, each {each}"
    return None


def _default_of(field: shape.Field) -> str | None:
    """The default as the page writes it; None where the value depends on something else, or is a table."""
    if field.required:
        return "required"
    if field.default in (None, ()) or isinstance(_present(field.type), shape.StructType):
        return None
    return f"`{str(field.default).lower()}`" if isinstance(field.default, bool) else f"`{field.default}`"


# Addresses ------------------------------------------------------------------------------------------------------------


def addresses(page: str, app: Flask) -> list[str]:
    """Every rule with its methods, who may use it and what it answers; every metric; every body with its fields."""
    listed = {
        (method, row.names("address")[0], row.cells["access"]): row
        for row in rows(page)
        if "address" in row.cells
        for method in row.cells["method"].split()
    }
    real = {
        (method, rule.rule, _access(app, rule.endpoint)): rule
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    wrong = differences(listed, real)
    described = _description(app)
    for (method, address, _), row in listed.items():
        operation = described["paths"].get(_openapi(address), {}).get(method.lower())
        # 400 is in every description, whether an address can answer it or not.
        for status, answer in ((operation or {}).get("responses") or {}).items():
            body = _schema(answer) if status == "200" else None
            if (status != "400" and status not in row.cells["answers"]) or (
                body and f"`{body}`" not in row.cells["answers"]
            ):
                wrong.append(f"{method} {address}: the answers do not list {status} {body or ''}".rstrip())
    metrics = {row.names("metric")[0] for row in rows(page) if "metric" in row.cells}
    wrong += differences(metrics, _metrics())
    bodies = {(row.names("body")[0], row.cells["fields"]) for row in rows(page) if "body" in row.cells}
    return wrong + differences(bodies, _bodies())


@cache
def _description(app: Flask) -> dict[str, Any]:
    with app.test_request_context():
        return dict(spec.spec)


def _access(app: Flask, endpoint: str) -> str:
    rule = app.view_functions[endpoint].access  # type: ignore[attr-defined]
    if rule.anybody:
        return "everyone"
    if rule.devices:
        return "station"
    if rule.readers:
        return "reader"
    return "any role" if len(rule.roles) > 1 else str(*rule.roles)


def _openapi(address: str) -> str:
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", address)


def _schema(answer: Mapping[str, Any]) -> str | None:
    """The struct of an answer; None for an answer of any shape, and for a file."""
    if "application/json" not in answer.get("content", {}):
        return None
    name = str(answer["content"]["application/json"]["schema"]["$ref"]).rpartition("/")[2]
    return None if name == "dict" else name


@cache
def _metrics() -> frozenset[str]:
    return frozenset(family.name for family in HubMetrics().registry.collect())


@cache
def _bodies() -> frozenset[tuple[str, str]]:
    return frozenset((name, fields_text(form)) for name, form in body_structs().items())


def body_structs() -> dict[str, type[msgspec.Struct]]:
    """The structs of the API's bodies and answers, by name; what a query holds stands in the table of addresses."""
    modules = (
        "server.api.schemas",
        "server.api.print_bodies",
        "server.api.wip_answer",
        "server.api.item_answer",
        "server.api.order_answer",
        "server.api.call_answer",
        "server.api.site_answer",
        "station.core.protocol",
    )
    members = (each for name in modules for each in vars(importlib.import_module(name)).values())
    return {
        each.__name__: each
        for each in members
        if isinstance(each, type)
        and issubclass(each, msgspec.Struct)
        and (each.__name__.endswith(("Body", "Request", "Answer")) or each.__name__ in _PARTS)
    }


_PARTS = frozenset({"Limits", "ParentLog", "OpenItem", "EventVerdict"})


def fields_text(form: type[msgspec.Struct]) -> str:
    """The fields of a body as the page writes them: `name` type, with `?` behind the name of one that may be absent."""
    return ", ".join(
        f"`{field.encode_name}{'' if field.required else '?'}` {json_word(field.type)}" for field in _fields(form)
    )


def json_word(kind: shape.Type) -> str:
    """A type as JSON has it."""
    if isinstance(kind, shape.UnionType):
        return " or ".join(json_word(each) for each in kind.types)
    if isinstance(kind, shape.StructType):
        return kind.cls.__name__
    if isinstance(kind, shape.ListType):
        return f"list of {json_word(kind.item_type)}"
    if isinstance(kind, shape.LiteralType):
        return "integer" if isinstance(kind.values[0], int) else "text"
    names = {
        shape.BytesType: "base64", shape.NoneType: "null", shape.DictType: "object", shape.AnyType: "any",
    }  # fmt: skip
    return (names | _WORDS)[type(kind)]


# Events ---------------------------------------------------------------------------------------------------------------


def event_fields(page: str) -> list[str]:
    """Every field of an event in its order, with its type; the parts of three of them; every entry, with role and fields."""
    listed = [(row.names("field")[0], row.cells["type"]) for row in rows(page) if "field" in row.cells]
    real = [(field.encode_name, json_word(_present(field.type))) for field in _fields(Event)]
    wrong = differences(listed, real)
    if not wrong and listed != real:
        wrong.append("the fields are not in the order of the bytes")
    parts = {(row.names("part")[0], tuple(row.names("has"))) for row in rows(page) if "part" in row.cells}
    wrong += differences(
        parts, {(form.__name__, form.__struct_fields__) for form in (Reader, LogPosition, EventIdentity)}
    )
    entries = {
        (row.names("entry")[0], row.cells["role"], frozenset(row.names("checked fields")))
        for row in rows(page)
        if "entry" in row.cells
    }
    return wrong + differences(entries, {(what, needed_for(what), _entry_fields(what)) for what in entry_schema.WHATS})


def _entry_fields(what: str) -> frozenset[str]:
    form = entry_schema.FIELDS.get(what)
    return frozenset() if form is None else frozenset(field.encode_name for field in _fields(form))


def checks(app: Flask) -> dict[str, Callable[[str], list[str]]]:
    """Every check by the name of its page."""
    from manual_files import files

    return {
        "commands.md": commands,
        "configuration.md": configuration,
        "addresses.md": lambda page: addresses(page, app),
        "files.md": files,
        "event-fields.md": event_fields,
    }
