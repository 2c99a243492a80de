"""The hub's own log: entries and anchors, hash-chained like the log of a station.

`station` is "hub". An anchor maps the hub's boottime to UTC; the hub writes one at each start and after each step of its
clock. A restored hub opens a new log that names the old one as its parent.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from server.clock.readings import ClockReading, HubClock, stepped
from server.clock.watch import confirm, confirm_by_station_clock, watch_clock
from server.db import schema
from server.db.driver_statement import DriverStatement
from server.ledger.ingest import BatchRefused, EventBatch, append
from server.ledger.station_logs import log_of
from server.ops.host import Host
from station.core.event import Event, EventIdentity, encode
from station.core.hash_chain import LOG_ID_BYTES, anchor_mac, boot_bytes, link
from station.system.version import version

HUB = "hub"
_HUB = select(schema.hub)
_HEAD = DriverStatement(select(schema.hub.c.epoch, schema.hub.c.head))


def hub_row(connection: Connection) -> Any:
    """The single row of the table `hub`: identity, epoch, own log and chain head."""
    return connection.execute(_HUB).one()


def epoch_and_head(connection: Connection) -> tuple[int, bytes]:
    """The epoch and the chain head of the hub."""
    row = _HEAD.first(connection, {})
    return row.epoch, row.head


def append_own(connection: Connection, events: Sequence[bytes], now_us: int) -> tuple[bytes, int, int]:
    """Append encoded events to the hub's own log. Returns (log id, seq, pos) of the first."""
    log_id = hub_row(connection).log_id
    log = log_of(connection, log_id, device=None, station=HUB, now_us=now_us)
    tip = prev = bytes(log.tip)
    for encoded in events:
        tip = link(tip, encoded)
    batch = EventBatch(log_id, log.accepted_thru + 1, prev, tip, events)
    appended = append(connection, batch, recv_us=now_us, log=log)
    assert not isinstance(appended, BatchRefused)  # the hub's own tip, read under the lock of the same transaction
    return log_id, batch.from_seq, appended.pos - len(events) + 1


def event_of(kind: str, clock: HubClock, now: ClockReading, **fields: Any) -> bytes:
    """Encode an event of the hub's own log at the clock reading `now`."""
    own: dict[str, Any] = {"boot": clock.boot_id(), "mono_ns": now.boot_ns, "wall_us": now.utc_us}
    return encode(Event(kind=kind, station=HUB, sw=version(), clk=clock.state(), **own, **fields))


def keep_time(connection: Connection, clock: HubClock, *, start: bool = False) -> None:
    """Write an anchor where one is due: at a `start`, in a new boot, after a clock step. A doubted clock gets none."""
    if not watch_clock(connection, clock):
        return
    hub, now = hub_row(connection), clock.read()
    same_boot = hub.anchor_boot == clock.boot_id()
    if start or not same_boot or stepped(ClockReading(hub.anchor_ns, hub.anchor_us), now):
        write_anchor(connection, hub, clock, now)


def confirm_clock(connection: Connection, clock: HubClock) -> None:
    """End the doubt about the hub's clock after a person confirmed it; anchors are issued again from now on."""
    confirm(connection, clock)
    write_anchor(connection, hub_row(connection), clock, clock.read())


def compare_station_clock(
    connection: Connection, clock: HubClock, station: str, expected_us: int | None, at_us: int
) -> None:
    """Compare a station's clock with the hub's (see `server.clock.watch`); an ended doubt allows anchors again.

    `expected_us`: the hub time that the station's clock predicts; `at_us`: the hub's clock. Both UTC us.
    """
    if expected_us is not None and confirm_by_station_clock(
        connection, clock, station, expected_us=expected_us, at_us=at_us
    ):
        write_anchor(connection, hub_row(connection), clock, clock.read())


def write_anchor(connection: Connection, hub: Any, clock: HubClock, now: ClockReading) -> None:
    """Write an anchor that maps the hub's boottime to its UTC at `now`, and end a doubt."""
    boot = clock.boot_id()
    mac = anchor_mac(hub.mac_key, hub.log_id, boot_bytes(boot), now.utc_us, now.utc_us)
    times = {"t1": now.boot_ns, "t4": now.boot_ns, "t2": now.utc_us, "t3": now.utc_us}
    append_own(connection, [event_of("anchor", clock, now, **times, hub_clk=clock.state(), mac=mac)], now.utc_us)
    connection.execute(
        schema.hub.update().values(anchor_boot=boot, anchor_ns=now.boot_ns, anchor_us=now.utc_us, clock_doubt=False)
    )


def begin_epoch(connection: Connection, cause: str, high: tuple[int, int] | None, host: Host) -> int:
    """Begin a new epoch, in which stations resume from the events that the hub has. Returns the epoch's number.

    1. Choose a number above every epoch that the hub or its rollback guard has seen.
    2. Give the hub a new log, and record the epoch with its cause.
    3. Link the new log to the old one by an `open` event, where the old log has events.
    4. Clear durability: no backup covers the new epoch yet.
    """
    hub, now = hub_row(connection), host.clock.read()
    # Seconds of UTC in the number: the same backup restored twice gives two different epochs.
    number: int = max(hub.epoch + 1, (high or (0, 0))[0] + 1, now.utc_us // 1_000_000)
    old = log_of(connection, hub.log_id, device=None, station=HUB, now_us=now.utc_us)
    connection.execute(schema.hub.update().values(epoch=number, log_id=host.random_bytes(LOG_ID_BYTES)))
    pos = connection.execute(select(schema.counter.c.pos).where(schema.counter.c.name == "ledger")).scalar_one()
    row = {
        "epoch": number,
        "since_us": now.utc_us,
        "cause": cause,
        "pos": pos,
        "high_pos": None if high is None else high[1],
    }
    connection.execute(schema.epoch.insert(), [row])
    if old.accepted_thru:
        parent = EventIdentity(old.log_id.hex(), old.accepted_thru, bytes(old.tip).hex())
        append_own(connection, [event_of("open", host.clock, now, parent=parent, cause=cause)], now.utc_us)
    connection.execute(schema.log.update().values(durable_thru=0))
    connection.execute(schema.hub.update().values(backup_pos=0, backup_us=None))
    return number
