"""The shop as known at an earlier ledger position: what the pages and the API answered when the ledger ended there.

Later voids, corrections, anchors, definitions and prices are excluded. Only items that a later row changed, or that have a
late event, can differ from the rows of today (`server.projection.known_shop`); they are folded from the events up to the
position, and all others are read as of the time up to which these events reach.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from sqlalchemy import Connection

from server.projection.known_shop import KnownShop, scratch_tables
from server.queries.current_master_data import master_data
from server.queries.current_stock import StockRow, stock_now
from server.queries.folded_stock import folded_at, folded_members, folded_now
from server.queries.historical_stock import stock_at
from server.queries.order_family import families_of, member_rows, not_started_orders, reduced, without_members
from server.queries.valuation import Valuation

MOST_TIMES = 8


@contextmanager
def shop_known_at(connection: Connection, pos: int, until_us: int | None = None) -> Iterator[KnownShop]:
    """The shop as known at a position, readable within the block. `until_us`: items are folded up to this time."""
    with scratch_tables() as scratch:
        yield KnownShop(connection, scratch, pos, until_us)


class KnownStock(NamedTuple):
    """All stock that was released, waiting, here or held, and the items whose rows differ from those of today."""

    rows: list[StockRow]
    differ: set[str]


def known_stock(connection: Connection, shop: KnownShop, at_us: int | None) -> KnownStock:
    """The stock as known at the position of `shop`, which is one without `until_us`, in no particular order.

    `at_us`: as of this time (UTC us); None: with all events up to the position.
    """
    changes = shop.changes
    until_us, late = changes.late_items(at_us)
    otherwise = changes.items_defined_otherwise() | changes.changed_items
    continued = changes.only_continued({name: us for name, us in late.items() if name not in otherwise})
    before, continued_items = _before_late(connection, continued)
    differ = otherwise | (late.keys() - continued_items)
    stock = stock_at(connection, until_us, known=shop.pos)
    stock = [*(row for row in stock if row.item not in differ and row.item not in continued_items), *before]
    differ |= changes.items_known_later({row.item for row in stock})
    shop.fold_items(differ)
    items = [folded for name, folded in shop.items.items() if name in differ]
    then = folded_now(items) if at_us is None else folded_at(items, at_us, shop.master_data)
    return KnownStock([*(row for row in stock if row.item not in differ), *then], differ)


def _before_late(connection: Connection, continued: dict[str, tuple[int, int]]) -> tuple[list[StockRow], set[str]]:
    """The stock of some items at a time from the first to before the second one of each, and of which of them.

    Times are chosen so that each holds for many items; those left after MOST_TIMES of them are not read.
    """
    stock: list[StockRow] = []
    read: set[str] = set()
    waiting = sorted(continued, key=lambda name: continued[name][1])
    for _ in range(MOST_TIMES):
        if not waiting:
            break
        at_us = continued[waiting[0]][1] - 1
        names = {name for name in waiting if continued[name][0] <= at_us}
        stock += stock_at(connection, at_us, names)
        read |= names
        waiting = [name for name in waiting if name not in names]
    return stock, read


def known_without_members(
    connection: Connection, shop: KnownShop, stock: list[StockRow], valuation: Valuation, at_us: int | None
) -> list[StockRow]:
    """As `order_family.without_members`, with the lots and serials as known at the position."""
    orders = not_started_orders(stock)
    today = member_rows(connection, orders)
    names = {row.item for row in today}
    differ = shop.changes.later_items(names) | (names & shop.changes.changed_items)
    shop.fold_items(differ)
    known = [row for row in today if not shop.has_folded(row.item)] + folded_members(shop.items.values(), set(orders))
    families = families_of(known, at_us)
    return reduced(stock, families, valuation) if families else stock


def past_stock(
    connection: Connection, known: int | None, at_us: int | None, now_us: int
) -> tuple[Valuation, list[StockRow]]:
    """All stock with each piece once, and the prices that apply to it.

    `known`: as known at this position, None: as known now. `at_us`: as of this time (UTC us), None: now. Prices are those
    known then that hold at that time.
    """
    at_us = None if at_us is None or at_us >= now_us else at_us
    time_us = now_us if at_us is None else at_us
    if known is None:
        valuation = Valuation(master_data(connection), time_us)
        stock = stock_now(connection) if at_us is None else stock_at(connection, at_us)
        return valuation, without_members(connection, stock, valuation, at_us)
    with shop_known_at(connection, known) as shop:
        valuation = Valuation(shop.master_data, time_us)
        stock = known_stock(connection, shop, at_us).rows
        return valuation, known_without_members(connection, shop, stock, valuation, at_us)
