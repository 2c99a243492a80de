"""Normal scrap: how many of the scrapped pieces are within the scrap allowance of their operation.

An operation of a routing may have `scrap_ppm`: how many of a million pieces that come to it are expected to be scrapped
there. The allowance of an order at an operation is that share of its pieces that have come there so far, rounded down to a
thousandth. A scrapped piece is normal while the normal scrap of its order there is below the allowance, else abnormal.
Later moves do not change it, so the sums of adjacent periods add up.

>>> at = Allowance(20_000)
>>> at.come(100_000)
>>> at.scrap(1_500), at.scrap(1_000)
(1500, 500)
>>> at.come(50_000)
>>> at.scrap(2_000), at.give_back(2_000)
(1000, 500)
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, and_, exists, func, or_, select

from server.projection.ledger_row import AT_ONCE
from server.projection.tables import head, item, move
from server.queries.item_heads import head_at, heads_of
from station.core.ledger.parcels import ParcelState
from station.core.ledger.routing import Routing
from station.core.master_data import MasterData

PPM = 1_000_000


class Allowance:
    """What came to an operation of an order, and what of its scrap there was normal and abnormal, in thousandths."""

    def __init__(self, scrap_ppm: int) -> None:
        self._ppm, self._came, self._normal, self._abnormal = scrap_ppm, 0, 0, 0

    def come(self, milli: int) -> None:
        """Count pieces that come to the operation."""
        self._came += milli

    def scrap(self, milli: int) -> int:
        """Count scrapped pieces; how many of them are normal."""
        normal = max(0, min(milli, self._came * self._ppm // PPM - self._normal))
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
    for start in range(0, len(orders), AT_ONCE):
        names = orders[start : start + AT_ONCE]
        heads = heads_of(connection, _items_of(connection, names))
        allowances: dict[tuple[str, int], Allowance] = {}
        for one in _moves(connection, names, to_us):
            routing = _routing(heads.get(one.item, []), one.at_us, master_data)
            normal = _count(one, routing, allowances) if routing is not None else 0
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
    scraps = or_(m.to_state == ParcelState.SCRAPPED, m.from_state == ParcelState.SCRAPPED)
    routed = exists().where(and_(h.item == m.item, h.routing.in_(routings)))
    order = func.coalesce(item.c.order_, item.c.item)
    query = (
        select(order)
        .distinct()
        .select_from(move.join(item, item.c.item == m.item))
        .where(and_(m.at_us > from_us, m.at_us <= to_us, m.qty_milli > 0, scraps, routed))
    )
    return sorted(connection.execute(query).scalars())


def _items_of(connection: Connection, orders: list[str]) -> list[str]:
    """The orders with their lots and serials."""
    of_orders = or_(item.c.order_.in_(orders), item.c.item.in_(orders))
    return list(connection.execute(select(item.c.item).where(of_orders)).scalars())


def _moves(connection: Connection, orders: list[str], to_us: int) -> Iterable[Any]:
    """The moves of orders with their lots and serials up to a time, in the order in which they happened."""
    m = move.c
    query = (
        select(
            m.item, m.n, m.at_us, m.qty_milli, m.from_state, m.from_operation, m.entered, m.to_state, m.to_operation,
            m.to_entered, func.coalesce(item.c.order_, item.c.item).label("order_"),
        )
        .select_from(move.join(item, item.c.item == m.item))
        .where(and_(or_(item.c.order_.in_(orders), item.c.item.in_(orders)), m.at_us <= to_us, m.qty_milli > 0))
        .order_by(m.at_us, m.item, m.n)
    )  # fmt: skip
    return connection.execute(query)


def _routing(heads: list[Any], at_us: int, master_data: MasterData) -> Routing | None:
    """The routing of an item at a time, with the operations of its release."""
    at = head_at(heads, at_us)
    if at is None or at.routing is None or at.released_us is None:
        return None
    return master_data.routing(at.routing, at.released_us)


def _count(one: Any, routing: Routing, allowances: dict[tuple[str, int], Allowance]) -> int:
    """Count a move for each operation with an allowance that it comes to; how many of its pieces are normal scrap."""
    scraps = one.to_state == ParcelState.SCRAPPED and one.from_state != ParcelState.SCRAPPED
    returns = one.from_state == ParcelState.SCRAPPED and one.to_state != ParcelState.SCRAPPED
    normal = 0
    for operation in routing.operations:
        if not operation.scrap_ppm:
            continue
        op = operation.op
        allowance = allowances.setdefault((one.order_, op), Allowance(operation.scrap_ppm))
        was, is_there = (
            one.entered is not None and one.entered >= op,
            one.to_entered is not None and one.to_entered >= op,
        )
        scraps_here = scraps and one.to_operation == op
        # A piece that is scrapped in front of an operation, by a scan at it, came there too.
        if not was and (is_there or scraps_here):
            allowance.come(one.qty_milli)
        if scraps_here:
            normal = allowance.scrap(one.qty_milli)
        elif returns and one.from_operation == op:
            normal = allowance.give_back(one.qty_milli)
    return normal
