"""Listing: one page of a list, with the number of all rows, and the links to the other pages."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

from flask import request

from server.api_errors import ApiError

PAGE = 100  # rows on one page
MOST_TEXT = 200  # characters of a filter


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
