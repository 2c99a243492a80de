"""Print record: the entries of prints, and how often the traveller of an item was printed.

A print is recorded before the paper comes out: after a failure in between the next paper is called a copy without need, and
never are there two papers that look like the only one.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, and_, func, select

from server.ledger.entries import Entry
from server.projection.tables import event_item, item
from server.queries.printed_orders import AT_ONCE, PRINT, newest_prints, with_their_orders
from station.core.codes import identity_of_written

LABEL_PRINT, KIT_PRINT = "label.print", "kit.print"


class PrintRecord:
    """The recorded prints. Entries that the projection does not have yet are read from the hub's own log."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._newest = newest_prints(connection)

    def count(self, name: str) -> int:
        """How often the traveller of an item was printed."""
        c = event_item.c
        query = select(func.count()).where(and_(c.item == name, c.verb == PRINT))
        return int(self._connection.execute(query).scalar_one()) + self._newest[name]

    def printed_orders(self) -> set[str]:
        """Every order of which a traveller was printed, of the whole or of one of its items."""
        c = event_item.c
        printed = select(c.item).where(c.verb == PRINT)
        names = {*self._connection.execute(printed.distinct()).scalars(), *self._newest}
        owners = select(item.c.order_).where(and_(item.c.item.in_(printed), item.c.order_.is_not(None))).distinct()
        orders = {*self._connection.execute(owners).scalars()} | with_their_orders(self._connection, list(self._newest))
        return names | orders


def entries_of(items: Iterable[str], by: str) -> list[Entry]:
    """The entries for printed travellers of these items."""
    return [Entry(PRINT, {"item": name}, by) for name in dict.fromkeys(items)]


def label_entries(connection: Connection, kind: str, names: Iterable[str], copies: int, by: str) -> list[Entry]:
    """The entries for printed labels; that of an item which the hub knows is an event of the item.

    A label may be printed before its item is known: that print must not make an item of the name.
    """
    wanted = list(dict.fromkeys(names))
    known: set[str] = set()
    if kind == "item":
        identities = [identity_of_written(name) for name in wanted]
        for start in range(0, len(identities), AT_ONCE):
            query = select(item.c.item).where(item.c.item.in_(identities[start : start + AT_ONCE]))
            known.update(connection.execute(query).scalars())
    return [
        Entry(
            LABEL_PRINT,
            {
                "kind": kind,
                "name": name,
                **({"item": identity_of_written(name)} if identity_of_written(name) in known else {}),
                **({"copies": copies} if copies > 1 else {}),
            },
            by,
        )
        for name in wanted
    ]


def kit_entry(stage: str, by: str) -> Entry:
    """The entry for the printed kit of a stage."""
    return Entry(KIT_PRINT, {"stage": stage}, by)
