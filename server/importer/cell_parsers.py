"""Cell parsers: convert the text of a cell to exact integers, days and words.

Quantities become thousandths of a unit, money millionths, durations seconds. Nothing is rounded: a cell with more digits
than the integer can hold is refused. Each parser takes the text of a filled cell and raises `CellError` with the expected
form.

>>> quantity("2.5"), money("0.0425"), duration("4h"), yes_or_no("no")
(2500, 42500, 14400, False)
"""

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any, NamedTuple

from server.importer.raw_table import Notation
from station.core.event import MAX_QTY_MILLI
from station.core.quantity import scaled

Read = Callable[[str], Any]

MAX_NAME = 64  # characters of an id: stage, product, order, ...
MAX_TEXT = 200  # characters of a display name
MAX_REGEX = 500  # characters of a pattern
MAX_MICROS = 10**15  # one thousand million units of the currency
MAX_WHOLE = 10**6
MAX_TIME_MS = 10**9  # of a run or a set-up: some 277 hours
MAX_DAYS = 3_660  # ten years either way
_SECONDS = {"s": 1, "min": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_DAYS = {"d": 1, "w": 7}
WITHDRAWN = "withdrawn"  # in place of an amount: from its day on there is no price


class CellError(ValueError):
    """An invalid cell: what was expected, and what to do."""

    def __init__(self, expected: str, do: str) -> None:
        super().__init__(expected, do)
        self.expected, self.do = expected, do


class DayCell(NamedTuple):
    """A day as written: a calendar day, or a number of days after the day of import (negative: before it)."""

    on: date | None
    after: int

    @property
    def is_relative(self) -> bool:
        """Whether the day depends on the day of import."""
        return self.on is None

    def resolved(self, today: date) -> date:
        """The calendar day for an import on the day `today`.

        >>> DayCell(None, 3).resolved(date(2026, 11, 29)).isoformat()
        '2026-12-02'
        """
        return self.on or today + timedelta(days=self.after)

    def __str__(self) -> str:
        return self.on.isoformat() if self.on else f"{self.after:+d}d"


def name(text: str) -> str:
    """An id that is scanned or typed: at most 64 characters."""
    return _bounded(text, MAX_NAME)


def words(text: str) -> str:
    """A display text: at most 200 characters."""
    return _bounded(text, MAX_TEXT)


def names(text: str) -> list[str]:
    """Several ids, separated by blanks."""
    return [name(part) for part in text.split()]


def _bounded(text: str, limit: int) -> str:
    if len(text) > limit:
        msg = f"at most {limit} characters"
        raise CellError(msg, f"shorten it by {len(text) - limit}")
    return text


def regex(text: str) -> str:
    """A regular expression that Python compiles."""
    _bounded(text, MAX_REGEX)
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        msg = "a regular expression"
        raise CellError(msg, f"correct it ({error})") from error
    return text


def with_point(text: str, notation: Notation) -> str:
    """A number with a point before its decimals. A number that may have thousands separators is refused.

    >>> with_point("87,5", Notation.COMMA), with_point("12.50", Notation.EITHER), with_point("1,250", Notation.COMMA)
    ('87.5', '12.50', '1.250')
    """
    if notation is Notation.POINT or not re.fullmatch(r"[0-9.,]+", text):
        return text
    commas, points = text.count(","), text.count(".")
    grouped = re.fullmatch(r"[1-9][0-9]{0,2}[.,][0-9]{3}", text) is not None
    unclear = grouped and (points == 1 or notation is Notation.EITHER)
    if commas + points > 1 or unclear:
        if notation is Notation.COMMA:
            msg = "a number such as 12,5 or 1250"
            raise CellError(msg, "write a comma before the decimals and nothing between thousands")
        msg = "a number such as 12.5 or 1250"
        raise CellError(msg, "enter it as a number, or with one, two or four decimals: it may be read with thousands")
    return text.replace(",", ".")


def decimal(text: str, places: int, most: int, like: str) -> int:
    """A decimal number as an exact integer of `places` decimals; with a point, without sign and grouping.

    >>> decimal("1.25", 3, 10**12, "1.25")
    1250
    """
    if re.fullmatch(r"[0-9]{1,3}(,[0-9]+)+(\.[0-9]+)?|[0-9]+,[0-9]+", text):
        msg = f"a number such as {like}"
        raise CellError(msg, "write a point before the decimals and nothing between thousands")
    value = scaled(text, places)
    if value is None and scaled(text, len(text)) is not None:
        msg = f"at most {places} decimals"
        raise CellError(msg, "round it yourself: nothing is rounded here")
    if value is None:
        msg = f"a number such as {like}"
        raise CellError(msg, "write digits and at most one point, without sign or unit")
    if value > most:
        msg = f"at most {str(most)[:-places]}"
        raise CellError(msg, "check for an extra digit")
    return value


def quantity(text: str) -> int:
    """A quantity above 0, in thousandths of a unit."""
    value = decimal(text, 3, MAX_QTY_MILLI, "12.5")
    if value == 0:
        msg = "more than 0"
        raise CellError(msg, "write the quantity, or remove the line")
    return value


def money(text: str) -> int:
    """An amount in millionths of the currency, 0 included."""
    return decimal(text, 6, MAX_MICROS, "12.50")


def price(text: str) -> int | str:
    """An amount as `money`, or the word `withdrawn`."""
    return WITHDRAWN if text == WITHDRAWN else money(text)


def whole(text: str) -> int:
    """A whole number, 0 to a million."""
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) > MAX_WHOLE:
        msg = f"a whole number from 0 to {MAX_WHOLE}"
        raise CellError(msg, "write digits only")
    return int(text)


