"""The sheets of a shop folder: every file, every column, what may stand in it and whether it must.

This is the one place that names them; reading, checking, the documents' test and the error messages all look here.

>>> SHEETS["stages.csv"].column("limit").required
False
>>> ", ".join(SHEETS)
'stages.csv, routings.csv, products.csv, materials.csv, costs.csv, people.csv, reasons.csv, patterns.csv, codes.csv, \
cards.csv, orders.csv'
"""

from dataclasses import dataclass

from server.shop import cells
from station.core.codes.code import As
from station.core.routing import StageType

ROLES = ("view", "supervise", "account", "administer")
CONVERSION = ("labour", "overhead", "outside")  # costs that are no component: per unit of the product at an operation
BASES = ("unit", "order", "minute")
REASON_USES = ("scrap", "rework", "hold", "call")
SCAN_MEANS = ("arrived", "done", "both")


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its heading, how a filled cell is read, and whether every line must fill it.

    `required` also means that the heading must be there; a column that is not required may be left out altogether.
    """

    name: str
    read: cells.Read
    required: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """One file: what its lines are called in a sentence, its columns, and which of them together name a line."""

    file: str
    thing: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column | None:
        """The column with this heading."""
        return next((column for column in self.columns if column.name == name), None)


_ALL = (
    Sheet(
        "stages.csv",
        "stage",
        ("stage",),
        (
            Column("stage", cells.name, required=True),
            Column("name", cells.words, required=True),
            Column("type", cells.one_of(*StageType), required=True),
            Column("limit", cells.positive),
            Column("target", cells.duration),
            Column("strict", cells.yes_or_no),
        ),
    ),
    Sheet(
        "routings.csv",
        "operation",
        ("routing", "op"),
        (
            Column("routing", cells.name, required=True),
            Column("op", cells.positive, required=True),
            Column("stage", cells.name, required=True),
            Column("optional", cells.yes_or_no),
            Column("scan_means", cells.one_of(*SCAN_MEANS)),
            Column("transfer_qty", cells.quantity),
        ),
    ),
    Sheet(
        "products.csv",
        "product",
        ("product",),
        (
            Column("product", cells.name, required=True),
            Column("name", cells.words, required=True),
            Column("unit", cells.name, required=True),
            Column("decimals", cells.decimals),
            Column("routing", cells.name),
        ),
    ),
    Sheet(
        "materials.csv",
        "line of material",
        ("product", "component", "op"),
        (
            Column("product", cells.name, required=True),
            Column("component", cells.name, required=True),
            Column("qty", cells.quantity, required=True),
            Column("op", cells.positive, required=True),
        ),
    ),
    Sheet(
        "costs.csv",
        "cost",
        ("component", "product", "op"),
        (
            Column("component", cells.name, required=True),
            Column("product", cells.name),
            Column("op", cells.positive),
            Column("basis", cells.one_of(*BASES)),
            Column("amount", cells.money, required=True),
        ),
    ),
    Sheet(
        "people.csv",
        "person",
        ("person",),
        (
            Column("person", cells.name, required=True),
            Column("name", cells.words, required=True),
            Column("badge", cells.name),
            Column("roles", cells.some_of(*ROLES)),
        ),
    ),
    Sheet(
        "reasons.csv",
        "reason",
        ("reason",),
        (
            Column("reason", cells.name, required=True),
            Column("name", cells.words, required=True),
            Column("for", cells.some_of(*REASON_USES)),
        ),
    ),
    Sheet(
        "patterns.csv",
        "pattern",
        ("name",),
        (
            Column("name", cells.name, required=True),
            Column("regex", cells.regex, required=True),
            Column("as", cells.one_of(*As), required=True),
        ),
    ),
    Sheet(
        "codes.csv",
        "code",
        ("code",),
        (
            Column("code", cells.words, required=True),
            Column("as", cells.one_of(*As), required=True),
            Column("to", cells.name, required=True),
        ),
    ),
    Sheet(
        "cards.csv",
        "card",
        ("card",),
        (
            Column("card", cells.words, required=True),
            Column("name", cells.words, required=True),
        ),
    ),
    Sheet(
        "orders.csv",
        "order",
        ("order",),
        (
            Column("order", cells.name, required=True),
            Column("product", cells.name, required=True),
            Column("qty", cells.quantity, required=True),
            Column("due", cells.day),
            Column("priority", cells.whole),
            Column("customer", cells.words),
            Column("reference", cells.words),
            Column("items", cells.names),
            Column("released", cells.day),
        ),
    ),
)
SHEETS = {sheet.file: sheet for sheet in _ALL}
