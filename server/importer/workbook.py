"""Workbook: the sheets of an XLSX, XLS or ODS file as raw tables.

A cell that holds a number, a day or a truth value is converted to the text that the same cell has in a CSV file with commas:
`87.5`, `2026-11-29`, `yes`. A formula has the value that the spreadsheet program stored with it. Numbers have the 15 digits
that spreadsheet programs keep; one that needs more is written with an exponent, which no column accepts.

>>> [cell_text(value) for value in (201.0, 0.1 + 0.2, date(2026, 11, 29), True, None, 12345678901234567890.0)]
['201', '0.3', '2026-11-29', 'yes', '', '1.23456789012346E+19']
"""

import io
import re
import zipfile
import zlib
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from server.importer.errors import ImportMistake
from server.importer.raw_table import (
    MAX_FILE_BYTES,
    MAX_LINES,
    CellKind,
    Notation,
    RawLine,
    RawTable,
    file_mistake,
    without_empty_columns,
)

ENDINGS = (".xlsx", ".ods", ".xls")
MAX_UNPACKED_BYTES = 256 * 1024 * 1024
_MARKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # a zip archive (XLSX, ODS), a compound file (XLS)
_MOST_DIGITS = 10**15
# A cell whose formula failed. calamine returns such a cell as an empty one.
_XLSX_ERROR = re.compile(
    rb'<c (?=[^>]*?r="([A-Z]{1,3}[0-9]{1,7})")[^>]*?t="e"[^>]*>(?:(?!</c>).)*?<v>([^<]*)', re.DOTALL
)
_ODS_ERROR = re.compile(rb'calcext:value-type="error"[^>]*>(?:<text:p[^>]*>([^<]*))?')


def is_workbook(file: str, content: bytes) -> bool:
    """Whether a file is a workbook, by the ending of its name or by its first bytes."""
    return file.lower().endswith(ENDINGS) or content.startswith(_MARKS)


def read_workbook(file: str, content: bytes, mistakes: list[ImportMistake]) -> list[tuple[str, RawTable]]:
    """(sheet name, table) of each sheet that is not empty; a mistake where the file cannot be read."""
    try:
        from python_calamine import CalamineError, CalamineWorkbook
    except ImportError:
        do = "install python-calamine (pip install '.[hub]'), or save each table as CSV"
        mistakes.append(file_mistake(file, "a workbook, which needs python-calamine", "CSV files", do))
        return []
    why = _unreadable(content)
    if why is not None:
        mistakes.append(file_mistake(file, *why))
        return []
    tables = []
    try:
        with CalamineWorkbook.from_filelike(io.BytesIO(content)) as book:
            sheets = [
                (name, book.get_sheet_by_name(name).to_python(skip_empty_area=False)) for name in book.sheet_names
            ]
    except (CalamineError, OSError, ValueError) as error:
        came = f"a file that is no workbook ({str(error).rstrip('.')})"
        do = "save it again without a password, or save each table as CSV"
        mistakes.append(file_mistake(file, came, "an XLSX, ODS or XLS file", do))
        return []
    for name, rows in sheets:
        table = _table(f"{file} ({name})", rows, mistakes)
        if table.lines:
            tables.append((name, table))
    if not tables and not mistakes:
        mistakes.append(file_mistake(file, "a workbook without a table", "at least one", "fill it, or remove the file"))
    return tables


def cell_text(value: Any) -> str:
    """The text of a cell's value."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return _number_text(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ")
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value) if isinstance(value, timedelta) else value


def cell_kind(value: Any) -> CellKind | None:
    """The kind of a cell's value; None for text, a number and an empty cell."""
    if isinstance(value, bool):
        return CellKind.TRUTH
    if isinstance(value, date):
        return CellKind.TIME if isinstance(value, datetime) and value.time() != time() else CellKind.DAY
    return CellKind.TIME if isinstance(value, time | timedelta) else None


def _number_text(value: float) -> str:
    text = format(value, ".15g")
    if abs(value) >= _MOST_DIGITS:
        return text.upper() if "e" in text else format(value, ".14E")
    return format(Decimal(text), "f")


def _table(place: str, rows: list[list[Any]], mistakes: list[ImportMistake]) -> RawTable:
    """The lines of one sheet from the first filled one."""
    lines: list[RawLine] = []
    for number, values in enumerate(rows, 1):
        texts = [cell_text(value) for value in values]
        if not any(map(str.strip, texts)):
            continue
        if len(lines) > MAX_LINES:
            mistakes.append(
                file_mistake(place, "more lines", f"at most {MAX_LINES}", "split it and import twice", number)
            )
            break
        kinds = [cell_kind(value) for value in values]
        numeric = frozenset(n for n, value in enumerate(values) if isinstance(value, int | float) and kinds[n] is None)
        typed = {n: kind for n, kind in enumerate(kinds) if kind is not None}
        lines.append(RawLine(number, texts, numeric, typed))
    return RawTable(place, without_empty_columns(lines), Notation.EITHER, "columns")


def _unreadable(content: bytes) -> tuple[str, str, str] | None:
    """(what came, what was expected, what to do) for a file that is too large or damaged, or has a failed formula."""
    if len(content) > MAX_FILE_BYTES:
        return f"{len(content)} bytes", f"at most {MAX_FILE_BYTES}", "split it and import twice"
    if not content.startswith(_MARKS[0]):
        return None
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(part.file_size for part in archive.infolist())
            if size > MAX_UNPACKED_BYTES:
                return f"{size} bytes when unpacked", f"at most {MAX_UNPACKED_BYTES}", "remove pictures, or split it"
            failed = _failed_formula(archive)
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, RuntimeError, NotImplementedError) as error:
        return f"a damaged workbook ({error})", "an XLSX or ODS file", "save it again"
    return (
        None
        if failed is None
        else (f"a formula without a value{failed}", "a value in each cell", "correct the formula")
    )


def _failed_formula(archive: zipfile.ZipFile) -> str | None:
    """The first cell whose formula failed, with its value; None without one."""
    for part in archive.namelist():
        if part.startswith("xl/worksheets/") and (cell := _XLSX_ERROR.search(archive.read(part))):
            return f" in cell {cell[1].decode()}: {cell[2].decode('utf-8', 'replace')}"
        if part == "content.xml" and (cell := _ODS_ERROR.search(archive.read(part))):
            return f": {cell[1].decode('utf-8', 'replace')}" if cell[1] else ""
    return None
