"""Clock watch: whether the hub's UTC may be given to stations, and what has to agree before it may.

Within a boot UTC is compared with boottime since the boot's baseline. In a new boot it is compared with the last reading
that was trusted. The rule and its reasons: docs/adr/0010.

- More than 1 h from what boottime says, or more than 1 h back: in doubt, until a person confirms.
- More than 4 days ahead in a new boot: in doubt, until a station vouches or a person confirms.
- 1 h to 4 days ahead in a new boot: trusted. The first station that can tell either agrees or puts the clock in doubt.

A station can tell by its own boottime, where it has an anchor of the same boot from before, or by a UTC that its kernel
keeps synchronised.
"""

from typing import Any

from sqlalchemy import Connection, and_, func, select

from server.clock.readings import DOUBT_US, ClockReading, HubClock, stepped
from server.db import schema
from server.projection.internal_tables import anchor

AHEAD_US = 4 * 86_400_000_000  # a hub that was switched off over a long weekend
KEPT_EVERY_US = 60_000_000  # a trusted reading is written down once a minute
SET_RIGHT = " Set it right, then: wipline-hub clock confirm"


def kept_doubt(connection: Connection) -> str | None:
    """Why the clock was put in doubt when it was looked at last, as a sentence; None where it was not."""
    if not connection.execute(select(schema.hub.c.clock_doubt)).scalar_one():
        return None
    watch = _row(connection)
    return str(watch.reason) if watch is not None and watch.reason else "The hub's clock is in doubt." + SET_RIGHT


def why_in_doubt(connection: Connection, clock: HubClock) -> str | None:
    """Why stations are given no time now, as a sentence; None where the clock is trusted."""
    return kept_doubt(connection) or _look(connection, clock, _row(connection))[0]


def seen_lately(connection: Connection, clock: HubClock) -> bool:
    """Whether the clock was found as it should be within the last minute, so that nothing has to be written now."""
    watch, now = _row(connection), clock.read()
    if watch is None or watch.boot != clock.boot_id() or why_in_doubt(connection, clock) is not None:
        return False
    hub = connection.execute(select(schema.hub.c.anchor_ns, schema.hub.c.anchor_us, schema.hub.c.anchor_boot)).one()
    if hub.anchor_boot != watch.boot or stepped(ClockReading(hub.anchor_ns, hub.anchor_us), now):
        return False
    return bool(0 <= now.utc_us - watch.seen_us < KEPT_EVERY_US)


def watch_clock(connection: Connection, clock: HubClock) -> bool:
    """Look at the clock and keep what was found; whether it is trusted. In a new boot this sets the baseline."""
    now, watch = clock.read(), _row(connection)
    if connection.execute(select(schema.hub.c.clock_doubt)).scalar_one():
        return False
    reason, vouchable, gap_us = _look(connection, clock, watch)
    if reason is not None:
        _doubt(connection, reason, vouchable=vouchable)
        return False
    if watch is None or watch.boot != clock.boot_id():
        _set_baseline(connection, clock, sure=gap_us <= DOUBT_US)
    else:
        _keep(connection, seen_us=now.utc_us)
    return True


def confirm(connection: Connection, clock: HubClock) -> None:
    """Make this reading the baseline: a person confirmed it, or a station vouched for it."""
    connection.execute(schema.hub.update().values(clock_doubt=False))
    _set_baseline(connection, clock, sure=True)


def hear_station(connection: Connection, clock: HubClock, station: str, *, expected_us: int, at_us: int) -> bool:
    """Compare the hub's UTC `at_us` with what a station makes of the same moment; whether this ended a doubt.

    A station counts only while the hub is not sure of this boot's clock: one bad station must not stop a shop's time.
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
        _keep(connection, sure=True)
    elif not agrees and (not in_doubt or watch.vouchable):
        apart = _span(abs(at_us - expected_us))
        _doubt(connection, f"The hub's clock differs by {apart} from station {station}'s.{SET_RIGHT}", vouchable=False)
    return False


def expected_by_boottime(connection: Connection, boot: str, mono_ns: int) -> int | None:
    """UTC us at a station's boottime, by its last anchor of that boot from before the hub's own boot; None without one."""
    watch = _row(connection)
    known = and_(anchor.c.boot == boot, anchor.c.pos <= (0 if watch is None else watch.base_pos))
    row = connection.execute(select(anchor).where(known).order_by(anchor.c.t4_ns.desc()).limit(1)).first()
    if row is None:
        return None
    return int((row.t2_us + row.t3_us) // 2 + (mono_ns - (row.t1_ns + row.t4_ns) // 2) // 1000)


def unsure(connection: Connection) -> bool:
    """Whether a station's clock would tell something that is not known yet in this boot."""
    watch = _row(connection)
    return watch is not None and not watch.sure


