"""Loader: read all files of a shop folder into entries, or raise one error with every mistake.

>>> from datetime import UTC
>>> files = {"stages.csv": b"stage,name,type\\nsaw,Saw,process\\n"}
>>> read_shop(files, now_us=0, zone=UTC).entries
(NewEntry(what='stage.define', data={'stage': 'saw', 'name': 'Saw', 'type': 'process'}, holds_from_us=None),)
>>> read_shop({"stage.csv": b""}, now_us=0, zone=UTC)
Traceback (most recent call last):
  ...
server.importer.errors.ShopFolderError: 1 mistake in the shop folder; nothing was imported.
  stage.csv: came a file of that name, expected one of stages.csv, routings.csv, products.csv, materials.csv, costs.csv, \
people.csv, reasons.csv, patterns.csv, codes.csv, cards.csv, orders.csv, or a \
workbook (.xlsx, .ods, .xls); rename it to stages.csv, if that is meant.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from datetime import tzinfo
from itertools import chain
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from server.importer.current_state import COST, CurrentOrder, CurrentState, cost_name
from server.importer.entry_builder import ImportDay, NewEntry, Rows, fields, new_entries
from server.importer.errors import ImportMistake, ShopFolderError
from server.importer.file_schema import SHEETS, FileSchema, recognised
from server.importer.raw_table import RawTable, file_mistake, read_text
from server.importer.references import KnownNames, known_names
from server.importer.table_rows import TableRow, read_rows
from server.importer.validation import check
from server.importer.workbook import ENDINGS, is_workbook, read_workbook
from station.core.codes import identity_of_written
from station.core.site import Site, SiteDays, site_history

_ZEROS = re.compile(r"(?<![0-9.,])0+(?=[0-9])")
_NOT_COMPARED = ("order", "released", "due", "items")
_CLEARABLE = ("due", "priority", "customer", "reference", "items")
_IGNORED = (".md", ".txt", ".toml")  # notes and settings beside the sheets


class ShopImport(NamedTuple):
    """The entries to record, the number of entries that the hub already has, and notices for the installer.

    `kept`: the number of lines that differ from the hub without an entry; a notice names each value that the hub keeps.
    """

    entries: tuple[NewEntry, ...]
    unchanged: int
    notices: tuple[str, ...]
    kept: int = 0


def is_sheet(file: str) -> bool:
    """Whether a file of the folder is a sheet; notes, settings and hidden files are not."""
    return not file.startswith((".", "~")) and not file.lower().endswith(_IGNORED)


def read_shop(
    files: Mapping[str, bytes], *, now_us: int, zone: tzinfo, current: CurrentState | None = None
) -> ShopImport:
    """Read the folder's files (name -> content) and compare them with the hub's state `current`.

    `now_us`: the time of import, UTC us; `zone`: the zone of a site without `site.define`. Raises `ShopFolderError`.

    1. Parse every file. 2. Collect the known names of folder and hub. 3. Validate across files; raise all mistakes at once.
    4. Build the new entries.
    """
    current = current or CurrentState()
    mistakes: list[ImportMistake] = []
    rows: dict[str, list[TableRow]] = {}
    unread: set[str] = set()
    notes: list[str] = []
    for sheet, raw in _tables(files, mistakes, unread):
        if sheet.file in rows:
            came = f"a second table of {sheet.file.removesuffix('.csv')}"
            mistakes.append(file_mistake(raw.place, came, "each table once", "put its lines into one table"))
            unread.add(sheet.file)
            continue
        before = len(mistakes)
        rows[sheet.file] = read_rows(sheet, raw, mistakes)
        notes += raw.notes
        if len(mistakes) > before:
            unread.add(sheet.file)
    if not files:
        mistakes.append(
            ImportMistake("the folder", 0, 0, "", "no sheet", f"at least one of {', '.join(SHEETS)}", "add one")
        )
    names = known_names(rows, current, frozenset(unread))
    mistakes += check(rows, names, current)
    if mistakes:
        raise ShopFolderError(mistakes)
    # What no entry states of the site has an empty zone here: then it is the zone of hub.toml.
    days = SiteDays(site_history(current.site, Site(zone="")), lambda name: ZoneInfo(name) if name else zone)
    entries, unchanged = new_entries(rows, current, ImportDay(days.day_of(now_us), days, now_us))
    of_orders = {
        row.values["order"]: list(_of_order(row, current.order(row.values["order"]), days))
        for row in rows.get("orders.csv", [])
    }
    written = {entry.data.get("order") for entry in entries}
    kept = sum(bool(notices) and order not in written for order, notices in of_orders.items())
    notes += [
        *_without_price(rows, names, current),
        *chain.from_iterable(of_orders.values()),
        *_without_zeros(rows, current),
    ]
    return ShopImport(tuple(entries), unchanged - kept, tuple(notes), kept)


def _tables(
    files: Mapping[str, bytes], mistakes: list[ImportMistake], unread: set[str]
) -> Iterator[tuple[FileSchema, RawTable]]:
    """Each table of the folder with its schema. A file that cannot be read is a mistake, and its names are `unread`."""
    for file, content in files.items():
        before = len(mistakes)
        if is_workbook(file, content):
            sheets = list(_sheets(file, content, mistakes))
            if len(mistakes) > before:
                unread.update(SHEETS)  # any table may have been in it
            yield from sheets
        elif file not in SHEETS:
            mistakes.append(_unknown_file(file))
        else:
            raw = read_text(file, content, {column.name for column in SHEETS[file].columns}, mistakes)
            if raw is None:
                unread.add(file)
            else:
                yield SHEETS[file], raw


def _sheets(file: str, content: bytes, mistakes: list[ImportMistake]) -> Iterator[tuple[FileSchema, RawTable]]:
    """Each sheet of a workbook with its schema: by its name, by the file's name for a single sheet, else by its headings."""
    tables = read_workbook(file, content, mistakes)
    for name, raw in tables:
        named = SHEETS.get(f"{name.strip().lower()}.csv")
        if named is None and len(tables) == 1:
            named = SHEETS.get(f"{file.rpartition('.')[0].lower()}.csv")
        sheet = named or recognised(raw.headings)
        if sheet is None:
            came = f"a table with the headings {', '.join(raw.headings)[:120]}"
            tables_known = ", ".join(known.removesuffix(".csv") for known in SHEETS)
            do = "correct the headings, name the sheet after its table, or delete the sheet"
            mistakes.append(file_mistake(raw.place, came, f"the headings of one of {tables_known}", do))
        else:
            yield sheet, raw


