"""A shop folder and a hub: what stands there, what the folder adds, and its entries, written all or none.

It works beside a running hub as well as without one (`server.ops.admin_commands`). The same may be entered
between the comparison and the writing: an order that is released twice is released once and changed to what it already is,
a definition entered twice holds once.
"""

from collections.abc import Mapping
from datetime import tzinfo

from sqlalchemy import Connection, select

from server.db import schema
from server.importer.current_state import CurrentState, RecordedEntry, standing_of
from server.importer.loader import ShopImport, read_shop
from server.ledger.entries import Entry
from server.ops import admin_commands
from server.ops.bootstrap import open_read_only
from station.core.event import EventError, decode


def import_shop(db: str, files: Mapping[str, bytes], *, by: str, now_us: int, zone: tzinfo) -> ShopImport:
    """Enter what a shop folder (file name -> content) adds to the hub in this database, all of it or nothing.

    `by`: who says it; `now_us`: the moment of import, UTC us; `zone`: the shop's. Raises `ShopError` with every mistake,
    `EntryRefused` where the hub takes an entry from nobody (one that holds from a closed period), `NoHub`, `HubRuns`.
    """
    found = read_shop(files, now_us=now_us, zone=zone, standing=standing_in(db))
    if found.entries:
        admin_commands.enter(db, [Entry(entry.what, entry.data, by, entry.holds_from_us) for entry in found.entries])
    return found


def standing_in(db: str) -> CurrentState:
    """What the hub's own entries say, read from the ledger itself: the projection may still be on its way."""
    with open_read_only(db) as store, store.read() as connection:
        return standing_of(_said(connection))


def _said(connection: Connection) -> list[RecordedEntry]:
    """The entries in the hub's own logs, in the order in which they were taken."""
    ledger, log = schema.ledger.c, schema.log.c
    own = (
        select(ledger.log_id, ledger.seq, ledger.bytes)
        .join(schema.log, log.log_id == ledger.log_id)
        .where(log.device.is_(None))
        .order_by(ledger.pos)
    )
    said = []
    for log_id, seq, encoded in connection.execute(own):
        try:
            event = decode(encoded)
        except EventError:
            continue  # a later version's entry: it will count when this hub can read it
        if event.kind == "entry" and event.what is not None:
            said.append(RecordedEntry(log_id.hex(), seq, event.what, event.data or {}))
    return said
