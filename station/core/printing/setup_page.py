"""Setup page: the setup sheet as one page with four instructions, a square and two rows of bars.

The page contains all instructions, because the installer of a new scanner has no other manual at the bench.
"""

from collections.abc import Iterator

from station.core.codes.setup_sheet import Symbology, setup_texts
from station.core.printing.page import DOT_MM, QUIET_MODULES, Page, Paper, RuledLine, Symbol, TextLine
from station.core.printing.symbols import Encode
from station.core.printing.text_width import wrapped

TITLE = "Set up a scanner"
STEPS = (
    "Plug the scanner into the station.",
    "Scan this square.",
    "The station answers green: it knows this scanner now.",
    "If your scanner reads only bars, scan these two.",
)
NOTES = (
    "A scanner that was reset to its factory settings is best. Set it to HID POS or to USB keyboard.",
    "A cordless scanner out of sight of the lamp: its own beep is not our green. Look at the lamp or the screen.",
    "A cordless scanner that has kept scans in its memory: empty it in its cradle; those scans are marked as stored.",
)
MARGIN_MM = 15.0
SQUARE_MODULE_MM = 10 * DOT_MM  # 0.85 mm: read from 30 cm
BARS_MODULE_MM = 4 * DOT_MM  # 0.34 mm, as on usual labels; the longer row is 146 mm with its quiet zones
BAR_MM = 22.0
RULER_MM = 50
_STEP_MM, _NOTE_MM, _SMALL_MM = 6.2, 5.0, 3.6  # font sizes, legible at arm's length, at half of it, and close up
_LEADING = 1.36
_NUMBER_MM = 10.0
_GAP_MM = 8.0


def setup_page(paper: Paper, encode: Encode) -> Page:
    """The setup sheet on this paper."""
    symbols = tuple(_symbols(paper, encode))
    square, *bars = symbols
    beside_mm = square.x_mm - square.quiet_mm - _GAP_MM
    words = [TextLine(TITLE, MARGIN_MM, 26, 11, bold=True)]
    y_mm = 46.0
    for number, step in enumerate(STEPS[:3], 1):
        y_mm = _step(words, number, step, y_mm, beside_mm) + 3.5
    _step(words, 4, STEPS[3], bars[0].y_mm - 8, paper.width_mm - MARGIN_MM)
    for number, bar in enumerate(bars, 1):
        words.append(TextLine(f"{number} of {len(bars)}", _right(bars), bar.y_mm + 11, _NOTE_MM))
    words.append(TextLine("in any order", _right(bars), (bars[0].y_mm + bars[1].y_mm) / 2 + 11, _SMALL_MM))
    y_mm = bars[-1].y_mm + BAR_MM + 16
    rule = RuledLine(MARGIN_MM, y_mm - 8, paper.width_mm - MARGIN_MM, y_mm - 8)
    words.append(TextLine("Worth knowing", MARGIN_MM, y_mm, _NOTE_MM, bold=True))
    for note in NOTES:
        y_mm += 2.5
        for line in wrapped(note, _NOTE_MM, paper.width_mm - 2 * MARGIN_MM):
            y_mm += _NOTE_MM * _LEADING
            words.append(TextLine(line, MARGIN_MM, y_mm, _NOTE_MM))
    ruler, caption = _ruler(paper)
    head = RuledLine(MARGIN_MM, 32, paper.width_mm - MARGIN_MM, 32, 0.6)
    return Page(paper, TITLE, MARGIN_MM, (*words, caption), (head, rule, *ruler), symbols)


def _symbols(paper: Paper, encode: Encode) -> Iterator[Symbol]:
    """The square to the right of the steps, and the bars below each other, so far apart that one is aimed at alone."""
    bars_y_mm = 118.0
    for setup in setup_texts():
        modules = encode(setup.text.encode(), setup.symbology)
        if setup.symbology is Symbology.SQUARE:
            quiet = QUIET_MODULES[Symbology.SQUARE]
            x_mm = paper.width_mm - MARGIN_MM - (modules.width + quiet) * SQUARE_MODULE_MM
            yield Symbol(setup.text, setup.symbology, modules, x_mm, 40 + quiet * SQUARE_MODULE_MM, SQUARE_MODULE_MM)
        else:
            x_mm = MARGIN_MM + QUIET_MODULES[Symbology.BARS] * BARS_MODULE_MM
            yield Symbol(setup.text, setup.symbology, modules, x_mm, bars_y_mm, BARS_MODULE_MM, BAR_MM)
            bars_y_mm += BAR_MM + 12


def _right(bars: list[Symbol]) -> float:
    """The left end of texts beside all the bars."""
    return max(bar.x_mm + bar.width_mm + bar.quiet_mm for bar in bars) + 3


def _step(words: list[TextLine], number: int, text: str, y_mm: float, right_mm: float) -> float:
    """Add a numbered sentence; returns the y position of the next one."""
    words.append(TextLine(f"{number}.", MARGIN_MM, y_mm, _STEP_MM, bold=True))
    for line in wrapped(text, _STEP_MM, right_mm - MARGIN_MM - _NUMBER_MM):
        words.append(TextLine(line, MARGIN_MM + _NUMBER_MM, y_mm, _STEP_MM))
        y_mm += _STEP_MM * _LEADING
    return y_mm


def _ruler(paper: Paper) -> tuple[tuple[RuledLine, ...], TextLine]:
    """A line of known length, which shows whether the printer scaled the page and its bars."""
    y_mm = paper.height_mm - MARGIN_MM - 2.5
    end_mm = MARGIN_MM + RULER_MM
    ends = (RuledLine(x_mm, y_mm - 1.5, x_mm, y_mm + 1.5) for x_mm in (MARGIN_MM, end_mm))
    caption = f"{RULER_MM} mm where it was printed at 100 %"
    return (RuledLine(MARGIN_MM, y_mm, end_mm, y_mm), *ends), TextLine(caption, end_mm + 4, y_mm + 1.2, _SMALL_MM)
