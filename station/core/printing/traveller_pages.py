"""Traveller: the sheet of paper that accompanies an order, with its code, its route and its materials.

The first page has the order and its symbol in its head, then the product, the quantity and the customer. The route is a
table with boxes to fill in by hand. Below a dashed line the foot repeats the symbol, for a tear-off. A long route continues
on more pages; each repeats the head and has its number.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from station.core.printing.page import Page, Paper, RuledLine, TextLine
from station.core.printing.printed_code import Placed, PrintedCode, Room, place
from station.core.printing.symbols import Encode
from station.core.printing.text_width import broken, fitted

MARGIN_MM = 12.0
MODULE_MM = 0.38  # the narrowest module of a traveller, which is read dirty and worn
SYMBOL = Room(95.0, 30.0, 20.0, MODULE_MM, MODULE_MM)
FOOT_MM = 38.0
_GAP_MM = 6.0
_ORDER_MM = 11.0, 9.0, 7.5, 6.0
_PART_MM = 4.6  # the code of a part, below the order
_LABEL_MM, _VALUE_MM, _CELL_MM, _SMALL_MM = 2.8, (4.6, 4.0, 3.5), 3.6, 3.0
_LEADING = 1.3
_COLUMNS = (("Op", 12.0), ("Stage", 52.0), ("Scan", 44.0), ("Quantity", 26.0), ("Initials", 22.0), ("Date", 0.0))
_MOST_STAGE_LINES = 2


@dataclass(frozen=True, slots=True)
class TravellerStep:
    """One operation: its number, its stage, what to scan there, and the materials that are issued for it."""

    number: str
    stage: str
    scan: str
    materials: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Traveller:
    """The texts of one traveller. `fields`: label and value, in reading order; `part`: such as `1 of 3`, empty for a whole.

    `item`: the name of the item; `code` is its code; `order` is the name in large letters. `mark`: such as `copy 1`;
    `printed`: the time of printing.
    """

    word: str
    order: str
    code: PrintedCode
    fields: tuple[tuple[str, str], ...] = ()
    part: str = ""
    steps: tuple[TravellerStep, ...] = ()
    materials: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    mark: str = ""
    printed: str = ""
    item: str = ""


@dataclass(slots=True)
class _Block:
    """A part of a page with positions from its upper edge; blocks are not divided between pages."""

    height_mm: float
    words: list[TextLine] = field(default_factory=list)
    lines: list[RuledLine] = field(default_factory=list)


def traveller_pages(paper: Paper, traveller: Traveller, encode: Encode) -> list[Page]:
    """The pages of one traveller. Raises `PaperError` where its code does not fit."""
    symbol = place(traveller.code, SYMBOL, encode)
    head = _head(paper, traveller, symbol)
    table_head = _table_head(paper)
    bottom_mm = paper.height_mm - MARGIN_MM - 6
    sheets: list[list[_Block]] = [
        [*_fields(paper, traveller), table_head] if traveller.steps else [*_fields(paper, traveller)]
    ]
    used_mm = head.height_mm + sum(block.height_mm for block in sheets[0])
    for step, block in (
        *((True, _row(paper, step)) for step in traveller.steps),
        *((False, b) for b in _texts(paper, traveller)),
    ):
        if MARGIN_MM + used_mm + block.height_mm > bottom_mm:
            sheets.append([table_head] if step else [])
            used_mm = head.height_mm + sum(each.height_mm for each in sheets[-1])
        sheets[-1].append(block)
        used_mm += block.height_mm
    if MARGIN_MM + used_mm + FOOT_MM > bottom_mm:
        sheets.append([])
    return [_page(paper, traveller, symbol, head, sheets, number) for number in range(1, len(sheets) + 1)]


def _page(
    paper: Paper, traveller: Traveller, symbol: Placed, head: _Block, sheets: list[list[_Block]], number: int
) -> Page:
    words: list[TextLine] = []
    lines: list[RuledLine] = []
    y_mm = MARGIN_MM
    for block in (head, *sheets[number - 1]):
        words += (_moved(text, y_mm) for text in block.words)
        lines += (_moved_line(line, y_mm) for line in block.lines)
        y_mm += block.height_mm
    right_mm = paper.width_mm - MARGIN_MM
    symbols = [symbol.at(right_mm - symbol.width_mm, MARGIN_MM)]
    if number == len(sheets):
        top_mm = paper.height_mm - MARGIN_MM - 6 - FOOT_MM
        lines.append(RuledLine(MARGIN_MM, top_mm, right_mm, top_mm, 0.2, dashed=True))
        symbols.append(symbol.at(right_mm - symbol.width_mm, top_mm + 4))
        words += _foot(traveller, symbol, top_mm, right_mm)
    footing = f"{traveller.printed}" + (f" · page {number} of {len(sheets)}" if len(sheets) > 1 else "")
    if footing:
        words.append(TextLine(footing.removeprefix(" · "), MARGIN_MM, paper.height_mm - MARGIN_MM - 1, _SMALL_MM))
    return Page(
        paper, f"{traveller.word} {traveller.order}", MARGIN_MM, tuple(words), tuple(_joined(lines)), tuple(symbols)
    )


def _head(paper: Paper, traveller: Traveller, symbol: Placed) -> _Block:
    """The word, the order in large letters and the text of the code, to the left of the symbol."""
    within_mm = paper.width_mm - 2 * MARGIN_MM - symbol.width_mm - _GAP_MM
    block = _Block(0)
    title = " · ".join(filter(None, (traveller.word, traveller.part, traveller.mark)))
    block.words.append(TextLine(_one(title, _CELL_MM, within_mm), MARGIN_MM, 3.2, _CELL_MM))
    y_mm = 4.5
    size_mm, lines = _whole(traveller.order, within_mm)
    for line in lines:
        y_mm += size_mm * 1.15
        block.words.append(TextLine(line, MARGIN_MM, y_mm, size_mm, bold=True))
    y_mm += 1.5
    if traveller.code.text != traveller.order:
        for line in broken(traveller.code.text, _PART_MM, within_mm, bold=True):
            y_mm += _PART_MM * _LEADING
            block.words.append(TextLine(line, MARGIN_MM, y_mm, _PART_MM, bold=True))
    block.height_mm = max(y_mm + 2, symbol.height_mm + 1) + 5
    rule_mm = block.height_mm - 4
    block.lines.append(RuledLine(MARGIN_MM, rule_mm, paper.width_mm - MARGIN_MM, rule_mm, 0.5))
    return block


def _whole(text: str, within_mm: float) -> tuple[float, list[str]]:
    """A code in large letters, never cut: the first size at which it has at most two lines, else the smallest."""
    for size_mm in _ORDER_MM:
        lines = broken(text, size_mm, within_mm, bold=True)
        if len(lines) <= 2:
            break
    return size_mm, lines


def _fields(paper: Paper, traveller: Traveller) -> Iterator[_Block]:
    """The fields in two columns."""
    column_mm = (paper.width_mm - 2 * MARGIN_MM) / 2
    for pair in _pairs(traveller.fields):
        block = _Block(0)
        for number, (label, value) in enumerate(pair):
            x_mm = MARGIN_MM + number * column_mm
            block.words.append(TextLine(label, x_mm, 2.4, _LABEL_MM))
            size_mm, lines = fitted(value, _VALUE_MM, column_mm - _GAP_MM, 2)
            y_mm = 3.2
            for line in lines:
                y_mm += size_mm * 1.2
                block.words.append(TextLine(_one(line, size_mm, column_mm - _GAP_MM), x_mm, y_mm, size_mm))
            block.height_mm = max(block.height_mm, y_mm + 3)
        yield block


def _pairs(fields: Sequence[tuple[str, str]]) -> Iterator[Sequence[tuple[str, str]]]:
    return (fields[start : start + 2] for start in range(0, len(fields), 2))


def _edges(paper: Paper) -> list[float]:
    """The left edges of the columns of the route, and the right edge of the last one."""
    edges = [MARGIN_MM]
    for _, width_mm in _COLUMNS[:-1]:
        edges.append(edges[-1] + width_mm)
    return [*edges, paper.width_mm - MARGIN_MM]


def _table_head(paper: Paper) -> _Block:
    edges = _edges(paper)
    words = [
        TextLine(name, x_mm + 1.5, 4.6, _SMALL_MM, bold=True) for (name, _), x_mm in zip(_COLUMNS, edges, strict=False)
    ]
    return _Block(6.5, words, _grid(edges, 6.5, top=True))


def _row(paper: Paper, step: TravellerStep) -> _Block:
    """A row of the route; the materials are below the stage, across the table."""
    edges = _edges(paper)
    words = [TextLine(_one(step.number, _CELL_MM, edges[1] - edges[0] - 2), edges[0] + 1.5, 5.8, _CELL_MM, bold=True)]
    height_mm = 9.5
    for text, column in ((step.stage, 1), (step.scan, 2)):
        within_mm = edges[column + 1] - edges[column] - 3
        size_mm, lines = fitted(text, (4.2, 3.6, 3.2) if column == 1 else (3.4, 3.0), within_mm, _MOST_STAGE_LINES)
        y_mm = 5.8 if len(lines) == 1 else 4.2
        for line in lines:
            words.append(TextLine(_one(line, size_mm, within_mm), edges[column] + 1.5, y_mm, size_mm))
            y_mm += size_mm * 1.15
    lines_mm = _grid(edges, height_mm)
    if step.materials:
        within_mm = edges[-1] - edges[1] - 3
        y_mm = height_mm + 0.4
        for material in step.materials:
            for line in broken(material, _SMALL_MM, within_mm):
                y_mm += _SMALL_MM * _LEADING
                words.append(TextLine(line, edges[1] + 1.5, y_mm, _SMALL_MM))
        below_mm = y_mm + 1.8
        lines_mm += [
            RuledLine(edges[0], below_mm, edges[-1], below_mm),
            *(RuledLine(x_mm, height_mm, x_mm, below_mm) for x_mm in (edges[0], edges[-1])),
        ]
        height_mm = below_mm
    return _Block(height_mm, words, lines_mm)


def _grid(edges: Sequence[float], height_mm: float, *, top: bool = False) -> list[RuledLine]:
    """The lines around the cells of one row."""
    levels_mm = (0.0, height_mm) if top else (height_mm,)
    across = [RuledLine(edges[0], y_mm, edges[-1], y_mm) for y_mm in levels_mm]
    return [*across, *(RuledLine(x_mm, 0, x_mm, height_mm) for x_mm in edges)]


def _texts(paper: Paper, traveller: Traveller) -> Iterator[_Block]:
    """The materials without an operation, and the notes."""
    within_mm = paper.width_mm - 2 * MARGIN_MM
    for title, texts in (("Materials", traveller.materials), ("Notes", traveller.notes)):
        for number, text in enumerate(texts):
            block = _Block(0)
            y_mm = 1.0
            if number == 0:
                y_mm += 5
                block.words.append(TextLine(title, MARGIN_MM, y_mm, _CELL_MM, bold=True))
            for line in broken(text, _CELL_MM, within_mm):
                y_mm += _CELL_MM * _LEADING
                block.words.append(TextLine(line, MARGIN_MM, y_mm, _CELL_MM))
            block.height_mm = y_mm + 1.2
            yield block


def _foot(traveller: Traveller, symbol: Placed, top_mm: float, right_mm: float) -> Iterator[TextLine]:
    """The texts of the tear-off, beside its symbol."""
    within_mm = right_mm - MARGIN_MM - symbol.width_mm - _GAP_MM
    size_mm, lines = _whole(traveller.order, within_mm)
    size_mm = min(size_mm, 7.5)
    y_mm = top_mm + 3
    for line in broken(traveller.order, size_mm, within_mm, bold=True) if size_mm == 7.5 else lines:
        y_mm += size_mm * 1.15
        yield TextLine(line, MARGIN_MM, y_mm, size_mm, bold=True)
    below = [" · ".join(filter(None, (traveller.part, traveller.mark)))]
    if traveller.code.text != traveller.order:
        below.append(traveller.code.text)
    below += [value for _, value in traveller.fields[:2]]
    for text in filter(None, below):
        y_mm += _CELL_MM * _LEADING + 0.4
        if y_mm > top_mm + FOOT_MM - 2:
            return
        yield TextLine(_one(text, _CELL_MM, within_mm), MARGIN_MM, y_mm, _CELL_MM)


def _joined(lines: list[RuledLine]) -> Iterator[RuledLine]:
    """The lines, with vertical ones that continue each other as one: a route has many rows, and each line costs time."""
    open_at: dict[tuple[float, float, float], RuledLine] = {}
    for line in lines:
        if line.x_mm != line.to_x_mm:
            yield line
            continue
        above = open_at.pop((line.x_mm, round(line.y_mm, 3), line.width_mm), None)
        if above is not None:
            line = replace(above, to_y_mm=line.to_y_mm)  # noqa: PLW2901  the longer line
        open_at[line.x_mm, round(line.to_y_mm, 3), line.width_mm] = line
    yield from open_at.values()


def _one(text: str, size_mm: float, within_mm: float) -> str:
    """A text in one line, cut where it is wider."""
    return fitted(text, (size_mm,), within_mm, 1)[1][0]


def _moved(words: TextLine, down_mm: float) -> TextLine:
    return TextLine(words.text, words.x_mm, words.y_mm + down_mm, words.size_mm, words.bold, words.middle)


def _moved_line(line: RuledLine, down_mm: float) -> RuledLine:
    return RuledLine(line.x_mm, line.y_mm + down_mm, line.to_x_mm, line.to_y_mm + down_mm, line.width_mm, line.dashed)
