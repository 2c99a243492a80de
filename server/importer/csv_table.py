"""CSV table: decode one file of a shop folder into rows of parsed cells, and collect every mistake with its place.

The form is UTF-8 with or without a byte order mark, commas, LF or CRLF, as every spreadsheet saves "CSV UTF-8". A cell is
taken as typed. A formula, a control character or a second line in a cell is a mistake, and so is an unknown heading. Blank
lines are skipped.

>>> from server.importer.file_schema import SHEETS
>>> mistakes = []
>>> content = b"stage,name,type,limit\\nsaw,Saw,process,12\\n"
>>> [row.values for row in read_table(SHEETS["stages.csv"], content, mistakes)], mistakes
([{'stage': 'saw', 'name': 'Saw', 'type': 'process', 'limit': 12}], [])
"""

import csv
import difflib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from server.importer.cell_parsers import CellError
from server.importer.errors import ImportMistake, shown
from server.importer.file_schema import Column, FileSchema
from server.text import counted

MAX_FILE_BYTES = 16 * 1024 * 1024
MAX_LINES = 100_000
_FORMULA = ("=", "@")


@dataclass(frozen=True, slots=True)
class TableRow:
    """One line of a sheet: its number, the parsed values of its filled cells, and the column number of each heading.

    `broken`: the columns of invalid cells, whose mistake is already recorded; checks skip them.
    """

    sheet: FileSchema
    line: int
    values: dict[str, Any]
    columns: dict[str, int]
    broken: frozenset[str] = field(default_factory=frozenset)

    def mistake(self, column: str, came: str, expected: str, do: str) -> ImportMistake:
        """A mistake at this line, in the column with this heading."""
        return ImportMistake(self.sheet.file, self.line, self.columns.get(column, 0), column, came, expected, do)


def read_table(sheet: FileSchema, content: bytes, mistakes: list[ImportMistake]) -> list[TableRow]:
    """The rows of one file, also those with invalid cells; mistakes are appended to the list."""
    text = _decoded(sheet, content, mistakes)
    if text is None:
        return []
    lines = _lines(sheet, text, mistakes)
    heading = next(lines, None)
    if heading is None:
        return []
    columns = _headings(sheet, heading[0], heading[1], mistakes)
    if columns is None:
        return []
    width = len(heading[1])
    rows = [_row(sheet, columns, width, line, texts, mistakes) for line, texts in lines if any(map(str.strip, texts))]
    if not rows:
        mistakes.append(
            _file_mistake(sheet, "only headings", f"a line for each {sheet.thing}", "fill it, or remove the file")
        )
    _refuse_duplicates(sheet, rows, mistakes)
    return rows


def _file_mistake(sheet: FileSchema, came: str, expected: str, do: str, line: int = 0) -> ImportMistake:
    return ImportMistake(sheet.file, line, 0, "", came, expected, do)


def _decoded(sheet: FileSchema, content: bytes, mistakes: list[ImportMistake]) -> str | None:
    """The file's text; None where it cannot be decoded or is empty."""
    if len(content) > MAX_FILE_BYTES:
        mistakes.append(
            _file_mistake(sheet, f"{len(content)} bytes", f"at most {MAX_FILE_BYTES}", "split it and import twice")
        )
        return None
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        mistakes.append(_file_mistake(sheet, "UTF-16 text", "UTF-8", 'save it as "CSV UTF-8 (comma delimited)"'))
        return None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line = before.count(b"\n") + 1
        came = f"the byte {content[error.start]:#04x}, which is not UTF-8"
        mistakes.append(_file_mistake(sheet, came, "UTF-8", 'save it as "CSV UTF-8 (comma delimited)"', line))
        return None
    if not text.strip():
        expected = f"the headings {', '.join(column.name for column in sheet.columns if column.required)}"
        mistakes.append(_file_mistake(sheet, "an empty file", expected, "fill it, or remove the file"))
        return None
    return text


