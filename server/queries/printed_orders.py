"""Printed orders: of which orders a traveller is on record, of the whole or of one of its lots and serials.

An entry `traveller.print` that the projection does not have yet is read from the hub's own log.
"""

from collections import Counter
from typing import Any

from sqlalchemy import Connection, and_, exists, or_, select

from server.db import schema
from server.projection.tables import event_item, item
from server.projection.worker import projected_pos
from station.core.codes import identity_of_written
from station.core.event import EventError, decode

PRINT = "traveller.print"
AT_ONCE = 500  # names in one statement


def newest_prints(connection: Connection) -> Counter[str]:
    """The prints in the hub's own log behind the projection, by item."""
    ledger, log = schema.ledger.c, schema.log.c
    own = (
        select(ledger.bytes)
        .join(schema.log, log.log_id == ledger.log_id)
        .where(and_(log.device.is_(None), ledger.pos > projected_pos(connection)))
    )
    prints: Counter[str] = Counter()
    for encoded in connection.execute(own).scalars():
        try:
            event = decode(encoded)
        except EventError:
            continue  # an entry of a later version, which this version cannot decode
        name = (event.data or {}).get("item") if event.what == PRINT else None
        if isinstance(name, str):
            prints[identity_of_written(name)] += 1
    return prints


def with_their_orders(connection: Connection, names: list[str]) -> set[str]:
    """These items and the orders that they belong to."""
    found = set(names)
    for start in range(0, len(names), AT_ONCE):
        chunk = names[start : start + AT_ONCE]
        owners = select(item.c.order_).where(and_(item.c.item.in_(chunk), item.c.order_.is_not(None))).distinct()
        found.update(connection.execute(owners).scalars())
    return found


def is_printed(connection: Connection) -> Any:
    """The condition on a row of `item` that a traveller of it, or of an item that belongs to it, is on record."""
    own, under, part = event_item.alias(), event_item.alias(), item.alias()
    of_it = exists().where(and_(own.c.item == item.c.item, own.c.verb == PRINT))
    of_a_part = exists().where(and_(part.c.order_ == item.c.item, under.c.item == part.c.item, under.c.verb == PRINT))
    newest = with_their_orders(connection, list(newest_prints(connection)))
    return or_(of_it, of_a_part, item.c.item.in_(sorted(newest)))
