"""Clock watch: decide whether the hub's UTC may be issued to stations.

Within a boot, UTC is compared with boottime since the boot's baseline. In a new boot it is compared with the last trusted
reading. docs/adr/0010 has the rule and its reasons.

- More than 1 h from the value by boottime, or more than 1 h back: in doubt until a person confirms the clock.
- More than 4 days ahead in a new boot: in doubt until a station's clock agrees or a person confirms the clock.
- 1 h to 4 days ahead in a new boot: trusted. The first station with a usable clock confirms it or puts it in doubt.

A station's clock is usable by its boottime, with an earlier anchor of the same boot, or by a UTC that its kernel keeps
synchronised.
"""

from typing import Any

from sqlalchemy import Connection, and_, func, select

from server.clock.readings import DOUBT_US, ClockReading, HubClock, stepped
from server.db import schema
from server.db.driver_statement import DriverStatement
from server.projection.internal_tables import anchor

AHEAD_US = 4 * 86_400_000_000  # a hub that is switched off over a long weekend
KEPT_EVERY_US = 60_000_000  # interval at which a trusted reading is stored
_WATCH = select(schema.clock_watch)
_SURE = DriverStatement(select(schema.clock_watch.c.sure))
SET_RIGHT = " Set it right, then: wipline-hub clock confirm"


def kept_doubt(connection: Connection) -> str | None:
    """The stored reason of a doubt, as a sentence; None while the clock is not in doubt."""
    if not connection.execute(select(schema.hub.c.clock_doubt)).scalar_one():
        return None
    watch = _row(connection)
    return str(watch.reason) if watch is not None and watch.reason else "The hub's clock is in doubt." + SET_RIGHT


def why_in_doubt(connection: Connection, clock: HubClock) -> str | None:
    """The reason for which no anchors are issued now, as a sentence; None where the clock is trusted."""
    return kept_doubt(connection) or _check(connection, clock, _row(connection))[0]


def seen_lately(connection: Connection, clock: HubClock) -> bool:
    """Whether the clock was stored as trusted within the last minute and has not stepped since: no write is needed."""
    watch, now = _row(connection), clock.read()
    if watch is None or watch.boot != clock.boot_id() or why_in_doubt(connection, clock) is not None:
        return False
    hub = connection.execute(select(schema.hub.c.anchor_ns, schema.hub.c.anchor_us, schema.hub.c.anchor_boot)).one()
    if hub.anchor_boot != watch.boot or stepped(ClockReading(hub.anchor_ns, hub.anchor_us), now):
        return False
    return bool(0 <= now.utc_us - watch.seen_us < KEPT_EVERY_US)


def watch_clock(connection: Connection, clock: HubClock) -> bool:
    """Check the clock and store the result; returns whether it is trusted. In a new boot this sets the baseline.

    A stored doubt stays: only a person or a station's clock ends it.
    """
    now, watch = clock.read(), _row(connection)
    if connection.execute(select(schema.hub.c.clock_doubt)).scalar_one():
        return False
    reason, vouchable, gap_us = _check(connection, clock, watch)
    if reason is not None:
        _doubt(connection, reason, vouchable=vouchable)
        return False
    if watch is None or watch.boot != clock.boot_id():
        _set_baseline(connection, clock, sure=gap_us <= DOUBT_US)
    else:
        _update(connection, seen_us=now.utc_us)
    return True


def confirm(connection: Connection, clock: HubClock) -> None:
    """End a doubt and make the present reading the baseline, after a person's or a station's confirmation."""
    connection.execute(schema.hub.update().values(clock_doubt=False))
    _set_baseline(connection, clock, sure=True)


def confirm_by_station_clock(
    connection: Connection, clock: HubClock, station: str, *, expected_us: int, at_us: int
) -> bool:
    """Compare the hub's UTC `at_us` with a station's value `expected_us` of the same moment. Returns whether a doubt ended.

    A station's clock is used only while this boot's clock is unconfirmed, so one wrong station cannot stop all anchors.
    """
    watch = _row(connection)
    if watch is None or watch.sure:
        return False
    in_doubt = connection.execute(select(schema.hub.c.clock_doubt)).scalar_one()
    agrees = abs(at_us - expected_us) <= DOUBT_US
    if in_doubt and agrees and watch.vouchable:
        confirm(connection, clock)
        return True
    if not in_doubt and agrees:
        _update(connection, sure=True)
    elif not agrees and (not in_doubt or watch.vouchable):
        difference = _span(abs(at_us - expected_us))
        reason = f"The hub's clock differs by {difference} from station {station}'s.{SET_RIGHT}"
        _doubt(connection, reason, vouchable=False)
    return False


