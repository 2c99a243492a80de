"""Loader: read all files of a shop folder into entries, or raise one error with every mistake.

>>> files = {"stages.csv": b"stage,name,type\\nsaw,Saw,process\\n"}
>>> read_shop(files, now_us=0, zone=UTC).entries
(NewEntry(what='stage.define', data={'stage': 'saw', 'name': 'Saw', 'type': 'process'}, holds_from_us=None),)
>>> read_shop({"stage.csv": b""}, now_us=0, zone=UTC)
Traceback (most recent call last):
  ...
server.importer.errors.ShopFolderError: 1 mistake in the shop folder; nothing was imported.
  stage.csv: came a file of that name, expected one of stages.csv, routings.csv, products.csv, materials.csv, costs.csv, \
people.csv, reasons.csv, patterns.csv, codes.csv, cards.csv, orders.csv; rename it to stages.csv, if that is meant.
"""

import difflib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

from server.importer.csv_table import TableRow, read_table
from server.importer.current_state import CurrentState
from server.importer.entry_builder import ImportDay, NewEntry, Rows, fields, new_entries
from server.importer.errors import ImportMistake, ShopFolderError
from server.importer.file_schema import SHEETS
from server.importer.references import KnownNames, known_names
from server.importer.validation import check

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_IGNORED = (".md", ".txt", ".toml")  # notes and settings beside the sheets


class ShopImport(NamedTuple):
    """The entries to record, the number of entries that the hub already has, and notices for the installer."""

    entries: tuple[NewEntry, ...]
    unchanged: int
    notices: tuple[str, ...]


def is_sheet(file: str) -> bool:
    """Whether a file of the folder is a sheet; notes, settings and hidden files are not."""
    return not file.startswith((".", "~")) and not file.lower().endswith(_IGNORED)


def read_shop(
    files: Mapping[str, bytes], *, now_us: int, zone: tzinfo, current: CurrentState | None = None
) -> ShopImport:
    """Read the folder's files (name -> content) and compare them with the hub's state `current`.

    `now_us`: the time of import, UTC us; `zone`: the shop's time zone. Raises `ShopFolderError`.

    1. Parse every file. 2. Collect the known names of folder and hub. 3. Validate across files; raise all mistakes at once.
    4. Build the new entries.
    """
    current = current or CurrentState()
    mistakes: list[ImportMistake] = []
    rows: dict[str, list[TableRow]] = {}
    unread = set()
    for file, content in files.items():
        if file not in SHEETS:
            mistakes.append(_unknown_file(file))
            continue
        before = len(mistakes)
        rows[file] = read_table(SHEETS[file], content, mistakes)
        if len(mistakes) > before:
            unread.add(file)
    if not files:
        mistakes.append(
            ImportMistake("the folder", 0, 0, "", "no sheet", f"at least one of {', '.join(SHEETS)}", "add one")
        )
    names = known_names(rows, current, frozenset(unread))
    mistakes += check(rows, names, current)
    if mistakes:
        raise ShopFolderError(mistakes)
    moment = (_EPOCH + timedelta(microseconds=now_us)).astimezone(zone)
    entries, unchanged = new_entries(rows, current, ImportDay(moment.date(), zone))
    return ShopImport(tuple(entries), unchanged, tuple(_notices(rows, names, current)))


def _unknown_file(file: str) -> ImportMistake:
    close = difflib.get_close_matches(file.lower(), SHEETS, n=1)
    if file.lower().endswith((".xls", ".xlsx", ".ods")):
        do = 'save each of its tables as "CSV UTF-8 (comma delimited)"'
    elif close:
        do = f"rename it to {close[0]}, if that is meant"
    else:
        do = "remove it from the folder"
    return ImportMistake(file, 0, 0, "", "a file of that name", f"one of {', '.join(SHEETS)}", do)


def _notices(rows: Rows, names: KnownNames, current: CurrentState) -> list[str]:
    """Notices that are no mistakes: components without a price, and items that an import does not add."""
    notices: list[str] = []
    if "costs.csv" in rows or "materials.csv" in rows:
        costs = [fields(row) for row in rows.get("costs.csv", [])] + list(current.all_of("cost.set"))
        notices += [
            f"{component} has no price: {product} will have no cost."
            for product, components in sorted(names.components_of.items())
            for component in sorted(components)
            if not any(_prices(cost, component, product) for cost in costs)
        ]
    for row in rows.get("orders.csv", []):
        now = current.orders.get(row.values["order"])
        if now is not None and row.values.get("items") and now.fields.get("items") != row.values["items"]:
            notices.append(f"{row.values['order']} is released: an import adds no further items to it.")
        if now is not None and now.closed and _differs(row, now.fields):
            notices.append(f"{row.values['order']} is closed: an import does not change it.")
    return notices


def _differs(row: TableRow, recorded: Mapping[str, object]) -> bool:
    """Whether a line has another value than the order; days may be relative to the import and are not compared."""
    compared = ((name, value) for name, value in fields(row).items() if name not in ("released", "due", "items"))
    return any(recorded.get(name) != value for name, value in compared)


def _prices(cost: Mapping[str, object], component: str, product: str) -> bool:
    return cost.get("component") == component and cost.get("product") in (None, product)
