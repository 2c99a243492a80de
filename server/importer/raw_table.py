"""Raw table: one table of a shop folder as lines of text, from a CSV file or from a sheet of a workbook.

A file of text is UTF-8, UTF-16 with a byte order mark, or Windows-1252, as spreadsheet programs of Western Europe save it.
Its delimiter is the one that separates the most known headings. With semicolons the decimal sign is a comma.

>>> raw = read_text("orders.csv", "order;qty;customer\\nW1;87,5;Müller\\n".encode("cp1252"), {"order", "qty"}, [])
>>> raw.notation, raw.lines[1], raw.notes
(<Notation.COMMA: 'comma'>, RawLine(number=2, texts=['W1', '87,5', 'Müller'], numeric=frozenset(), \
typed=mappingproxy({})), ("orders.csv is not UTF-8. It was read as Windows-1252: 'Müller' on line 2.",))
"""

import csv
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from server.importer.errors import ImportMistake, shown

MAX_FILE_BYTES = 16 * 1024 * 1024
MAX_LINES = 100_000
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_HINT = re.compile(r"sep=([,;\t])", re.IGNORECASE)  # a first line with which Excel is given the delimiter


class Notation(StrEnum):
    """The decimal sign of the numbers of a table; `EITHER` where both signs may occur."""

    POINT = "point"
    COMMA = "comma"
    EITHER = "either"


class CellKind(StrEnum):
    """The kind of a value of a workbook's cell that is neither text nor a number."""

    TRUTH = "truth value"
    DAY = "day"
    TIME = "time"


_NOTATIONS = {",": Notation.POINT, ";": Notation.COMMA, "\t": Notation.EITHER}


class RawLine(NamedTuple):
    """One line: its number from 1, the texts of its cells, the places (from 0) of cells that hold numbers, not text.

    `typed`: the kind of the cells that hold neither text nor a number, by their place.
    """

    number: int
    texts: list[str]
    numeric: frozenset[int] = frozenset()
    typed: Mapping[int, CellKind] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class RawTable:
    """One table: its place in messages, its lines (the first is the heading), how its numbers are written, and notices."""

    place: str
    lines: list[RawLine]
    notation: Notation = Notation.POINT
    separators: str = "commas"
    notes: tuple[str, ...] = ()

    @property
    def headings(self) -> list[str]:
        """The column names of the first line."""
        return [heading_name(text) for text in self.lines[0].texts] if self.lines else []


def heading_name(text: str) -> str:
    """A heading as a column name: small letters, `_` for blanks.

    >>> heading_name("Valid from")
    'valid_from'
    """
    return "_".join(text.lower().split())


def file_mistake(place: str, came: str, expected: str, do: str, line: int = 0) -> ImportMistake:
    """A mistake of a whole file, or of a whole line of it."""
    return ImportMistake(place, line, 0, "", came, expected, do)


def read_text(file: str, content: bytes, headings: Collection[str], mistakes: list[ImportMistake]) -> RawTable | None:
    """The table in a file of delimited text; `headings`: the names by which the delimiter is recognised.

    None, with a mistake, where the file cannot be decoded or is empty.
    """
    if len(content) > MAX_FILE_BYTES:
        mistakes.append(
            file_mistake(file, f"{len(content)} bytes", f"at most {MAX_FILE_BYTES}", "split it and import twice")
        )
        return None
    decoded = _decoded(file, content, mistakes)
    if decoded is None:
        return None
    text, notes = decoded
    # Only CR, LF and CRLF end a line: str.splitlines would also split at U+2028 and a lone form feed.
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    hint = _HINT.fullmatch(lines[0].strip())
    delimiter = hint[1] if hint else _delimiter(lines[0], headings)
    if hint:
        lines[0] = ""
    read = list(_lines(file, lines, delimiter, mistakes))
    if hint:
        del read[:1]
    return RawTable(file, without_empty_columns(read), _NOTATIONS[delimiter], _DELIMITERS[delimiter], notes)


def without_empty_columns(lines: list[RawLine]) -> list[RawLine]:
    """The lines without the columns at the right that have neither a heading nor a filled cell."""
    if not lines:
        return lines
    width = len(lines[0].texts)
    filled = max((number for line in lines for number, text in enumerate(line.texts, 1) if text.strip()), default=0)
    if filled >= width:
        return lines
    return [line._replace(texts=line.texts[:filled] if len(line.texts) == width else line.texts) for line in lines]


def _decoded(file: str, content: bytes, mistakes: list[ImportMistake]) -> tuple[str, tuple[str, ...]] | None:
    """(the text, notices); None where the bytes are in none of the three encodings, or there is no text."""
    notes: tuple[str, ...] = ()
    utf_16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = content.decode("utf-16" if utf_16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        if utf_16:
            came = f"the byte {content[error.start]:#04x}, which is no text of UTF-16"
            mistakes.append(file_mistake(file, came, "UTF-8", 'save it as "CSV UTF-8"', 1))
            return None
        line = content[: error.start].count(b"\n") + 1
        try:
            text = content.decode("cp1252")
        except UnicodeDecodeError as refused:
            came = f"the byte {content[refused.start]:#04x}, which is neither UTF-8 nor Windows-1252"
            line = content[: refused.start].count(b"\n") + 1
            mistakes.append(file_mistake(file, came, "UTF-8", 'save it as "CSV UTF-8"', line))
            return None
        example = next(word for word in re.split(r"[,;\t\r\n]", text) if not word.isascii())
        notes = (f"{file} is not UTF-8. It was read as Windows-1252: {shown(example)} on line {line}.",)
    if not text.strip():
        return "", notes
    return text, notes


def _delimiter(heading: str, headings: Collection[str]) -> str:
    """The delimiter with which the first line has the most known headings; a comma where none has more."""

    def known(delimiter: str) -> int:
        return sum(heading_name(text.strip('"')) in headings for text in heading.split(delimiter))

    best = max(_DELIMITERS, key=known)
    if known(best):
        return best
    return max(_DELIMITERS, key=heading.count)


def _lines(file: str, lines: list[str], delimiter: str, mistakes: list[ImportMistake]) -> Iterator[RawLine]:
    """Each line with its number and cells; an invalid quotation ends the file."""
    reader = csv.reader((line + "\n" for line in lines), strict=True, delimiter=delimiter)
    while True:
        line = reader.line_num + 1
        try:
            texts = next(reader, None)
        except csv.Error as error:
            came = f"cells that cannot be separated ({error})"
            do = "put the whole cell in quotation marks, and double each mark inside it"
            mistakes.append(file_mistake(file, came, f"cells between {_DELIMITERS[delimiter]}", do, line))
            return
        if texts is None:
            return
        if line > MAX_LINES + 1 and texts:
            mistakes.append(file_mistake(file, "more lines", f"at most {MAX_LINES}", "split it and import twice", line))
            return
        yield RawLine(line, texts)
