"""Stage ages: how long the pieces at each stage have been there, one by one or, of many pieces, in bars.

>>> bar_starts_s(span_s=80)[:3]
[0, 2, 4]
"""

from bisect import bisect_right
from typing import NamedTuple

from server.queries.stock_groups import Form, Grouped
from server.queries.valuation import Valuation

MOST_TICKS = 240
BARS = 40
SECOND_US = 1_000_000


class StageSum(NamedTuple):
    """The items on hold and past the target, the pieces, and the arrival of the oldest one and of the median (UTC us)."""

    held_items: int
    late_items: int
    rows: int
    oldest_us: int
    median_us: int


class PieceAge(NamedTuple):
    """A piece at a stage of few pieces."""

    item: str
    at_stage_since_us: int
    late: bool
    held: bool


class AgeBar(NamedTuple):
    """The pieces of one of BARS bars of a stage of many pieces; `late`, `held`: all of them."""

    bar: int
    rows: int
    late: bool
    held: bool


class StageAges(NamedTuple):
    """By stage: its sums, and either its pieces or its bars."""

    stages: dict[str, StageSum]
    pieces: dict[str, list[PieceAge]]
    bars: dict[str, list[AgeBar]]


def stage_ages(begun: Grouped, valuation: Valuation, most_ticks: int) -> StageAges:
    """The ages of the pieces in process. `most_ticks`: pieces at a stage that are listed one by one.

    Of an even number, the median is the later of the middle two arrivals: the lower of the two ages.
    """
    at_us, targets = valuation.at_us, targets_of(valuation)
    at: dict[str, Grouped] = {}
    for group, pieces in begun:
        at.setdefault(group.stage, []).append((group, pieces))
    arrivals = {stage: sorted(us for _, pieces in of_stage for us in pieces.since_us) for stage, of_stage in at.items()}
    oldest_us = min((times[0] for stage, times in arrivals.items() if stage not in targets), default=at_us)
    longest_s = max((at_us - oldest_us) // SECOND_US, 1)
    found = StageAges({}, {}, {})
    for stage, of_stage in at.items():
        times, target_s = arrivals[stage], targets.get(stage)
        late_us = -1 if target_s is None else at_us - (target_s + 1) * SECOND_US  # what arrived up to then is late
        on_hold = [pieces for group, pieces in of_stage if group.form == Form.HELD]
        held = {item for pieces in on_hold for item in pieces.items}
        late = {
            item
            for _, pieces in of_stage
            for item, us in zip(pieces.items, pieces.since_us, strict=True)
            if us <= late_us
        }
        found.stages[stage] = StageSum(len(held), len(late), len(times), times[0], times[len(times) // 2])
        if len(times) <= most_ticks:
            found.pieces[stage] = [
                PieceAge(item, us, us <= late_us, group.form == Form.HELD)
                for group, pieces in of_stage
                for item, us in zip(pieces.items, pieces.since_us, strict=True)
            ]
        else:
            times_held = sorted(us for pieces in on_hold for us in pieces.since_us)
            span_s = 2 * target_s if target_s else longest_s
            found.bars[stage] = _bars(times, times_held, at_us, span_s, late_us)
    return found


def targets_of(valuation: Valuation) -> dict[str, int]:
    """The target of each stage that has one, in seconds."""
    master_data, found = valuation.master_data, {}
    for name in master_data.names("stage.define"):
        stage = master_data.stage(name, valuation.at_us)
        if stage is not None and stage.target_s:
            found[name] = stage.target_s
    return found


def bar_starts_s(span_s: int) -> list[int]:
    """The lowest age in whole seconds of each bar, where the bars span `span_s`; the last one has all greater ages."""
    return [-(-bar * span_s // BARS) for bar in range(BARS)]


def _bars(times: list[int], on_hold: list[int], at_us: int, span_s: int, late_us: int) -> list[AgeBar]:
    """The bars that have pieces. `times`, `on_hold`: the arrivals of all, and of those on hold, in ascending order."""
    last_us = [at_us - start_s * SECOND_US for start_s in bar_starts_s(span_s)]
    bars, before, held_before = [], 0, 0
    for bar in range(BARS - 1, -1, -1):  # the oldest first
        until, held_until = len(times), len(on_hold)
        if bar:  # the first bar also has what arrived after the time
            until, held_until = bisect_right(times, last_us[bar]), bisect_right(on_hold, last_us[bar])
        rows, held = until - before, held_until - held_before
        if rows:
            bars.append(AgeBar(bar, rows, times[until - 1] <= late_us, held == rows))
        before, held_before = until, held_until
    return bars[::-1]
