"""The API's answer about obsolete and excess stock."""

import msgspec

from server.api.format import time
from server.api.obsolete_query import AskedObsolete
from server.queries.lag import Lag
from server.queries.obsolete_stock import ObsoleteRow, obsolete_stock
from server.queries.valuation import Valuation
from station.core.quantity import decimal_text

Place = tuple[int, str, str, str, str, int]


class ObsoleteQuery(msgspec.Struct):
    """`days`: stock that did not move for more than this has a reason, 1 to 9,999.

    `reason`: cancelled, closed, withdrawn, replaced, excess, overdue or not_moved. `as_of`: a past time, ISO 8601; `known`:
    only the events up to this position. `limit`: rows of one answer, at most 1,000; `cursor`: that of the answer before.
    """

    days: int = 90
    reason: str = ""
    stage: str = ""
    product: str = ""
    as_of: str = ""
    known: str = ""
    limit: int = 1_000
    cursor: str = ""


class ObsoleteRowAnswer(msgspec.Struct):
    """Pieces of an item at a stage with the same reasons. `since`: when the first of them came there; `days`: whole days.

    `qty` null: unknown. `complete`: `value_micros` has every cost. `replaced_by`: the successor of `product`.
    """

    item: str
    order: str
    product: str | None
    replaced_by: str | None
    stage: str | None
    state: str
    qty: str | None
    unit: str
    since: str
    days: int
    due: str | None
    reasons: list[str]
    value_micros: int
    complete: bool


class ObsoleteReasonAnswer(msgspec.Struct):
    """All stock with a reason, also beside others. `once_micros`: what has no earlier reason; these add up."""

    reason: str
    items: int
    value_micros: int
    once_micros: int


class ObsoleteTotalAnswer(msgspec.Struct):
    """All chosen rows; an item in two rows is one item here. `all_micros`: the same without the choice of a reason."""

    items: int
    value_micros: int
    unvalued_items: int
    all_micros: int


class ObsoleteAnswer(msgspec.Struct):
    """Stock in process that may be worth less than it costs, as of a time, the highest value first."""

    as_of: str
    known: int
    pos: int
    days: int
    rows: list[ObsoleteRowAnswer]
    reasons: list[ObsoleteReasonAnswer]
    totals: ObsoleteTotalAnswer
    cursor: str | None
    behind: int
    behind_s: int
    recalculating: int


def obsolete_answer(asked: AskedObsolete, lag: Lag, after: Place | None, limit: int) -> ObsoleteAnswer:
    """The answer of /api/v1/obsolete: `limit` rows after the place `after`."""
    table = obsolete_stock(asked.found, asked.chosen)
    rest = [(one, micros) for one, micros in table.rows if after is None or one.place > after]
    shown = rest[:limit]
    more = msgspec.json.encode(shown[-1][0].place).decode() if limit < len(rest) else None
    return ObsoleteAnswer(
        as_of=time(asked.valuation.at_us),
        known=asked.past.known_pos,
        pos=lag.pos,
        days=asked.days,
        rows=[_row(one, micros, asked.valuation) for one, micros in shown],
        reasons=[ObsoleteReasonAnswer(*total) for total in table.reasons],
        totals=ObsoleteTotalAnswer(table.items, table.value_micros, table.unvalued_items, table.all_micros),
        cursor=more,
        behind=lag.events,
        behind_s=lag.seconds,
        recalculating=lag.queued,
    )


def _row(one: ObsoleteRow, micros: int, valuation: Valuation) -> ObsoleteRowAnswer:
    row, product = one.row, valuation.product(one.row)
    return ObsoleteRowAnswer(
        row.item, row.order, row.product, product.replaced_by, row.stage, row.state,
        None if row.qty_milli is None else decimal_text(row.qty_milli), product.unit, time(row.at_stage_since_us), one.days,
        row.due, list(one.reasons), micros, one.complete,
    )  # fmt: skip
