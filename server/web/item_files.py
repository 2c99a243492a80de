"""CSV files of one item: its stays, which its path shows, and its postings with their events."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, request
from sqlalchemy import Connection

from server.api.past_query import asked_past
from server.api_errors import ApiError
from server.auth.gate import readers
from server.context import current_hub
from server.queries.current_master_data import master_data
from server.queries.item_moves import ItemMove, Stay, item_moves, item_stays
from server.queries.search import item_named
from server.query_words import PAST_WORDS, query_words
from server.web.item import item_tables
from server.web.listing import csv_file
from server.web.template_filters import STATES, shop_locale
from station.core.quantity import decimal_text

blueprint = Blueprint("item_files", __name__)
STAYS = ("stage", "operation", "state", "quantity", "from", "until", "event")
POSTINGS = (
    "number", "time", "from", "from_stage", "from_operation", "to", "to_stage", "to_operation", "quantity", "event",
)  # fmt: skip


@blueprint.get("/item.csv")
@readers
@query_words("code", "list", *PAST_WORDS)
def file() -> Response:
    """All stays or postings of an item as a CSV file, now or as of a past time. Raises `ApiError` 400 and 404."""
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
        with item_tables(connection, item, past) as (tables, _):
            rows = rows_of(tables, item)
    if not rows:
        expected = "an item that was moved" + (" by then" if past.is_past else "")
        raise ApiError(404, f"the item {code[:80]!r}", expected, "Search for it in the box.")
    return csv_file(f"item-{name}", heading, rows)


def _stays(connection: Connection, item: str) -> list[list[Any]]:
    return [_stay(stay) for stay in item_stays(connection, item)]


def _stay(stay: Stay) -> list[Any]:
    iso = shop_locale().iso
    return [
        stay.stage, stay.operation, STATES.get(stay.state, stay.state), _quantity(stay.qty_milli), iso(stay.since_us),
        None if stay.until_us is None else iso(stay.until_us), stay.pos,
    ]  # fmt: skip


def _postings(connection: Connection, item: str) -> list[list[Any]]:
    moves, _ = item_moves(connection, item, most=None)
    return [_posting(move) for move in reversed(moves)]


def _posting(move: ItemMove) -> list[Any]:
    return [
        move.number, shop_locale().iso(move.at_us), STATES.get(move.from_state, move.from_state), move.from_stage,
        move.from_operation, STATES.get(move.to_state, move.to_state), move.to_stage, move.to_operation,
        _quantity(move.qty_milli), move.pos,
    ]  # fmt: skip


def _quantity(milli: int | None) -> str | None:
    return None if milli is None else decimal_text(milli)


_LISTS: dict[str, tuple[tuple[str, ...], Callable[[Connection, str], list[list[Any]]]]] = {
    "stays": (STAYS, _stays),
    "postings": (POSTINGS, _postings),
}
