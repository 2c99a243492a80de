"""Live sums: the sums of `stock_sums` for the present, from the pieces in memory (`live_stock`)."""

from itertools import islice

from sqlalchemy import Connection

from server.projection.item_rows import operations_of
from server.queries.live_rows import rows_then
from server.queries.live_stock import LiveClass, LiveStock
from server.queries.stage_ages import MOST_TICKS, SECOND_US, AgeBar, PieceAge, StageSum, targets_of
from server.queries.stock_sums import ReleasedSum, StockSum, StockSums
from server.queries.valuation import Valuation

SHARE_SINCE, FEW_SINCE = 10, 200  # a tenth of the open items: more are read faster with all others


def live_sums(live: LiveStock, valuation: Valuation, most_ticks: int = MOST_TICKS) -> StockSums:
    """The sums at the time of the valuation, with which `live` was refreshed. The order within them has no meaning."""
    begun = {number: of_class for number, of_class in live.classes.items() if of_class.begun}
    sums = _class_sums(live, begun)
    lacking = {key for key, of_sum in sums.items() if valuation.lacks_cost(of_sum)}
    lacks = {number for number, of_class in begun.items() if _key(of_class) in lacking}
    items, whole, unvalued = _item_counts(live, lacks)
    stages, pieces, bars = _stage_sums(live, valuation, most_ticks)
    return StockSums(
        classes=list(sums.values()),
        items=items,
        whole=whole,
        unvalued=unvalued,
        stages=stages,
        pieces=pieces,
        bars=bars,
        over=[row for name in live.over for row in live.items[name].over],
        released=_released(live),
        with_members=[row for name in live.with_members for row in live.items[name].members],
        dues={},
        estimated=dict(live.estimated),
    )


def live_sums_at(
    connection: Connection, live: LiveStock, valuation: Valuation, at_us: int, most_ticks: int = MOST_TICKS
) -> StockSums | None:
    """The sums at a past time (UTC us), as `stock_sums_at` has them; None where too much has happened since.

    Only the items with an event since are read. `live` has the snapshot of the connection.
    """
    most = max(len(live.items) // SHARE_SINCE, FEW_SINCE)
    since = list(islice((name for name, one in live.items.items() if one.last_us > at_us), most + 1))
    rows = None if len(since) > most else rows_then(connection, at_us, since, most)
    if rows is None:
        return None
    then = live.at(since, rows)
    return live_sums(then, valuation, most_ticks)._replace(dues=then.orders_due(), estimated={})


def _key(of_class: LiveClass) -> LiveClass:
    """The class of `StockSum`, which has no operation."""
    return of_class._replace(operation=None)


def _class_sums(live: LiveStock, begun: dict[int, LiveClass]) -> dict[LiveClass, StockSum]:
    totals: dict[LiveClass, tuple[int, int]] = {}
    for number, of_class in begun.items():
        amount, key = live.amounts[number], _key(of_class)
        rows, milli = totals.get(key, (0, 0))
        totals[key] = (rows + amount.rows, milli + amount.qty_milli)
    return {
        c: StockSum(c.stage, c.product, c.routing, live.epochs.time(c.epoch), c.ordered_milli, c.entered, c.reached,
                    operations_of(c.scanned), milli if c.known else None, rows)
        for c, (rows, milli) in totals.items()
    }  # fmt: skip


def _item_counts(live: LiveStock, lacks: set[int]) -> tuple[dict[str, int], int, dict[str | None, int]]:
    """The items by stage, of the whole line, and those without full cost, by stage and under None of the whole line."""
    items: dict[str, int] = {}
    unvalued: dict[str | None, int] = {None: 0}
    for signature, count in live.signatures.items():
        for stage in {live.classes[number].stage for number in signature}:
            items[stage] = items.get(stage, 0) + count
        lacking = lacks.intersection(signature)
        for place in {live.classes[number].stage for number in lacking} | ({None} if lacking else set()):
            unvalued[place] = unvalued.get(place, 0) + count
    return items, live.signatures.total(), unvalued


def _stage_sums(
    live: LiveStock, valuation: Valuation, most_ticks: int
) -> tuple[dict[str, StageSum], dict[str, list[PieceAge]], dict[str, list[AgeBar]]]:
    """Of each stage its ages; each piece where these are at most `most_ticks`, else bars.

    The bars of a stage span twice its target; without one, the greatest age at all stages without target.
    """
    at_us, targets = valuation.at_us, targets_of(valuation)
    late_us = {stage: at_us - (target_s + 1) * SECOND_US for stage, target_s in targets.items()}
    stages = {stage: pieces.sum(late_us.get(stage)) for stage, pieces in live.stages.items()}
    oldest = min((of_stage.oldest_us for stage, of_stage in stages.items() if stage not in targets), default=at_us)
    longest_s = max((at_us - oldest) // SECOND_US, 1)
    pieces, bars = {}, {}
    for stage, at_stage in live.stages.items():
        if len(at_stage) <= most_ticks:
            pieces[stage] = at_stage.ages(late_us.get(stage))
        else:
            span_s = 2 * targets[stage] if stage in targets else longest_s
            bars[stage] = at_stage.bars(at_us, span_s, late_us.get(stage))
    return stages, pieces, bars


def _released(live: LiveStock) -> list[ReleasedSum]:
    totals: dict[str | None, tuple[int, int]] = {}
    for number, of_class in live.classes.items():
        if not of_class.begun and not of_class.members:
            rows, milli = totals.get(of_class.product, (0, 0))
            amount = live.amounts[number]
            totals[of_class.product] = (rows + (amount.rows if of_class.known else 0), milli + amount.qty_milli)
    return [
        ReleasedSum(product, live.released_items[product], rows, milli, live.uncounted[product])
        for product, (rows, milli) in totals.items()
    ]
