"""Obsolete query: the query words of the obsolete stock, on its pages and in the API, and the stock that they ask for."""

from typing import NamedTuple

from flask import request
from sqlalchemy import Connection

from server.api.past_query import Past, asked_past
from server.api_errors import ApiError
from server.context import current_hub
from server.queries.as_known_at import past_stock
from server.queries.obsolete_stock import DAYS, Chosen, ObsoleteRow, Reason, ended_orders, obsolete_rows
from server.queries.site import current_locale
from server.queries.valuation import Valuation
from server.query_words import PAST_WORDS

OBSOLETE_WORDS = ("days", "reason", "stage", "product", *PAST_WORDS)
MOST_DAYS = 9_999


class AskedObsolete(NamedTuple):
    """The stock with a reason, all of it, and which of it the request asks for; `days`: without a move."""

    found: list[ObsoleteRow]
    chosen: Chosen
    days: int
    valuation: Valuation
    past: Past


def asked_obsolete(connection: Connection, now_us: int, pos: int | None = None) -> AskedObsolete:
    """What the query asks for. `pos`: the projected position, where the caller has read it. Raises `ApiError` 400."""
    days, chosen, past = _days(), _chosen(), asked_past(connection, now_us, pos)
    valuation, stock = past_stock(connection, past.known, past.at_us, now_us)
    ended = ended_orders(connection, stock, past.known, past.at_us)
    today = current_locale(connection, current_hub().config, now_us).today(valuation.at_us)
    return AskedObsolete(obsolete_rows(stock, valuation, days, today, ended), chosen, days, valuation, past)


def _days() -> int:
    text = request.args.get("days", "").strip() or str(DAYS)
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:9]) <= MOST_DAYS:
        raise ApiError(400, f"days {text[:40]!r}", f"1 to {MOST_DAYS}", f"Leave it out for {DAYS}.")
    return int(text)


def _chosen() -> Chosen:
    text = request.args.get("reason", "")
    if text and text not in list(Reason):
        raise ApiError(400, f"reason {text[:40]!r}", f"one of {', '.join(Reason)}", "Leave it out for all.")
    return Chosen(Reason(text) if text else None, request.args.get("stage", ""), request.args.get("product", ""))
