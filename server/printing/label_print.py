"""Label print: the labels of several things of one kind on a sheet or a roll, as a PDF file, a drawing or ZPL.

A thing whose label cannot be printed is listed with the reason; the labels of the others are drawn.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from sqlalchemy import Connection

from server.config import HubConfig
from server.printing.fonts import MACHINE_FONTS
from server.printing.labels import LabelKind, LabelOptions, LabelWriter, UnknownSheet, label_sheet, labelled
from station.core.master_data import MasterData
from station.core.printing import Encode, Page, PaperError, Placement, TextLine, label_pages, label_words, write_svg
from station.core.printing.libraries import pdf, pdf_check, pdf_letters, zpl
from station.core.printing.page import DOT_MM
from station.core.printing.zpl import DOTS_MM

DEFAULT_SHEET = "a4-3x7"
MEDIA = {"pdf": "application/pdf", "svg": "image/svg+xml", "zpl": "application/zpl"}
MOST_THINGS = 500  # in one print of a page or of the API; the command prints more
MOST_LABELS = 2_000


class LabelPrint(NamedTuple):
    """What is printed: the things of one kind, the sheet with its first free label, copies, second line, and the form.

    `dpi`: of a thermal printer, for ZPL.
    """

    kind: LabelKind
    names: tuple[str, ...]
    sheet: str = DEFAULT_SHEET
    start: int = 1
    copies: int = 1
    second: str = ""
    form: str = "pdf"
    dpi: int = 203


class DrawnLabels(NamedTuple):
    """The pages, the things that are on them, and each of the others with the reason."""

    pages: list[Page]
    printed: list[str]
    refused: list[tuple[str, PaperError]]


def placement_of(
    config: HubConfig, sheet: str, start: int, form: str, dpi: int, right_mm: float = 0.0, down_mm: float = 0.0
) -> Placement:
    """Where the labels are printed. Raises `UnknownSheet` for a sheet, a start or a form that does not fit."""
    chosen = label_sheet(config, sheet)
    if form == "zpl" and not chosen.is_roll:
        came = f"The sheet {sheet} has {chosen.cells} labels."
        raise UnknownSheet(came, "Expected a roll for a thermal printer.", "Choose one, such as roll-50x30.")
    if not 1 <= start <= chosen.cells:
        came, expected = (
            f"The first free label is {start}.",
            f"Expected 1 to {chosen.cells} of the sheet {chosen.name}.",
        )
        raise UnknownSheet(came, expected, "Count the labels row by row.")
    return Placement(chosen, start, right_mm, down_mm, 1 / DOTS_MM[dpi] if form == "zpl" else DOT_MM)


def draw_labels(
    connection: Connection,
    shop: MasterData,
    now_us: int,
    config: HubConfig,
    wanted: LabelPrint,
    encode: Encode,
    install: str,
) -> DrawnLabels:
    """The labels of `wanted`. `install`: the advice where a library is missing. Raises `PaperError` where none can be."""
    placement = placement_of(config, wanted.sheet, wanted.start, wanted.form, wanted.dpi)
    writer = LabelWriter(connection, shop, now_us, LabelOptions(wanted.second or None))
    check = letters_check(wanted.form, install)
    refused: list[tuple[str, PaperError]] = []
    labels = labelled(
        writer,
        wanted.kind,
        wanted.names,
        lambda made: check(label_words(made, placement, encode)),
        refused,
        wanted.copies,
    )
    pages = list(label_pages(labels, placement, encode))
    left_out = {name for name, _ in refused}
    return DrawnLabels(pages, [name for name in wanted.names if name not in left_out], refused)


def letters_check(form: str, install: str) -> Callable[[Iterable[TextLine]], None]:
    """A function that raises `PaperError` for a text that cannot be set; a browser has its own fonts for a drawing."""
    if form == "svg":
        return lambda _: None
    return pdf_check(install, pdf_letters(MACHINE_FONTS, install))


def label_file(pages: list[Page], wanted: LabelPrint, install: str) -> bytes:
    """The file with the pages. Raises `PaperError`."""
    if wanted.form == "zpl":
        return b"".join(zpl(pages, wanted.dpi, MACHINE_FONTS, install))
    if wanted.form == "pdf":
        return pdf(pages, install, pdf_letters(MACHINE_FONTS, install))
    if len(pages) != 1:
        came = f"There are {len(pages)} pages."
        raise UnknownSheet(came, "Expected one page for an SVG drawing.", "Choose pdf.")
    return write_svg(pages[0]).encode()
