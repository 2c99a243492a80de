"""Entry builder: convert validated rows to entries, and omit those that the hub already has.

>>> from station.core.site import Site, SiteFrom
>>> from server.importer.table_rows import read_table
>>> from server.importer.file_schema import SHEETS
>>> people = read_table(SHEETS["people.csv"], b"person,name,badge\\nkim,A. Kim,K1\\n", [])
>>> today = ImportDay(date(2026, 11, 22), SiteDays([SiteFrom(None, Site())]), now_us=0)
>>> new_entries({"people.csv": people}, CurrentState(), today)
([NewEntry(what='person.define', data={'person': 'kim', 'name': 'A. Kim', 'badge': 'K1'}, holds_from_us=None)], 0)
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple

from server.importer.cell_parsers import WITHDRAWN
from server.importer.current_state import COST, CurrentState, cost_name
from server.importer.table_rows import TableRow
from station.core.site import FIRST_DAY, LAST_DAY, SiteDays

Rows = Mapping[str, list[TableRow]]
# Entry fields of headings with another name: a sheet has units and percent, an entry thousandths, seconds, ms, millionths.
_FIELD = {
    "limit": "limit",
    "target": "target_s",
    "qty": "qty_milli",
    "transfer_qty": "transfer_qty_milli",
    "run_time": "run_ms",
    "setup_time": "setup_ms",
    "scrap": "scrap_ppm",
    "amount": "micros",
}
_PLAIN = {
    "stages.csv": "stage.define",
    "people.csv": "person.define",
    "reasons.csv": "reason.define",
    "patterns.csv": "pattern.define",
    "cards.csv": "card.define",
}


class NewEntry(NamedTuple):
    """One entry to record: its kind, its fields, and the time from which it holds (UTC us; None: the time of recording)."""

    what: str
    data: dict[str, Any]
    holds_from_us: int | None = None


class ImportDay(NamedTuple):
    """The shop's day at the time of import, its days, and the time itself (UTC us)."""

    today: date
    days: SiteDays
    now_us: int

    def start_of(self, day: date) -> int:
        """The beginning of a day of the shop, UTC us; of a day outside the calendar, that of its first or last one."""
        return self.days.day_bounds(min(max(day, FIRST_DAY), LAST_DAY))[0]


def new_entries(rows: Rows, current: CurrentState, when: ImportDay) -> tuple[list[NewEntry], int]:
    """(entries to record, each after the entries that it refers to; number of entries that the hub already has)."""
    entries: list[NewEntry] = []
    unchanged = 0
    definitions = list(_definitions(rows, current, when))
    dated = {cost_name(entry.data) for entry in definitions if entry.what == COST and entry.holds_from_us is not None}
    for entry in definitions:
        if entry.what == COST:
            undated_only = cost_name(entry.data) in dated
            existing = current.price(entry.data, entry.holds_from_us, when.now_us, undated_only=undated_only)
        else:
            existing = current.definition(entry.what, entry.data)
        if existing is not None and dict(existing) == entry.data:
            unchanged += 1
        else:
            entries.append(entry)
    for row in rows.get("codes.csv", []):
        data = fields(row)
        if current.is_bound(data):
            unchanged += 1
        else:
            entries.append(NewEntry("code.bind", data))
    for row in rows.get("orders.csv", []):
        order = _order(row, current, when)
        if order is None:
            unchanged += 1
        else:
            entries.append(order)
    return entries, unchanged


def fields(row: TableRow) -> dict[str, Any]:
    """A row's filled cells by the field names of an entry."""
    return {_FIELD.get(name, name): value for name, value in row.values.items() if value not in ("", [])}


def changed_fields(row: TableRow, before: Mapping[str, Any] | None) -> dict[str, Any]:
    """The fields of a definition after a row: an empty cell clears its field, a column that the file lacks keeps it."""
    named = {_FIELD.get(name, name) for name in row.columns}
    return {**{name: value for name, value in (before or {}).items() if name not in named}, **fields(row)}


