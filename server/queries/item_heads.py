"""Item heads: the product, order and routing that an item had at a time, for queries that read moves one by one."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, select

from server.projection.ledger_row import AT_ONCE
from server.projection.tables import head

Heads = dict[str, list[Any]]  # the rows of `head` of each item, in the order in which they hold


def heads_of(connection: Connection, items: Iterable[str]) -> Heads:
    """The heads of some items."""
    names, found = sorted(items), Heads()
    for start in range(0, len(names), AT_ONCE):
        rows = select(head).where(head.c.item.in_(names[start : start + AT_ONCE]))
        for row in connection.execute(rows.order_by(head.c.item, head.c.from_us)):
            found.setdefault(row.item, []).append(row)
    return found


def head_at(heads: list[Any], at_us: int) -> Any | None:
    """The head of an item that holds at a time (UTC us); before its release that of its first release."""
    at = next((one for one in reversed(heads) if one.from_us <= at_us), heads[0] if heads else None)
    if at is not None and at.released_us is None:
        return next((one for one in heads if one.released_us is not None), at)
    return at
