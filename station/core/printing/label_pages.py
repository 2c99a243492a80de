"""Label pages: labels in the cells of a sheet, or one on each page of a roll.

A label has a title, an optional second line and the text of its code. Its bars are below the title; a matrix is to the left
of it. The symbol takes the largest modules that fit.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from station.core.codes.setup_sheet import Symbology
from station.core.printing.label_sheets import LabelSheet
from station.core.printing.logo import Logo, Step
from station.core.printing.page import DOT_MM, MIN_MODULE_MM, Page, Paper, PaperError, Shape, Symbol, TextLine
from station.core.printing.printed_code import CodeRefused, Placed, PrintedCode, Room, place
from station.core.printing.symbols import Encode
from station.core.printing.text_width import broken, fitted

MIN_BAR_MODULE_MM = MIN_MODULE_MM[Symbology.BARS]
MIN_MATRIX_MODULE_MM = MIN_MODULE_MM[Symbology.MATRIX]
EDGE_MM = 4.3  # of the paper, where an office printer prints nothing
ROLL_EDGE_MM = 1.0
_PADDING_MM = 1.5
_LEAST_BAR_MM, _MOST_BAR_MM = 5.0, 40.0
_BAR_SHARE = 0.15  # of the width: lower bars are missed by a scanner that is held at an angle
_TITLE_MM = 10.0, 8.0, 6.5, 5.0, 4.2, 3.6, 3.0, 2.6
_SECOND_MM = 5.0, 4.2, 3.6, 3.0, 2.6, 2.2
_CODE_MM = 2.8, 2.4, 2.0
_LEADING = 1.2
_LOGO_SHARE, _LOGO_HEIGHT_SHARE = 0.3, 0.3  # of the width and the height of the box
_MATRIX_SHARE = 0.6
_MOST_BAR_MODULE_MM, _MOST_MATRIX_MODULE_MM = 0.85, 1.0
_MOST_LOGO_MM = 15.0
_SIDE_BY_SIDE = 1.25  # a box that is wider than high by this factor has the text beside the matrix


@dataclass(frozen=True, slots=True)
class Label:
    """One label: its title, its code, an optional second line and logo. `compact`: without the text of the code."""

    title: str
    code: PrintedCode
    second: str = ""
    logo: Logo | None = None
    compact: bool = False


class Placement(NamedTuple):
    """Where labels are printed: the sheet, the first free cell (from 1), an offset in mm, and the printer's dots."""

    sheet: LabelSheet
    start: int = 1
    right_mm: float = 0.0
    down_mm: float = 0.0
    dot_mm: float = DOT_MM


class Box(NamedTuple):
    """The room of a label, in mm."""

    x_mm: float
    y_mm: float
    width_mm: float
    height_mm: float


@dataclass(slots=True)
class Content:
    """What is drawn in one cell."""

    words: list[TextLine]
    symbols: list[Symbol]
    shapes: list[Shape]


def label_pages(labels: Iterable[Label], placement: Placement, encode: Encode) -> Iterator[Page]:
    """The pages of these labels, one at a time. Raises `PaperError` where a code does not fit, or the start is no cell."""
    sheet = placement.sheet
    if not 1 <= placement.start <= sheet.cells:
        came = f"The start cell is {placement.start}."
        raise PaperError(came, f"Expected 1 to {sheet.cells} of the sheet {sheet.name}.", "Count row by row.")
    cell = placement.start - 1
    contents: list[Content] = []
    for label in labels:
        if cell == sheet.cells:
            yield _page(sheet, contents)
            contents, cell = [], 0
        contents.append(draw_label(label, _box(placement, cell), placement.dot_mm, encode))
        cell += 1
    if contents:
        yield _page(sheet, contents)


def label_words(label: Label, placement: Placement, encode: Encode) -> list[TextLine]:
    """The texts that are printed on a label. Raises `PaperError` where its code does not fit on the sheet."""
    return draw_label(label, _box(placement, 0), placement.dot_mm, encode).words


def _page(sheet: LabelSheet, contents: list[Content]) -> Page:
    paper = Paper(sheet.name, sheet.name, sheet.paper_width_mm, sheet.paper_height_mm)
    return Page(
        paper, "Labels", ROLL_EDGE_MM if sheet.is_roll else EDGE_MM,
        tuple(words for content in contents for words in content.words), (),
        tuple(symbol for content in contents for symbol in content.symbols),
        tuple(shape for content in contents for shape in content.shapes),
    )  # fmt: skip


