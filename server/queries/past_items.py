"""Past items: items and orders as of a past time, as known at a ledger position, in tables that every query of items reads.

An item without a later event and without a changed one has the row of today. The others are folded from the events up to the
time and the position. A quantity and a release that became known later, up to the position, hold for the time before.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, and_, or_, select

from server.db.bulk_insert import insert_many
from server.projection.internal_tables import call_mark, code_key, void_mark
from server.projection.known_shop import KnownShop
from server.projection.ledger_row import AT_ONCE
from server.projection.released_orders import RELEASE
from server.projection.tables import event_item, item, parcel
from server.queries.as_known_at import shop_known_at
from server.queries.calls import Call, calls_until
from server.queries.item_changes import change_targets
from server.queries.order_progress import OrderProgress, orders_after
from server.queries.printed_orders import PRINT
from server.queries.valuation import Valuation

ORDERS_AT_ONCE = 500


@contextmanager
def past_item(connection: Connection, name: str, known: int, at_us: int | None) -> Iterator[KnownShop]:
    """One item with its lots and serials, with its events and changes, as `server.queries.item_detail` reads them.

    `known`: as known at this position. `at_us`: as of this time (UTC us); None: now.
    """
    with shop_known_at(connection, known, at_us) as shop:
        shop.fold_items([name, *members_of(connection, shop, [name])])
        shop.add_item_events()
        _add_changes(connection, shop, name)
        yield shop


def existing_items(connection: Connection, names: list[str], known: int, at_us: int | None) -> list[str]:
    """Of a few items those that had an event by the time and the position, in their order."""
    with shop_known_at(connection, known, at_us) as shop:
        shop.fold_items(names)
        return [name for name in names if name in shop.items]


def members_of(connection: Connection, shop: KnownShop, orders: Iterable[str]) -> set[str]:
    """The items that are, or were, lots or serials of orders: today's, and those that a release of one of them names."""
    found: set[str] = set()
    ordered = sorted(orders)
    for start in range(0, len(ordered), AT_ONCE):
        chunk = ordered[start : start + AT_ONCE]
        found.update(connection.execute(select(item.c.item).where(item.c.order_.in_(chunk))).scalars())
        own = event_item.alias("own")
        named = (
            select(event_item.c.item)
            .join(own, own.c.pos == event_item.c.pos)
            .where(and_(own.c.item.in_(chunk), own.c.verb == RELEASE))
        )
        found.update(connection.execute(named.distinct()).scalars())
    return (found | shop.changes.changed_items) - set(ordered)


def _add_changes(connection: Connection, shop: KnownShop, name: str) -> None:
    """Store the voids and corrections that concern an item up to the position."""
    pairs = change_targets(connection, name)
    shop.add_events({pos for pair in pairs for pos in pair})
    shop.scratch.execute(void_mark.delete())
    changes = sorted({pos for pos, _ in pairs if pos <= shop.pos})
    marks = select(void_mark).where(void_mark.c.pos <= shop.pos)
    wanted = set(changes)
    rows = [tuple(row) for row in connection.execute(marks)]
    named = {(bytes(row[1]), row[2]) for row in rows if row[0] in wanted}
    # A void of one of these voids takes it back; it is a change itself, or names one of them.
    insert_many(shop.scratch, void_mark, [row for row in rows if row[0] in wanted or (bytes(row[3]), row[4]) in named])
    shop.add_events(row[0] for row in rows if (bytes(row[3]), row[4]) in named)
    shop.copy_rows(code_key, code_key.c.key == name)


def load_items(connection: Connection, shop: KnownShop, names: Iterable[str], at_us: int | None) -> None:
    """Fill the tables of `item` and `parcel` with these items: rows of today where nothing changed, else a fold."""
    wanted = set(names)
    unchanged: dict[str, tuple[Any, ...]] = {}
    columns = [column for column in item.c if column.name != "state"]
    ordered = sorted(wanted)
    for start in range(0, len(ordered), AT_ONCE):
        query = select(*columns).where(item.c.item.in_(ordered[start : start + AT_ONCE]))
        if at_us is not None:
            query = query.where(item.c.last_key_us <= at_us)
        unchanged.update({row.item: tuple(row) for row in connection.execute(query)})
    same = unchanged.keys() - shop.changes.differing(unchanged)
    shop.fold_items(wanted - same)
    fresh = sorted(name for name in same if not shop.has_folded(name) and name not in shop.copied)
    shop.copied.update(fresh)
    names_of_columns = tuple(column.name for column in columns)
    rows = [(*unchanged[name], b"") for name in fresh]
    insert_many(shop.scratch, item, rows, *names_of_columns, "state")
    for start in range(0, len(fresh), AT_ONCE):
        shop.copy_parcels(parcel.c.item.in_(fresh[start : start + AT_ONCE]))


def past_orders_after(
    connection: Connection,
    shop: KnownShop,
    valuation: Valuation,
    cursor: str,
    limit: int,
    status: str | None,
    at_us: int | None,
) -> list[OrderProgress]:
    """As `server.queries.order_progress.orders_after`, as of a past time and as known at a position."""
    found: list[OrderProgress] = []
    after: str | None = cursor
    while after is not None and len(found) < limit:
        c = item.c
        query = select(c.item).where(and_(c.item > after, c.released_us.is_not(None)))
        names = list(connection.execute(query.order_by(c.item).limit(ORDERS_AT_ONCE)).scalars())
        end = names[-1] if len(names) == ORDERS_AT_ONCE else None
        wanted = {
            *names,
            *(name for name in shop.changes.changed_items if name > after and (end is None or name <= end)),
        }
        load_items(connection, shop, wanted | members_of(connection, shop, wanted), at_us)
        rows = orders_after(shop.scratch, valuation, after, len(shop.copied) + len(shop.folded) + 1, status)
        found += [row for row in rows if end is None or row.order <= end]
        after = end
    return found[:limit]


def load_orders(connection: Connection, shop: KnownShop, at_us: int | None, *, with_prints: bool = False) -> None:
    """Fill the tables with every order and its lots and serials, for a list that is filtered and sorted.

    `with_prints`: with the entries that record their prints.
    """
    of_orders = or_(item.c.order_.is_not(None), item.c.released_us.is_not(None))
    load_items(
        connection,
        shop,
        {*connection.execute(select(item.c.item).where(of_orders)).scalars()} | shop.changes.changed_items,
        at_us,
    )
    ordered = sorted(shop.copied) if with_prints else []
    for start in range(0, len(ordered), AT_ONCE):
        of_chunk = and_(event_item.c.item.in_(ordered[start : start + AT_ONCE]), event_item.c.verb == PRINT)
        shop.copy_rows(event_item, of_chunk)


def past_calls(connection: Connection, known: int | None, at_us: int) -> list[Call]:
    """All calls up to a time, with the answers up to that time, as known at a position (None: now)."""
    if known is None:
        return calls_until(connection, at_us)
    with shop_known_at(connection, known) as shop:
        shop.copy_rows(call_mark, call_mark.c.pos <= known)
        shop.add_events(shop.scratch.execute(select(call_mark.c.pos)).scalars().all())
        return calls_until(shop.scratch, at_us)
