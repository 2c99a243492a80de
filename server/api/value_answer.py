"""The API's answers about the value of work in process: their structs, and their construction from slices."""

import msgspec

from server.api.format import time
from server.api.wip_answer import RowCursor
from server.queries.lag import Lag
from server.queries.value_slices import ValueRow, ValueSlices, ValueTotal
from station.core.quantity import decimal_text


class ValueQuery(msgspec.Struct):
    """`by`, `across`: stage, operation, product, order, customer, age, item, component.

    Each of these words may also select: `stage=saw` answers for what is at the saw, `stage=` for what is at no stage.
    `as_of`: a past time, ISO 8601; `known`: only the events up to this position. `limit`: rows of one answer, at most 1,000;
    `cursor`: that of the answer before.
    """

    by: str = "stage"
    across: str = "component"
    as_of: str = ""
    known: str = ""
    stage: str | None = None
    operation: str | None = None
    product: str | None = None
    order: str | None = None
    customer: str | None = None
    age: str | None = None
    item: str | None = None
    component: str | None = None
    limit: int = 1_000
    cursor: str = ""


class ValueRowAnswer(msgspec.Struct):
    """One key in one unit. `key` null: without the attribute of `by`.

    `qty`: pieces; of a material component the quantity of it that is in them; null for labour, overhead and outside work.
    `parts`: `value_micros` by the attribute of `across`, the key "" for none. An operation is `routing/number`.
    """

    key: str | None
    unit: str | None
    items: int
    qty: str | None
    value_micros: int
    parts: dict[str, int]
    unvalued_items: int
    unvalued_qty: str


class ValueTotalAnswer(msgspec.Struct):
    """All rows, also those of other pages; an item in two rows is one item here. `parts` as in a row."""

    value_micros: int
    parts: dict[str, int]
    items: int
    unvalued_items: int


class ValueAnswer(msgspec.Struct):
    """The value of work in process as of a time; rows are sorted by key and unit. Rows and parts add up to `totals`."""

    as_of: str
    known: int
    pos: int
    by: str
    across: str
    rows: list[ValueRowAnswer]
    totals: ValueTotalAnswer
    cursor: str | None
    behind: int
    behind_s: int
    recalculating: int


def value_answer(
    slices: ValueSlices, at_us: int, known: int, lag: Lag, after: RowCursor | None, limit: int
) -> ValueAnswer:
    """The answer of /api/v1/value: `limit` rows after the row of the cursor `after`."""
    start = slices.start_after(after.key, after.unit) if after else 0
    rows = slices.rows[start : start + limit]
    more = RowCursor(slices.by, rows[-1].key, rows[-1].unit or "") if start + limit < len(slices.rows) else None
    return ValueAnswer(
        as_of=time(at_us),
        known=known,
        pos=lag.pos,
        by=slices.by,
        across=slices.across,
        rows=[_row(row) for row in rows],
        totals=_total(slices.total),
        cursor=None if more is None else str(more),
        behind=lag.events,
        behind_s=lag.seconds,
        recalculating=lag.queued,
    )


def _row(row: ValueRow) -> ValueRowAnswer:
    return ValueRowAnswer(
        row.key, row.unit, row.items, None if row.qty_milli is None else decimal_text(row.qty_milli), row.value_micros,
        row.parts, row.unvalued_items, decimal_text(row.unvalued_milli),
    )  # fmt: skip


def _total(total: ValueTotal) -> ValueTotalAnswer:
    return ValueTotalAnswer(total.value_micros, total.parts, total.items, total.unvalued_items)