def _box(placement: Placement, cell: int) -> Box:
    """The room inside a cell: inside its padding, and inside the part of the paper that a printer can print."""
    sheet = placement.sheet
    x_mm, y_mm = sheet.corner(cell)
    edge_mm = ROLL_EDGE_MM if sheet.is_roll else EDGE_MM
    across_mm, down_mm = max(_PADDING_MM, edge_mm - sheet.left_mm), max(_PADDING_MM, edge_mm - sheet.top_mm)
    return Box(
        x_mm + across_mm + placement.right_mm, y_mm + down_mm + placement.down_mm,
        sheet.width_mm - 2 * across_mm, sheet.height_mm - 2 * down_mm,
    )  # fmt: skip


def draw_label(label: Label, box: Box, dot_mm: float, encode: Encode) -> Content:
    """A label in a box, in the first layout that fits: bars below the title, a matrix beside it, the symbol alone."""
    bars = replace(label.code, symbologies=tuple(each for each in label.code.symbologies if each.is_bars))
    matrix = replace(label.code, symbologies=tuple(each for each in label.code.symbologies if not each.is_bars))
    for layout, code in ((_with_bars, bars), (_with_matrix, matrix)):
        content = layout(replace(label, code=code), box, dot_mm, encode) if code.symbologies else None
        if content is not None:
            return content
    alone = place(label.code, _room(box.width_mm, box.height_mm, box.height_mm, dot_mm), encode)
    return Content([], [alone.at(box.x_mm, box.y_mm)], [])


def _room(
    width_mm: float, height_mm: float, bar_mm: float, dot_mm: float, most_mm: float = _MOST_BAR_MODULE_MM
) -> Room:
    return Room(width_mm, height_mm, bar_mm, MIN_BAR_MODULE_MM, MIN_MATRIX_MODULE_MM, most_mm, dot_mm)


def _fitting(code: PrintedCode, room: Room, encode: Encode) -> Placed | None:
    try:
        return place(code, room, encode)
    except CodeRefused:
        return None


def _with_bars(label: Label, box: Box, dot_mm: float, encode: Encode) -> Content | None:
    """Title and second line, below them the bars, and the text of the code where the title is another."""
    shapes, logo_mm = _logo(label, box)
    words: list[TextLine] = []
    y_mm = box.y_mm
    sizes = tuple(size for size in _TITLE_MM if size <= box.height_mm * 0.25) or _TITLE_MM[-1:]
    y_mm = _lines(words, label.title, box, y_mm, sizes, 1, less_mm=logo_mm, bold=True)
    cut = words[0].text != label.title
    if label.second:
        sizes = tuple(size for size in _SECOND_MM if size <= box.height_mm * 0.16) or _SECOND_MM[-1:]
        y_mm = _lines(words, label.second, box, y_mm, sizes, 1, less_mm=logo_mm)
    below: list[TextLine] = []
    below_mm = 0.0
    if (cut or label.code.text != label.title) and not label.compact:
        below_mm = _whole(below, label.code.text, box, 0.0) + 0.5
    top_mm = max(y_mm, box.y_mm + (min(box.height_mm * _LOGO_HEIGHT_SHARE, _MOST_LOGO_MM) if shapes else 0)) + 1.0
    bar_mm = min(box.y_mm + box.height_mm - top_mm - below_mm, _MOST_BAR_MM)
    if bar_mm < _LEAST_BAR_MM:
        return None
    within_mm = min(box.width_mm, bar_mm / _BAR_SHARE)
    placed = _fitting(label.code, _room(within_mm, bar_mm, bar_mm, dot_mm), encode)
    if placed is None:
        return None
    left_mm = box.x_mm + (box.width_mm - placed.width_mm) / 2
    words += (replace(line, y_mm=line.y_mm + top_mm + bar_mm + 0.5) for line in below)
    return Content(words, [placed.at(left_mm, top_mm)], shapes)


