"""The API's answers about work in process and stages: their structs, and their construction from query rows."""

import base64
from collections.abc import Iterable

import msgspec

from server.api.call_answer import CallAnswer, call_answer
from server.api.format import iso, time
from server.queries.calls import Call
from server.queries.current_stock import StockRow
from server.queries.lag import Lag
from server.queries.stock_change import BEGUN, PlaceChange, StockChange
from server.queries.wip import WipReport
from server.queries.wip import WipRow as Row
from server.queries.wip import WipTotal as Total
from station.core.ledger.parcels import ParcelState
from station.core.ledger.routing import Stage
from station.core.quantity import decimal_text


class WipQuery(msgspec.Struct):
    """`as_of`: a past time, ISO 8601; `known`: only the events up to this position; `by`: stage, product, item, order.

    `limit`: rows of one answer, at most 1,000; `cursor`: that of the answer before.
    """

    as_of: str = ""
    known: str = ""
    by: str = "stage"
    limit: int = 1_000
    cursor: str = ""


class WipRowAnswer(msgspec.Struct):
    """One key in one unit. `key` null: between stages, or of no known product; `held` is a part of `qty`."""

    key: str | None
    unit: str
    items: int
    qty: str
    held: str
    value_micros: int | None
    components: dict[str, int]
    unvalued_items: int
    unvalued_qty: str
    at_stage_oldest_since: str | None
    at_stage_p50_s: int | None
    at_stage_max_s: int | None
    in_production_oldest_since: str | None
    in_production_p50_s: int | None


class WipTotalAnswer(msgspec.Struct):
    """All rows of one unit; an item in two rows is one item here."""

    unit: str
    items: int
    qty: str
    held: str
    value_micros: int | None
    components: dict[str, int]
    unvalued_items: int
    unvalued_qty: str
    overrun_value_micros: int


class StockChangeQuery(msgspec.Struct):
    """`as_of`: the later time, by default now; `against`: the earlier time, ISO 8601 or UTC us."""

    against: str
    as_of: str = ""


class UnitAnswer(msgspec.Struct):
    """Quantities of one unit at one place; `finished` and `scrapped` are a part of `went`."""

    unit: str
    was: str
    came: str
    went: str
    finished: str
    scrapped: str
    now: str


class PlaceChangeAnswer(msgspec.Struct):
    """The change at one place: was + came - went = now, and + revalued in money. `stage` null: not a stage.

    `place`: not_started, stage (with an empty `stage` between stages) or line. Micros null where no cost is known.
    """

    place: str
    stage: str | None
    items_was: int
    items_came: int
    items_went: int
    items_now: int
    quantities: list[UnitAnswer]
    was_micros: int | None
    came_micros: int | None
    went_micros: int | None
    revalued_micros: int | None
    now_micros: int | None


class StockChangeAnswer(msgspec.Struct):
    """What came and went at each place between two times, and on the whole line (`line`)."""

    against: str
    as_of: str
    places: list[PlaceChangeAnswer]
    line: PlaceChangeAnswer
    pos: int
    behind: int
    behind_s: int
    recalculating: int


class NotStartedAnswer(msgspec.Struct):
    """Released stock that is not started; it is not part of the rows."""

    unit: str
    items: int
    qty: str


class WipAnswer(msgspec.Struct):
    """Work in process as of a time, folded up to the ledger's position `pos`, which is `behind` events behind the ledger.

    `totals` and `not_started` are of all rows; `cursor` leads to the next rows, null on the last page.
    """

    as_of: str
    known: int
    pos: int
    rows: list[WipRowAnswer]
    totals: list[WipTotalAnswer]
    not_started: list[NotStartedAnswer]
    cursor: str | None
    behind: int
    behind_s: int
    recalculating: int


class StageAnswer(msgspec.Struct):
    """A stage with the number of items there and its open calls; `limit` counts items, `target_s` seconds."""

    stage: str
    name: str
    type: str
    limit: int | None
    target_s: int | None
    items: int
    held_items: int
    calls: list[CallAnswer]


class StagesQuery(msgspec.Struct):
    """`limit` at most 1,000; `cursor`: that of the answer before.

    `as_of`: a past time, ISO 8601; `known`: only the events up to this position.
    """

    limit: int = 1_000
    cursor: str = ""
    as_of: str = ""
    known: str = ""


