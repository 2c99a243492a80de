"""Value pictures: the value over time, stacked by kind of cost, and the value by age, drawn as SVG with their sentences.

Each column or bar is a link to the value that it shows. Coordinates are attributes, because the content security policy
allows no inline styles.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from server.locale_format import LocaleFormat
from server.queries.value_history import CostKind, ValuePoint
from server.queries.value_slices import AGES, ValueRow

WIDTH = 960.0
LEFT = 90.0  # of the amounts
TOP = 10.0
HEIGHT = 220.0  # of the columns
STRIP_TOP = TOP + HEIGHT + 26  # of the items without cost, below the days
STRIP = 28.0
BOTTOM = STRIP_TOP + STRIP + 4
DAYS_NAMED = 10
BAR = 20.0
ROW = 34.0


class Block(NamedTuple):
    """A part of a column: its kind, top and height."""

    kind: str
    y: float
    height: float


class ValueColumn(NamedTuple):
    """The value at one time: its left edge and width, its blocks from the bottom up, the strip's block, and its words."""

    at_us: int
    x: float
    width: float
    blocks: tuple[Block, ...]
    lacking: Block | None
    title: str


class HistoryPicture(NamedTuple):
    """The columns, named amounts as (y, text), named days as (x, text), the most items without cost, and the sentence."""

    columns: tuple[ValueColumn, ...]
    amounts: tuple[tuple[float, str], ...]
    days: tuple[tuple[float, str], ...]
    most_lacking: int
    sentence: str


def history_picture(found: Sequence[ValuePoint], locale: LocaleFormat) -> HistoryPicture | None:
    """The picture of a value history; None where nothing was in process at any of its times."""
    if not any(point.items for point in found):
        return None
    most = max(1, *(point.micros for point in found))
    most_lacking = max(point.unvalued_items for point in found)
    room = (WIDTH - LEFT) / len(found)
    columns = tuple(
        _column(point, round(LEFT + number * room, 1), round(room * 0.86, 1), (most, most_lacking), locale)
        for number, point in enumerate(found)
    )
    amounts = tuple(
        (round(TOP + HEIGHT * (1 - share), 1), locale.money(round(most * share), whole=True)) for share in (0, 0.5, 1)
    )
    every = -(-len(found) // DAYS_NAMED)
    days = tuple((column.x, f"{locale.local(column.at_us):%m-%d}") for column in columns[::every])
    return HistoryPicture(columns, amounts, days, most_lacking, _sentence(found, locale))


def _column(point: ValuePoint, x: float, width: float, most: tuple[int, int], locale: LocaleFormat) -> ValueColumn:
    blocks, y = [], TOP + HEIGHT
    for kind in CostKind:
        height = round(HEIGHT * max(point.kinds[kind], 0) / most[0], 1)
        y = round(y - height, 1)
        if height:
            blocks.append(Block(kind, y, height))
    lacking = round(STRIP * point.unvalued_items / max(most[1], 1), 1)
    strip = Block("lacking", round(STRIP_TOP + STRIP - lacking, 1), lacking) if lacking else None
    title = f"{locale.at(point.at_us)}: {locale.money(point.micros)} in {locale.plural(point.items, 'item')}"
    title += f", {locale.number(point.unvalued_items)} of them without full cost" if point.unvalued_items else ""
    return ValueColumn(point.at_us, x, width, tuple(blocks), strip, title)


def _sentence(found: Sequence[ValuePoint], locale: LocaleFormat) -> str:
    """The value at both ends, the highest, and what has no cost."""
    first, last = found[0], found[-1]
    top = max(found, key=lambda point: point.micros)
    text = (
        f"{locale.money(first.micros)} became {locale.money(last.micros)}; the highest value was"
        f" {locale.money(top.micros)}, on {locale.local(top.at_us):%Y-%m-%d}"
    )
    if last.unvalued_items:
        text += f". At the end {locale.plural(last.unvalued_items, 'item')} had no full cost"
    return f"{text}."


class ValueAgeBar(NamedTuple):
    """An age: its key, top, width, words, and the text at its end."""

    age: str
    y: float
    width: float
    name: str
    text: str


class AgePicture(NamedTuple):
    """The bars, the height of the picture, and its sentence."""

    bars: tuple[ValueAgeBar, ...]
    height: float
    sentence: str


def age_picture(rows: Iterable[ValueRow], locale: LocaleFormat) -> AgePicture | None:
    """The value by age, one bar for each of `AGES`; None where nothing has a value and a known age."""
    micros = dict.fromkeys(AGES, 0)
    pieces: dict[str, list[str]] = {age: [] for age in AGES}
    for row in rows:
        if row.key in micros:
            micros[row.key] += row.value_micros
            pieces[row.key].append(locale.quantity(row.qty_milli or 0, row.unit or "", 0))
    most, whole = max(micros.values()), sum(micros.values())
    if most <= 0:
        return None
    bars = tuple(
        ValueAgeBar(
            age,
            number * ROW + (ROW - BAR) / 2,
            round((WIDTH - 2.8 * LEFT - 160) * max(micros[age], 0) / most, 1),
            f"{age.replace('-', ' to ')} days",
            f"{locale.money(micros[age])}{', ' if pieces[age] else ''}{' + '.join(pieces[age])}",
        )
        for number, age in enumerate(AGES)
    )
    old = sum(micros[age] for age in AGES[1:])
    what = f"{locale.money(old)}, {100 * old // whole} % of the value," if old else "Nothing of value"
    sentence = f"{what} has been in process for more than 30 days."
    return AgePicture(bars, len(AGES) * ROW, sentence)
