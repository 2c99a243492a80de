"""Releases: what the office has released is known, whatever a pattern says, and for all of its past."""

from collections.abc import Iterable

from sqlalchemy import Connection, and_, select

from server.projection.ledger_row import AT_ONCE
from server.projection.tables import event_item

RELEASE = "order.release"
MOST_ITEMS = 10_000  # named by one entry, and remembered


class ReleasedOrders:
    """Which items the office has released: what it has released is known, whatever a pattern says."""

    def __init__(self) -> None:
        self._known: dict[str, bool] = {}
        self._any: bool | None = None

    def released(self, connection: Connection, item: str) -> bool:
        """Whether any release names this item, at whatever time."""
        known = self._known.get(item)
        if known is None:
            if len(self._known) >= MOST_ITEMS:
                self._known.clear()
            row = event_item.c
            found = select(row.pos).where(and_(row.item == item, row.verb == RELEASE)).limit(1)
            known = self._known[item] = connection.execute(found).first() is not None
        return known

    def load(self, connection: Connection, items: Iterable[str]) -> None:
        """Look for the releases of many items at once."""
        new = [name for name in items if name not in self._known]
        row = event_item.c
        for start in range(0, len(new), AT_ONCE):
            some = new[start : start + AT_ONCE]
            found = select(row.item).where(and_(row.item.in_(some), row.verb == RELEASE))
            self._known.update(dict.fromkeys(some, False))
            self._known.update(dict.fromkeys(connection.execute(found).scalars(), True))

    def any(self, connection: Connection) -> bool:
        """Whether the office has released anything at all."""
        if self._any is None:
            found = select(event_item.c.pos).where(event_item.c.verb == RELEASE).limit(1)
            self._any = connection.execute(found).first() is not None
        return self._any

    def changed(self, items: Iterable[str]) -> None:
        """Releases of these items came or went."""
        for item in items:
            self._known.pop(item, None)
        self._any = None
