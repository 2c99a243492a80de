"""The API's answers about closed periods: their structs, and their construction from stored closes."""

import msgspec

from server.api.format import decimal, time
from server.queries.closed_periods import ClosedPeriod
from server.queries.restatement import Restatement
from server.queries.stock_listing import ListingFigures


class ClosedPeriodAnswer(msgspec.Struct):
    """One stored close. `id`: the position of its entry; `known`: the position up to which it counted; hashes in hex.

    `holds`: it is neither reopened nor replaced by a later close of the same time.
    """

    id: int
    until: str
    recorded: str
    by: str
    why: str
    holds: bool
    known: int
    head: str
    version: str
    listing_sha256: str
    value_micros: int
    items: int
    unvalued_items: int
    lines: int


class PeriodsQuery(msgspec.Struct):
    """`limit` at most 1,000; `cursor`: that of the answer before."""

    limit: int = 1_000
    cursor: str = ""


class PeriodsAnswer(msgspec.Struct):
    """The stored closes, the newest end first; `cursor` leads to the next page, null on the last one."""

    periods: list[ClosedPeriodAnswer]
    cursor: str | None


class StageValueAnswer(msgspec.Struct):
    """The stored value at one stage; null: between stages."""

    stage: str | None
    value_micros: int


class UnitQuantityAnswer(msgspec.Struct):
    """The stored quantity of one unit, and the number of its items."""

    unit: str
    qty: str | None
    items: int


class RestatementAnswer(msgspec.Struct):
    """stored_micros + the sum of `causes` = now_micros.

    Causes: late_scans, corrections, entries, definitions (routings and others that were entered later), computation (by
    another version of the software), prices.
    """

    stored_micros: int
    causes: dict[str, int]
    now_micros: int


class PeriodAnswer(msgspec.Struct):
    """A stored close with its figures, which add up to its value, and its restatement as known now.

    `components`, `stages` and `quantities` come from the listing.
    """

    period: ClosedPeriodAnswer
    components: dict[str, int]
    stages: list[StageValueAnswer]
    quantities: list[UnitQuantityAnswer]
    restatement: RestatementAnswer
    pos: int


def closed_answer(closed: ClosedPeriod) -> ClosedPeriodAnswer:
    """The answer about one stored close."""
    return ClosedPeriodAnswer(
        closed.pos, time(closed.closed_us), time(closed.recorded_us), *closed[3:],
    )  # fmt: skip


def period_answer(closed: ClosedPeriod, figures: ListingFigures, restated: Restatement, pos: int) -> PeriodAnswer:
    """The answer of /api/v1/periods/<id>."""
    return PeriodAnswer(
        closed_answer(closed),
        figures.components,
        [StageValueAnswer(stage, micros) for stage, micros in figures.stages.items()],
        [UnitQuantityAnswer(of.unit, decimal(of.qty_milli), of.items) for of in figures.quantities],
        RestatementAnswer(restated.stored, {str(cause): of for cause, of in restated.causes.items()}, restated.now),
        pos,
    )
