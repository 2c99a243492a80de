"""Board dates: the fields of the board for a past time, and the links to the days beside it."""

from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlencode

from server.locale_format import LocaleFormat

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
