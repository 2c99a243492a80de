"""From checked rows to the entries that say the same, and of those only what the hub does not know yet.

>>> from datetime import UTC
>>> from server.importer.csv_table import read_table
>>> from server.importer.file_schema import SHEETS
>>> people = read_table(SHEETS["people.csv"], b"person,name,badge\\nkim,A. Kim,K1\\n", [])
>>> new_entries({"people.csv": people}, CurrentState(), ImportDay(date(2026, 11, 22), UTC))
([NewEntry(what='person.define', data={'person': 'kim', 'name': 'A. Kim', 'badge': 'K1'}, holds_from_us=None)], 0)
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time, tzinfo
from typing import Any, NamedTuple

from server.importer.csv_table import TableRow
from server.importer.current_state import CurrentState

Rows = Mapping[str, list[TableRow]]
# How a heading is called in an entry, where the two differ: a sheet speaks in units, an entry in thousandths and seconds.
_FIELD = {
    "limit": "limit",
    "target": "target_s",
    "qty": "qty_milli",
    "transfer_qty": "transfer_qty_milli",
    "amount": "micros",
}
_PLAIN = {
    "stages.csv": "stage.define",
    "people.csv": "person.define",
    "reasons.csv": "reason.define",
    "patterns.csv": "pattern.define",
    "cards.csv": "card.define",
    "costs.csv": "cost.set",
}


class NewEntry(NamedTuple):
    """One entry to record: its word, its fields, and from when it holds (UTC us; None: from when it is recorded)."""

    what: str
    data: dict[str, Any]
    holds_from_us: int | None = None


class ImportDay(NamedTuple):
    """The shop's calendar day at the moment of import, and its time zone."""

    today: date
    zone: tzinfo

    def start_of(self, day: date) -> int:
        """00:00 of a day in the shop's zone, UTC us."""
        midnight = datetime.combine(day, time(), self.zone)
        return int(midnight.timestamp()) * 1_000_000


def new_entries(rows: Rows, standing: CurrentState, when: ImportDay) -> tuple[list[NewEntry], int]:
    """(what to record, in an order in which each refers only to what came before; how many lines stood already)."""
    entries: list[NewEntry] = []
    unchanged = 0
    for entry in _definitions(rows, standing):
        known = standing.definition(entry.what, entry.data)
        if known is not None and dict(known) == entry.data:
            unchanged += 1
        else:
            entries.append(entry)
    for row in rows.get("codes.csv", []):
        data = fields(row)
        if standing.bindings.get(data["code"]) == data:
            unchanged += 1
        else:
            entries.append(NewEntry("code.bind", data))
    for row in rows.get("orders.csv", []):
        order = _order(row, standing, when)
        if order is None:
            unchanged += 1
        else:
            entries.append(order)
    return entries, unchanged


def fields(row: TableRow) -> dict[str, Any]:
    """A row's filled cells under the names that an entry has for them."""
    return {_FIELD.get(name, name): value for name, value in row.values.items() if value not in ("", [])}


def _definitions(rows: Rows, standing: CurrentState) -> Iterator[NewEntry]:
    yield from _plain(rows, "stages.csv")
    yield from _routings(rows.get("routings.csv", []))
    yield from _products(rows, standing)
    for file in ("costs.csv", "people.csv", "reasons.csv", "patterns.csv", "cards.csv"):
        yield from _plain(rows, file)


def _plain(rows: Rows, file: str) -> Iterator[NewEntry]:
    for row in rows.get(file, []):
        data = fields(row)
        if file == "costs.csv":
            data = {"basis": "unit", **data}
        yield NewEntry(_PLAIN[file], data)


def _routings(rows: Iterable[TableRow]) -> Iterator[NewEntry]:
    """One entry a routing, its operations in the order of their numbers."""
    routings: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        operation = fields(row)
        routings.setdefault(operation.pop("routing"), []).append(operation)
    for routing, operations in routings.items():
        yield NewEntry(
            "routing.define", {"routing": routing, "operations": sorted(operations, key=lambda each: each["op"])}
        )


def _products(rows: Rows, standing: CurrentState) -> Iterator[NewEntry]:
    """One entry a product with its bill of material. A folder without one of the two files leaves that half as it stands."""
    products = {row.values["product"]: fields(row) for row in rows.get("products.csv", [])}
    boms: dict[str, list[dict[str, Any]]] = {}
    for row in rows.get("materials.csv", []):
        line = fields(row)
        bom = boms.setdefault(line["product"], [])
        bom.append({"component": line["component"], "qty_milli": line["qty_milli"], "operation": line["op"]})
    for product in [*products, *(each for each in boms if each not in products)]:
        before = dict(standing.definition("product.define", {"product": product}) or {})
        data = products.get(product) or before
        bom = boms.get(product, [] if "materials.csv" in rows else before.get("bom", []))
        yield NewEntry("product.define", {**{key: value for key, value in data.items() if key != "bom"}, "bom": bom})


def _order(row: TableRow, standing: CurrentState, when: ImportDay) -> NewEntry | None:
    """A release; for an order that the hub has, what changed since; None where there is nothing to say."""
    data = fields(row)
    released = data.pop("released", None)
    due = data.get("due")
    if due is not None:
        data["due"] = due.resolved(when.today).isoformat()
    now = standing.orders.get(data["order"])
    if now is None:
        holds_from_us = None if released is None else when.start_of(released.resolved(when.today))
        return NewEntry("order.release", data, holds_from_us)
    if due is not None and due.is_relative:
        del data["due"]  # it was worked out when the order was released; tomorrow's import must not move it
    changed = {name: value for name, value in data.items() if now.fields.get(name) != value}
    changed.pop("items", None)
    if now.closed or not changed:
        return None
    return NewEntry("order.change", {"order": data["order"], **changed})