def _lines(sheet: FileSchema, text: str, mistakes: list[ImportMistake]) -> Iterator[tuple[int, list[str]]]:
    """Each line with its number and cells; an invalid quotation ends the file."""
    # Only CR, LF and CRLF end a line: str.splitlines would also split at U+2028 and a lone form feed.
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    reader = csv.reader((line + "\n" for line in lines), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            texts = next(reader, None)
        except csv.Error as error:
            came = f"cells that cannot be separated ({error})"
            do = "put the whole cell in quotation marks, and double each mark inside it"
            mistakes.append(_file_mistake(sheet, came, "cells between commas", do, line))
            return
        if texts is None:
            return
        if line > MAX_LINES + 1 and texts:
            mistakes.append(
                _file_mistake(sheet, "more lines", f"at most {MAX_LINES}", "split it and import twice", line)
            )
            return
        yield line, texts


def _headings(sheet: FileSchema, line: int, texts: list[str], mistakes: list[ImportMistake]) -> dict[str, int] | None:
    """The number of each column (from 1), or None where the first line has no known heading."""
    known = [column.name for column in sheet.columns]
    if len(texts) == 1 and (";" in texts[0] or "\t" in texts[0]):
        mark = "semicolons" if ";" in texts[0] else "tabs"
        mistakes.append(
            _file_mistake(sheet, f"{mark} between columns", "commas", 'save it as "CSV UTF-8 (comma delimited)"', line)
        )
        return None
    columns: dict[str, int] = {}
    for number, text in enumerate(texts, 1):
        if text in columns:
            mistakes.append(
                ImportMistake(sheet.file, line, number, text, "a second column of that heading", "one", "remove one")
            )
        elif text in known:
            columns[text] = number
        else:
            close = difflib.get_close_matches(text.strip().lower(), known, n=1, cutoff=0.5)
            do = f"write {close[0]}, if that is meant" if close else "remove the column"
            expected = f"one of {', '.join(known)}"
            mistakes.append(ImportMistake(sheet.file, line, number, "", f"the heading {shown(text)}", expected, do))
    for column in sheet.columns:
        if column.required and column.name not in columns:
            came = f"no column {column.name}"
            mistakes.append(_file_mistake(sheet, came, f"one, for every {sheet.thing}", "add it", line))
    return columns or None


def _row(
    sheet: FileSchema, columns: dict[str, int], width: int, line: int, texts: list[str], mistakes: list[ImportMistake]
) -> TableRow:
    """One line as a row; `width` is the number of headings."""
    if len(texts) != width:
        do = "put a cell that contains a comma in quotation marks" if len(texts) > width else "add the missing commas"
        mistakes.append(_file_mistake(sheet, counted(len(texts), "cell"), f"{width}, one for each heading", do, line))
        return TableRow(sheet, line, {}, columns, frozenset(columns))
    row = TableRow(sheet, line, {}, columns)
    broken: set[str] = set()
    for name, number in columns.items():
        column = sheet.column(name)
        if column is not None:
            _read_cell(row, column, texts[number - 1], broken, mistakes)
    return replace(row, broken=frozenset(broken))


def _read_cell(row: TableRow, column: Column, text: str, broken: set[str], mistakes: list[ImportMistake]) -> None:
    """Parse one cell into `row.values`; an invalid cell is added to `broken` and to the mistakes."""
    error = _not_plain(text)
    if error is None and not text and not column.required:
        return
    if error is None and not text:
        error = CellError(f"a value: every {row.sheet.thing} has one", "fill it in")
    if error is None:
        try:
            row.values[column.name] = column.read(text)
        except CellError as invalid:
            error = invalid
        else:
            return
    broken.add(column.name)
    mistakes.append(row.mistake(column.name, shown(text), error.expected, error.do))


def _not_plain(text: str) -> CellError | None:
    """The mistake of a cell that is invalid in any column; None for plain text."""
    if text.startswith(_FORMULA):
        return CellError("a plain value", "formulas are not computed: paste the result as a value")
    if "\n" in text:
        return CellError("one line", "remove the line break from the cell")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        return CellError("printable characters", "remove the control character")
    if text != text.strip():
        return CellError("no blank at either end", "remove the blank")
    return None


def _refuse_duplicates(sheet: FileSchema, rows: list[TableRow], mistakes: list[ImportMistake]) -> None:
    """Each key may be once in its file."""
    first: dict[tuple[Any, ...], int] = {}
    for row in rows:
        if row.broken.intersection(sheet.key):
            continue
        key = tuple(row.values.get(column) for column in sheet.key)
        if key in first:
            key_text = " ".join(str(part) for part in key if part is not None)
            came = f"{sheet.thing} {shown(key_text)} again, first on line {first[key]}"
            mistakes.append(row.mistake(sheet.key[0], came, "each once", "remove one or rename it"))
        else:
            first[key] = row.line
