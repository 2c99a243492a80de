"""Files of one item: a file for each table of its page."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, request
from sqlalchemy import Connection

from server.api.past_query import asked_past
from server.api_errors import ApiError
from server.auth.gate import readers
from server.context import current_hub
from server.queries.current_master_data import master_data
from server.queries.current_stock import StockRow, stock_of
from server.queries.escape import visible_bytes
from server.queries.item_changes import ItemChange, item_changes
from server.queries.item_events import ItemEventRow, scans
from server.queries.item_moves import ItemMove, Stay, item_moves, item_stays
from server.queries.search import is_item, item_named
from server.queries.working_times import working_times
from server.query_words import PAST_WORDS, query_words
from server.web.item import item_tables
from server.web.table_file import FORMS, Cell, moment, quantity, table_file
from server.web.template_filters import FIELD_WORDS, STATES, VERBS
from station.core.master_data import MasterData
from station.core.site import HOUR_US
from station.core.working_time import WorkingTime

blueprint = Blueprint("item_files", __name__)
STAYS = ("stage", "operation", "state", "quantity", "from", "until", "hours", "working_hours", "event")
POSTINGS = (
    "number", "time", "from", "from_stage", "from_operation", "to", "to_stage", "to_operation", "quantity", "event",
)  # fmt: skip
PLACES = (
    "stage", "operation", "state", "reason", "quantity", "since", "run_since", "operator", "station",
)  # fmt: skip
EVENTS = (
    "event", "time", "time_uncertain", "what", "stage", "quantity", "reason", "who", "station", "reader", "repeat",
    "put_right", "could_not_be_read", "text", "as_it_was_read",
)  # fmt: skip
CHANGES = (
    "time", "what", "scan", "old", "new", "who", "why", "in_effect", "taken_back_by", "taken_back", "because",
)  # fmt: skip


@blueprint.get(f"/item.{FORMS}")
@readers
@query_words("code", "list", *PAST_WORDS)
def file(form: str) -> Response:
    """A table of the page of an item as a file with all its rows, now or as of a past time. Raises `ApiError` 400, 404."""
    name = request.args.get("list", "stays")
    if name not in _LISTS:
        raise ApiError(400, f"list {name[:40]!r}", f"one of {', '.join(_LISTS)}", "Use the link of the item's page.")
    code, hub = request.args.get("code", ""), current_hub()
    if not code:
        raise ApiError(404, "no item", "code and the code of an item", "Use the link of the item's page.")
    heading, rows_of = _LISTS[name]
    with hub.store.read() as connection:
        now_us = hub.clock.utc_us()
        past = asked_past(connection, now_us)
        item = item_named(connection, master_data(connection), code, now_us)
        with item_tables(connection, item, past) as (tables, shop):
            known = is_item(tables, item)
            rows = rows_of(tables, item, shop, past.time_us)
    if not known:
        expected = "an item that was scanned or released" + (" by then" if past.is_past else "")
        raise ApiError(404, f"the item {code[:80]!r}", expected, "Search for it in the box.")
    return table_file(form, f"item-{name}", heading, rows)


def _stays(connection: Connection, item: str, shop: MasterData, at_us: int) -> list[list[Cell]]:
    working = working_times(shop)
    return [_stay(stay, working.of(stay.stage), at_us) for stay in item_stays(connection, item)]


def _stay(stay: Stay, working: WorkingTime, at_us: int) -> list[Cell]:
    """A row: its hours last until now where it is still there, and those in working hours beside them."""
    until_us = at_us if stay.until_us is None else stay.until_us
    lasted = (until_us - stay.since_us, working.between(stay.since_us, until_us))
    return [
        stay.stage, stay.operation, STATES.get(stay.state, stay.state), quantity(stay.qty_milli), moment(stay.since_us),
        moment(stay.until_us), *(quantity(us * 1_000 // HOUR_US) for us in lasted), stay.pos,
    ]  # fmt: skip


def _postings(connection: Connection, item: str, _shop: MasterData, _at_us: int) -> list[list[Cell]]:
    moves, _ = item_moves(connection, item, most=None)
    return [_posting(move) for move in reversed(moves)]


def _posting(move: ItemMove) -> list[Cell]:
    return [
        move.number, moment(move.at_us), STATES.get(move.from_state, move.from_state), move.from_stage,
        move.from_operation, STATES.get(move.to_state, move.to_state), move.to_stage, move.to_operation,
        quantity(move.qty_milli), move.pos,
    ]  # fmt: skip


def _places(connection: Connection, item: str, _shop: MasterData, _at_us: int) -> list[list[Cell]]:
    return [_place(row) for row in stock_of(connection, [item])]


def _place(row: StockRow) -> list[Cell]:
    return [
        row.stage, row.operation, STATES[row.state], row.reason, quantity(row.qty_milli), moment(row.there_since_us),
        moment(row.run_since_us), row.operator, row.station,
    ]  # fmt: skip


def _events(connection: Connection, item: str, _shop: MasterData, _at_us: int) -> list[list[Cell]]:
    return [_event(event) for event in scans(connection, item, most=None).events]


def _event(event: ItemEventRow) -> list[Cell]:
    return [
        event.pos, moment(event.key_us), "yes" if event.approx else "no", VERBS.get(event.verb, event.verb), event.stage,
        "all" if event.all else quantity(event.qty_milli), event.reason, event.by, event.station, event.reader,
        "yes" if event.repeat else "no", ", ".join(event.changed), event.unread, event.text,
        None if event.raw is None else visible_bytes(event.raw),
    ]  # fmt: skip


def _changes(connection: Connection, item: str, shop: MasterData, at_us: int) -> list[list[Cell]]:
    changes, _ = item_changes(connection, item, shop, at_us)
    return [_change(change) for change in changes]


def _change(change: ItemChange) -> list[Cell]:
    return [
        moment(change.at_us), "put right" if change.kind == "correct" else "taken back", moment(change.of_at_us),
        _fields(change.old), _fields(change.new), change.by, change.why, "yes" if change.effective else "no",
        change.back_by, moment(change.back_us), change.back_why,
    ]  # fmt: skip


def _fields(values: dict[str, Any]) -> str:
    shown = {name: quantity(value) if name == "qty_milli" else value for name, value in values.items()}
    return "; ".join(f"{FIELD_WORDS.get(name, name)} {value or ''}".strip() for name, value in shown.items())


Rows = Callable[[Connection, str, MasterData, int], list[list[Cell]]]
_LISTS: dict[str, tuple[tuple[str, ...], Rows]] = {
    "stays": (STAYS, _stays),
    "postings": (POSTINGS, _postings),
    "places": (PLACES, _places),
    "events": (EVENTS, _events),
    "changes": (CHANGES, _changes),
}