def _definitions(rows: Rows, current: CurrentState, when: ImportDay) -> Iterator[NewEntry]:
    yield from _plain(rows, "stages.csv", current)
    yield from _routings(rows.get("routings.csv", []), current)
    yield from _products(rows, current)
    yield from _costs(rows.get("costs.csv", []), current, when)
    for file in ("people.csv", "reasons.csv", "patterns.csv", "cards.csv"):
        yield from _plain(rows, file, current)


def _plain(rows: Rows, file: str, current: CurrentState) -> Iterator[NewEntry]:
    what = _PLAIN[file]
    for row in rows.get(file, []):
        yield NewEntry(what, changed_fields(row, current.definition(what, fields(row))))


def _costs(rows: Iterable[TableRow], current: CurrentState, when: ImportDay) -> Iterator[NewEntry]:
    """One entry for each price or withdrawal; `valid_from` is the day from whose beginning it holds."""
    for row in rows:
        data = {"basis": "unit", **fields(row)}
        day = data.pop("valid_from", None)
        holds_from_us = None if day is None else when.start_of(day.resolved(when.today))
        if "basis" not in row.columns and (before := current.price(data, holds_from_us, when.now_us)) is not None:
            data["basis"] = before.get("basis", "unit")
        if data["micros"] == WITHDRAWN:
            data = {name: value for name, value in data.items() if name not in ("basis", "micros")} | {
                "withdrawn": True
            }
        yield NewEntry(COST, data, holds_from_us)


def _routings(rows: Iterable[TableRow], current: CurrentState) -> Iterator[NewEntry]:
    """One entry for each routing, with its operations in the order of their numbers."""
    routings: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        known = (current.definition("routing.define", fields(row)) or {}).get("operations", [])
        same = next((operation for operation in known if operation["op"] == row.values["op"]), None)
        operation = changed_fields(row, same)
        routings.setdefault(operation.pop("routing"), []).append(operation)
    for routing, operations in routings.items():
        yield NewEntry(
            "routing.define",
            {"routing": routing, "operations": sorted(operations, key=lambda operation: operation["op"])},
        )


def _products(rows: Rows, current: CurrentState) -> Iterator[NewEntry]:
    """One entry for each product with its bill of material. A folder without one of the two files keeps that part."""
    products = {
        row.values["product"]: changed_fields(row, current.definition("product.define", fields(row)))
        for row in rows.get("products.csv", [])
    }
    boms: dict[str, list[dict[str, Any]]] = {}
    for row in rows.get("materials.csv", []):
        line = fields(row)
        bom = boms.setdefault(line["product"], [])
        bom.append({"component": line["component"], "qty_milli": line["qty_milli"], "operation": line["op"]})
    for product in [*products, *(name for name in boms if name not in products)]:
        before = dict(current.definition("product.define", {"product": product}) or {})
        data = products.get(product) or before
        bom = boms.get(product, [] if "materials.csv" in rows else before.get("bom", []))
        yield NewEntry("product.define", {**{key: value for key, value in data.items() if key != "bom"}, "bom": bom})


def _order(row: TableRow, current: CurrentState, when: ImportDay) -> NewEntry | None:
    """The release of a new order, or the change of a known one; None where nothing changes."""
    data = fields(row)
    released = data.pop("released", None)
    due = data.get("due")
    if due is not None:
        data["due"] = due.resolved(when.today).isoformat()
    now = current.order(data["order"])
    if now is None:
        holds_from_us = None if released is None else when.start_of(released.resolved(when.today))
        return NewEntry("order.release", data, holds_from_us)
    if due is not None and due.is_relative:
        del data["due"]  # a relative day was resolved at the release; a later import must not move it
    compared = {name: value for name, value in data.items() if name not in ("order", "items")}
    changed = {name: value for name, value in compared.items() if now.fields.get(name) != value}
    if now.closed or not changed:
        return None
    return NewEntry("order.change", {"order": data["order"], **changed})
