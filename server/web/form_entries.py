"""Entering: what a form on a page does. It writes entries in the caller's name and waits until the pages show them."""

import time
from collections.abc import Sequence
from datetime import datetime

from server.api_errors import ApiError
from server.auth.gate import caller, demand_rights
from server.context import running
from server.ledger.entries import Entry, EntryRefused, Recorded, record_all
from server.locale_format import SECOND_US, LocaleFormat
from server.projection.worker import projected_pos, recalculating
from station.core.quantity import scaled

SHOWN_WITHIN_S = 2.0  # then the answer goes out; the page catches up by itself
LOOK_AGAIN_S = 0.02
MAX_QTY_MILLI = 10**12


def enter(entries: Sequence[Entry]) -> list[Recorded]:
    """Write entries, all or none, and wait a moment for the projection. Raises `ApiError` 400 or 403."""
    demand_rights(caller(), [(entry.what, entry.data) for entry in entries])
    try:
        written = record_all(running().store, entries)
    except EntryRefused as refused:
        raise ApiError(400, refused.came, refused.expected, refused.do) from refused
    running().counts.entries.inc(len(written))
    if written:
        _wait_for(written[-1].pos)
    return written


def _wait_for(pos: int) -> None:
    """Until the entry is folded, and with it what it changes about others: a correction folds its items anew behind it."""
    hub, until = running(), time.monotonic() + SHOWN_WITHIN_S
    while (left_s := until - time.monotonic()) > 0:
        with hub.store.read() as connection:
            shown, behind = projected_pos(connection), recalculating(connection)
        if shown >= pos and not behind:
            return
        if shown < pos:
            hub.projected.wait(pos - 1, left_s)
        else:
            time.sleep(min(LOOK_AGAIN_S, left_s))


def milli(text: str) -> int | None:
    """A quantity as a person types it, in thousandths; None of nothing. Raises `ApiError` 400.

    >>> milli("12.5"), milli("3,25"), milli("")
    (12500, 3250, None)
    """
    text = text.strip()
    if not text:
        return None
    number = text.replace(",", ".")
    thousandths = scaled(f"0{number}" if number.startswith(".") else number)
    if thousandths is None or not 1 <= thousandths <= MAX_QTY_MILLI:
        raise ApiError(
            400, f"the quantity {text[:40]!r}", "a number above 0 with at most three decimals", "Write it so: 12.5"
        )
    return thousandths


def moment(text: str, tongue: LocaleFormat) -> int | None:
    """A day and time of the shop's clock, as a browser sends it, as UTC us; None of nothing. Raises `ApiError` 400."""
    text = text.strip()
    if not text:
        return None
    try:
        local = datetime.fromisoformat(text)
        at = local if local.tzinfo is not None else local.replace(tzinfo=tongue.zone)
        return int(at.timestamp() * SECOND_US)
    except (ValueError, OverflowError) as error:
        raise ApiError(
            400, f"the time {text[:40]!r}", "a day and a time such as 2026-11-22T14:05", "Pick it from the calendar."
        ) from error
