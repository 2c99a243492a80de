"""Current stock: every parcel in process with the columns of its item.

It reads only open items and their parcels, through indexes, so its cost does not depend on the length of the ledger.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, and_, case, select

from server.projection.item_rows import operations_of
from server.projection.tables import item, parcel
from station.core.ledger.parcels import LIVE, ParcelState


class StockRow(NamedTuple):
    """A quantity of one item at one place in one state; `qty_milli` None: unknown quantity. Times UTC us.

    `over_milli`: the overrun of the item, less what of it is finished. `scanned`: the operations at which the pieces were
    scanned, in ascending order.
    The columns up to `customer` belong to the item and are equal in all its rows.
    """

    item: str
    name: str | None
    product: str | None
    order: str
    routing: str | None
    released_us: int | None
    ordered_milli: int
    over_milli: int
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
    carrier: str | None
    qty_milli: int | None
    since_us: int
    at_stage_since_us: int
    started_us: int | None
    entered: int | None
    reached: int | None
    approx: bool
    run_since_us: int | None
    scanned: tuple[int, ...]

    @property
    def in_process(self) -> bool:
        """Whether work on it has begun; released stock is counted separately."""
        return self.state != ParcelState.RELEASED

    @property
    def there_since_us(self) -> int:
        """The time of arrival at the stage; for released stock, which is at no stage, the time of its release."""
        return self.at_stage_since_us if self.in_process else self.since_us


_OF_ITEM = ("item", "name", "product", "order_", "routing", "released_us", "ordered_milli")
_HEADER = ("due", "priority", "customer")
_OF_PARCEL = ("operation", "stage", "state", "held_from", "station", "operator", "reason", "carrier", "qty_milli",
              "since_us", "at_stage_since_us", "started_us", "entered", "reached", "approx", "run_since_us",
              "scanned")  # fmt: skip


def merged(stock: Iterable[StockRow]) -> list[StockRow]:
    """Merge rows of one item, stage, state and reason: the oldest row with the quantity of all of them.

    What runs and what waits to run stay apart; a merged row runs since the first start.
    """
    groups: dict[tuple[str, str | None, str, str | None, bool], StockRow] = {}
    for stock_row in sorted(stock, key=lambda row: row.there_since_us):
        runs = stock_row.run_since_us is not None
        key = (stock_row.item, stock_row.stage, stock_row.state, stock_row.reason, runs)
        first = groups.get(key)
        if first is None:
            groups[key] = stock_row
        else:
            known = first.qty_milli is not None and stock_row.qty_milli is not None
            quantity = (first.qty_milli or 0) + (stock_row.qty_milli or 0) if known else None
            begun = [row.run_since_us for row in (first, stock_row) if row.run_since_us is not None]
            groups[key] = first._replace(
                qty_milli=quantity, approx=first.approx or stock_row.approx, run_since_us=min(begun, default=None)
            )
    return list(groups.values())


def _open_parcels() -> Select[Any]:
    over = case((item.c.overrun_milli > item.c.finished_milli, item.c.overrun_milli - item.c.finished_milli), else_=0)
    of_item = [*(item.c[name] for name in _OF_ITEM), over, *(item.c[name] for name in _HEADER)]
    columns = [*of_item, *(parcel.c[name] for name in _OF_PARCEL)]
    return select(*columns).select_from(item.join(parcel, parcel.c.item == item.c.item)).where(parcel.c.state.in_(LIVE))


def stock_now(connection: Connection) -> list[StockRow]:
    """All stock that is released, waiting, here or held, in no particular order."""
    return _read(connection, _open_parcels().where(item.c.status == "open"))


def stock_of(connection: Connection, items: list[str]) -> list[StockRow]:
    """The stock of some items, in no particular order."""
    return _read(connection, _open_parcels().where(item.c.item.in_(items)))


def run_stages(connection: Connection, stages: Iterable[str | None]) -> frozenset[str]:
    """Of these stages, those where something runs that a `start` scan began: the rest of what is there waits to run."""
    c = parcel.c
    names = {stage for stage in stages if stage is not None}
    query = select(c.stage).where(
        and_(c.stage.in_(sorted(names)), c.state == ParcelState.HERE, c.run_since_us.is_not(None))
    )
    return frozenset(connection.execute(query.distinct()).scalars()) if names else frozenset()


def running_stages(stock: Iterable[StockRow], stages: Iterable[str | None]) -> frozenset[str]:
    """As `run_stages`, of stock that was read before."""
    names = set(stages)
    here = (row for row in stock if row.state == ParcelState.HERE and row.run_since_us is not None)
    return frozenset(row.stage for row in here if row.stage is not None and row.stage in names)


def _read(connection: Connection, query: Select[Any]) -> list[StockRow]:
    rows = [StockRow._make((*values[:-1], operations_of(values[-1]))) for values in connection.execute(query)]
    # An item without an order is its own order.
    return [row if row.order else row._replace(order=row.item) for row in rows]
