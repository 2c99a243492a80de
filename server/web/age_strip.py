"""Age strip: one tick for each item at a stage, placed by its age at the stage; ages past the target are shaded.

Coordinates are attributes of an SVG in a box of WIDTH by HEIGHT: the content security policy allows no inline styles.

>>> picture = strip([AgeTick("WO-1", 90, True, False), AgeTick("WO-2", 30, False, False)], (), target_s=60, longest_s=90)
>>> picture.shade_x, [mark.x for mark in picture.marks]
(120.0, [177.0, 59.0])
"""

from collections.abc import Sequence
from typing import NamedTuple
from zlib import crc32

from server.queries.stage_ages import BARS, AgeBar
from server.queries.stage_summary import AgeTick

WIDTH = 240.0
HEIGHT = 48.0
TICK_HEIGHT = 9.0


class StripMark(NamedTuple):
    """One tick, or one bar of the histogram: its left edge, its top and its height."""

    x: float
    y: float
    height: float
    late: bool
    held: bool


class AgeStrip(NamedTuple):
    """The marks, the width of each, and the x at which the shade begins (None: no target)."""

    marks: tuple[StripMark, ...]
    width: float
    shade_x: float | None


def strip(ticks: Sequence[AgeTick], bars: Sequence[AgeBar], target_s: int | None, longest_s: int) -> AgeStrip:
    """The strip of some ages: their bars where there are any, else a tick for each.

    The box spans twice the target; without a target it spans `longest_s`, the line's maximum.
    """
    shade = WIDTH / 2 if target_s else None
    if bars:
        return AgeStrip(_bars(bars), WIDTH / BARS - 1, shade)
    span = 2 * target_s if target_s else max(longest_s, 1)
    return AgeStrip(tuple(_mark(tick, span) for tick in ticks), 3.0, shade)


def _mark(tick: AgeTick, span: int) -> StripMark:
    # The height has no meaning. A hash of the item separates the ticks and keeps each at its place between refreshes.
    y = crc32(tick.item.encode("utf-8", "replace")) % 1000 / 1000 * (HEIGHT - TICK_HEIGHT - 2) + 1
    return StripMark(round(_x(tick, span), 1), round(y, 1), TICK_HEIGHT, tick.late, tick.held)


def _x(tick: AgeTick, span: int) -> float:
    return min(tick.age_s / span, 1.0) * (WIDTH - 4)


def _bars(bars: Sequence[AgeBar]) -> tuple[StripMark, ...]:
    most = max(bar.rows for bar in bars)
    return tuple(
        StripMark(
            round(bar.bar * WIDTH / BARS, 1),
            round(HEIGHT - bar.rows / most * (HEIGHT - 2), 1),
            round(bar.rows / most * (HEIGHT - 2), 1),
            bar.late,
            bar.held,
        )
        for bar in bars
    )