def note_suspects(connection: Connection, count: int) -> None:
    """Keep how many anchors the last audit found suspicious, for pages."""
    if _row(connection) is not None:
        _keep(connection, suspects=count)


def suspects(connection: Connection) -> int:
    """How many anchors the last audit found suspicious."""
    watch = _row(connection)
    return 0 if watch is None else int(watch.suspects)


def _look(connection: Connection, clock: HubClock, watch: Any) -> tuple[str | None, bool, int]:
    """(why not to trust the clock, whether a station may vouch for it, how far it is ahead of the last trusted time)."""
    now = clock.read()
    if watch is None:
        return _first_look(connection, clock)
    if watch.boot == clock.boot_id():
        gap_us = now.utc_us - (watch.base_us + (now.boot_ns - watch.base_ns) // 1000)
        return _in_same_boot(gap_us)
    return _in_new_boot(now.utc_us - watch.seen_us)


def _first_look(connection: Connection, clock: HubClock) -> tuple[str | None, bool, int]:
    """Before any reading was kept: an older version's ledger, or a new hub."""
    hub, now = connection.execute(select(schema.hub)).one(), clock.read()
    if hub.anchor_us is not None and hub.anchor_boot == clock.boot_id():
        gap_us = now.utc_us - (hub.anchor_us + (now.boot_ns - hub.anchor_ns) // 1000)
        return _in_same_boot(gap_us)
    last = select(schema.ledger.c.recv_us).order_by(schema.ledger.c.pos.desc()).limit(1)
    times = (hub.anchor_us, connection.execute(last).scalar(), _newest_backup_us(connection))
    known = [at_us for at_us in times if at_us is not None]
    return _in_new_boot(now.utc_us - max(known)) if known else (None, False, 0)


def _in_same_boot(gap_us: int) -> tuple[str | None, bool, int]:
    if abs(gap_us) <= DOUBT_US:
        return None, False, gap_us
    return f"The hub's clock was set {_span(abs(gap_us))} {_way(gap_us)} while the hub ran.{SET_RIGHT}", False, gap_us


def _in_new_boot(gap_us: int) -> tuple[str | None, bool, int]:
    if -DOUBT_US <= gap_us <= AHEAD_US:
        return None, False, gap_us
    text = f"The hub's clock is {_span(abs(gap_us))} {_way(gap_us)} of the last time it was trusted, before this start."
    return text + SET_RIGHT, gap_us > 0, gap_us


def _newest_backup_us(connection: Connection) -> int | None:
    return connection.execute(select(func.max(schema.backup.c.verified_us))).scalar()


def _row(connection: Connection) -> Any:
    return connection.execute(select(schema.clock_watch)).first()


def _keep(connection: Connection, **changes: Any) -> None:
    connection.execute(schema.clock_watch.update().values(**changes))


def _doubt(connection: Connection, reason: str, *, vouchable: bool) -> None:
    connection.execute(schema.hub.update().values(clock_doubt=True))
    if _row(connection) is None:
        hub = connection.execute(select(schema.hub)).one()
        _insert(connection, hub.anchor_boot or "", hub.anchor_ns or 0, hub.anchor_us or 0)
    pos = connection.execute(select(func.coalesce(func.max(schema.ledger.c.pos), 0))).scalar_one()
    _keep(connection, reason=reason, vouchable=vouchable, sure=False, base_pos=pos)


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
    """
    >>> _span(2 * 3_600_000_000), _span(400 * 86_400_000_000)
    ('2 h', '400 d')
    """
    hours = us // 3_600_000_000
    return f"{hours} h" if hours < 72 else f"{hours // 24} d"
