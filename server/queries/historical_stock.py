"""Historical stock: the stock at any past minute, as it is known now.

The items in process at that minute are read from the visits of one day. Each of them is then folded from its own item events
up to that minute. The result is exact, and its cost depends on the work that was open then, not on the length of the ledger.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, and_, select

from server.projection.bindings import Bindings
from server.projection.definitions import Definitions
from server.projection.event_items import Corrections, ItemEventBuilder
from server.projection.item_rows import is_approximate
from server.projection.ledger_row import rows_at
from server.projection.released_orders import ReleasedOrders
from server.projection.tables import DAY_US, LONG, event_item, item, open_at, parcel, visit
from server.queries.current_stock import StockRow
from station.core.ledger.fold import fold
from station.core.ledger.item_event import ItemEvent
from station.core.ledger.parcels import LIVE, ItemState, ParcelState
from station.core.master_data import MasterData

_CHUNK = 500  # items in one statement
_Place = tuple[str, str, str | None, int]  # item, state, stage, since


def stock_at(connection: Connection, master_data: MasterData, at_us: int) -> list[StockRow]:
    """All stock that was released, waiting, here or held at a time (UTC us)."""
    quantities = _quantities_at(connection, at_us)
    names = sorted({place[0] for place in quantities})
    stock: list[StockRow] = []
    for name, item_events in _item_events(connection, names, at_us):
        state = fold(name, item_events, master_data).state
        stock += [stock_row for stock_row in _stock_rows(state, quantities) if stock_row.state in LIVE]
    return stock


def _quantities_at(connection: Connection, at_us: int) -> dict[_Place, int | None]:
    """The places of stock at a time, each with the quantity that is known now."""
    c, day = visit.c, at_us // DAY_US
    columns = (c.item, c.state, c.stage, c.entered_us, c.qty_milli)
    at_midnight = select(open_at.c.visit).where(open_at.c.day.in_((day, LONG)))
    queries: tuple[Any, ...] = (
        select(*columns).where(and_(c.id.in_(at_midnight), c.entered_us <= at_us, c.left_us > at_us)),
        select(*columns).where(and_(c.entered_us >= day * DAY_US, c.entered_us <= at_us, c.left_us > at_us)),
        select(parcel.c.item, parcel.c.state, parcel.c.stage, parcel.c.since_us, parcel.c.qty_milli)
        .select_from(item.join(parcel, parcel.c.item == item.c.item))
        .where(and_(item.c.status == "open", parcel.c.since_us <= at_us, parcel.c.state.in_(LIVE))),
    )
    quantities: dict[_Place, int | None] = {}
    for query in queries:
        for name, state, stage, since_us, qty_milli in connection.execute(query):
            if state in LIVE:
                quantities[name, state, stage, since_us] = qty_milli
    return quantities


def _item_events(connection: Connection, names: list[str], at_us: int) -> Iterable[tuple[str, list[ItemEvent]]]:
    """The item events of each item up to a time."""
    bindings = Bindings(connection)
    bindings.use(Definitions(connection).of("pattern.define"))
    item_events = ItemEventBuilder(bindings, Corrections(connection), ReleasedOrders())
    for start in range(0, len(names), _CHUNK):
        chunk = names[start : start + _CHUNK]
        c = event_item.c
        rows = connection.execute(select(c.item, c.pos).where(and_(c.item.in_(chunk), c.key_us <= at_us))).all()
        events = {event.pos: event for event in rows_at(connection, {row.pos for row in rows})}
        events_of_item: dict[str, list[ItemEvent]] = {name: [] for name in chunk}
        # `fold` keeps the order of events at one place; `ItemStates.refold` uses the same order.
        for row in sorted(rows, key=lambda linked: (events[linked.pos].counted.hash, linked.pos)):
            events_of_item[row.item].append(item_events.of(connection, events[row.pos], row.item))
        yield from events_of_item.items()


def _stock_rows(state: ItemState, quantities: dict[_Place, int | None]) -> Iterable[StockRow]:
    head = state.header
    for portion in state.parcels:
        qty_milli = portion.qty_milli
        if qty_milli is None:
            # A quantity that became known later also holds for the time before.
            qty_milli = quantities.get((state.item, portion.state, portion.stage, portion.since_us))
        yield StockRow(
            item=state.item,
            name=None,
            product=head.product,
            order=head.order or state.item,
            routing=state.routing.routing if state.routing else None,
            released_us=state.released_us,
            ordered_milli=-state.outer.get("ordered", 0),
            finished_milli=state.quantity(ParcelState.FINISHED),
            overrun_milli=-state.outer.get("overrun", 0),
            due=head.due,
            priority=head.priority,
            customer=head.customer,
            operation=portion.op,
            qty_milli=qty_milli,
            approx=is_approximate(portion),
            **{name: getattr(portion, name) for name in _SAME},
        )


_SAME = (
    "stage",
    "state",
    "held_from",
    "station",
    "operator",
    "reason",
    "since_us",
    "at_stage_since_us",
    "started_us",
    "entered",
    "reached",
    "run_since_us",
)
