"""Form entries: write the entries of a form in the caller's name, and wait until the projection includes them."""

import time
from collections.abc import Sequence
from datetime import datetime

from server.accounting.period_close import record_entries
from server.api_errors import ApiError
from server.auth.gate import caller, demand_rights
from server.context import current_hub
from server.ledger.entries import Entry, EntryRefused, Recorded, record_accepted
from server.locale_format import SECOND_US, LocaleFormat
from server.projection.worker import projected_pos, recalculating

POLL_S = 0.02
AT_ONCE = 500  # entries in one transaction, as in one request of the API
MAX_QTY_MILLI = 10**12


def enter(entries: Sequence[Entry]) -> list[Recorded]:
    """Write entries, all or none, and wait for the projection, at most `shown_within_s` of the hub's limits.

    Raises `ApiError` 400, 403 or 409.
    """
    demand_rights(caller(), [(entry.what, {**entry.data, **(entry.figures or {})}) for entry in entries])
    try:
        written = record_entries(current_hub().store, entries)
    except EntryRefused as refused:
        raise ApiError(refused.status, refused.came, refused.expected, refused.do) from refused
    current_hub().counts.entries.inc(len(written))
    if written:
        _wait_for(written[-1].pos)
    return written


def enter_each(entries: Sequence[Entry]) -> list[Recorded | EntryRefused]:
    """Write the entries that are not refused, AT_ONCE in a transaction, and wait as `enter` does: each place or refusal.

    Raises `ApiError` 403.
    """
    demand_rights(caller(), [(entry.what, entry.data) for entry in entries])
    results: list[Recorded | EntryRefused] = []
    for start in range(0, len(entries), AT_ONCE):
        results += record_accepted(current_hub().store, entries[start : start + AT_ONCE])
    written = [result for result in results if isinstance(result, Recorded)]
    current_hub().counts.entries.inc(len(written))
    if written:
        _wait_for(written[-1].pos)
    return results


def refused_status(error: ApiError) -> int:
    """The status of the page that shows what was typed beside its refusal. Raises an error that is none of the form."""
    if error.status not in (400, 409):
        raise error
    return error.status


def _wait_for(pos: int) -> None:
    """Wait until an entry is projected and the refold queues are empty: a correction queues the items that it changes."""
    hub = current_hub()
    until = time.monotonic() + hub.limits.shown_within_s  # afterwards the page updates itself
    while (left_s := until - time.monotonic()) > 0:
        with hub.store.read() as connection:
            projected, queued = projected_pos(connection), recalculating(connection)
        if projected >= pos and not queued:
            return
        if projected < pos:
            hub.projected.wait(pos - 1, left_s)
        else:
            time.sleep(min(POLL_S, left_s))


def milli(text: str, locale: LocaleFormat) -> int | None:
    """A typed quantity in thousandths, as the locale writes numbers; None for an empty text.

    Raises `ApiError` 400, with both readings where the text has two.

    >>> milli("12.5", LocaleFormat()), milli("3,25", LocaleFormat()), milli("", LocaleFormat())
    (12500, 3250, None)
    """
    text = text.strip()
    if not text:
        return None
    readings = locale.readings(f"0{text}" if text.startswith((".", ",")) else text)
    if len(readings) > 1:
        either = " or ".join(locale.exact(reading) for reading in readings)
        raise ApiError(
            400, f"the quantity {text[:40]!r}, which is {either}", "a number with one reading", f"Write {either}."
        )
    if not readings or not 1 <= readings[0] <= MAX_QTY_MILLI:
        example = locale.quantity(12_500)
        raise ApiError(
            400,
            f"the quantity {text[:40]!r}",
            "a number above 0 with at most three decimals",
            f"Write it so: {example}",
        )
    return readings[0]


def moment(text: str, locale: LocaleFormat) -> int | None:
    """A day and time in the shop's time zone, as a browser sends it, in UTC us; None for an empty text.

    Raises `ApiError` 400.
    """
    text = text.strip()
    if not text:
        return None
    try:
        local = datetime.fromisoformat(text)
        at = local if local.tzinfo is not None else local.replace(tzinfo=locale.zone)
        return int(at.timestamp() * SECOND_US)
    except (ValueError, OverflowError) as error:
        raise ApiError(
            400, f"the time {text[:40]!r}", "a day and a time such as 2026-11-22T14:05", "Pick it from the calendar."
        ) from error
