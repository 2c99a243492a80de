"""What the journal keeps beside its events: facts about the log, the hub's marks, definitions and open items."""

import sqlite3
from collections.abc import Iterable

import msgspec

from station.core.hash_chain import genesis
from station.core.protocol import OpenItem
from station.journal.records import HubMark, LogState, OpenItems, PreviousLog, StoredEvent, Tip

Value = str | int | bytes | None
DAY_NS = 86_400 * 10**9
MOST_ITEMS = 50_000


def read_meta(connection: sqlite3.Connection, k: str) -> Value:
    """The value kept under `k`, or None."""
    row = connection.execute("SELECT v FROM meta WHERE k = ?", (k,)).fetchone()
    value: Value = row[0] if row else None
    return value


def write_meta(connection: sqlite3.Connection, k: str, v: Value) -> None:
    """Keep `v` under `k`; None forgets it."""
    if v is None:
        connection.execute("DELETE FROM meta WHERE k = ?", (k,))
    else:
        connection.execute("INSERT INTO meta (k, v) VALUES (?, ?) ON CONFLICT (k) DO UPDATE SET v = excluded.v", (k, v))


def _bytes(value: Value) -> bytes:
    return value if isinstance(value, bytes) else b""


def _whole(value: Value) -> int:
    return value if isinstance(value, int) else 0


def log_id(connection: sqlite3.Connection) -> bytes:
    """The 16 bytes that name this log."""
    return _bytes(read_meta(connection, "log_id"))


def name_log(connection: sqlite3.Connection, name: bytes) -> None:
    """Give a log its name, for ever; its genesis is kept beside it, since one wrong bit would make another log of it."""
    write_meta(connection, "log_id", name)
    write_meta(connection, "genesis", genesis(name))


def log_is_named(connection: sqlite3.Connection) -> bool:
    """Whether the name of the log is as it was given."""
    return read_meta(connection, "genesis") == genesis(log_id(connection))


def tip(connection: sqlite3.Connection) -> Tip:
    """The last event's place and hash."""
    row = connection.execute("SELECT seq, hash FROM event ORDER BY seq DESC LIMIT 1").fetchone()
    return Tip(*row) if row else Tip(0, genesis(log_id(connection)))


def prune_point(connection: sqlite3.Connection) -> Tip:
    """The last event that was pruned, its hash being `prev` of the first that is left; the genesis while none was."""
    pruned = _whole(read_meta(connection, "pruned_thru"))
    return Tip(pruned, _bytes(read_meta(connection, "pruned_hash")) if pruned else genesis(log_id(connection)))


def verified(connection: sqlite3.Connection) -> Tip:
    """Up to where the chain was walked and held; the prune point where nothing says so."""
    row = connection.execute("SELECT seq, hash FROM verified").fetchone()
    start = prune_point(connection)
    return Tip(*row) if row and row[0] > start.seq else start


def write_verified(connection: sqlite3.Connection, seq: int, digest: bytes) -> None:
    """Note that the chain holds up to here; 0 forgets it, so that the next start walks all of it."""
    connection.execute("DELETE FROM verified")
    if seq:
        connection.execute("INSERT INTO verified (seq, hash) VALUES (?, ?)", (seq, digest))


def parent(connection: sqlite3.Connection) -> PreviousLog | None:
    """The log before this one, or None."""
    found = read_meta(connection, "parent_log")
    if not isinstance(found, bytes):
        return None
    seq, digest, cause = (read_meta(connection, f"parent_{part}") for part in ("seq", "hash", "cause"))
    return PreviousLog(found, _whole(seq), _bytes(digest), str(cause))


def write_parent(connection: sqlite3.Connection, before: PreviousLog) -> None:
    """Keep the log before this one: the `open` event that says it may be pruned one day."""
    for part, value in (("log", before.log_id), ("seq", before.seq), ("hash", before.hash), ("cause", before.cause)):
        write_meta(connection, f"parent_{part}", value)


def mark(connection: sqlite3.Connection) -> HubMark | None:
    """Where the hub stands in its present epoch; None before the first contact."""
    row = connection.execute(
        "SELECT hub_epoch, accepted_thru, durable_thru, head FROM mark"
        " WHERE hub_epoch = (SELECT v FROM meta WHERE k = 'hub_epoch')"
    ).fetchone()
    if row is None:
        return None
    hub_epoch, accepted_thru, durable_thru, head = row
    return HubMark(hub_epoch, accepted_thru, min(accepted_thru, durable_thru), head)


def write_mark(connection: sqlite3.Connection, new: HubMark) -> None:
    """Keep the hub's word. Inside the caller's transaction."""
    connection.execute(
        "INSERT INTO mark (hub_epoch, accepted_thru, durable_thru, head) VALUES (?, ?, ?, ?) ON CONFLICT (hub_epoch)"
        " DO UPDATE SET accepted_thru = excluded.accepted_thru, durable_thru = excluded.durable_thru, head = excluded.head",
        (new.hub_epoch, new.accepted_thru, new.durable_thru, new.head),
    )
    write_meta(connection, "hub_epoch", new.hub_epoch)


