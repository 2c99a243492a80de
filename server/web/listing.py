"""Listing: one page of a list, with the number of all rows, the links to the other pages, and the list as a CSV file."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import urlencode

from flask import Response, request

from server.api_errors import ApiError

PAGE = 100  # rows on one page
MOST_TEXT = 200  # characters of a filter
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would calculate a text that begins so


class Listing(NamedTuple):
    """A page of a list: `number` from 1, the number of all rows, the query without the page, and the name of its word."""

    number: int
    total: int
    query: Mapping[str, str]
    path: str
    word: str = "page"
    size: int = PAGE

    @property
    def start(self) -> int:
        """The number of rows before this page."""
        return (self.number - 1) * self.size

    @property
    def pages(self) -> int:
        """The number of pages, at least 1."""
        return max(1, -(-self.total // self.size))

    @property
    def last(self) -> int:
        """The number of the last row on this page."""
        return min(self.start + self.size, self.total)

    def address(self, **changes: Any) -> str:
        """The address of this list with other query words; an empty word is left out."""
        words = {**self.query, **{name: str(value) for name, value in changes.items()}}
        kept = {name: value for name, value in words.items() if value}
        return f"{self.path}?{urlencode(kept)}" if kept else self.path

    def page(self, number: int) -> str:
        """The address of one page."""
        return self.address(**{self.word: "" if number == 1 else number})


def page_number(word: str = "page") -> int:
    """The page number in the query, from 1. Raises `ApiError` 400."""
    text = request.args.get(word, "1")
    if not text.isascii() or not text.isdecimal() or len(text) > 9 or int(text) < 1:
        raise ApiError(400, f"{word} {text[:40]!r}", "a number from 1", "Follow the links on the page.")
    return int(text)


def csv_file(name: str, heading: Sequence[str], rows: Iterable[Sequence[Any]]) -> Response:
    """A list as a CSV file, UTF-8 with a byte order mark, comma and point; the rows are sent as they are read."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(_lines(heading, rows), content_type="text/csv; charset=utf-8", headers=headers)


def amount(micros: int | None) -> Decimal | None:
    """An amount of money as a cell: a decimal number of the currency, None for an unknown one.

    >>> str(amount(-1_250_000)), str(amount(1)), str(amount(100_000_000)), amount(None)
    ('-1.25', '0.000001', '100', None)
    """
    return None if micros is None else Decimal(micros) / 1_000_000


def _lines(heading: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    yield "\ufeff" + _line(heading)
    for row in rows:
        yield _line(row)


def _line(row: Sequence[Any]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow([_cell(value) for value in row])
    return out.getvalue()


def _cell(value: Any) -> str:
    """A cell as text; a text that a spreadsheet would calculate gets an apostrophe before it.

    >>> _cell(None), _cell(12), _cell("=1+1")
    ('', '12', "'=1+1")
    """
    text = "" if value is None else str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text
