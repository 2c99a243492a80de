"""Stage load: how many items arrive next at a stage, and how late the latest order there is."""

from sqlalchemy import Connection, and_, or_, select
from sqlalchemy import func as sql

from server.locale_format import due_day
from server.projection.tables import item, parcel
from server.queries.alerts import BoardState, StageLoad
from server.queries.stage_queue import stage_after
from station.core.ledger.parcels import LIVE, ParcelState

BEGUN = [state for state in LIVE if state != ParcelState.RELEASED]


def stage_load(connection: Connection, shop: BoardState, stage: str) -> StageLoad:
    """The load of one stage. The items on their way are counted by the operations that lead there."""
    i, p = item.c, parcel.c
    open_stock = item.join(parcel, p.item == i.item)
    in_process = and_(i.status == "open", p.state.in_(BEGUN))
    epoch = shop.valuation.epochs.column(i.released_us).label("epoch")
    places = select(i.routing, epoch, p.operation, p.stage).select_from(open_stock)
    places = places.where(and_(in_process, i.routing.is_not(None), p.operation.is_not(None))).distinct()
    leading = [place for place in connection.execute(places) if _leads_to(shop, place, stage)]
    coming = 0
    if leading:
        of = select(i.item, i.routing, epoch, p.operation, p.stage).select_from(open_stock).where(in_process)
        pieces = of.subquery("pieces")
        c = pieces.c
        any_of = or_(
            *(
                and_(c.routing == place.routing, c.epoch == place.epoch, c.operation == place.operation,
                     c.stage.is_not_distinct_from(place.stage))
                for place in leading
            )
        )  # fmt: skip
        coming = connection.execute(select(sql.count(c.item.distinct())).where(any_of)).scalar_one()
    dues = select(i.due).select_from(open_stock).where(and_(p.stage == stage, p.state.in_(LIVE))).distinct()
    today = shop.locale.today(shop.now_us)
    days = [(today - day).days for due in connection.execute(dues).scalars() if (day := due_day(due)) is not None]
    return StageLoad(coming, max(0, *days) if days else 0)


def _leads_to(shop: BoardState, place: object, stage: str) -> bool:
    row: tuple[str, int, int, str | None] = tuple(place)  # type: ignore[arg-type, assignment]
    released_us = shop.valuation.epochs.time(row[1])
    at_us = shop.now_us if released_us is None else released_us
    routing = shop.valuation.master_data.routing(row[0], at_us)
    return stage_after(routing, ParcelState.HERE, row[2], row[3]) == stage
