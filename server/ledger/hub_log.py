"""The hub's own log: entries and anchors that the hub writes as a station writes its scans.

`station` is "hub". An anchor ties the hub's boottime to UTC at each start and after each step of its clock; a hub that was
restored goes on in a new log that names the old one as its parent.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from server.clock.readings import ClockReading, HubClock, stepped
from server.clock.watch import confirm, hear_station, watch_clock
from server.db import schema
from server.ledger.ingest import BatchRefused, EventBatch, append
from server.ledger.station_logs import log_of
from server.ops.host import Host
from station.core.event import Event, EventIdentity, encode
from station.core.hash_chain import LOG_ID_BYTES, anchor_mac, boot_bytes, link
from station.system.version import version

HUB = "hub"


def hub_row(connection: Connection) -> Any:
    """The one row that says who this hub is."""
    return connection.execute(select(schema.hub)).one()


def append_own(connection: Connection, events: Sequence[bytes], now_us: int) -> tuple[bytes, int, int]:
    """Append encoded events to the hub's own log; (log id, seq, pos) of the first."""
    log_id = hub_row(connection).log_id
    log = log_of(connection, log_id, device=None, station=HUB, now_us=now_us)
    tip = prev = bytes(log.tip)
    for encoded in events:
        tip = link(tip, encoded)
    batch = EventBatch(log_id, log.accepted_thru + 1, prev, tip, events)
    taken = append(connection, batch, recv_us=now_us)
    assert not isinstance(taken, BatchRefused)  # the hub's own tip, read under the lock of the same transaction
    return log_id, batch.from_seq, taken.pos - len(events) + 1


def event_of(kind: str, clock: HubClock, now: ClockReading, **fields: Any) -> bytes:
    """The bytes of an event that the hub itself makes at `now`."""
    own: dict[str, Any] = {"boot": clock.boot_id(), "mono_ns": now.boot_ns, "wall_us": now.utc_us}
    return encode(Event(kind=kind, station=HUB, sw=version(), clk=clock.state(), **own, **fields))


def keep_time(connection: Connection, clock: HubClock, *, start: bool = False) -> None:
    """Write an anchor where one is due: at a `start`, in a new boot, after a step. A clock in doubt gets none."""
    if not watch_clock(connection, clock):
        return
    hub, now = hub_row(connection), clock.read()
    same_boot = hub.anchor_boot == clock.boot_id()
    if start or not same_boot or stepped(ClockReading(hub.anchor_ns, hub.anchor_us), now):
        write_anchor(connection, hub, clock, now)


def confirm_clock(connection: Connection, clock: HubClock) -> None:
    """A person confirms the hub's clock: anchors are given again, from this moment on."""
    confirm(connection, clock)
    write_anchor(connection, hub_row(connection), clock, clock.read())


def hear_clock(connection: Connection, clock: HubClock, station: str, expected_us: int | None, at_us: int) -> None:
    """What a station's clock makes of `at_us` (see `server.clock.watch`); where it ends a doubt, anchors are given again."""
    if expected_us is not None and hear_station(connection, clock, station, expected_us=expected_us, at_us=at_us):
        write_anchor(connection, hub_row(connection), clock, clock.read())


def write_anchor(connection: Connection, hub: Any, clock: HubClock, now: ClockReading) -> None:
    """Tie the hub's boottime to its UTC at `now`."""
    boot = clock.boot_id()
    mac = anchor_mac(hub.mac_key, hub.log_id, boot_bytes(boot), now.utc_us, now.utc_us)
    times = {"t1": now.boot_ns, "t4": now.boot_ns, "t2": now.utc_us, "t3": now.utc_us}
    append_own(connection, [event_of("anchor", clock, now, **times, hub_clk=clock.state(), mac=mac)], now.utc_us)
    connection.execute(
        schema.hub.update().values(anchor_boot=boot, anchor_ns=now.boot_ns, anchor_us=now.utc_us, clock_doubt=False)
    )


def begin_epoch(connection: Connection, cause: str, high: tuple[int, int] | None, host: Host) -> int:
    """A new epoch: stations resume from what is here, and the hub's own entries go on in a new log. The epoch's number."""
    hub, now = hub_row(connection), host.clock.read()
    # Seconds of UTC, so that the same backup restored twice does not make the same epoch twice.
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
