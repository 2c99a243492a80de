"""The stock of a past time by a fold of every event up to it: what the rows of moves must give, without using them."""

import secrets
from collections import Counter
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from server.projection.bindings import Bindings
from server.projection.definitions import Definitions
from server.projection.event_items import Corrections, ItemEventBuilder
from server.projection.item_rows import is_approximate
from server.projection.ledger_row import rows_at
from server.projection.released_orders import ReleasedOrders
from server.projection.tables import event_item
from server.queries.current_stock import StockRow
from station.core.ledger.fold import fold
from station.core.ledger.item_event import ItemEvent
from station.core.ledger.parcels import LIVE, ItemState, ParcelState

SAME = ("stage", "state", "held_from", "station", "operator", "reason", "carrier", "since_us", "at_stage_since_us",
        "started_us", "entered", "reached", "run_since_us", "scanned")  # fmt: skip


def drawn(seed: int | str) -> int:
    """A seed as it is, or a new one for a word; printed."""
    number = seed if isinstance(seed, int) else secrets.randbelow(10**6)
    print(f"seed {number}")
    return number


class FoldOracle:
    """Every item event of a hub, read once; the fold of those up to any time."""

    def __init__(self, connection: Connection) -> None:
        self.master_data = Definitions(connection).master_data
        bindings = Bindings(connection)
        bindings.use(Definitions(connection).of("pattern.define"))
        builder = ItemEventBuilder(bindings, Corrections(connection), ReleasedOrders())
        linked = connection.execute(select(event_item.c.item, event_item.c.pos)).all()
        rows = {row.pos: row for row in rows_at(connection, {one.pos for one in linked})}
        self.events: dict[str, list[ItemEvent]] = {}
        # `fold` keeps the order of events at one place; `ItemStates.refold` uses the same order.
        for one in sorted(linked, key=lambda link: (rows[link.pos].counted.hash, link.pos)):
            event = builder.due(connection, rows[one.pos], one.item).item_event
            if isinstance(event, ItemEvent):
                self.events.setdefault(one.item, []).append(event)
        self.times = sorted({event.key_us for events in self.events.values() for event in events})

    def stock_at(self, at_us: int) -> Counter[StockRow]:
        """The stock in process at a time, as `summed` has it."""
        found = []
        for item, events in self.events.items():
            became = fold(item, events, self.master_data).quantity_became
            then = [event for event in events if event.key_us <= at_us]
            state, name = fold(item, then, self.master_data).state, _name(events, at_us)
            rows = _rows(state, became, name)
            release = _release(events)
            if rows and release is not None and release.key_us > at_us:
                before = [event for event in events if event.key_us <= release.key_us]
                rows = self._as_released(item, then, release, before, became, name)
            found += rows
        return summed(found)

    def _as_released(
        self,
        item: str,
        then: list[ItemEvent],
        release: ItemEvent,
        before: list[ItemEvent],
        became: int | None,
        name: Any,
    ) -> list[StockRow]:
        """The stock where the release counts for its past: its quantity moved nothing, what was ordered is no overrun."""
        data = {field: value for field, value in (release.data or {}).items() if field != "qty_milli"}
        named = msgspec.structs.replace(release, data=data)
        rows = _rows(fold(item, [*then, named], self.master_data).state, became, name)
        released = fold(item, before, self.master_data).state
        ordered, header = -released.outer.get("ordered", 0), released.header
        return [
            row._replace(
                ordered_milli=ordered, over_milli=max(row.over_milli - ordered, 0), due=header.due,
                priority=header.priority, customer=header.customer,
            )
            for row in rows
        ]  # fmt: skip


def _release(events: list[ItemEvent]) -> ItemEvent | None:
    """The first release of an item."""
    return next((one for one in sorted(events, key=lambda each: each.place) if one.verb == "order.release"), None)


def summed(stock: list[StockRow]) -> Counter[StockRow]:
    """Quantities by all other columns; a row of unknown quantity counts as one thousandth."""
    sums: Counter[StockRow] = Counter()
    for row in stock:
        sums[row._replace(qty_milli=None if row.qty_milli is None else 0)] += row.qty_milli or 1
    return sums


def _name(events: list[ItemEvent], at_us: int) -> str | None:
    named: Any = None
    for event in sorted(events, key=lambda each: each.place):
        if event.verb == "item.name" and event.key_us <= at_us and event.data is not None:
            named = event.data.get("name")
    return named if isinstance(named, str) and named else None


def _rows(state: ItemState, became: int | None, name: str | None) -> list[StockRow]:
    header = state.header
    over = max(-state.outer.get("overrun", 0) - state.quantity(ParcelState.FINISHED), 0)
    return [
        StockRow(
            item=state.item, name=name, product=header.product, order=header.order or state.item,
            routing=state.routing.routing if state.routing else None, released_us=state.released_us,
            ordered_milli=-state.outer.get("ordered", 0), over_milli=over, due=header.due, priority=header.priority,
            customer=header.customer, operation=parcel.op,
            qty_milli=became if parcel.qty_milli is None else parcel.qty_milli, approx=is_approximate(parcel),
            **{column: getattr(parcel, column) for column in SAME},
        )
        for parcel in state.parcels
        if parcel.state in LIVE
    ]  # fmt: skip
