"""Kit of a bench: everything that hangs at a stage on one sheet of paper, the dangerous cards apart.

The setup sheet's symbols come first, for a new scanner, then the card of the stage, the commands and the reasons. Below a
cutting line, in a frame, are the cards that are hard to take back: a scan of one of them by mistake costs the most.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from station.core.codes.setup_sheet import Symbology, setup_texts
from station.core.printing.label_pages import Box, Content, Label, draw_label
from station.core.printing.page import DOT_MM, QUIET_MODULES, Page, Paper, RuledLine, Symbol, TextLine
from station.core.printing.symbols import Encode
from station.core.printing.text_width import fitted

MARGIN_MM = 10.0
DANGER = "Danger: hard to take back. Cut here, and keep these cards apart from the others."
_COLUMNS = 3
_CELL_MM = 17.5
_GAP_MM = 2.0
_HEAD_MM, _SMALL_MM, _TITLE_MM = 4.2, 3.0, (8.0, 6.5, 5.0)
_SQUARE_DOTS, _BARS_DOTS, _BAR_MM = 6, 3, 11.0


@dataclass(frozen=True, slots=True)
class Kit:
    """The cards of one bench: that of its stage, the commands, the reasons, and the dangerous ones."""

    stage: Label
    commands: tuple[Label, ...]
    reasons: tuple[Label, ...]
    danger: tuple[Label, ...]


@dataclass(slots=True)
class _Sheet:
    """A page that is being filled, from `y_mm` down."""

    words: list[TextLine]
    lines: list[RuledLine]
    symbols: list[Symbol]
    y_mm: float

    def add(self, content: Content) -> None:
        """Add the content of a label."""
        self.words += content.words
        self.symbols += content.symbols


def kit_pages(paper: Paper, kit: Kit, encode: Encode) -> list[Page]:
    """The kit on one page; more reasons than it has room for continue on another. Raises `PaperError`."""
    sheet = _Sheet([], [], [], MARGIN_MM)
    sheets = [sheet]
    size_mm, lines = fitted(f"Bench kit: {kit.stage.title}", _TITLE_MM, paper.width_mm - 2 * MARGIN_MM, 1, bold=True)
    sheet.words.append(TextLine(lines[0], MARGIN_MM, MARGIN_MM + 6.5, size_mm, bold=True))
    sheet.y_mm += 10
    _setup(sheet, paper, encode)
    danger_mm = _danger_height(kit)
    bottom_mm = paper.height_mm - MARGIN_MM
    for title, labels in (("Stage and commands", (kit.stage, *kit.commands)), ("Reasons", kit.reasons)):
        for number, row in enumerate(_rows(labels)):
            head_mm = _HEAD_MM + 2.5 if number == 0 else 0.0
            reserved_mm = danger_mm if sheet is sheets[0] else 0.0
            if sheet.y_mm + head_mm + _CELL_MM > bottom_mm - reserved_mm:
                sheet = _Sheet([], [], [], MARGIN_MM)
                sheets.append(sheet)
                head_mm = _HEAD_MM + 2.5
            if head_mm:
                again = "" if number == 0 else " (more)"
                sheet.words.append(TextLine(title + again, MARGIN_MM, sheet.y_mm + 4.5, _HEAD_MM, bold=True))
                sheet.y_mm += head_mm
            _row(sheet, paper, row, encode)
    _danger(sheets[0], paper, kit, bottom_mm - danger_mm, encode)
    return [
        Page(
            paper, f"Bench kit {kit.stage.title}", MARGIN_MM, tuple(each.words), tuple(each.lines), tuple(each.symbols)
        )
        for each in sheets
    ]


def _setup(sheet: _Sheet, paper: Paper, encode: Encode) -> None:
    """The square for a new scanner at the left, the two rows of bars for one that reads only bars at the right."""
    sheet.words.append(TextLine("New scanner", MARGIN_MM, sheet.y_mm + 4, _HEAD_MM, bold=True))
    note = "scan the square, or both rows of bars"
    sheet.words.append(TextLine(note, MARGIN_MM + 32, sheet.y_mm + 4, _SMALL_MM))
    top_mm, below_mm = sheet.y_mm + 6, 0.0
    bars_mm = top_mm
    for setup in setup_texts():
        modules = encode(setup.text.encode(), setup.symbology)
        quiet = QUIET_MODULES[setup.symbology]
        if setup.symbology is Symbology.SQUARE:
            module_mm = _SQUARE_DOTS * DOT_MM
            corner = MARGIN_MM + quiet * module_mm, top_mm + quiet * module_mm
            sheet.symbols.append(Symbol(setup.text, setup.symbology, modules, *corner, module_mm))
            below_mm = top_mm + (modules.height + 2 * quiet) * module_mm
        else:
            module_mm = _BARS_DOTS * DOT_MM
            x_mm = paper.width_mm - MARGIN_MM - (modules.width + quiet) * module_mm
            sheet.symbols.append(Symbol(setup.text, setup.symbology, modules, x_mm, bars_mm, module_mm, _BAR_MM))
            bars_mm += _BAR_MM + 6
    sheet.y_mm = max(below_mm, bars_mm - 6) + 3
    sheet.lines.append(RuledLine(MARGIN_MM, sheet.y_mm - 1.5, paper.width_mm - MARGIN_MM, sheet.y_mm - 1.5))


def _rows(labels: Sequence[Label]) -> Iterator[Sequence[Label]]:
    return (labels[start : start + _COLUMNS] for start in range(0, len(labels), _COLUMNS))


def _row(sheet: _Sheet, paper: Paper, labels: Sequence[Label], encode: Encode, inset_mm: float = 0.0) -> None:
    width_mm = (paper.width_mm - 2 * (MARGIN_MM + inset_mm) - (_COLUMNS - 1) * _GAP_MM) / _COLUMNS
    for number, label in enumerate(labels):
        x_mm = MARGIN_MM + inset_mm + number * (width_mm + _GAP_MM)
        sheet.add(
            draw_label(
                replace(label, compact=True), Box(x_mm, sheet.y_mm, width_mm, _CELL_MM - _GAP_MM), DOT_MM, encode
            )
        )
    sheet.y_mm += _CELL_MM


def _danger_height(kit: Kit) -> float:
    return 9.0 + _CELL_MM * len(list(_rows(kit.danger))) + 1.0


def _danger(sheet: _Sheet, paper: Paper, kit: Kit, top_mm: float, encode: Encode) -> None:
    """The dangerous cards below a cutting line, in a thick frame."""
    left_mm, right_mm, bottom_mm = MARGIN_MM, paper.width_mm - MARGIN_MM, paper.height_mm - MARGIN_MM
    sheet.lines.append(RuledLine(left_mm, top_mm, right_mm, top_mm, 0.2, dashed=True))
    upper_mm = top_mm + 1.5
    corners = (
        (left_mm, upper_mm),
        (right_mm, upper_mm),
        (right_mm, bottom_mm),
        (left_mm, bottom_mm),
        (left_mm, upper_mm),
    )
    for (x_mm, y_mm), (to_x_mm, to_y_mm) in pairwise(corners):
        sheet.lines.append(RuledLine(x_mm, y_mm, to_x_mm, to_y_mm, 0.9))
    size_mm, lines = fitted(DANGER, (_HEAD_MM, 3.6, 3.2), right_mm - left_mm - 6, 1, bold=True)
    sheet.words.append(TextLine(lines[0], left_mm + 3, upper_mm + 4.6, size_mm, bold=True))
    sheet.y_mm = upper_mm + 7
    for row in _rows(kit.danger):
        _row(sheet, paper, row, encode, inset_mm=3.0)
