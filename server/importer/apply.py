"""Apply a shop folder to a hub: compare it with the current state, and write the missing entries, all or none.

It works whether the hub runs or not (`server.ops.admin_commands`). An entry that the hub has so already when it is written
is left out and counted as unchanged: a person entered it since the comparison, or its fields differ only in defaults.
"""

from collections.abc import Mapping
from datetime import tzinfo

from sqlalchemy import Connection, select

from server.db import schema
from server.importer.current_state import CurrentState, RecordedEntry, fold_entries
from server.importer.loader import ShopImport, read_shop
from server.ledger.entries import Entry
from server.ops import admin_commands
from server.ops.bootstrap import open_read_only
from station.core.event import EventError, decode
from station.system.progress import Listener


def import_shop(
    db: str,
    files: Mapping[str, bytes],
    *,
    by: str,
    now_us: int,
    zone: tzinfo,
    listener: Listener | None = None,
) -> ShopImport:
    """Write the new entries of a shop folder (file name -> content) to the hub in this database, all of them or none.

    `by`: the author; `now_us`: the time of import, UTC us; `zone`: that of a site without `site.define`; `listener` gets the
    progress. Raises `ShopFolderError` with every mistake, `EntryRefused` for an entry that holds from a closed period,
    `NoHub`, `HubLocked`.
    """
    imported = read_shop(files, now_us=now_us, zone=zone, current=current_state(db))
    if not imported.entries:
        return imported
    rows = [Entry(entry.what, entry.data, by, entry.holds_from_us) for entry in imported.entries]
    places = admin_commands.enter(db, rows, listener)
    written = [entry for entry, place in zip(imported.entries, places, strict=True) if place is not None]
    return imported._replace(entries=tuple(written), unchanged=imported.unchanged + len(rows) - len(written))


def current_state(db: str) -> CurrentState:
    """The current state by the hub's own entries, read from the ledger, because the projection may lag."""
    with open_read_only(db) as store, store.read() as connection:
        return fold_entries(_recorded(connection))


def _recorded(connection: Connection) -> list[RecordedEntry]:
    """The entries of the hub's own logs, in ledger order."""
    ledger, log = schema.ledger.c, schema.log.c
    own = (
        select(ledger.log_id, ledger.seq, ledger.bytes)
        .join(schema.log, log.log_id == ledger.log_id)
        .where(log.device.is_(None))
        .order_by(ledger.pos)
    )
    entries = []
    for log_id, seq, encoded in connection.execute(own):
        try:
            event = decode(encoded)
        except EventError:
            continue  # an entry of a later version, which this version cannot decode
        if event.kind == "entry" and event.what is not None:
            data, made_us = event.data or {}, event.wall_us or 0
            entries.append(RecordedEntry(log_id.hex(), seq, event.what, data, event.holds_from_us, made_us))
    return entries
