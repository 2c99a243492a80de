"""Count accuracy: how many lines of each finished count agree at each stage, and the money of those that do not.

The figures follow from the scans and moves as they are known now: a late scan that explains a difference makes its line
agree. What was booked of a difference does not change them.
"""

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection

from server.queries.count_lines import CountLine, LineKind, count_lines
from server.queries.counts import FINISHED, Count, all_counts

NOT_COMPARED = frozenset({LineKind.UNCOUNTED, LineKind.MOVED})  # nobody compared them with the floor
TENTHS = 1_000  # of a percent, in the whole


def share_ppm(agree: int, lines: int) -> int:
    """The share of lines that agree, in millionths, rounded down to a tenth of a percent.

    >>> share_ppm(2, 3), share_ppm(1999, 2000)
    (666000, 999000)
    """
    return agree * TENTHS // lines * (1_000_000 // TENTHS)


class StageAccuracy(NamedTuple):
    """A stage in one count or several: its compared lines, those that agree, and the money of the others in micros.

    `net`: more less less; `absolute`: without signs; `uncosted`: lines whose value is not known. What the ledger has at
    another stage does not agree and is in neither sum: it is worth about the same there.
    """

    stage: str
    lines: int
    agree: int
    net_micros: int
    absolute_micros: int
    uncosted: int

    @property
    def agree_ppm(self) -> int:
        """The share of lines that agree, in millionths; down to a tenth of a percent, so that 100 % is all of them."""
        return share_ppm(self.agree, self.lines)


class CountAccuracy(NamedTuple):
    """A finished count, by stage."""

    of: Count
    stages: list[StageAccuracy]


def finished_counts(connection: Connection) -> list[Count]:
    """The finished counts, the one that was finished last first."""
    finished = [count for count in all_counts(connection) if count.how == FINISHED]
    return sorted(finished, key=lambda count: count.ended_us or 0, reverse=True)


def count_accuracy(connection: Connection, count: Count, stage: str | None = None) -> CountAccuracy:
    """The accuracy of a finished count at each of its stages, or at one of them."""
    lines = count_lines(connection, count, count.ended_us or 0)
    by_stage: dict[str, list[CountLine]] = {}
    for line in lines:
        if line.kind not in NOT_COMPARED and stage in (None, line.stage):
            by_stage.setdefault(line.stage, []).append(line)
    return CountAccuracy(count, [_of_stage(name, by_stage[name]) for name in sorted(by_stage)])


def _of_stage(stage: str, lines: list[CountLine]) -> StageAccuracy:
    valued = [line for line in lines if line.kind not in (LineKind.ELSEWHERE, LineKind.AGREES)]
    micros = [line.micros for line in valued if line.micros is not None]
    agree = sum(line.kind is LineKind.AGREES for line in lines)
    absolute = sum(abs(one) for one in micros)
    return StageAccuracy(stage, len(lines), agree, sum(micros), absolute, len(valued) - len(micros))


def together(counts: Iterable[CountAccuracy]) -> list[StageAccuracy]:
    """Each stage over several counts, the lowest share of lines that agree first."""
    sums: dict[str, StageAccuracy] = {}
    for count in counts:
        for one in count.stages:
            known = sums.get(one.stage)
            figures = one[1:] if known is None else [a + b for a, b in zip(known[1:], one[1:], strict=True)]
            sums[one.stage] = StageAccuracy(one.stage, *figures)
    return sorted(sums.values(), key=lambda one: (one.agree_ppm, one.stage))
