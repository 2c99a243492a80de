"""Seals: an anchor counts only with the times that this hub gave, which its MAC proves."""

from sqlalchemy import Connection, select

from server.db.schema import hub
from server.projection.ledger_row import LedgerRow
from station.core.hash_chain import anchor_mac, boot_bytes


def seal_key(connection: Connection) -> bytes | None:
    """The key with which the hub seals anchors; None in a database without a hub."""
    found = connection.execute(select(hub.c.mac_key)).scalar_one_or_none()
    return None if found is None else bytes(found)


def check_seal(each: LedgerRow, key: bytes | None) -> None:
    """An anchor whose times are not the hub's own counts for nothing."""
    event = each.event
    if event is None or event.kind != "anchor" or key is None:
        return
    sealed = None
    if event.boot is not None and event.t2 is not None and event.t3 is not None:
        log_id = bytes.fromhex(each.counted.log)
        sealed = anchor_mac(key, log_id, boot_bytes(event.boot), event.t2, event.t3)
    if sealed is None or sealed != event.mac:
        each.status = each.read_as = "not_understood"
