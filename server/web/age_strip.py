"""Age strip: one tick for each item at a stage, placed by its age at the stage; ages past the target are shaded.

Coordinates are attributes of an SVG in a box of WIDTH by HEIGHT: the content security policy allows no inline styles.

>>> picture = strip([AgeTick("WO-1", 90, True, False), AgeTick("WO-2", 30, False, False)], target_s=60, longest_s=90)
>>> picture.shade_x, [mark.x for mark in picture.marks]
(120.0, [177.0, 59.0])
"""

from collections.abc import Sequence
from typing import NamedTuple
from zlib import crc32

from server.queries.stage_summary import AgeTick

WIDTH = 240.0
HEIGHT = 48.0
TICK_HEIGHT = 9.0
MOST_TICKS = 240  # above this number a histogram is drawn
BARS = 40


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


def strip(ticks: Sequence[AgeTick], target_s: int | None, longest_s: int) -> AgeStrip:
    """The strip of some ages. The box spans twice the target; without a target it spans `longest_s`, the line's maximum."""
    span = 2 * target_s if target_s else max(longest_s, 1)
    shade = WIDTH / 2 if target_s else None
    if len(ticks) > MOST_TICKS:
        return AgeStrip(_bars(ticks, span), WIDTH / BARS - 1, shade)
    return AgeStrip(tuple(_mark(tick, span) for tick in ticks), 3.0, shade)


def _mark(tick: AgeTick, span: int) -> StripMark:
    # The height has no meaning. A hash of the item separates the ticks and keeps each at its place between refreshes.
    y = crc32(tick.item.encode("utf-8", "replace")) % 1000 / 1000 * (HEIGHT - TICK_HEIGHT - 2) + 1
    return StripMark(round(_x(tick, span), 1), round(y, 1), TICK_HEIGHT, tick.late, tick.held)


def _x(tick: AgeTick, span: int) -> float:
    return min(tick.age_s / span, 1.0) * (WIDTH - 4)


def _bars(ticks: Sequence[AgeTick], span: int) -> tuple[StripMark, ...]:
    counts: dict[int, list[AgeTick]] = {}
    for tick in ticks:
        counts.setdefault(min(int(tick.age_s / span * BARS), BARS - 1), []).append(tick)
    most = max(map(len, counts.values()))
    return tuple(
        StripMark(
            round(bar * WIDTH / BARS, 1),
            round(HEIGHT - len(in_bar) / most * (HEIGHT - 2), 1),
            round(len(in_bar) / most * (HEIGHT - 2), 1),
            all(tick.late for tick in in_bar),
            all(tick.held for tick in in_bar),
        )
        for bar, in_bar in sorted(counts.items())
    )