def _unknown_file(file: str) -> ImportMistake:
    close = difflib.get_close_matches(file.lower(), SHEETS, n=1)
    do = f"rename it to {close[0]}, if that is meant" if close else "remove it from the folder"
    expected = f"one of {', '.join(SHEETS)}, or a workbook ({', '.join(ENDINGS)})"
    return ImportMistake(file, 0, 0, "", "a file of that name", expected, do)


def _without_price(rows: Rows, names: KnownNames, current: CurrentState) -> list[str]:
    """A notice for each component without a price. One that is made here costs what its own bill costs."""
    notices: list[str] = []
    if "costs.csv" in rows or "materials.csv" in rows:
        costs = {cost_name(cost): cost for cost in current.all_of(COST)}
        costs |= {cost_name(cost): cost for cost in map(fields, rows.get("costs.csv", []))}
        notices += [
            f"{component} has no price: {product} will have no cost."
            for product, components in sorted(names.components_of.items())
            for component in sorted(components)
            if not names.components_of.get(component)
            and not any(_prices(cost, component, product) for cost in costs.values())
        ]
    return notices


def _without_zeros(rows: Rows, current: CurrentState) -> Iterator[str]:
    """A notice for each new order whose number differs from another one only in leading zeros."""
    first = {_ZEROS.sub("", name): (name, "of the hub") for name in current.orders}
    for row in rows.get("orders.csv", []):
        name = row.values["order"]
        other, where = first.setdefault(_ZEROS.sub("", name), (name, f"of line {row.line}"))
        if other != name and current.order(name) is None:
            yield (
                f"orders.csv, line {row.line}: {name} and {other} {where} differ only in leading zeros and are two orders. "
                "Compare them with the labels: a spreadsheet removes such zeros."
            )


def _of_order(row: TableRow, now: CurrentOrder | None, days: SiteDays) -> Iterator[str]:
    """What the hub keeps of a known order where its line differs: no entry empties a value or moves a release."""
    if now is None:
        return
    order, place = row.values["order"], f"{row.sheet.file}, line {row.line}"
    if row.values.get("items") and _names(now.fields.get("items")) != _names(row.values["items"]):
        yield f"{order} is released: an import adds no further items to it."
    if now.closed and _differs(row, now.fields):
        yield f"{order} is closed: an import does not change it."
    for name in row.columns:
        kept = now.fields.get(name)
        if name in _CLEARABLE and not row.values.get(name) and kept not in (None, "", []):
            text = " ".join(_names(kept)) if name == "items" else kept
            yield f"{place}: {name} emptied; the hub keeps {text}: no entry empties it, write the value that replaces it."
    released = row.values.get("released")
    day = days.day_of(now.released_us)
    emptied = "released" in row.columns and released is None and now.dated
    if emptied or (released is not None and not released.is_relative and released.on != day):
        came = "released emptied" if emptied else f"released {released}"
        yield f"{place}: {came}; the hub keeps {day}: to change it, take the release back by a void and import again."


def _names(items: Any) -> list[str]:
    """The items of an order, by the keys of their codes."""
    names = (one.get("item") if isinstance(one, dict) else one for one in items or [])
    return [identity_of_written(name) for name in names if isinstance(name, str)]


def _differs(row: TableRow, recorded: Mapping[str, object]) -> bool:
    """Whether a line has another value than the order; days may be relative to the import and are not compared."""
    compared = ((name, value) for name, value in fields(row).items() if name not in _NOT_COMPARED)
    return any(recorded.get(name) != value for name, value in compared)


def _prices(cost: Mapping[str, object], component: str, product: str) -> bool:
    return (
        cost.get("component") == component
        and cost.get("product") in (None, product)
        and isinstance(cost.get("micros"), int)
    )
