"""Released orders: an item that a release names is known at all times, independent of the shop's patterns."""

from collections.abc import Iterable

from sqlalchemy import Connection, and_, bindparam, select

from server.projection.ledger_row import AT_ONCE
from server.projection.tables import event_item

RELEASE = "order.release"
MOST_ITEMS = 10_000  # items of one entry, and cached names
_RELEASED = select(event_item.c.item).where(
    and_(event_item.c.item.in_(bindparam("items", expanding=True)), event_item.c.verb == RELEASE)
)


class ReleasedOrders:
    """The set of released items, read on demand and cached, at most MOST_ITEMS of them; what was stated is kept."""

    def __init__(self) -> None:
        self._known: dict[str, bool] = {}
        self._stated: dict[str, bool] = {}
        self._any: bool | None = None

    def released(self, connection: Connection, item: str) -> bool:
        """Whether any release names this item, at any time."""
        is_released = self._stated.get(item, self._known.get(item))
        if is_released is None:
            if len(self._known) >= MOST_ITEMS:
                self._known.clear()
            row = event_item.c
            query = select(row.pos).where(and_(row.item == item, row.verb == RELEASE)).limit(1)
            is_released = self._known[item] = connection.execute(query).first() is not None
        return is_released

    def load(self, connection: Connection, items: Iterable[str]) -> None:
        """Load the releases of many items with few statements."""
        names = set(items) - self._stated.keys()
        new = sorted(names - self._known.keys())
        if len(self._known) + len(new) > MOST_ITEMS:
            self._known.clear()
            new = sorted(names)
        for start in range(0, len(new), AT_ONCE):
            chunk = new[start : start + AT_ONCE]
            self._known.update(dict.fromkeys(chunk, False))
            self._known.update(dict.fromkeys(connection.execute(_RELEASED, {"items": chunk}).scalars(), True))

    def any(self, connection: Connection) -> bool:
        """Whether the ledger holds any release."""
        if self._any is None:
            query = select(event_item.c.pos).where(event_item.c.verb == RELEASE).limit(1)
            self._any = connection.execute(query).first() is not None
        return self._any

    def state(self, released: Iterable[str], items: Iterable[str], *, any_released: bool) -> None:
        """State what is released, where the tables hold only some of the releases."""
        self._stated.update(dict.fromkeys(items, False))
        self._stated.update(dict.fromkeys(released, True))
        self._any = any_released

    def changed(self, items: Iterable[str]) -> None:
        """Drop the cached releases of these items."""
        for item in items:
            self._known.pop(item, None)
        self._any = None
