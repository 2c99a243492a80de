"""Period query: the query words `from`, `to` and `known` of a roll-forward.

`from` and `to` are times as in `as_of`. Without them the period is that from the begin of the shop's month to now. `known`
is the position of the ledger at which the opening was known: by default that of the close that ends at `from`, without one
the position that the ledger had reached at `from`.
"""

from collections.abc import Callable
from datetime import tzinfo

from flask import request
from sqlalchemy import Connection

from server.api.past_query import CLOCK_SKEW_US, time_of
from server.api_errors import ApiError
from server.context import current_hub
from server.locale_format import LocaleFormat
from server.projection.worker import projected_pos
from server.queries.closed_periods import close_that_holds
from server.queries.roll_forward import Period, RollBy, position_at
from server.queries.site import current_locale

FROM, TO, KNOWN = "from", "to", "known"
PERIOD_WORDS = (FROM, TO, KNOWN)
DAYS = 30
DAY_US = 86_400_000_000


def asked_period(connection: Connection, now_us: int) -> Period:
    """The period that the request asks for. Raises `ApiError` 400."""
    from_us, to_us = _asked_ends(connection, now_us, month_begin)
    pos = projected_pos(connection)
    return Period(from_us, to_us, now_us, _known(connection, from_us, pos, now_us), pos)


def asked_ends(connection: Connection, now_us: int) -> tuple[int, int]:
    """The period without what was known, by default of the last DAYS days. Raises `ApiError` 400."""
    return _asked_ends(connection, now_us, lambda to_us, _locale: to_us - DAYS * DAY_US)


def _asked_ends(connection: Connection, now_us: int, begin: Callable[[int, LocaleFormat], int]) -> tuple[int, int]:
    locale = current_locale(connection, current_hub().config, now_us)
    zone = locale.zone
    to_us = _time(TO, zone, now_us)
    to_us = now_us if to_us is None else min(to_us, now_us)
    from_us = _time(FROM, zone, now_us)
    from_us = begin(to_us, locale) if from_us is None else from_us
    if from_us > to_us:
        came = f"from {request.args.get(FROM, '')[:40]!r}, which is after `to`"
        raise ApiError(400, came, "two times, the earlier one as `from`", "Exchange the two.")
    return from_us, to_us


def month_begin(at_us: int, locale: LocaleFormat) -> int:
    """The first moment of the shop's month that a time is in; a month has just begun for the moment itself.

    >>> month_begin(1_790_000_000_000_000, LocaleFormat()), month_begin(1_788_220_800_000_000, LocaleFormat())
    (1788220800000000, 1785542400000000)
    """
    return locale.month_start_us(at_us - 1)


def period_before(from_us: int, to_us: int, locale: LocaleFormat) -> tuple[int, int]:
    """The period that one is compared with: of one that begins with a month of the shop the month before, else one as long.

    >>> period_before(1_788_220_800_000_000, 1_790_000_000_000_000, LocaleFormat()), period_before(20, 50, LocaleFormat())
    ((1785542400000000, 1788220800000000), (-10, 20))
    """
    begins_month = month_begin(from_us + 1, locale) == from_us
    return (month_begin(from_us, locale) if begins_month else from_us - (to_us - from_us), from_us)


def asked_by() -> RollBy:
    """The query word `by`, by default component. Raises `ApiError` 400."""
    text = request.args.get("by") or RollBy.COMPONENT
    try:
        return RollBy(text)
    except ValueError:
        raise ApiError(400, f"by {text[:40]!r}", f"one of {', '.join(RollBy)}", "Leave it out for component.") from None


def _time(word: str, zone: tzinfo, now_us: int) -> int | None:
    text = request.args.get(word, "")
    at_us = time_of(text, zone, word)
    if at_us is not None and at_us > now_us + CLOCK_SKEW_US:
        raise ApiError(400, f"{word} {text[:40]!r}, which is in the future", "a past time", "Leave it out for now.")
    return at_us


def _known(connection: Connection, from_us: int, pos: int, now_us: int) -> int:
    text = request.args.get(KNOWN, "")
    if not text:
        closed = close_that_holds(connection, from_us)
        return position_at(connection, from_us, pos, now_us) if closed is None else closed.known
    known = int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else -1
    if not 0 <= known <= pos:
        expected = f"a position from 0 to {pos}"
        raise ApiError(400, f"known {text[:40]!r}", expected, "Leave it out for what was known at `from`.")
    return known
