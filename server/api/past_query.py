"""Past query: the query words `as_of` and `known` of a page or an answer, and links that keep them.

`as_of` is a past time, `known` a position of the ledger: the answer uses what holds at that time, as it was known when the
ledger ended at that position.
"""

from datetime import UTC, datetime, tzinfo
from typing import NamedTuple
from urllib.parse import quote, urlencode

from flask import g, has_request_context, request
from sqlalchemy import Connection

from server.api_errors import ApiError
from server.context import current_hub
from server.projection.worker import projected_pos
from server.queries.site import current_locale
from server.query_words import PAST_WORDS

# A client whose clock is ahead may name its present; the form of the board has no seconds.
CLOCK_SKEW_US = 60 * 1_000_000


class Past(NamedTuple):
    """What a request asks for. `at_us`: as of this time (UTC us), None: now; `known`: as known at this position, None: now.

    `pos`: the projected position.
    """

    now_us: int
    at_us: int | None
    known: int | None
    pos: int

    @property
    def is_past(self) -> bool:
        """Whether anything else than the present is asked for."""
        return self.at_us is not None or self.known is not None

    @property
    def time_us(self) -> int:
        """The time for which the answer holds."""
        return self.now_us if self.at_us is None else self.at_us

    @property
    def known_pos(self) -> int:
        """The position whose knowledge is used."""
        return self.pos if self.known is None else self.known


def asked_past(connection: Connection, now_us: int, pos: int | None = None) -> Past:
    """The time and the knowledge that the request asks for; kept for the links of its page. Raises `ApiError` 400.

    `pos`: the projected position, where the caller has read it.
    """
    if pos is None:  # a page of the present does not use it
        pos = projected_pos(connection) if any(request.args.get(word) for word in PAST_WORDS) else 0
    known = _known(request.args.get("known", ""), pos)
    text = request.args.get("as_of", "").strip()
    zone = current_locale(connection, current_hub().config, now_us).zone if text else UTC
    at_us = _as_of(text, zone, now_us)
    g.past = Past(now_us, at_us, None if known == pos else known, pos)
    return g.past  # type: ignore[no-any-return]


def asked_against(connection: Connection, now_us: int) -> int | None:
    """The other time of a comparison, the query word `against`; None without it. Raises `ApiError` 400."""
    text = request.args.get("against", "").strip()
    if not text:
        return None
    if request.args.get("known", "").strip():
        came = f"known {request.args['known'][:40]!r} with `against`"
        raise ApiError(400, came, "two times as they are known now", "Leave `known` out.")
    zone = current_locale(connection, current_hub().config, now_us).zone
    at_us = _as_of(text, zone, now_us, "against")
    return now_us if at_us is None else at_us


def page_past() -> Past | None:
    """The past of the page that is rendered; None on a page of the present."""
    past = g.get("past") if has_request_context() else None
    return past if past is not None and past.is_past else None


def past_words() -> dict[str, str]:
    """The query words that keep the past of the page; empty on a page of the present."""
    return {} if page_past() is None else {word: request.args[word] for word in PAST_WORDS if request.args.get(word)}


def present_address() -> str:
    """The address of the present page: that of this request without a past."""
    words = {word: value for word, value in request.args.items() if word not in PAST_WORDS}
    return f"{quote(request.path)}?{urlencode(words)}" if words else quote(request.path)


def keep_past(address: str) -> str:
    """An address with the past of the page that links to it."""
    words = past_words()
    return f"{address}{'&' if '?' in address else '?'}{urlencode(words)}" if words else address


def time_of(text: str, zone: tzinfo = UTC, word: str = "as_of") -> int | None:
    """A time in a query as UTC us: ISO 8601, without a zone in `zone`, or whole us since 1970. Raises `ApiError` 400.

    >>> time_of("2026-11-22T14:05:00Z"), time_of("1790000000000000"), time_of("")
    (1795356300000000, 1790000000000000, None)
    >>> from zoneinfo import ZoneInfo
    >>> time_of("2026-11-22T15:05", ZoneInfo("Europe/Berlin"))
    1795356300000000
    """
    text = text.strip()
    if not text:
        return None
    if text.isascii() and text.isdecimal() and len(text) <= 18:
        return int(text)
    try:
        # URL decoding turns the plus of a zone offset into a blank.
        at = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        at = at if at.tzinfo is not None else at.replace(tzinfo=zone)
        return (int(at.timestamp()) * 1_000_000) + at.microsecond
    except (ValueError, OverflowError) as error:
        raise ApiError(
            400, f"{word} {text[:40]!r}", "a time such as 2026-11-22T14:05:00Z", "Write it so, or leave it out for now."
        ) from error


def _as_of(text: str, zone: tzinfo, now_us: int, word: str = "as_of") -> int | None:
    """The past time of a query, without a zone in the zone of the site; None for now. Raises `ApiError` 400."""
    at_us = time_of(text, zone, word)
    if at_us is not None and at_us > now_us + CLOCK_SKEW_US:
        raise ApiError(400, f"{word} {text[:40]!r}, which is in the future", "a past time", "Leave it out for now.")
    return None if at_us is None or at_us >= now_us else at_us


def _known(text: str, pos: int) -> int:
    """The ledger position whose knowledge the answer uses. Raises `ApiError` 400."""
    if not text:
        return pos
    known = int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else -1
    if not 0 <= known <= pos:
        raise ApiError(
            400, f"known {text[:40]!r}", f"a position from 0 to {pos}", "Leave it out for what is known now."
        )
    return known
