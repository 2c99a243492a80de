"""Table file: all rows of a table of a page as a file, CSV for programs and XLSX for spreadsheets.

A cell is a text, a whole number, a decimal, a day or a time of the site's zone. The address of a file ends in its form:

>>> from decimal import Decimal
>>> csv_cell(None), csv_cell(12), csv_cell(Decimal("2.50")), csv_cell("=1+1")
('', '12', '2.50', "'=1+1")
>>> number_format(12), number_format(Decimal("2.50")), number_format(Decimal("-1234567890123456"))
('0', '#,##0.00', None)
"""

import csv
import io
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Context, Decimal
from enum import StrEnum
from typing import IO, Any

from flask import Response, stream_with_context

from server.api_errors import ApiError
from server.context import current_hub
from server.db.long_work import EXPORT, published
from server.queries.escape import visible
from server.web.template_filters import shop_locale
from station.core.quantity import decimal_text

Cell = str | int | Decimal | date | datetime | None
MOST_ROWS = 100_000  # of an XLSX file
MOST_DIGITS = 15  # a spreadsheet holds no number exactly that has more
MOST_CHARACTERS = 32_767  # of a cell of a spreadsheet
CUT = "… (cut, the CSV file has all of it)"
SHEET_NAME = 31  # characters
FIRST_YEAR = 1900  # of a date in a spreadsheet
ROWS_OF_PROGRESS = 1000
PIECE = 64 * 1024
MICROS = 6
# A spreadsheet would calculate a text that begins so; the wide signs are those of Japanese and Chinese keyboards.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_EXACT = Context(prec=80)  # digits: more than the value of any stock has
_WIDTH = 14
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class FileForm(StrEnum):
    """The ending of the address of a file."""

    CSV = "csv"
    XLSX = "xlsx"


FORMS = f"<any({', '.join(FileForm)}):form>"  # in the rule of an address


