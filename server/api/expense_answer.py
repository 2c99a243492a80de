"""The API's answer about the expense of a period: abnormal scrap by reason, and work that was done again by operation."""

from collections.abc import Iterable

import msgspec

from server.api.format import time
from server.queries.lag import Lag
from server.queries.period_expense import ExpenseRow
from server.queries.roll_forward import Period


class ExpenseQuery(msgspec.Struct, rename={"from_": "from"}):
    """The period, as that of /api/v1/rollforward."""

    from_: str = ""
    to: str = ""
    known: str = ""


class ExpenseRowAnswer(msgspec.Struct):
    """A row. `cause`: abnormal_scrap or rework, by `reason` (null: none was scanned); rework by its operation too.

    `kinds`: micros by kind of cost (material, labour, overhead, outside), those that are not zero; `micros`: their sum.
    `uncosted_qty`: thousandths that were passed again and whose work has no known cost. Quantities are in `unit`.
    """

    cause: str
    reason: str | None
    routing: str | None
    op: int | None
    stage: str | None
    unit: str
    qty_milli: int
    kinds: dict[str, int]
    micros: int
    uncosted_qty_milli: int


class ExpenseAnswer(msgspec.Struct):
    """The expense of a period as known now; the rows of abnormal scrap add up to the line of the roll-forward."""

    from_: str = msgspec.field(name="from")
    to: str
    rows: list[ExpenseRowAnswer]
    total_micros: int
    pos: int
    behind: int
    behind_s: int
    recalculating: int


def expense_answer(period: Period, rows: Iterable[ExpenseRow], lag: Lag) -> ExpenseAnswer:
    """The answer of /api/v1/rollforward/expense."""
    found = [
        ExpenseRowAnswer(
            row.key.cause.value, row.key.reason, row.key.routing, row.key.op, row.key.stage, row.key.unit, row.qty_milli,
            {kind.value: micros for kind, micros in row.kinds.items()}, row.micros, row.uncosted_milli,
        )
        for row in rows
    ]  # fmt: skip
    total = sum(row.micros for row in found)
    return ExpenseAnswer(time(period.from_us), time(period.to_us), found, total, *lag)