def expected_by_boottime(connection: Connection, boot: str, mono_ns: int) -> int | None:
    """UTC us at a station's boottime, by its last anchor of that boot from before the hub's boot; None without one."""
    watch = _row(connection)
    earlier = and_(anchor.c.boot == boot, anchor.c.pos <= (0 if watch is None else watch.base_pos))
    row = connection.execute(select(anchor).where(earlier).order_by(anchor.c.t4_ns.desc()).limit(1)).first()
    if row is None:
        return None
    return int((row.t2_us + row.t3_us) // 2 + (mono_ns - (row.t1_ns + row.t4_ns) // 2) // 1000)


def unsure(connection: Connection) -> bool:
    """Whether this boot's clock is unconfirmed, so that a station's clock is of use."""
    watch = _SURE.first(connection, {})
    return watch is not None and not watch.sure


def note_suspects(connection: Connection, count: int) -> None:
    """Store the number of suspicious anchors of the last audit, for the pages."""
    if _row(connection) is not None:
        _update(connection, suspects=count)


def suspects(connection: Connection) -> int:
    """The number of suspicious anchors of the last audit."""
    watch = _row(connection)
    return 0 if watch is None else int(watch.suspects)


def _check(connection: Connection, clock: HubClock, watch: Any) -> tuple[str | None, bool, int]:
    """(reason of a doubt or None, whether a station's clock may end it, microseconds ahead of the trusted time)."""
    now = clock.read()
    if watch is None:
        return _first_check(connection, clock)
    if watch.boot == clock.boot_id():
        gap_us = now.utc_us - (watch.base_us + (now.boot_ns - watch.base_ns) // 1000)
        return _in_same_boot(gap_us)
    return _in_new_boot(now.utc_us - watch.seen_us)


def _first_check(connection: Connection, clock: HubClock) -> tuple[str | None, bool, int]:
    """As `_check` before any reading is stored, in a new hub or after an upgrade; the newest time in the database counts."""
    hub, now = connection.execute(select(schema.hub)).one(), clock.read()
    if hub.anchor_us is not None and hub.anchor_boot == clock.boot_id():
        gap_us = now.utc_us - (hub.anchor_us + (now.boot_ns - hub.anchor_ns) // 1000)
        return _in_same_boot(gap_us)
    last = select(schema.ledger.c.recv_us).order_by(schema.ledger.c.pos.desc()).limit(1)
    stored = (hub.anchor_us, connection.execute(last).scalar(), _newest_backup_us(connection))
    times = [at_us for at_us in stored if at_us is not None]
    return _in_new_boot(now.utc_us - max(times)) if times else (None, False, 0)


def _in_same_boot(gap_us: int) -> tuple[str | None, bool, int]:
    if abs(gap_us) <= DOUBT_US:
        return None, False, gap_us
    return f"The hub's clock was set {_span(abs(gap_us))} {_way(gap_us)} while the hub ran.{SET_RIGHT}", False, gap_us


def _in_new_boot(gap_us: int) -> tuple[str | None, bool, int]:
    if -DOUBT_US <= gap_us <= AHEAD_US:
        return None, False, gap_us
    text = f"The hub's clock is {_span(abs(gap_us))} {_way(gap_us)} of the last trusted time, before this start."
    return text + SET_RIGHT, gap_us > 0, gap_us


def _newest_backup_us(connection: Connection) -> int | None:
    return connection.execute(select(func.max(schema.backup.c.verified_us))).scalar()


def _row(connection: Connection) -> Any:
    return connection.execute(_WATCH).first()


def _update(connection: Connection, **changes: Any) -> None:
    connection.execute(schema.clock_watch.update().values(**changes))


def _doubt(connection: Connection, reason: str, *, vouchable: bool) -> None:
    connection.execute(schema.hub.update().values(clock_doubt=True))
    if _row(connection) is None:
        hub = connection.execute(select(schema.hub)).one()
        _insert(connection, hub.anchor_boot or "", hub.anchor_ns or 0, hub.anchor_us or 0)
    pos = connection.execute(select(func.coalesce(func.max(schema.ledger.c.pos), 0))).scalar_one()
    _update(connection, reason=reason, vouchable=vouchable, sure=False, base_pos=pos)


def _set_baseline(connection: Connection, clock: HubClock, *, sure: bool) -> None:
    before, now = suspects(connection), clock.read()
    connection.execute(schema.clock_watch.delete())
    _insert(connection, clock.boot_id(), now.boot_ns, now.utc_us, sure=sure, suspects=before)


def _insert(connection: Connection, boot: str, base_ns: int, base_us: int, **changes: Any) -> None:
    pos = connection.execute(select(func.coalesce(func.max(schema.ledger.c.pos), 0))).scalar_one()
    row = {
        "one": 1,
        "boot": boot,
        "base_ns": base_ns,
        "base_us": base_us,
        "base_pos": pos,
        "seen_us": base_us,
        "sure": False,
        "vouchable": False,
        "reason": None,
        "suspects": 0,
    }
    connection.execute(schema.clock_watch.insert(), [row | changes])


def _way(gap_us: int) -> str:
    return "ahead" if gap_us > 0 else "back"


def _span(us: int) -> str:
    """A duration in hours, or in days from 72 h on.

    >>> _span(2 * 3_600_000_000), _span(400 * 86_400_000_000)
    ('2 h', '400 d')
    """
    hours = us // 3_600_000_000
    return f"{hours} h" if hours < 72 else f"{hours // 24} d"
