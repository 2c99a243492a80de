"""Normal scrap: how many of the scrapped pieces are within the scrap allowance of their operation.

An operation of a routing may have `scrap_ppm`: how many of a million pieces that come to it are expected to be scrapped
there. The allowance of an order at an operation is that share of its pieces that have come there so far, rounded down to a
thousandth. A scrapped piece is normal while the normal scrap of its order there is below the allowance, else abnormal.
Later moves do not change it, so the sums of adjacent periods add up.

>>> at = Allowance()
>>> at.come(100_000)
>>> at.scrap(1_500, scrap_ppm=20_000), at.scrap(1_000, scrap_ppm=20_000)
(1500, 500)
>>> at.come(50_000)
>>> at.scrap(2_000, scrap_ppm=20_000), at.give_back(2_000)
(1000, 500)
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, func, or_, select

from server.projection.ledger_row import AT_ONCE
from server.projection.tables import head, item, move
from server.queries.item_heads import head_at, heads_of
from station.core.ledger.parcels import ParcelState
from station.core.ledger.routing import Routing
from station.core.master_data import MasterData

PPM = 1_000_000


class Allowance:
    """What came to an operation of an order, and what of its scrap there was normal and abnormal, in thousandths."""

    def __init__(self) -> None:
        self._came, self._normal, self._abnormal = 0, 0, 0

    def come(self, milli: int) -> None:
        """Count pieces that come to the operation."""
        self._came += milli

    def scrap(self, milli: int, scrap_ppm: int) -> int:
        """Count scrapped pieces; how many of them are normal."""
        normal = max(0, min(milli, self._came * scrap_ppm // PPM - self._normal))
        self._normal += normal
        self._abnormal += milli - normal
        return normal

    def give_back(self, milli: int) -> int:
        """Count pieces that come back from scrap, abnormal ones first; how many of them were normal."""
        normal = min(max(0, milli - self._abnormal), self._normal)
        self._normal -= normal
        self._abnormal = max(0, self._abnormal - milli + normal)
        return normal


def normal_scrap(
    connection: Connection, master_data: MasterData, from_us: int, to_us: int
) -> dict[tuple[str, int], int]:
    """The thousandths that are normal of each move to or from scrap after one time and up to another (UTC us).

    By item and number of the move; moves without a normal part are left out.
    """
    routings = _routings(master_data)
    orders = _orders_with_scrap(connection, routings, from_us, to_us) if routings else []
    found: dict[tuple[str, int], int] = {}
    shares: dict[tuple[str, int], dict[int, int]] = {}  # by routing and time of release: `scrap_ppm` by operation
    for start in range(0, len(orders), AT_ONCE):
        names = orders[start : start + AT_ONCE]
        heads = heads_of(connection, _items_of(connection, names))
        allowances: defaultdict[tuple[str, int], Allowance] = defaultdict(Allowance)
        for one in _moves(connection, names, to_us):
            terms = head_at(heads.get(one.item, []), one.at_us)
            if terms is None or terms.routing is None or terms.released_us is None:
                continue
            released = (terms.routing, terms.released_us)
            if released not in shares:
                shares[released] = _shares(master_data.routing(*released))
            normal = _count(one, shares[released], allowances)
            if normal and one.at_us > from_us:
                found[one.item, one.n] = normal
    return found


def _routings(master_data: MasterData) -> list[str]:
    """The routings of which an operation has, or had, an allowance."""
    what = "routing.define"
    return [
        name
        for name in master_data.names(what)
        if any(
            operation.get("scrap_ppm")
            for version in master_data.versions(what, name)
            for operation in version.data.get("operations", [])
        )
    ]


def _orders_with_scrap(connection: Connection, routings: list[str], from_us: int, to_us: int) -> list[str]:
    """The orders with a move to or from scrap in a period, of an item that had one of these routings; sorted."""
    m, h = move.c, head.alias("h").c
    routed = exists().where(and_(h.item == m.item, h.routing.in_(routings)))
    order = func.coalesce(item.c.order_, item.c.item)
    query = (
        select(order)
        .distinct()
        .select_from(move.join(item, item.c.item == m.item))
        .where(and_(m.at_us > from_us, m.at_us <= to_us, m.qty_milli > 0, scrap_moves(), routed))
    )
    return sorted(connection.execute(query).scalars())


def _items_of(connection: Connection, orders: list[str]) -> list[str]:
    """The orders with their lots and serials."""
    of_orders = or_(item.c.order_.in_(orders), item.c.item.in_(orders))
    return list(connection.execute(select(item.c.item).where(of_orders)).scalars())


def _moves(connection: Connection, orders: list[str], to_us: int) -> Iterable[Any]:
    """The moves of orders to an operation, and to or from scrap, up to a time, in the order in which they happened."""
    m = move.c
    matters = or_(scrap_moves(), m.entered.is_distinct_from(m.to_entered))
    of_orders = or_(item.c.order_.in_(orders), item.c.item.in_(orders))
    query = (
        select(
            m.item, m.n, m.at_us, m.qty_milli, m.from_state, m.from_operation, m.entered, m.to_state, m.to_operation,
            m.to_entered, func.coalesce(item.c.order_, item.c.item).label("order_"),
        )
        .select_from(move.join(item, item.c.item == m.item))
        .where(and_(of_orders, m.at_us <= to_us, m.qty_milli > 0, matters))
        .order_by(m.at_us, m.item, m.n)
    )  # fmt: skip
    return connection.execute(query)


def scrap_moves() -> ColumnElement[bool]:
    """The condition for moves to and from scrap."""
    return or_(move.c.to_state == ParcelState.SCRAPPED, move.c.from_state == ParcelState.SCRAPPED)


def _shares(routing: Routing | None) -> dict[int, int]:
    """The operations with an allowance, and their `scrap_ppm`."""
    operations = routing.operations if routing else ()
    return {operation.op: operation.scrap_ppm for operation in operations if operation.scrap_ppm}


def _count(one: Any, shares: Mapping[int, int], allowances: Mapping[tuple[str, int], Allowance]) -> int:
    """Count a move for each operation with an allowance that it comes to; how many of its pieces are normal scrap."""
    scraps = one.to_state == ParcelState.SCRAPPED and one.from_state != ParcelState.SCRAPPED
    returns = one.from_state == ParcelState.SCRAPPED and one.to_state != ParcelState.SCRAPPED
    before, after = (-1 if op is None else op for op in (one.entered, one.to_entered))
    normal = 0
    for op, scrap_ppm in shares.items():
        scraps_here = scraps and one.to_operation == op
        # A piece that is scrapped in front of an operation, by a scan at it, came there too.
        if before < op and (after >= op or scraps_here):
            allowances[one.order_, op].come(one.qty_milli)
        if scraps_here:
            normal = allowances[one.order_, op].scrap(one.qty_milli, scrap_ppm)
        elif returns and one.from_operation == op:
            normal = allowances[one.order_, op].give_back(one.qty_milli)
    return normal
