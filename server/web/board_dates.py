"""Board dates: the times of the board's query, and the fields and links that step by day."""

from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlencode

from flask import request

from server.api_errors import ApiError
from server.locale_format import LocaleFormat
from server.web.form_entries import moment

MINUTE_US = 60_000_000
DAY = timedelta(days=1)


class DateFields(NamedTuple):
    """The values of the two fields in the zone of the site, the greatest one, and the links to the days beside `as_of`.

    `after` is the address of the present where the next day would be later.
    """

    as_of: str
    against: str
    latest: str
    before: str
    after: str
    is_now: bool


def asked_times(locale: LocaleFormat, now_us: int) -> tuple[int | None, int | None]:
    """The earlier and the later time of the query `against` and `as_of`; the later one is None for the present.

    With an earlier time the later one is never None. Raises `ApiError` 400.
    """
    asked_us, against_us = _past_time("as_of", locale, now_us), _past_time("against", locale, now_us)
    if not request.args.get("against", "").strip():
        return None, asked_us
    asked_us, against_us = (now_us if us is None else us for us in (asked_us, against_us))
    return min(asked_us, against_us), max(asked_us, against_us)


def _past_time(word: str, locale: LocaleFormat, now_us: int) -> int | None:
    """The past time of a query word; None for now. Raises `ApiError` 400."""
    asked_us = moment(request.args.get(word, ""), locale)
    if asked_us is not None and asked_us > now_us + MINUTE_US:  # the form has no seconds
        came = f"the time {request.args[word][:40]!r}, which is in the future"
        raise ApiError(400, came, "a past time", f"Open the board without `{word}` for now.")
    return None if asked_us is None or asked_us >= now_us else asked_us


def date_fields(locale: LocaleFormat, now_us: int, asked_us: int | None, against_us: int | None) -> DateFields:
    """The fields for the times that a page shows."""
    shown_us = now_us if asked_us is None else asked_us
    now, shown = locale.local(now_us), locale.local(shown_us)
    against = "" if against_us is None else _text(locale.local(against_us))
    kept = {"against": against} if against else {}
    after = _address(kept) if _text(shown + DAY) > _text(now) else _address({"as_of": _text(shown + DAY), **kept})
    is_now = asked_us is None or asked_us >= now_us
    return DateFields(_text(shown), against, _text(now), _address({"as_of": _text(shown - DAY), **kept}), after, is_now)


def _text(local: datetime) -> str:
    return f"{local:%Y-%m-%dT%H:%M}"


def _address(words: dict[str, str]) -> str:
    return f"/?{urlencode(words)}" if words else "/"
