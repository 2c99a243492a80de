"""Open items for the stations: the places of all open quantities, with which a station checks scans offline."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, and_, select

from server.api.cursor import Cursor
from server.ledger.hub_log import hub_row
from server.projection.tables import event_item, item, parcel, projection
from station.core.protocol import ItemsAnswer, OpenItem

MAX_ITEMS = 50_000
OPEN_STATES = ("released", "waiting", "here", "held")


def projected_pos(connection: Connection) -> int:
    """The ledger position that the projection includes."""
    return connection.execute(select(projection.c.v).where(projection.c.k == "projected_pos")).scalar() or 0


def changes(connection: Connection, after: str) -> ItemsAnswer:
    """The items that changed after a cursor; all open items where the cursor is not of this epoch."""
    hub, pos = hub_row(connection), projected_pos(connection)
    epoch = hub.epoch
    since = Cursor.read(after)
    reset = since is None or since.epoch != epoch or since.pos > pos
    if since is None or reset:
        names, complete = _open_names(connection)
    else:
        names, complete = _changed_names(connection, since.pos)
        if not complete:
            reset = True
            names, complete = _open_names(connection)
    rows = list(_rows(connection, names, over=not reset))
    return ItemsAnswer(str(Cursor(epoch, pos)), rows, reset, complete, epoch, bytes(hub.head).hex())


def _open_names(connection: Connection) -> tuple[list[str], bool]:
    wanted = select(item.c.item).where(item.c.status == "open").order_by(item.c.last_key_us.desc()).limit(MAX_ITEMS + 1)
    names = list(connection.execute(wanted).scalars())
    return names[:MAX_ITEMS], len(names) <= MAX_ITEMS


def _changed_names(connection: Connection, pos: int) -> tuple[list[str], bool]:
    wanted = select(event_item.c.item).where(event_item.c.pos > pos).distinct().limit(MAX_ITEMS + 1)
    names = list(connection.execute(wanted).scalars())
    return names, len(names) <= MAX_ITEMS


def _rows(connection: Connection, names: list[str], *, over: bool) -> Iterable[OpenItem]:
    """The open quantities of these items; with `over`, also one row for each item without an open quantity."""
    for start in range(0, len(names), 500):
        chunk = names[start : start + 500]
        parcels: dict[str, list[Any]] = {name: [] for name in chunk}
        query = select(parcel).where(and_(parcel.c.item.in_(chunk), parcel.c.state.in_(OPEN_STATES)))
        query = query.order_by(parcel.c.item, parcel.c.operation, parcel.c.stage, parcel.c.state)
        for row in connection.execute(query):
            parcels[row.item].append(row)
        state = (
            {row.item: row for row in connection.execute(select(item).where(item.c.item.in_(chunk)))} if over else {}
        )
        for name, rows in parcels.items():
            for row in rows:
                yield OpenItem(name, row.product, row.operation, row.state, row.qty_milli, row.stage)
            if not rows and name in state:
                status = state[name].status
                yield OpenItem(name, state[name].product, None, "finished" if status == "open" else status, 0)