def positive(text: str) -> int:
    """A whole number, 1 to a million."""
    value = whole(text)
    if value == 0:
        msg = f"a whole number from 1 to {MAX_WHOLE}"
        raise CellError(msg, "write a number, or leave an optional cell empty")
    return value


def decimals(text: str) -> int:
    """The number of decimals of a product's quantity: 0 to 3."""
    return int(one_of("0", "1", "2", "3")(text))


def yes_or_no(text: str) -> bool:
    """The word `yes` or `no`."""
    return one_of("yes", "no")(text) == "yes"


def duration(text: str) -> int:
    """A duration in whole seconds, from a number with its unit.

    >>> duration("90min")
    5400
    """
    match = re.fullmatch(r"([0-9]{1,7})(s|min|h|d|w)", text)
    if match is None or int(match[1]) == 0:
        msg = "a time such as 90min, 4h or 2d"
        raise CellError(msg, "write a whole number and one of s, min, h, d, w, without a blank")
    return int(match[1]) * _SECONDS[match[2]]


def milliseconds(text: str) -> int:
    """A run or set-up time in milliseconds, 0 included, from a number with its unit.

    >>> milliseconds("45s"), milliseconds("2.5min"), milliseconds("0.75h"), milliseconds("0s")
    (45000, 150000, 2700000, 0)
    """
    match = re.fullmatch(r"([0-9]{1,7}(?:\.[0-9]{1,3})?)(s|min|h)", text)
    if match is None:
        msg = "a time such as 45s, 2.5min or 1h"
        raise CellError(msg, "write a number, with a point before its decimals, and one of s, min, h, without a blank")
    value = (scaled(match[1], 3) or 0) * _SECONDS[match[2]]
    if value > MAX_TIME_MS:
        msg = f"at most {MAX_TIME_MS // 3_600_000}h"
        raise CellError(msg, "check for an extra digit")
    return value


def scrap_share(text: str) -> int:
    """A share of pieces below 100 %, in millionths, from a number in percent with its sign.

    >>> scrap_share("2%"), scrap_share("0.25%"), scrap_share("1.5 %"), scrap_share("0%")
    (20000, 2500, 15000, 0)
    """
    match = re.fullmatch(r"([0-9]{1,2}(?:\.[0-9]{1,4})?) ?%", text)
    if match is None:
        msg = "a share below 100% such as 2% or 0.25%"
        raise CellError(msg, "write a number, with a point before at most four decimals, and the sign %, as text")
    return scaled(match[1], 4) or 0


def day(text: str) -> DayCell:
    """A calendar day (2026-11-25), or a day relative to the day of import (+3d, -2d, +1w, +0d)."""
    expected = "a day such as 2026-11-25, or +3d, -2d, +1w from the day of import"
    match = re.fullmatch(r"([+-])([0-9]{1,4})([dw])", text)
    if match is not None:
        after = int(match[2]) * _DAYS[match[3]] * (-1 if match[1] == "-" else 1)
        if abs(after) > MAX_DAYS:
            msg = f"at most {MAX_DAYS} days from the day of import"
            raise CellError(msg, "write a calendar day")
        return DayCell(None, after)
    return DayCell(_calendar_day(text, expected), 0)


def calendar_day(text: str) -> DayCell:
    """A calendar day; a day relative to the day of import is refused."""
    return DayCell(_calendar_day(text, "a day such as 2026-11-25"), 0)


def _calendar_day(text: str, expected: str) -> date:
    """A day as year-month-day, or as day.month.year with points.

    With slashes or hyphens the day may be before the month or behind it. It is accepted where only one order is possible.

    >>> [_calendar_day(text, "").isoformat() for text in ("2026-11-29", "29.11.2026", "11/29/2026", "3.4.2026")]
    ['2026-11-29', '2026-11-29', '2026-11-29', '2026-04-03']
    """
    iso = re.fullmatch(r"([0-9]{4})([-/.])([0-9]{2})\2([0-9]{2})", text)
    other = re.fullmatch(r"([0-9]{1,2})([-/.])([0-9]{1,2})\2([0-9]{4})", text)
    if iso is not None:
        year, month, on = int(iso[1]), int(iso[3]), int(iso[4])
    elif other is not None:
        year, month, on = int(other[4]), int(other[3]), int(other[1])
        if other[2] != "." and on != month:
            if on <= 12 and month <= 12:
                do = f"write year-month-day: {year}-{month:02}-{on:02} or {year}-{on:02}-{month:02}"
                msg = "a day that can be read in one way only"
                raise CellError(msg, do)
            if month > 12:
                month, on = on, month
    else:
        raise CellError(expected, "write year-month-day with two hyphens, or a sign, a number and d or w")
    try:
        return date(year, month, on)
    except ValueError as error:
        raise CellError(expected, f"write a day of the calendar ({error})") from error


def one_of(*choices: str) -> Callable[[str], str]:
    """A parser for one of the given words."""

    def read(text: str) -> str:
        if text not in choices:
            msg = f"one of {', '.join(choices)}"
            raise CellError(msg, "write it in small letters, as listed")
        return text

    return read


def some_of(*choices: str) -> Callable[[str], list[str]]:
    """A parser for several of the given words, separated by blanks."""
    read_word = one_of(*choices)

    def read(text: str) -> list[str]:
        return [read_word(word) for word in text.split()]

    return read
