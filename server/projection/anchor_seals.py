"""Anchor seals: an anchor counts only if its MAC proves that this hub issued its times."""

from sqlalchemy import Connection, select

from server.db.schema import hub
from server.projection.ledger_row import LedgerRow
from station.core.hash_chain import anchor_mac, boot_bytes


def seal_key(connection: Connection) -> bytes | None:
    """The hub's MAC key for anchors; None in a database without a hub row."""
    mac_key = connection.execute(select(hub.c.mac_key)).scalar_one_or_none()
    return None if mac_key is None else bytes(mac_key)


def check_seal(row: LedgerRow, key: bytes | None) -> None:
    """Mark an anchor whose MAC does not match its times as `not_understood`."""
    event = row.event
    if event is None or event.kind != "anchor" or key is None:
        return
    sealed = None
    if event.boot is not None and event.t2 is not None and event.t3 is not None:
        log_id = bytes.fromhex(row.counted.log)
        sealed = anchor_mac(key, log_id, boot_bytes(event.boot), event.t2, event.t3)
    if sealed is None or sealed != event.mac:
        row.status = row.read_as = "not_understood"
