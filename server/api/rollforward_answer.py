"""The API's answers about the roll-forward: their structs, and their construction from rows and entries."""

import msgspec

from server.api.format import time
from server.api.wip_answer import RowCursor
from server.queries.lag import Lag
from server.queries.roll_forward import RollForward, RollRow


class RollforwardQuery(msgspec.Struct, rename={"from_": "from"}):
    """`from`, `to`: the period, ISO 8601 or UTC us; by default the local month up to now.

    `by`: component, stage, operation, product, order, customer.
    `known`: the position of the ledger at which the opening was known, by default that of the close at `from`, without
    one the position that the ledger had reached then.
    `limit`: rows of one answer, at most 1,000; `cursor`: that of the answer before.
    """

    from_: str = ""
    to: str = ""
    by: str = "component"
    known: str = ""
    limit: int = 1_000
    cursor: str = ""


class RollRowAnswer(msgspec.Struct):
    """One key; null: without the attribute of `by`. `opening_micros` and all of `lines` together are `closing_micros`.

    `lines`: micros by line, those that are not zero: late, material, labour, overhead, outside, finished, normal_scrap,
    abnormal_scrap, counts, closes, revaluation, moved. What leaves the work in process is negative.
    """

    key: str | None
    opening_micros: int
    lines: dict[str, int]
    closing_micros: int


class RollforwardAnswer(msgspec.Struct):
    """How the value of work in process changed from one time to another; rows are sorted by key, and add up to `totals`.

    `gap_millis`: thousandths of micros by which the stock at the end differs from the lines; 0, or the rows are damaged.
    """

    from_: str = msgspec.field(name="from")
    to: str
    known: int
    pos: int
    by: str
    rows: list[RollRowAnswer]
    totals: RollRowAnswer
    gap_millis: int
    cursor: str | None
    behind: int
    behind_s: int
    recalculating: int


def rollforward_answer(roll: RollForward, lag: Lag, after: RowCursor | None, limit: int) -> RollforwardAnswer:
    """The answer of /api/v1/rollforward: `limit` rows after the row of the cursor `after`."""
    start = roll.start_after(after.key) if after else 0
    rows = roll.rows[start : start + limit]
    more = RowCursor(roll.by, rows[-1].key, "") if start + limit < len(roll.rows) else None
    return RollforwardAnswer(
        from_=time(roll.from_us),
        to=time(roll.to_us),
        known=roll.known,
        pos=lag.pos,
        by=roll.by,
        rows=[_row(row) for row in rows],
        totals=_row(roll.total),
        gap_millis=roll.gap,
        cursor=None if more is None else str(more),
        behind=lag.events,
        behind_s=lag.seconds,
        recalculating=lag.queued,
    )


def _row(row: RollRow) -> RollRowAnswer:
    lines = {line.value: micros for line, micros in row.lines.items()}
    return RollRowAnswer(row.key, row.opening, lines, row.closing)
