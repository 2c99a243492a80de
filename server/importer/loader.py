"""Reading a shop folder: all of its files at once, into entries, or into one list of every mistake.

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
from server.importer.references import KnownNames, known
from server.importer.validation import check

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BESIDE = (".md", ".txt", ".toml")  # what people keep beside their sheets; read by nobody


class ShopImport(NamedTuple):
    """What an import will record, how much of the folder stands in the hub already, and what the installer should know."""

    entries: tuple[NewEntry, ...]
    unchanged: int
    notices: tuple[str, ...]


def is_sheet(file: str) -> bool:
    """Whether a file in the folder is meant to be read; notes, settings and hidden files are not."""
    return not file.startswith((".", "~")) and not file.lower().endswith(_BESIDE)


def read_shop(
    files: Mapping[str, bytes], *, now_us: int, zone: tzinfo, standing: CurrentState | None = None
) -> ShopImport:
    """Read the folder's files (name -> content) against what `standing` says of the hub.

    `now_us`: the moment of import, UTC us; `zone`: the shop's, in which a day begins. Raises `ShopFolderError`.
    """
    standing = standing or CurrentState()
    mistakes: list[ImportMistake] = []
    rows: dict[str, list[TableRow]] = {}
    unread = set()
    for file, content in files.items():
        if file not in SHEETS:
            mistakes.append(_foreign(file))
            continue
        before = len(mistakes)
        rows[file] = read_table(SHEETS[file], content, mistakes)
        if len(mistakes) > before:
            unread.add(file)
    if not files:
        mistakes.append(
            ImportMistake("the folder", 0, 0, "", "no sheet", f"at least one of {', '.join(SHEETS)}", "add one")
        )
    names = known(rows, standing, frozenset(unread))
    mistakes += check(rows, names, standing)
    if mistakes:
        raise ShopFolderError(mistakes)
    moment = (_EPOCH + timedelta(microseconds=now_us)).astimezone(zone)
    entries, unchanged = new_entries(rows, standing, ImportDay(moment.date(), zone))
    return ShopImport(tuple(entries), unchanged, tuple(_notices(rows, names, standing)))


def _foreign(file: str) -> ImportMistake:
    close = difflib.get_close_matches(file.lower(), SHEETS, n=1)
    if file.lower().endswith((".xls", ".xlsx", ".ods")):
        do = 'save each of its tables as "CSV UTF-8 (comma delimited)"'
    elif close:
        do = f"rename it to {close[0]}, if that is meant"
    else:
        do = "take it out of the folder"
    return ImportMistake(file, 0, 0, "", "a file of that name", f"one of {', '.join(SHEETS)}", do)


def _notices(rows: Rows, names: KnownNames, standing: CurrentState) -> list[str]:
    """What is no mistake, but would surprise later: components without a price, and items that an import does not add."""
    notices: list[str] = []
    if "costs.csv" in rows or "materials.csv" in rows:
        costs = [fields(row) for row in rows.get("costs.csv", [])] + list(standing.all_of("cost.set"))
        notices += [
            f"{component} has no price: {product} will stand without cost."
            for product, components in sorted(names.components_of.items())
            for component in sorted(components)
            if not any(_prices(cost, component, product) for cost in costs)
        ]
    for row in rows.get("orders.csv", []):
        now = standing.orders.get(row.values["order"])
        if now is not None and row.values.get("items") and now.fields.get("items") != row.values["items"]:
            notices.append(f"{row.values['order']} is released: an import adds no further items to it.")
    return notices


def _prices(cost: Mapping[str, object], component: str, product: str) -> bool:
    return cost.get("component") == component and cost.get("product") in (None, product)