class StagesAnswer(msgspec.Struct):
    """Stages in the order of the line; `cursor` leads to the next page, null on the last one."""

    stages: list[StageAnswer]
    cursor: str | None
    as_of: str
    known: int
    pos: int
    behind: int
    behind_s: int
    recalculating: int


class RowCursor(msgspec.Struct, frozen=True, array_like=True):
    """The place behind a row: what the rows are by, and the row's key and unit.

    Rows that come or go between two requests move no other row. Its text is base64url, and is opaque to a client.

    >>> RowCursor.read(str(RowCursor("item", "WO-1", "pcs")))
    RowCursor(by='item', key='WO-1', unit='pcs')
    >>> RowCursor.read("3") is None
    True
    """

    by: str
    key: str | None
    unit: str

    def __str__(self) -> str:
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")

    @classmethod
    def read(cls, text: str) -> "RowCursor | None":
        """Parse a cursor; None for any other text."""
        try:
            encoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            return msgspec.json.decode(encoded, type=cls)
        except (ValueError, msgspec.DecodeError):
            return None


def wip_answer(
    report: WipReport, at_us: int, known: int, lag: Lag, by: str, after: RowCursor | None, limit: int
) -> WipAnswer:
    """The answer of /api/v1/wip: `limit` rows after the row of the cursor `after`."""
    start = report.start_after(after.key, after.unit) if after else 0
    rows = report.rows[start : start + limit]
    return WipAnswer(
        as_of=time(at_us),
        known=known,
        pos=lag.pos,
        rows=[_wip_row(row) for row in rows],
        totals=[_wip_total(of_unit) for of_unit in report.totals],
        not_started=[
            NotStartedAnswer(total.unit, total.items, decimal_text(total.qty_milli)) for total in report.not_started
        ],
        cursor=str(RowCursor(by, rows[-1].key, rows[-1].unit)) if start + limit < len(report.rows) else None,
        behind=lag.events,
        behind_s=lag.seconds,
        recalculating=lag.queued,
    )


def change_answer(change: StockChange, lag: Lag) -> StockChangeAnswer:
    """The answer of /api/v1/wip/change."""
    return StockChangeAnswer(
        time(change.from_us),
        time(change.to_us),
        [_place_change(place) for place in change.places],
        _place_change(change.whole),
        lag.pos,
        lag.events,
        lag.seconds,
        lag.queued,
    )


def _place_change(of: PlaceChange) -> PlaceChangeAnswer:
    columns = (of.was, of.came, of.went, of.finished, of.scrapped, of.now)
    by_unit = [{amount.unit: amount.milli for amount in amounts} for amounts in columns]
    units = sorted({unit for milli in by_unit for unit in milli})
    zone, stage = of.place
    kind = "line" if stage is None else "stage" if zone == BEGUN else "not_started"
    return PlaceChangeAnswer(
        kind,
        stage if kind == "stage" else None,
        *of.items,
        [UnitAnswer(unit, *(decimal_text(milli.get(unit, 0)) for milli in by_unit)) for unit in units],
        *(of.micros or (None, None, None, None, None)),
    )


def _wip_row(row: Row) -> WipRowAnswer:
    return WipRowAnswer(
        row.key,
        row.unit,
        row.items,
        decimal_text(row.qty_milli),
        decimal_text(row.held_milli),
        row.value_micros,
        row.components,
        row.unvalued_items,
        decimal_text(row.unvalued_milli),
        iso(row.at_stage.oldest_since_us),
        row.at_stage.p50_s,
        row.at_stage.max_s,
        iso(row.in_production.oldest_since_us),
        row.in_production.p50_s,
    )


def _wip_total(total: Total) -> WipTotalAnswer:
    return WipTotalAnswer(
        total.unit,
        total.items,
        decimal_text(total.qty_milli),
        decimal_text(total.held_milli),
        total.value_micros,
        total.components,
        total.unvalued_items,
        decimal_text(total.unvalued_milli),
        total.overrun_value_micros,
    )


def stage_row(
    name: str, stage: Stage | None, stock: Iterable[StockRow], open_calls: Iterable[Call], now_us: int
) -> StageAnswer:
    """A row of /api/v1/stages."""
    definition = stage or Stage(name)
    present = [row for row in stock if row.stage == name and row.in_process]
    return StageAnswer(
        name,
        definition.name or name,
        definition.type,
        definition.limit,
        definition.target_s,
        len({row.item for row in present}),
        len({row.item for row in present if row.state == ParcelState.HELD}),
        [call_answer(paired, now_us) for paired in open_calls if paired.call.stage == name],
    )
