"""Card pages: the operator's cards, ten on a page with dashed cutting lines, each of a size that fits a badge holder.

Cards that are hard to take back come last, on pages of their own: eight on a page, with gaps, so that a scanner does not
read the neighbour, and each with a frame and a mark.

A card's code is drawn as bars, which every scanner reads, if its text is ASCII and the bars fit with wide enough modules.
Another text is a square, with a note that it needs a scanner for squares.

>>> label = CardLabel("WIP:IN", "In", "has arrived here")
>>> page_count([label] * 21), page_count([label] * 20 + [CardLabel("WIP:SCRAP", "Scrap", "")])
(3, 3)
"""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import NamedTuple

from station.core.codes.card_labels import CardLabel, shown
from station.core.codes.setup_sheet import Symbology
from station.core.printing.page import DOT_MM, MIN_MODULE_MM, QUIET_MODULES, Page, Paper, RuledLine, Symbol, TextLine
from station.core.printing.symbols import Encode
from station.core.printing.text_width import fitted

TITLE = "Operator's cards"
APART = "Cards that are hard to take back"
MARK = "! hard to take back !"
COLUMNS, ROWS = 2, 5
CARDS_A_PAGE = COLUMNS * ROWS
ROWS_APART = 4
APART_A_PAGE = COLUMNS * ROWS_APART
GAP_MM = 8.0
FRAME_MM = 0.9  # from the cut, and wide; inside the padding, outside the quiet zone
CARD_MM = 85.0, 50.0  # a little smaller than a bank card (ISO/IEC 7810 ID-1: 85.6 by 54 mm)
MARGIN_MM = 10.0
PADDING_MM = 2.0  # in addition to the quiet zones, for inexact cutting
_TOP_MM = 18.0
_DOTS = {Symbology.BARS: (5, 4, 3), Symbology.SQUARE: (10, 9, 8, 7, 6)}  # printer dots of a module, largest first
_MOST_BARS = 60  # characters: with more, even pairs of digits need too narrow modules
_BAR_MM = 17.0
_NAME_MM = 9.0, 7.5, 6.0, 5.0
_TWO_LINES_MM = 6.0, 5.0, 4.0
_MEANING_MM, _TEXT_MM = (3.8, 3.4), (3.4, 2.8, 2.3)
_NEEDS = "needs a scanner that reads squares"


class CardSheet(NamedTuple):
    """The cards of one page; `apart`: those that are hard to take back, with gaps."""

    labels: Sequence[CardLabel]
    apart: bool


def card_sheets(labels: Sequence[CardLabel]) -> list[CardSheet]:
    """The cards by page, those that are hard to take back last."""
    sheets = []
    for apart, most in ((False, CARDS_A_PAGE), (True, APART_A_PAGE)):
        chosen = [label for label in labels if label.hard_to_take_back is apart]
        sheets += [CardSheet(chosen[start : start + most], apart) for start in range(0, len(chosen), most)]
    return sheets


def page_count(labels: Sequence[CardLabel]) -> int:
    """The number of pages for these cards."""
    return len(card_sheets(labels))


