"""Page layout: what a printable page must keep free, as rectangles in mm: left, top, right, bottom."""

from itertools import combinations

from station.core.printing import Page, Symbol, TextLine
from station.core.printing.text_width import width_mm

Rectangle = tuple[float, float, float, float]


def around(symbol: Symbol) -> Rectangle:
    """A symbol with its quiet zones."""
    upper = 0 if symbol.symbology.is_bars else symbol.quiet_mm
    return (
        symbol.x_mm - symbol.quiet_mm, symbol.y_mm - upper,
        symbol.x_mm + symbol.width_mm + symbol.quiet_mm, symbol.y_mm + symbol.height_mm + upper,
    )  # fmt: skip


def box(words: TextLine) -> Rectangle:
    """Where words may put ink: from the tallest letter to the lowest."""
    wide = width_mm(words.text, words.size_mm, bold=words.bold)
    left = words.x_mm - (wide / 2 if words.middle else 0)
    return left, words.y_mm - 0.76 * words.size_mm, left + wide, words.y_mm + 0.24 * words.size_mm


def overlap(one: Rectangle, other: Rectangle) -> bool:
    """Whether two rectangles have room in common."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def layout_faults(page: Page) -> list[str]:
    """Ink outside the margins or in a quiet zone, and symbols or words that overlap."""
    margin = page.margin_mm - 1e-6
    limits = (margin, margin, page.paper.width_mm - margin, page.paper.height_mm - margin)
    quiet = [(f"symbol {symbol.text}", around(symbol)) for symbol in page.symbols]
    words = [(f"words {each.text!r}", box(each)) for each in page.words]
    lines = [("line", (each.x_mm, each.y_mm, each.to_x_mm, each.to_y_mm)) for each in page.lines]
    faults = [
        f"{page.title}: {name} at {place} is outside {limits}"
        for name, place in (*quiet, *words, *lines)
        if not (limits[0] <= place[0] and limits[1] <= place[1] and place[2] <= limits[2] and place[3] <= limits[3])
    ]
    pairs = [
        *((one, other) for one in quiet for other in (*words, *lines)),
        *combinations(quiet, 2),
        *combinations(words, 2),
    ]
    faults += [f"{page.title}: {one[0]} and {other[0]} overlap" for one, other in pairs if overlap(one[1], other[1])]
    return faults