def count_time(connection: sqlite3.Connection, boot: str, now_ns: int) -> None:
    """Add the boot time since the last call to the age of this log, and close a day of it where one is over.

    A day of the log is 24 hours of boot time or more, in which it grew. No other clock is asked: the hub's and the wall
    clock may jump. Time before the first call in a boot is not counted. Inside the caller's transaction.
    """
    age_ns = _whole(read_meta(connection, "age_ns"))
    if read_meta(connection, "age_boot") == boot:
        age_ns += max(0, now_ns - _whole(read_meta(connection, "age_at_ns")))
    for name, value in (("age_ns", age_ns), ("age_boot", boot), ("age_at_ns", now_ns)):
        write_meta(connection, name, value)
    last, seq = connection.execute("SELECT max(day), max(seq) FROM day").fetchone()
    grown = tip(connection).seq
    if age_ns - _whole(read_meta(connection, "day_began_ns")) >= DAY_NS and grown > (seq or 0):
        connection.execute("INSERT INTO day (day, seq) VALUES (?, ?)", ((last or 0) + 1, grown))
        write_meta(connection, "day_began_ns", age_ns)


def older_than(connection: sqlite3.Connection, days: int) -> int:
    """The last event that is certainly older than so many days of the log; 0 where none is."""
    (seq,) = connection.execute(
        "SELECT coalesce(max(seq), 0) FROM day WHERE day <= (SELECT max(day) FROM day) - ?", (days,)
    ).fetchone()
    return int(seq)


def snapshot(connection: sqlite3.Connection) -> tuple[str, bytes] | None:
    """The definitions the hub last sent, (version, body), or None."""
    row: tuple[str, bytes] | None = connection.execute("SELECT version, body FROM snapshot").fetchone()
    return row


def write_snapshot(connection: sqlite3.Connection, version: str, body: bytes) -> None:
    """Keep these definitions in place of those before. Inside the caller's transaction."""
    connection.execute("DELETE FROM snapshot")
    connection.execute("INSERT INTO snapshot (version, body) VALUES (?, ?)", (version, body))


def forget_snapshot(connection: sqlite3.Connection) -> None:
    """Forget the definitions. Inside the caller's transaction."""
    connection.execute("DELETE FROM snapshot")


def items(connection: sqlite3.Connection) -> OpenItems:
    """The open items as the hub last told them, oldest first."""
    rows = connection.execute(
        "SELECT item, product, operation, coalesce(state, ''), qty_milli, stage FROM item ORDER BY rowid"
    ).fetchall()
    complete = bool(read_meta(connection, "items_complete"))
    return OpenItems([OpenItem(*row) for row in rows], str(read_meta(connection, "items_cursor") or ""), complete)


def write_items(
    connection: sqlite3.Connection,
    changed: Iterable[str],
    rows: Iterable[OpenItem],
    cursor: str,
    *,
    complete: bool,
    afresh: bool,
) -> None:
    """Take the hub's news about open items: what it said of `changed` before is forgotten, `rows` hold now.

    `afresh` forgets all items first. Inside the caller's transaction.
    """
    if afresh:
        connection.execute("DELETE FROM item")
    connection.executemany("DELETE FROM item WHERE item = ?", ((name,) for name in changed))
    connection.executemany(
        "INSERT INTO item (item, product, operation, state, qty_milli, stage) VALUES (?, ?, ?, ?, ?, ?)",
        map(msgspec.structs.astuple, rows),
    )
    connection.execute(
        "DELETE FROM item WHERE rowid <= (SELECT rowid FROM item ORDER BY rowid DESC LIMIT 1 OFFSET ?)", (MOST_ITEMS,)
    )
    write_meta(connection, "items_cursor", cursor)
    write_meta(connection, "items_complete", int(complete))


def events_per_day(connection: sqlite3.Connection) -> float | None:
    """The pace of the last 14 days of the log; None before there are two."""
    rows = connection.execute("SELECT day, seq FROM day ORDER BY day DESC LIMIT 14").fetchall()
    if len(rows) < 2:
        return None
    (newest, high), (oldest, low) = rows[0], rows[-1]
    return float((high - low) / (newest - oldest))


def delete_thru(connection: sqlite3.Connection, end: int) -> None:
    """Delete the events up to `end`, keeping its hash: the chain goes on from there. Inside the caller's transaction."""
    (digest,) = connection.execute("SELECT hash FROM event WHERE seq = ?", (end,)).fetchone()
    write_meta(connection, "pruned_thru", end)
    write_meta(connection, "pruned_hash", digest)
    connection.execute("DELETE FROM event WHERE seq <= ?", (end,))


def state(connection: sqlite3.Connection) -> LogState:
    """Everything a session with the hub begins with."""
    pruned = prune_point(connection).seq
    return LogState(log_id(connection), tip(connection), pruned, parent(connection), mark(connection))


def newest(connection: sqlite3.Connection, limit: int, before: int) -> list[StoredEvent]:
    """The last events in front of `before`, newest first."""
    rows = connection.execute(
        "SELECT seq, bytes, prev, hash FROM event WHERE seq < ? ORDER BY seq DESC LIMIT ?", (before, limit)
    )
    return [StoredEvent(*row) for row in rows.fetchall()]
