"""File schema of a shop folder: every file, every column, its parser and whether it is required.

Reading, validation, error messages and the test of the documents all use this table.

>>> SHEETS["stages.csv"].column("limit").required
False
>>> ", ".join(SHEETS)
'stages.csv, routings.csv, products.csv, materials.csv, costs.csv, people.csv, reasons.csv, patterns.csv, codes.csv, \
cards.csv, orders.csv'
"""

from collections.abc import Callable
from dataclasses import dataclass

from server.importer import cell_parsers
from server.importer.raw_table import CellKind
from station.core.codes import binding_key, identity_of_written
from station.core.codes.code import CodeType
from station.core.ledger.routing import StageType

ROLES = ("view", "supervise", "account", "administer")
CONVERSION = ("labour", "overhead", "outside")  # conversion costs: per unit of the product at an operation
BASES = ("unit", "order", "minute")
REASON_USES = ("scrap", "rework", "hold", "call")
SCAN_MEANS = ("arrived", "done", "both")


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its heading, the parser of a filled cell, and whether every line must fill it.

    The heading of a required column must be present; an optional column may be omitted. `identity`: of a column of codes,
    the key of a code, which all its spellings have in common.
    """

    name: str
    read: cell_parsers.Read
    required: bool = False
    identity: Callable[[str], str] | None = None

    @property
    def kinds(self) -> tuple[CellKind, ...]:
        """The kinds of a workbook's cells, besides text and numbers, that the column has."""
        if self.read is cell_parsers.yes_or_no:
            return (CellKind.TRUTH,)
        return (CellKind.DAY,) if self.read in (cell_parsers.day, cell_parsers.calendar_day) else ()

    @property
    def is_decimal(self) -> bool:
        """Whether its cells are numbers with a decimal sign."""
        return self.read in (cell_parsers.quantity, cell_parsers.price)


@dataclass(frozen=True, slots=True)
class FileSchema:
    """One file: the word for one of its lines in messages, its columns, and the columns of its key."""

    file: str
    thing: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column | None:
        """The column with this heading."""
        return next((column for column in self.columns if column.name == name), None)


_ALL = (
    FileSchema(
        "stages.csv",
        "stage",
        ("stage",),
        (
            Column("stage", cell_parsers.name, required=True),
            Column("name", cell_parsers.words, required=True),
            Column("type", cell_parsers.one_of(*StageType), required=True),
            Column("limit", cell_parsers.positive),
            Column("target", cell_parsers.duration),
            Column("strict", cell_parsers.yes_or_no),
        ),
    ),
    FileSchema(
        "routings.csv",
        "operation",
        ("routing", "op"),
        (
            Column("routing", cell_parsers.name, required=True),
            Column("op", cell_parsers.positive, required=True),
            Column("stage", cell_parsers.name, required=True),
            Column("optional", cell_parsers.yes_or_no),
            Column("scan_means", cell_parsers.one_of(*SCAN_MEANS)),
            Column("transfer_qty", cell_parsers.quantity),
            Column("run_time", cell_parsers.milliseconds),
            Column("setup_time", cell_parsers.milliseconds),
            Column("scrap", cell_parsers.scrap_share),
        ),
    ),
    FileSchema(
        "products.csv",
        "product",
        ("product",),
        (
            Column("product", cell_parsers.name, required=True),
            Column("name", cell_parsers.words, required=True),
            Column("unit", cell_parsers.name, required=True),
            Column("decimals", cell_parsers.decimals),
            Column("routing", cell_parsers.name),
            Column("withdrawn", cell_parsers.yes_or_no),
            Column("replaced_by", cell_parsers.name),
        ),
    ),
    FileSchema(
        "materials.csv",
        "line of material",
        ("product", "component", "op"),
        (
            Column("product", cell_parsers.name, required=True),
            Column("component", cell_parsers.name, required=True),
            Column("qty", cell_parsers.quantity, required=True),
            Column("op", cell_parsers.positive, required=True),
        ),
    ),
    FileSchema(
        "costs.csv",
        "cost",
        ("component", "product", "op", "stage", "valid_from"),
        (
            Column("component", cell_parsers.name, required=True),
            Column("product", cell_parsers.name),
            Column("op", cell_parsers.positive),
            Column("stage", cell_parsers.name),
            Column("basis", cell_parsers.one_of(*BASES)),
            Column("amount", cell_parsers.price, required=True),
            Column("valid_from", cell_parsers.calendar_day),
        ),
    ),
    FileSchema(
        "people.csv",
        "person",
        ("person",),
        (
            Column("person", cell_parsers.name, required=True),
            Column("name", cell_parsers.words, required=True),
            Column("badge", cell_parsers.name),
            Column("roles", cell_parsers.some_of(*ROLES)),
        ),
    ),
    FileSchema(
        "reasons.csv",
        "reason",
        ("reason",),
        (
            Column("reason", cell_parsers.name, required=True),
            Column("name", cell_parsers.words, required=True),
            Column("for", cell_parsers.some_of(*REASON_USES)),
        ),
    ),
    FileSchema(
        "patterns.csv",
        "pattern",
        ("name",),
        (
            Column("name", cell_parsers.name, required=True),
            Column("regex", cell_parsers.regex, required=True),
            Column("as", cell_parsers.one_of(*CodeType), required=True),
        ),
    ),
    FileSchema(
        "codes.csv",
        "code",
        ("code",),
        (
            Column("code", cell_parsers.words, required=True, identity=binding_key),
            Column("as", cell_parsers.one_of(*CodeType), required=True),
            Column("to", cell_parsers.name, required=True),
        ),
    ),
    FileSchema(
        "cards.csv",
        "card",
        ("card",),
        (
            Column("card", cell_parsers.words, required=True),
            Column("name", cell_parsers.words, required=True),
        ),
    ),
    FileSchema(
        "orders.csv",
        "order",
        ("order",),
        (
            Column("order", cell_parsers.name, required=True, identity=identity_of_written),
            Column("product", cell_parsers.name, required=True),
            Column("qty", cell_parsers.quantity, required=True),
            Column("due", cell_parsers.day),
            Column("priority", cell_parsers.whole),
            Column("customer", cell_parsers.words),
            Column("reference", cell_parsers.words),
            Column("items", cell_parsers.names),
            Column("released", cell_parsers.day),
        ),
    ),
)
SHEETS = {sheet.file: sheet for sheet in _ALL}


def recognised(headings: list[str]) -> FileSchema | None:
    """The file whose columns a table's headings are; None where none or more than one has the most of them.

    >>> recognised(["product", "component", "qty", "op"]).file, recognised(["name"])
    ('materials.csv', None)
    """
    counts = {sheet.file: sum(sheet.column(name) is not None for name in headings) for sheet in _ALL}
    complete = [
        sheet.file
        for sheet in _ALL
        if counts[sheet.file] == len(headings) and all(c.name in headings for c in sheet.columns if c.required)
    ]
    best = complete or [file for file, count in counts.items() if count == max(counts.values()) and count > 1]
    return SHEETS[best[0]] if len(best) == 1 else None
