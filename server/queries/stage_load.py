"""Stage load: how many items arrive next at each of some stages, and how late the latest order there is."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, or_, select
from sqlalchemy import func as sql

from server.locale_format import due_day
from server.projection.tables import item, parcel
from server.queries.alerts import BoardState, StageLoad
from server.queries.live_stock import LiveStock
from server.queries.stage_queue import stage_after
from station.core.ledger.parcels import LIVE, ParcelState

BEGUN = [state for state in LIVE if state != ParcelState.RELEASED]


def stage_loads(
    connection: Connection, shop: BoardState, stages: Sequence[str], live: LiveStock | None = None
) -> dict[str, StageLoad]:
    """The loads of some stages. The items on their way are counted by the operations that lead there.

    `live`: the stock in memory with which the snapshot was made; without it all pieces are read.
    """
    if not stages:
        return {}
    if live is not None:
        return _live_loads(live, shop, stages)
    i, p = item.c, parcel.c
    open_stock = item.join(parcel, p.item == i.item)
    epoch = shop.valuation.epochs.column(i.released_us).label("epoch")
    pieces = (
        select(i.item, i.routing, epoch, p.operation, p.stage)
        .select_from(open_stock)
        .where(and_(i.status == "open", p.state.in_(BEGUN), i.routing.is_not(None), p.operation.is_not(None)))
        .subquery("pieces")
    )
    c = pieces.c
    places = connection.execute(select(c.routing, c.epoch, c.operation, c.stage).distinct()).all()
    dues = select(p.stage, i.due).select_from(open_stock).where(and_(p.stage.in_(stages), p.state.in_(LIVE)))
    late: dict[str, int] = {}
    today = shop.locale.today(shop.now_us)
    for stage, due in connection.execute(dues.distinct()):
        day = due_day(due)
        late[stage] = max(late.get(stage, 0), 0 if day is None else (today - day).days)
    loads = {}
    for stage in stages:
        leading = [
            and_(c.routing == place.routing, c.epoch == place.epoch, c.operation == place.operation,
                 c.stage.is_not_distinct_from(place.stage))
            for place in places
            if _next(shop, place) == stage
        ]  # fmt: skip
        coming = 0
        if leading:
            count = select(sql.count(c.item.distinct())).where(or_(*leading))
            coming = connection.execute(count).scalar_one()
        loads[stage] = StageLoad(coming, late.get(stage, 0))
    return loads


def _live_loads(live: LiveStock, shop: BoardState, stages: Sequence[str]) -> dict[str, StageLoad]:
    late: dict[str, int] = {}
    today = shop.locale.today(shop.now_us)
    for due, names in live.dues.items():
        day = due_day(due)
        if day is not None and day < today:
            there = {live.classes[piece.of_class].stage for name in names for piece in live.items[name].pieces}
            late |= {stage: max(late.get(stage, 0), (today - day).days) for stage in there}
    leading: dict[str | None, set[int]] = {}
    for number, c in live.classes.items():
        if c.begun and c.routing is not None and c.operation is not None:
            place = _Place(c.routing, c.epoch, c.operation, c.stage or None)
            leading.setdefault(_next(shop, place), set()).add(number)
    coming = dict.fromkeys(stages, 0)
    for signature, count in live.signatures.items():
        for stage in stages:
            if not leading.get(stage, _NONE).isdisjoint(signature):
                coming[stage] += count
    return {stage: StageLoad(coming[stage], late.get(stage, 0)) for stage in stages}


class _Place(NamedTuple):
    """A place of a routing, as a statement reads it."""

    routing: str
    epoch: int
    operation: int
    stage: str | None


_NONE: frozenset[int] = frozenset()


def _next(shop: BoardState, place: Any) -> str | None:
    """The stage that follows a place of a routing of some epoch."""
    released_us = shop.valuation.epochs.time(place.epoch)
    at_us = shop.now_us if released_us is None else released_us
    routing = shop.valuation.master_data.routing(place.routing, at_us)
    return stage_after(routing, ParcelState.HERE, place.operation, place.stage)
