"""What stands in the shop now: every parcel in process, with what its item says of it.

Only open items and their parcels are read, through indexes: how much the ledger holds besides does not matter.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, select

from server.projection.tables import item, parcel
from station.core.ledger.parcels import LIVE, ParcelState


class StockRow(NamedTuple):
    """A quantity of one item that stands somewhere; `qty_milli` None: nobody has said how many. Times UTC us.

    `ordered_milli` … `due` are the item's: they are the same for all its stands.
    """

    item: str
    name: str | None
    product: str | None
    order: str
    routing: str | None
    released_us: int | None
    ordered_milli: int
    finished_milli: int
    overrun_milli: int
    due: str | None
    priority: int | None
    customer: str | None
    operation: int | None
    stage: str | None
    state: str
    held_from: str | None
    station: str | None
    operator: str | None
    reason: str | None
    qty_milli: int | None
    since_us: int
    at_stage_since_us: int
    started_us: int | None
    entered: int | None
    reached: int | None
    approx: bool

    @property
    def in_process(self) -> bool:
        """Whether work on it has begun: what is only released stands apart."""
        return self.state != ParcelState.RELEASED

    @property
    def there_since_us(self) -> int:
        """Since when it stands at its stage; raw goods stand at none, and count from their release."""
        return self.at_stage_since_us if self.in_process else self.since_us


_OF_ITEM = ("item", "name", "product", "order_", "routing", "released_us", "ordered_milli", "finished_milli",
            "overrun_milli", "due", "priority", "customer")  # fmt: skip
_OF_PARCEL = ("operation", "stage", "state", "held_from", "station", "operator", "reason", "qty_milli", "since_us",
              "at_stage_since_us", "started_us", "entered", "reached", "approx")  # fmt: skip


def together(stands: Iterable[StockRow]) -> list[StockRow]:
    """Stands with one for each item, stage, state and reason: the oldest, with the quantity of all of them."""
    found: dict[tuple[str, str | None, str, str | None], StockRow] = {}
    for stand in sorted(stands, key=lambda each: each.there_since_us):
        key = (stand.item, stand.stage, stand.state, stand.reason)
        first = found.get(key)
        if first is None:
            found[key] = stand
        else:
            known = first.qty_milli is not None and stand.qty_milli is not None
            quantity = (first.qty_milli or 0) + (stand.qty_milli or 0) if known else None
            found[key] = first._replace(qty_milli=quantity, approx=first.approx or stand.approx)
    return list(found.values())


def _stands() -> Select[Any]:
    columns = [*(item.c[name] for name in _OF_ITEM), *(parcel.c[name] for name in _OF_PARCEL)]
    return select(*columns).select_from(item.join(parcel, parcel.c.item == item.c.item)).where(parcel.c.state.in_(LIVE))


def standing(connection: Connection) -> list[StockRow]:
    """Everything released, waiting, here or held, in no order that means anything."""
    return _read(connection, _stands().where(item.c.status == "open"))


def standing_of(connection: Connection, items: list[str]) -> list[StockRow]:
    """The same of some items."""
    return _read(connection, _stands().where(item.c.item.in_(items)))


def _read(connection: Connection, query: Select[Any]) -> list[StockRow]:
    found = []
    for row in connection.execute(query):
        stand = StockRow(*row)
        # An item without an order of its own stands under its own name.
        found.append(stand if stand.order else stand._replace(order=stand.item))
    return found
