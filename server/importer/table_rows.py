"""Table rows: parse the lines of one table of a shop folder into rows of cells, and collect every mistake with its place.

Headings may be in any order, with capitals, and with blanks for `_`. A cell is taken as typed. A formula, a control
character, a second line in a cell and a number that the spreadsheet shortened are mistakes, and so is an unknown heading.
Blank lines are skipped.

>>> from server.importer.file_schema import SHEETS
>>> mistakes = []
>>> content = b"stage,name,type,limit\\nsaw,Saw,process,12\\n"
>>> [row.values for row in read_table(SHEETS["stages.csv"], content, mistakes)], mistakes
([{'stage': 'saw', 'name': 'Saw', 'type': 'process', 'limit': 12}], [])
"""

import difflib
import re
import unicodedata
from dataclasses import dataclass, field, replace
from typing import Any

from server.importer.cell_parsers import CellError, with_point
from server.importer.errors import ImportMistake, shown
from server.importer.file_schema import Column, FileSchema
from server.importer.raw_table import CellKind, Notation, RawLine, RawTable, file_mistake, heading_name, read_text
from server.text import counted

_FORMULA = ("=", "@")
_SHORTENED = re.compile(r"[0-9]([.,][0-9]+)?[Ee]\+[0-9]{2,3}")
_ERROR_VALUE = re.compile(r"#([A-ZÄÖÜ0-9/]+[\s\u00a0\u202f]?[!?]|N/A|NV)|(Err|Fehler):[0-9]{3}")


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
    """The rows of one file of delimited text, as `read_rows`."""
    raw = read_text(sheet.file, content, {column.name for column in sheet.columns}, mistakes)
    return [] if raw is None else read_rows(sheet, raw, mistakes)


def read_rows(sheet: FileSchema, raw: RawTable, mistakes: list[ImportMistake]) -> list[TableRow]:
    """The rows of one table, also those with invalid cells; mistakes are appended to the list."""
    sheet = replace(sheet, file=raw.place)
    if not any(text.strip() for line in raw.lines for text in line.texts):
        expected = f"the headings {', '.join(column.name for column in sheet.columns if column.required)}"
        mistakes.append(file_mistake(raw.place, "an empty file", expected, "fill it, or remove the file"))
        return []
    heading = raw.lines[0]
    columns = _headings(sheet, heading.number, heading.texts, mistakes)
    if columns is None:
        return []
    lines = [line for line in raw.lines[1:] if any(map(str.strip, line.texts))]
    rows = [_row(sheet, columns, raw, line, mistakes) for line in lines]
    if not rows:
        expected = f"a line for each {sheet.thing}"
        mistakes.append(file_mistake(raw.place, "only headings", expected, "fill it, or remove the file"))
    _refuse_duplicates(sheet, rows, mistakes)
    return rows


def _headings(sheet: FileSchema, line: int, texts: list[str], mistakes: list[ImportMistake]) -> dict[str, int] | None:
    """The number of each column (from 1), or None where the first line has no known heading."""
    known = [column.name for column in sheet.columns]
    columns: dict[str, int] = {}
    for number, written in enumerate(texts, 1):
        text = heading_name(written)
        if text in columns:
            mistakes.append(
                ImportMistake(sheet.file, line, number, text, "a second column of that heading", "one", "remove one")
            )
        elif text in known:
            columns[text] = number
        else:
            close = difflib.get_close_matches(text, known, n=1, cutoff=0.5)
            do = f"write {close[0]}, if that is meant" if close else "remove the column"
            expected = f"one of {', '.join(known)}"
            mistakes.append(ImportMistake(sheet.file, line, number, "", f"the heading {shown(written)}", expected, do))
    for column in sheet.columns:
        if column.required and column.name not in columns:
            came = f"no column {column.name}"
            mistakes.append(file_mistake(sheet.file, came, f"one, for every {sheet.thing}", "add it", line))
    return columns or None


def _row(
    sheet: FileSchema, columns: dict[str, int], raw: RawTable, line: RawLine, mistakes: list[ImportMistake]
) -> TableRow:
    """One line as a row."""
    width, texts = len(raw.lines[0].texts), line.texts
    if len(texts) != width:
        sign = raw.separators.removesuffix("s")
        do = f"put a cell that contains a {sign} in quotation marks" if len(texts) > width else ""
        do = do or f"add the missing {raw.separators}"
        came = counted(len(texts), "cell")
        mistakes.append(file_mistake(sheet.file, came, f"{width}, one for each heading", do, line.number))
        return TableRow(sheet, line.number, {}, columns, frozenset(columns))
    row = TableRow(sheet, line.number, {}, columns)
    broken: set[str] = set()
    for name, number in columns.items():
        column = sheet.column(name)
        if column is not None:
            # A cell that holds a number has its text from here, with a point.
            notation = Notation.POINT if number - 1 in line.numeric else raw.notation
            _read_cell(row, column, texts[number - 1], notation, line.typed.get(number - 1), broken, mistakes)
    return replace(row, broken=frozenset(broken))


def _read_cell(
    row: TableRow,
    column: Column,
    text: str,
    notation: Notation,
    kind: CellKind | None,
    broken: set[str],
    mistakes: list[ImportMistake],
) -> None:
    """Parse one cell into `row.values`; an invalid cell is added to `broken` and to the mistakes."""
    if kind is not None and kind not in column.kinds:
        value = {"yes": "TRUE", "no": "FALSE"}[text] if kind == CellKind.TRUTH else text
        expected = " or ".join(("text", *(f"a {taken}" for taken in column.kinds)))
        do = "format the cell as text, and enter the value again"
        broken.add(column.name)
        mistakes.append(row.mistake(column.name, f"the {kind} {value}", expected, do))
        return
    error = _not_plain(text)
    if error is None and not text and not column.required:
        return
    if error is None and not text:
        error = CellError(f"a value: every {row.sheet.thing} has one", "fill it in")
    if error is None:
        try:
            row.values[column.name] = column.read(with_point(text, notation) if column.is_decimal else text)
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
    if _SHORTENED.fullmatch(text):
        return CellError("a number with all its digits", "format the column as text, and enter the number again")
    if _ERROR_VALUE.fullmatch(text):
        return CellError("a value", "correct the formula in the spreadsheet")
    if text != text.strip():
        return CellError("no blank at either end", "remove the blank")
    return None


def _refuse_duplicates(sheet: FileSchema, rows: list[TableRow], mistakes: list[ImportMistake]) -> None:
    """Each key may be once in its file; of a code, in one spelling."""
    identities = [column.identity if (column := sheet.column(name)) else None for name in sheet.key]
    first: dict[tuple[Any, ...], tuple[int, str]] = {}
    for row in rows:
        if row.broken.intersection(sheet.key):
            continue
        parts = [row.values.get(column) for column in sheet.key]
        key = tuple(
            identity(part) if identity is not None and part is not None else part
            for identity, part in zip(identities, parts, strict=True)
        )
        key_text = " ".join(str(part) for part in parts if part is not None)
        if key in first:
            line, text = first[key]
            spelled = "" if text == key_text else f" as {shown(text)}, which is the same code"
            came = f"{sheet.thing} {shown(key_text)} again, first on line {line}{spelled}"
            mistakes.append(row.mistake(sheet.key[0], came, "each once", "remove one or rename it"))
        else:
            first[key] = (row.line, key_text)