def table_file(form: str, name: str, heading: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Response:
    """A table as a file. CSV is sent as its rows are read, XLSX is written to a temporary file first.

    CSV: UTF-8 with a byte order mark, comma and point, times in UTC; a text that a spreadsheet would calculate gets an
    apostrophe before it. XLSX: numbers, days and times as such, every text as text. Raises `ApiError` 400 for an XLSX file
    of more than MOST_ROWS rows.
    """
    headers = {"Content-Disposition": f'attachment; filename="{name}.{form}"'}
    if form == FileForm.CSV:
        return Response(
            stream_with_context(_lines(heading, rows)), content_type="text/csv; charset=utf-8", headers=headers
        )
    file = tempfile.TemporaryFile(prefix="wipline-")  # noqa: SIM115  closed with the answer
    try:
        _write_workbook(file, name, heading, rows)
    except BaseException:
        file.close()
        raise
    headers["Content-Length"] = str(file.tell())
    file.seek(0)
    answer = Response(_pieces(file), content_type=_TYPE, headers=headers)
    answer.call_on_close(file.close)
    return answer


def quantity(milli: int | None) -> Decimal | None:
    """Thousandths of a unit as a cell."""
    return None if milli is None else Decimal(decimal_text(milli))


def amount(micros: int | None) -> Decimal | None:
    """Millionths of the currency as a cell with the decimal places of the currency, with more where they are not zero."""
    if micros is None:
        return None
    exact = Decimal(micros).scaleb(-MICROS, _EXACT)
    rounded = exact.quantize(Decimal(1).scaleb(-shop_locale().money_places), context=_EXACT)
    return rounded if rounded == exact else exact


def moment(at_us: int | None) -> datetime | None:
    """A time (UTC us) as a cell, in the zone of the site, to the second."""
    return None if at_us is None else shop_locale().local(at_us).replace(microsecond=0)


def day(text: str | None) -> Cell:
    """A day in ISO 8601 as a cell; another text stays a text."""
    try:
        return text and date.fromisoformat(text)
    except ValueError:
        return text


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(PIECE):
            yield piece


def _lines(heading: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[str]:
    yield "\ufeff" + _line(heading)
    for row in rows:
        yield _line(row)


def _line(row: Sequence[Cell]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow([csv_cell(value) for value in row])
    return out.getvalue()


def csv_cell(value: Cell) -> str:
    """A cell as text; a text that a spreadsheet would calculate gets an apostrophe before it."""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, date):
        return value.isoformat()
    return "" if value is None else f"{value:f}" if isinstance(value, Decimal) else str(value)


def number_format(value: int | Decimal) -> str | None:
    """The format of a number in a spreadsheet, which shows point and groups as its user does; None: only exact as text."""
    digits = value.as_tuple().digits if isinstance(value, Decimal) else str(abs(value))
    if len(digits) > MOST_DIGITS:
        return None
    if isinstance(value, int):
        return "0"
    places = max(0, -int(value.as_tuple().exponent))
    return "#,##0" + ("." + "0" * places if places else "")


def _write_workbook(file: IO[bytes], name: str, heading: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Write one sheet row by row. Its progress is that of a long work, because many rows take some seconds."""
    import xlsxwriter  # 13 MB of memory that only this needs

    sheet = _Sheet(xlsxwriter.Workbook(file, {"constant_memory": True}), name, heading)
    written = 0
    try:
        with published(current_hub().store, EXPORT, "Export", "row") as show:
            for written, row in enumerate(rows, 1):
                if written > MOST_ROWS:
                    raise ApiError(
                        400,
                        f"an XLSX file of more than {MOST_ROWS:,} rows",
                        f"at most {MOST_ROWS:,}",
                        "Filter the table, or use the CSV file, which has no limit.",
                    )
                sheet.write(written, row)
                if written % ROWS_OF_PROGRESS == 0:
                    show(written, None)
    finally:
        sheet.close(written)  # also after an error: it deletes the temporary file of the rows


class _Sheet:
    """The only sheet of a workbook; `workbook`: an `xlsxwriter.Workbook`."""

    def __init__(self, workbook: Any, name: str, heading: Sequence[str]) -> None:
        self._workbook, self._columns = workbook, len(heading)
        self._formats: dict[tuple[str, bool], Any] = {}
        self._sheet = workbook.add_worksheet(name[:SHEET_NAME])
        for column, word in enumerate(heading):
            self._sheet.set_column(column, column, max(_WIDTH, len(word) + 4))
        self._sheet.freeze_panes(1, 0)
        for column, word in enumerate(heading):
            self._sheet.write_string(0, column, _text(word), self._of("@", bold=True))

    def write(self, number: int, row: Sequence[Cell]) -> None:
        """Write a row below the ones before."""
        for column, value in enumerate(row):
            if value is not None and value != "":
                self._write(number, column, value)

    def close(self, rows: int) -> None:
        """Complete the file, with a filter on the heading."""
        self._sheet.autofilter(0, 0, rows, max(0, self._columns - 1))
        self._workbook.close()

    def _write(self, row: int, column: int, value: str | int | Decimal | date) -> None:
        if isinstance(value, int | Decimal):
            form = number_format(value)
            if form is not None:
                self._sheet.write_number(row, column, float(value), self._of(form))
                return
        elif isinstance(value, datetime) and value.year > FIRST_YEAR:
            self._sheet.write_datetime(row, column, value.replace(tzinfo=None), self._of("yyyy-mm-dd hh:mm:ss"))
            return
        elif isinstance(value, date) and value.year > FIRST_YEAR:
            self._sheet.write_datetime(row, column, value, self._of("yyyy-mm-dd"))
            return
        self._sheet.write_string(
            row, column, _text(value if isinstance(value, str) else csv_cell(value)), self._of("@")
        )

    def _of(self, form: str, *, bold: bool = False) -> Any:
        key = (form, bold)
        if key not in self._formats:
            self._formats[key] = self._workbook.add_format({"num_format": form, "bold": bold})
        return self._formats[key]


def _text(text: str) -> str:
    """A text for a cell: control characters are shown as on the pages, and what is too long is cut and says so."""
    shown = visible(text)
    return shown if len(shown) <= MOST_CHARACTERS else shown[: MOST_CHARACTERS - len(CUT)] + CUT