def cards_page(paper: Paper, labels: Sequence[CardLabel], number: int, encode: Encode) -> Page:
    """Page `number`, from 1, of these cards."""
    sheets = card_sheets(labels)
    on_page, apart = sheets[number - 1]
    gap_mm = GAP_MM if apart else 0.0
    left_mm = (paper.width_mm - COLUMNS * CARD_MM[0] - gap_mm) / 2
    head = f"{APART if apart else TITLE}, page {number} of {len(sheets)}. Print at 100 %, cut along the dashes."
    words, symbols = [TextLine(head, left_mm, _TOP_MM - 3.5, 3.6)], []
    lines: list[RuledLine] = []
    for label, (row, column) in zip(on_page, product(range(ROWS), range(COLUMNS)), strict=False):
        corner = left_mm + column * (CARD_MM[0] + gap_mm), _TOP_MM + row * (CARD_MM[1] + gap_mm)
        symbol = _bars(label, corner, encode) or _square(label, corner, encode)
        symbols.append(symbol)
        words += (
            _above(label, corner, apart=apart) if symbol.symbology is Symbology.BARS else _beside(label, corner, symbol)
        )
        if apart:
            words.append(TextLine(MARK, corner[0] + CARD_MM[0] / 2, corner[1] + 4.6, 2.6, bold=True, middle=True))
            lines += _box(corner, 0.0, 0.15, dashed=True)
            lines += _box(corner, FRAME_MM, FRAME_MM, dashed=False)
    lines += () if apart else _cuts(left_mm, -(-len(on_page) // COLUMNS))
    return Page(paper, TITLE, MARGIN_MM, tuple(words), tuple(lines), tuple(symbols))


def _box(corner: tuple[float, float], inset_mm: float, width_mm: float, *, dashed: bool) -> Iterator[RuledLine]:
    """The four sides of a card, or of a frame inside it."""
    left, top = corner[0] + inset_mm, corner[1] + inset_mm
    right, bottom = corner[0] + CARD_MM[0] - inset_mm, corner[1] + CARD_MM[1] - inset_mm
    for y_mm in (top, bottom):
        yield RuledLine(left, y_mm, right, y_mm, width_mm, dashed=dashed)
    for x_mm in (left, right):
        yield RuledLine(x_mm, top, x_mm, bottom, width_mm, dashed=dashed)


def _bars(label: CardLabel, corner: tuple[float, float], encode: Encode) -> Symbol | None:
    """The bars of a card in its lower half; None where some scanners could not read them."""
    if not (label.text.isascii() and label.text.isprintable() and len(label.text) <= _MOST_BARS):
        return None
    modules = encode(label.text.encode(), Symbology.BARS)
    quiet = 2 * QUIET_MODULES[Symbology.BARS]
    module_mm = _largest(Symbology.BARS, modules.width + quiet, CARD_MM[0] - 2 * PADDING_MM)
    if module_mm is None:
        return None
    x_mm = corner[0] + (CARD_MM[0] - modules.width * module_mm) / 2
    return Symbol(label.text, Symbology.BARS, modules, x_mm, corner[1] + 25, module_mm, _BAR_MM)


def _square(label: CardLabel, corner: tuple[float, float], encode: Encode) -> Symbol:
    """The square of a card, on its right side."""
    modules = encode(label.text.encode(), Symbology.SQUARE)
    quiet = QUIET_MODULES[Symbology.SQUARE]
    module_mm = _largest(Symbology.SQUARE, modules.height + 2 * quiet, CARD_MM[1] - 2 * PADDING_MM)
    assert module_mm is not None, "no card's text is longer than its square may be"
    x_mm = corner[0] + CARD_MM[0] - PADDING_MM - (quiet + modules.width) * module_mm
    y_mm = corner[1] + (CARD_MM[1] - modules.height * module_mm) / 2
    return Symbol(label.text, Symbology.SQUARE, modules, x_mm, y_mm, module_mm)


def _largest(symbology: Symbology, modules: int, within_mm: float) -> float | None:
    """The widest module, in whole printer dots, with which this number of modules fits."""
    sizes = (dots * DOT_MM for dots in _DOTS[symbology])
    return next((size for size in sizes if size >= MIN_MODULE_MM[symbology] and modules * size <= within_mm), None)


def _above(label: CardLabel, corner: tuple[float, float], *, apart: bool) -> Iterator[TextLine]:
    """The texts of a card with bars: its name and its effect above them, their content below."""
    middle_mm, within_mm = corner[0] + CARD_MM[0] / 2, CARD_MM[0] - 6
    size_mm, lines = fitted(label.name, _NAME_MM, within_mm, 1, bold=True)
    if lines != [label.name]:  # a name that one line would cut has the room of two
        size_mm, lines = fitted(label.name, _TWO_LINES_MM, within_mm, 2, bold=True)
    baselines_mm = (13.0,) if len(lines) == 1 else (10.2, 16.2) if apart else (8.5, 15.5)
    for line, y_mm in zip(lines, baselines_mm, strict=True):
        yield TextLine(line, middle_mm, corner[1] + y_mm, size_mm, bold=True, middle=True)
    size_mm, lines = fitted(label.meaning, _MEANING_MM, within_mm, 1)
    yield TextLine(lines[0], middle_mm, corner[1] + 20, size_mm, middle=True)
    size_mm, lines = fitted(label.text, _TEXT_MM, within_mm, 1)
    yield TextLine(lines[0], middle_mm, corner[1] + 46.5, size_mm, middle=True)


def _beside(label: CardLabel, corner: tuple[float, float], symbol: Symbol) -> Iterator[TextLine]:
    """The texts of a card with a square, to the left of it."""
    x_mm, y_mm = corner[0] + 4, corner[1]
    within_mm = symbol.x_mm - symbol.quiet_mm - x_mm
    for text, sizes_mm, most, bold in (
        (label.name, _NAME_MM[2:], 2, True), (label.meaning, _MEANING_MM, 3, False), (_NEEDS, _TEXT_MM[:2], 2, False),
        (shown(label.text), _TEXT_MM[1:], 2, False),
    ):  # fmt: skip
        size_mm, lines = fitted(text, sizes_mm, within_mm, most, bold=bold)
        y_mm += 2.6
        for line in lines:
            y_mm += size_mm * 1.3
            yield TextLine(line, x_mm, y_mm, size_mm, bold=bold)


def _cuts(left_mm: float, rows: int) -> Iterator[RuledLine]:
    """The dashed cutting lines between the cards and around them."""
    right_mm, bottom_mm = left_mm + COLUMNS * CARD_MM[0], _TOP_MM + rows * CARD_MM[1]
    for row in range(rows + 1):
        y_mm = _TOP_MM + row * CARD_MM[1]
        yield RuledLine(left_mm, y_mm, right_mm, y_mm, 0.15, dashed=True)
    for column in range(COLUMNS + 1):
        x_mm = left_mm + column * CARD_MM[0]
        yield RuledLine(x_mm, _TOP_MM, x_mm, bottom_mm, 0.15, dashed=True)
