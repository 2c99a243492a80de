"""Items for the stations: all open items and those that ended lately, with which a station checks scans offline."""

from collections.abc import Iterable

import msgspec
from sqlalchemy import Connection, and_, select

from server.api.cursor import Cursor
from server.db.schema import ledger
from server.ledger.hub_log import hub_row
from server.projection.item_states import StoredItem, last_change
from server.projection.tables import item, projection
from server.queries.current_master_data import master_data
from station.core.ledger.parcels import ItemState
from station.core.master_data import MasterData
from station.core.protocol import ItemsAnswer, OpenItem

MAX_ITEMS = 50_000
MOST_ENDED = 20_000  # the newest ones
ENDED_KEPT_US = 90 * 86_400_000_000
_STATE = msgspec.msgpack.Decoder(StoredItem)


def projected_pos(connection: Connection) -> int:
    """The ledger position that the projection includes."""
    return connection.execute(select(projection.c.v).where(projection.c.k == "projected_pos")).scalar() or 0


def changes(connection: Connection, after: str, now_us: int, log: str = "") -> ItemsAnswer:
    """The items that changed after a cursor; all open items where the cursor is not of this epoch.

    `log`: the asking station's log in hex; `thru` of the answer is the last event of it that the items include.
    """
    hub, newest = hub_row(connection), last_change(connection)
    epoch = hub.epoch
    since = Cursor.read(after)
    reset = since is None or since.epoch != epoch or since.pos > newest
    if since is None or reset:
        names, complete = _kept_names(connection, now_us)
    else:
        names, complete = _changed_names(connection, since.pos)
        if not complete:
            reset = True
            names, complete = _kept_names(connection, now_us)
    rows = list(_rows(connection, names, now_us))
    head = bytes(hub.head).hex()
    thru = _thru(connection, log, projected_pos(connection))
    return ItemsAnswer(str(Cursor(epoch, newest)), rows, reset, complete, epoch, head, thru)


def _thru(connection: Connection, log: str, pos: int) -> int | None:
    try:
        log_id = bytes.fromhex(log)
    except ValueError:
        return None
    if not log_id:
        return None
    c = ledger.c
    newest = select(c.seq).where(and_(c.log_id == log_id, c.pos <= pos)).order_by(c.seq.desc()).limit(1)
    return connection.execute(newest).scalar() or 0


def _kept_names(connection: Connection, now_us: int) -> tuple[list[str], bool]:
    """The open items, and those that ended lately; whether these are all open items."""
    c = item.c
    by_age = select(c.item).order_by(c.last_key_us.desc())
    names = list(connection.execute(by_age.where(c.status == "open").limit(MAX_ITEMS + 1)).scalars())
    lately = and_(c.status != "open", c.last_key_us > now_us - ENDED_KEPT_US)
    ended = list(connection.execute(by_age.where(lately).limit(MOST_ENDED)).scalars())
    return ended + names[:MAX_ITEMS], len(names) <= MAX_ITEMS


def _changed_names(connection: Connection, change: int) -> tuple[list[str], bool]:
    """The items that were written after a change: by a scan, an entry, a void or a new definition."""
    wanted = select(item.c.item).where(item.c.changed > change).limit(MAX_ITEMS + 1)
    names = list(connection.execute(wanted).scalars())
    return names, len(names) <= MAX_ITEMS


def _rows(connection: Connection, names: list[str], now_us: int) -> Iterable[OpenItem]:
    """The parcels of these items; one row with the status for an item without any."""
    shop = master_data(connection)
    for start in range(0, len(names), 500):
        chunk = names[start : start + 500]
        query = select(item.c.item, item.c.state).where(item.c.item.in_(chunk))
        states = {name: _STATE.decode(encoded).state for name, encoded in connection.execute(query)}
        for name in chunk:
            if name in states:
                yield from item_rows(states[name], shop, now_us)


def item_rows(state: ItemState, shop: MasterData, now_us: int) -> Iterable[OpenItem]:
    """The rows of one item. A routing is named, and sent as a whole only where it is not the one that is valid now."""
    routing = state.routing
    current = shop.routing(routing.routing, now_us) if routing is not None else None
    common = OpenItem(
        item=state.item,
        product=state.header.product,
        order=state.header.order,
        routing=routing.routing if routing is not None else None,
        operations=list(routing.operations) if routing is not None and routing != current else None,
        released=state.released_us is not None,
        closed=state.how if state.closed else None,
        outer=state.outer,
    )
    for parcel in state.parcels:
        yield msgspec.structs.replace(
            common,
            operation=parcel.op,
            state=parcel.state,
            qty_milli=parcel.qty_milli,
            stage=parcel.stage,
            held_from=parcel.held_from,
            done_at=parcel.done_at,
            entered=parcel.entered,
            reached=parcel.reached,
            scanned=list(parcel.scanned),
            since_us=parcel.since_us,
            carrier=parcel.carrier,
            station=parcel.station,
            run_since_us=parcel.run_since_us,
        )
    if not state.parcels:
        yield msgspec.structs.replace(common, state=state.status, qty_milli=0)
