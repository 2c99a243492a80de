"""The API's answers about counts: their structs, and their construction."""

import msgspec

from server.api.format import time
from server.queries.count_lines import CountLine
from server.queries.counts import Count


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
    """Another stage at which the ledger has the item; quantity in thousandths, null: unknown."""

    stage: str
    qty_milli: int | None


class CountLineAnswer(msgspec.Struct):
    """An item at a stage. Quantities in thousandths, null: unknown. `value_micros`: of the difference or of what is missing.

    `kind`: differs, missing, elsewhere, found, unknown, uncounted, moved, agrees; null, as all that the ledger expects, in a
    blind count that goes on. `expected_milli`: by the ledger at the moment of the scan. `scans`: the last one counts.
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
    scans: int
    counted: str | None
    operator: str | None
    station: str | None


class CountLinesAnswer(msgspec.Struct):
    """One count and its lines in the order of items and stages; `cursor` leads to the next page, null on the last."""

    count: CountAnswer
    lines: list[CountLineAnswer]
    total: int
    cursor: str | None
    pos: int
    behind: int
    behind_s: int
    recalculating: int


def count_answer(count: Count) -> CountAnswer:
    """One count of the API."""
    ended = None if count.ended_us is None else time(count.ended_us)
    return CountAnswer(count.name, list(count.stages), count.blind, count.why, time(count.opened_us), ended, count.how)


def count_line_answer(line: CountLine, *, hidden: bool) -> CountLineAnswer:
    """One line of the API. `hidden`: of a blind count that goes on."""
    scan = line.scan
    return CountLineAnswer(
        None if hidden else line.kind.value, line.item, line.stage, line.product, line.opening_milli, line.expected_milli,
        line.counted_milli, line.difference_milli, line.micros, None if line.since_us is None else time(line.since_us),
        [ElsewhereAnswer(*there) for there in line.elsewhere], line.times, time(scan.at_us) if scan else None,
        scan.operator if scan else None, scan.station if scan else None,
    )  # fmt: skip
