"""The API's answers about counts: their structs, and their construction."""

from typing import Annotated, Literal

import msgspec

from server.accounting.count_acceptance import DecidableCount
from server.api.format import time
from server.ledger.count_check import MOST_WHY
from server.queries.count_accuracy import CountAccuracy
from server.queries.count_bookings import CountBooking
from server.queries.count_decisions import CountDecision
from server.queries.count_lines import CountLine
from server.queries.counts import Count
from station.core.protocol import ShortText

MOST_DECIDED = 1_000  # lines of one decision


class CountsQuery(msgspec.Struct):
    """`limit` at most 1,000; `cursor` of the answer before."""

    limit: str = ""
    cursor: str = ""


class CountAnswer(msgspec.Struct):
    """A count. `stages`: its scope, empty: everything. `how`: open, finished, cancelled. `blind`: see the lines."""

    count: str
    stages: list[str]
    blind: bool
    why: str
    opened: str
    ended: str | None
    how: str


class CountsAnswer(msgspec.Struct):
    """Counts, the newest first; `cursor` leads to the next page, null on the last."""

    counts: list[CountAnswer]
    cursor: str | None
    pos: int
    behind: int
    behind_s: int
    recalculating: int


class ElsewhereAnswer(msgspec.Struct):
    """Another stage at which the ledger has the item, or it was counted; quantity in thousandths, null: unknown."""

    stage: str
    qty_milli: int | None


class BookingAnswer(msgspec.Struct):
    """What accepting the line does. `etag` names the line in a decision; `obstacle`: why it cannot be booked, null: it can.

    `above`: its value is above the limit, or not known: another person accepts it.
    """

    etag: str
    obstacle: str | None
    above: bool


class DecisionAnswer(msgspec.Struct):
    """`how`: accepted, rejected. `difference_milli`, `value_micros`: of the line then. `log`, `seq`: what a void names."""

    how: str
    why: str
    by: str
    at: str
    difference_milli: int | None
    value_micros: int | None
    log: str
    seq: int


class DecisionsBody(msgspec.Struct, forbid_unknown_fields=True):
    """Accept or reject lines, all or none. `lines`: their etags. `why`: the reason of a rejection. `by`: of a token only."""

    how: Literal["accepted", "rejected"]
    lines: Annotated[list[str], msgspec.Meta(min_length=1, max_length=MOST_DECIDED)]
    why: Annotated[str, msgspec.Meta(max_length=MOST_WHY)] = ""
    by: ShortText | None = None


class CountLineAnswer(msgspec.Struct):
    """An item at a stage. Quantities in thousandths, null: unknown. `value_micros`: of the difference or of what is missing.

    `kind`: differs, missing, elsewhere, found, unknown, uncounted, moved, agrees; null, as all that the ledger expects, in a
    blind count that goes on. `expected_milli`: by the ledger at the moment of the scan. `scans`: the last one counts.
    `also_counted_at`: other stages where it was counted; `counted_twice`: together they have more than there is.
    `booking`: of a line of a finished count that needs a decision; `decision`: of one that has it.
    """

    kind: str | None
    item: str
    stage: str
    product: str | None
    opening_milli: int | None
    expected_milli: int | None
    counted_milli: int | None
    difference_milli: int | None
    value_micros: int | None
    since: str | None
    elsewhere: list[ElsewhereAnswer]
    also_counted_at: list[ElsewhereAnswer]
    counted_twice: bool
    scans: int
    counted: str | None
    operator: str | None
    station: str | None
    booking: BookingAnswer | None
    decision: DecisionAnswer | None


class CountLinesAnswer(msgspec.Struct):
    """One count and its lines in the order of items and stages; `cursor` leads to the next page, null on the last.

    `limit_micros`: above it, without sign, another person accepts a line; null: there is no limit.
    """

    count: CountAnswer
    limit_micros: int | None
    lines: list[CountLineAnswer]
    total: int
    cursor: str | None
    pos: int
    behind: int
    behind_s: int
    recalculating: int


class AccuracyQuery(msgspec.Struct):
    """`stage`: only this one. `limit` at most 50; `cursor` of the answer before."""

    stage: str = ""
    limit: str = ""
    cursor: str = ""


class StageAccuracyAnswer(msgspec.Struct):
    """A stage in a count. `lines`: those that were compared. `net_micros`, `absolute_micros`: of those that do not agree.

    `uncosted`: lines without a known value. What is at another stage than recorded is in neither sum.
    """

    stage: str
    lines: int
    agree: int
    net_micros: int
    absolute_micros: int
    uncosted: int


class CountAccuracyAnswer(msgspec.Struct):
    """A finished count, and each stage at which a line of it was compared."""

    count: str
    opened: str
    ended: str
    stages: list[StageAccuracyAnswer]


class AccuraciesAnswer(msgspec.Struct):
    """Finished counts, the newest first; `cursor` leads to the next page, null on the last."""

    counts: list[CountAccuracyAnswer]
    cursor: str | None
    pos: int
    behind: int
    behind_s: int
    recalculating: int


def accuracy_answer(found: CountAccuracy) -> CountAccuracyAnswer:
    """One finished count of the API."""
    count, stages = found.of, [StageAccuracyAnswer(*one) for one in found.stages]
    return CountAccuracyAnswer(count.name, time(count.opened_us), time(count.ended_us or 0), stages)


def count_answer(count: Count) -> CountAnswer:
    """One count of the API."""
    ended = None if count.ended_us is None else time(count.ended_us)
    return CountAnswer(count.name, list(count.stages), count.blind, count.why, time(count.opened_us), ended, count.how)


def count_line_answer(line: CountLine, known: DecidableCount) -> CountLineAnswer:
    """One line of the API."""
    scan, hidden, at = line.scan, known.of.is_hidden, (line.item, line.stage)
    booking, decision = known.bookings.get(at), known.decided.get(at)
    return CountLineAnswer(
        None if hidden else line.kind.value, line.item, line.stage, line.product, line.opening_milli, line.expected_milli,
        line.counted_milli, line.difference_milli, line.micros, None if line.since_us is None else time(line.since_us),
        [ElsewhereAnswer(*there) for there in line.elsewhere], [ElsewhereAnswer(*there) for there in line.also],
        line.twice, line.times, time(scan.at_us) if scan else None,
        scan.operator if scan else None, scan.station if scan else None,
        None if booking is None else _booking(booking, known.limit), None if decision is None else _decision(decision),
    )  # fmt: skip


def _booking(booking: CountBooking, limit: int | None) -> BookingAnswer:
    obstacle = booking.obstacle
    return BookingAnswer(
        booking.etag, None if obstacle is None else f"{obstacle.why}. {obstacle.do}", booking.is_above(limit)
    )


def _decision(decision: CountDecision) -> DecisionAnswer:
    return DecisionAnswer(
        decision.how, decision.why, decision.by, time(decision.at_us), decision.difference_milli, decision.micros,
        *decision.place,
    )  # fmt: skip