def _with_matrix(label: Label, box: Box, dot_mm: float, encode: Encode) -> Content | None:
    """A matrix, and beside or below it the title, the second line and the text of the code."""
    beside = box.width_mm >= _SIDE_BY_SIDE * box.height_mm
    side_mm = (
        min(box.height_mm, box.width_mm * _MATRIX_SHARE) if beside else min(box.width_mm, box.height_mm * _MATRIX_SHARE)
    )
    placed = _fitting(label.code, _room(side_mm, side_mm, side_mm, dot_mm, _MOST_MATRIX_MODULE_MM), encode)
    if placed is None:
        return None
    if beside:
        rest = Box(
            box.x_mm + placed.width_mm + 1, box.y_mm, box.width_mm - placed.width_mm - 1, box.height_mm
        )  # fmt: skip
        corner = box.x_mm, box.y_mm + (box.height_mm - placed.height_mm) / 2
    else:
        below_mm = placed.height_mm + 1
        rest = Box(box.x_mm, box.y_mm + below_mm, box.width_mm, box.height_mm - below_mm)
        corner = box.x_mm + (box.width_mm - placed.width_mm) / 2, box.y_mm
    shapes, logo_mm = _logo(label, rest)
    words: list[TextLine] = []
    y_mm = rest.y_mm
    sizes = tuple(size for size in _TITLE_MM if size <= rest.height_mm * 0.25) or _TITLE_MM[-1:]
    y_mm = _lines(words, label.title, rest, y_mm, sizes, 2, less_mm=logo_mm, bold=True)
    shown = "".join(line.text for line in words).replace(" ", "")
    if label.second:
        y_mm = _lines(words, label.second, rest, y_mm, _SECOND_MM[2:], 1, less_mm=logo_mm)
    if label.code.text.replace(" ", "") != shown and not label.compact:
        below: list[TextLine] = []
        if y_mm + 0.5 + _whole(below, label.code.text, rest, y_mm + 0.5) - (y_mm + 0.5) <= rest.y_mm + rest.height_mm:
            words += below
    bottom_mm = max((line.y_mm + 0.24 * line.size_mm for line in words), default=0.0)
    if bottom_mm > rest.y_mm + rest.height_mm + 0.01:
        words = [line for line in words if line.y_mm + 0.24 * line.size_mm <= rest.y_mm + rest.height_mm + 0.01]
    return Content(words, [placed.at(*corner)], shapes)


def _lines(
    words: list[TextLine], text: str, box: Box, y_mm: float, sizes_mm: tuple[float, ...], most: int, *,
    less_mm: float, bold: bool = False,
) -> float:  # fmt: skip
    """Add a text in at most so many lines, cut where it is longer; returns the height below it."""
    within_mm = box.width_mm - less_mm
    size_mm, lines = fitted(text, sizes_mm, within_mm, most, bold=bold)
    for line in lines:
        words.append(TextLine(line, box.x_mm, y_mm + 0.8 * size_mm, size_mm, bold=bold))
        y_mm += size_mm * _LEADING
    return y_mm


def _whole(words: list[TextLine], text: str, box: Box, y_mm: float) -> float:
    """Add a text that is never cut, in the largest size with one line, else in the smallest; returns the height below."""
    for size_mm in _CODE_MM:
        lines = broken(text, size_mm, box.width_mm)
        if len(lines) == 1:
            break
    for line in lines:
        words.append(TextLine(line, box.x_mm, y_mm + 0.8 * size_mm, size_mm))
        y_mm += size_mm * _LEADING
    return y_mm


def _logo(label: Label, box: Box) -> tuple[list[Shape], float]:
    """The logo in the upper right corner of a box, and the width that it takes from the lines beside it."""
    logo = label.logo
    if logo is None:
        return [], 0.0
    height_mm = min(box.height_mm * _LOGO_HEIGHT_SHARE, _MOST_LOGO_MM)
    scale = min(box.width_mm * _LOGO_SHARE / logo.width, height_mm / logo.height)
    left_mm = box.x_mm + box.width_mm - logo.width * scale

    def moved(step: Step) -> Step:
        letter, *numbers = step
        return (letter, *((left_mm, box.y_mm)[n % 2] + number * scale for n, number in enumerate(numbers)))

    return [Shape(tuple(tuple(map(moved, outline)) for outline in logo.outlines))], logo.width * scale + 1.0
