"""Journal metadata: the tables beside the events, with the log's properties, the hub's marks, definitions and open items."""

import sqlite3
from collections.abc import Iterable

import msgspec

from station.core.hash_chain import genesis
from station.core.protocol import OpenItem
from station.journal.records import HubMark, LogState, OpenItems, PreviousLog, StoredEvent, Tip

Value = str | int | bytes | None
DAY_NS = 86_400 * 10**9
MOST_ROWS = 100_000  # of items
_ROW = msgspec.json.Decoder(OpenItem)
_JSON = msgspec.json.Encoder()


def read_meta(connection: sqlite3.Connection, k: str) -> Value:
    """The value stored under the key `k`, or None."""
    row = connection.execute("SELECT v FROM meta WHERE k = ?", (k,)).fetchone()
    value: Value = row[0] if row else None
    return value


def write_meta(connection: sqlite3.Connection, k: str, v: Value) -> None:
    """Store the value `v` under the key `k`; None deletes the key."""
    if v is None:
        connection.execute("DELETE FROM meta WHERE k = ?", (k,))
    else:
        connection.execute("INSERT INTO meta (k, v) VALUES (?, ?) ON CONFLICT (k) DO UPDATE SET v = excluded.v", (k, v))


def _as_bytes(value: Value) -> bytes:
    return value if isinstance(value, bytes) else b""


def _as_int(value: Value) -> int:
    return value if isinstance(value, int) else 0


def log_id(connection: sqlite3.Connection) -> bytes:
    """The 16 bytes that name this log."""
    return _as_bytes(read_meta(connection, "log_id"))


def name_log(connection: sqlite3.Connection, name: bytes) -> None:
    """Set the id of a log, which never changes. Its genesis hash is stored too, so that a damaged id is detected."""
    write_meta(connection, "log_id", name)
    write_meta(connection, "genesis", genesis(name))


def log_is_named(connection: sqlite3.Connection) -> bool:
    """Whether the log's id matches the stored genesis hash."""
    return read_meta(connection, "genesis") == genesis(log_id(connection))


def tip(connection: sqlite3.Connection) -> Tip:
    """The last event's sequence number and hash; 0 and the genesis hash of an empty log."""
    row = connection.execute("SELECT seq, hash FROM event ORDER BY seq DESC LIMIT 1").fetchone()
    return Tip(*row) if row else Tip(0, genesis(log_id(connection)))


def prune_point(connection: sqlite3.Connection) -> Tip:
    """The last pruned event, after which the chain begins; 0 and the genesis hash where none was pruned."""
    pruned = _as_int(read_meta(connection, "pruned_thru"))
    return Tip(pruned, _as_bytes(read_meta(connection, "pruned_hash")) if pruned else genesis(log_id(connection)))


def verified(connection: sqlite3.Connection) -> Tip:
    """The last event up to which the chain was verified; the prune point where none is stored."""
    row = connection.execute("SELECT seq, hash FROM verified").fetchone()
    start = prune_point(connection)
    return Tip(*row) if row and row[0] > start.seq else start


def write_verified(connection: sqlite3.Connection, seq: int, digest: bytes) -> None:
    """Store that the chain is verified up to `seq`; 0 deletes this, so that the next start verifies the whole chain."""
    connection.execute("DELETE FROM verified")
    if seq:
        connection.execute("INSERT INTO verified (seq, hash) VALUES (?, ?)", (seq, digest))


def parent(connection: sqlite3.Connection) -> PreviousLog | None:
    """The log before this one, or None."""
    parent_id = read_meta(connection, "parent_log")
    if not isinstance(parent_id, bytes):
        return None
    seq, digest, cause = (read_meta(connection, f"parent_{part}") for part in ("seq", "hash", "cause"))
    return PreviousLog(parent_id, _as_int(seq), _as_bytes(digest), str(cause))


def write_parent(connection: sqlite3.Connection, before: PreviousLog) -> None:
    """Store the log before this one, because the `open` event that names it is pruned some day."""
    for part, value in (("log", before.log_id), ("seq", before.seq), ("hash", before.hash), ("cause", before.cause)):
        write_meta(connection, f"parent_{part}", value)


def mark(connection: sqlite3.Connection) -> HubMark | None:
    """The hub's cursors in its present epoch; None before the first contact."""
    row = connection.execute(
        "SELECT hub_epoch, accepted_thru, durable_thru, head FROM mark"
        " WHERE hub_epoch = (SELECT v FROM meta WHERE k = 'hub_epoch')"
    ).fetchone()
    if row is None:
        return None
    hub_epoch, accepted_thru, durable_thru, head = row
    return HubMark(hub_epoch, accepted_thru, min(accepted_thru, durable_thru), head)


def write_mark(connection: sqlite3.Connection, new: HubMark) -> None:
    """Store the hub's cursors and its epoch. Inside the caller's transaction."""
    connection.execute(
        "INSERT INTO mark (hub_epoch, accepted_thru, durable_thru, head) VALUES (?, ?, ?, ?) ON CONFLICT (hub_epoch)"
        " DO UPDATE SET accepted_thru = excluded.accepted_thru, durable_thru = excluded.durable_thru, head = excluded.head",
        (new.hub_epoch, new.accepted_thru, new.durable_thru, new.head),
    )
    write_meta(connection, "hub_epoch", new.hub_epoch)


def count_time(connection: sqlite3.Connection, boot: str, now_ns: int) -> None:
    """Add the boot time since the last call to the age of this log, and close a day of the log where one is complete.

    A day of the log is at least 24 hours of boot time, in which the log grew. No other clock is read, because the hub's
    clock and the wall clock may jump. Time before the first call in a boot is not counted. Inside the caller's transaction.
    """
    age_ns = _as_int(read_meta(connection, "age_ns"))
    if read_meta(connection, "age_boot") == boot:
        age_ns += max(0, now_ns - _as_int(read_meta(connection, "age_at_ns")))
    for name, value in (("age_ns", age_ns), ("age_boot", boot), ("age_at_ns", now_ns)):
        write_meta(connection, name, value)
    last_day, last_day_seq = connection.execute("SELECT max(day), max(seq) FROM day").fetchone()
    tip_seq = tip(connection).seq
    if age_ns - _as_int(read_meta(connection, "day_began_ns")) >= DAY_NS and tip_seq > (last_day_seq or 0):
        connection.execute("INSERT INTO day (day, seq) VALUES (?, ?)", ((last_day or 0) + 1, tip_seq))
        write_meta(connection, "day_began_ns", age_ns)


def older_than(connection: sqlite3.Connection, days: int) -> int:
    """The last event that is at least `days` days of the log old; 0 where none is."""
    (seq,) = connection.execute(
        "SELECT coalesce(max(seq), 0) FROM day WHERE day <= (SELECT max(day) FROM day) - ?", (days,)
    ).fetchone()
    return int(seq)


def snapshot(connection: sqlite3.Connection) -> tuple[str, bytes] | None:
    """The last definitions from the hub, (version, body), or None."""
    row: tuple[str, bytes] | None = connection.execute("SELECT version, body FROM snapshot").fetchone()
    return row


def write_snapshot(connection: sqlite3.Connection, version: str, body: bytes) -> None:
    """Replace the stored definitions. Inside the caller's transaction."""
    connection.execute("DELETE FROM snapshot")
    connection.execute("INSERT INTO snapshot (version, body) VALUES (?, ?)", (version, body))


def forget_snapshot(connection: sqlite3.Connection) -> None:
    """Delete the definitions. Inside the caller's transaction."""
    connection.execute("DELETE FROM snapshot")


def items(connection: sqlite3.Connection) -> OpenItems:
    """The items from the hub, oldest first; none, and an empty cursor, where a row cannot be decoded."""
    rows = connection.execute(
        "SELECT item, product, operation, coalesce(state, ''), qty_milli, stage, more FROM item ORDER BY rowid"
    ).fetchall()
    complete = bool(read_meta(connection, "items_complete"))
    try:
        items = [OpenItem(*row[:-1]) if row[-1] is None else _ROW.decode(row[-1]) for row in rows]
    except msgspec.MsgspecError:  # of another version, or damaged
        return OpenItems([], "", complete=False)
    return OpenItems(items, items_cursor(connection), complete, _as_int(read_meta(connection, "items_thru")))


def items_cursor(connection: sqlite3.Connection) -> str:
    """The cursor of the last answer with items; empty where all of them are to be fetched."""
    return str(read_meta(connection, "items_cursor") or "")


def write_items(
    connection: sqlite3.Connection,
    changed: Iterable[str],
    rows: Iterable[OpenItem],
    cursor: str,
    *,
    complete: bool,
    afresh: bool,
    thru: int = 0,
) -> None:
    """Store changed items: `rows` replace all rows of the items `changed`.

    `afresh` deletes all items first. Beyond `MOST_ROWS` rows the oldest are deleted. `thru`: the last event of this log that
    all stored items include. Inside the caller's transaction.
    """
    if afresh:
        connection.execute("DELETE FROM item")
    connection.executemany("DELETE FROM item WHERE item = ?", ((name,) for name in changed))
    connection.executemany(
        "INSERT INTO item (item, product, operation, state, qty_milli, stage, more) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            (row.item, row.product, row.operation, row.state, row.qty_milli, row.stage, _JSON.encode(row).decode())
            for row in rows
        ),
    )
    connection.execute(
        "DELETE FROM item WHERE rowid <= (SELECT rowid FROM item ORDER BY rowid DESC LIMIT 1 OFFSET ?)", (MOST_ROWS,)
    )
    write_meta(connection, "items_cursor", cursor)
    write_meta(connection, "items_complete", int(complete))
    if cursor:
        write_meta(connection, "items_thru", thru)


def events_per_day(connection: sqlite3.Connection) -> float | None:
    """The mean number of events a day over the last 14 days of the log; None before there are two days."""
    rows = connection.execute("SELECT day, seq FROM day ORDER BY day DESC LIMIT 14").fetchall()
    if len(rows) < 2:
        return None
    (last_day, last_seq), (first_day, first_seq) = rows[0], rows[-1]
    return float((last_seq - first_seq) / (last_day - first_day))


def delete_thru(connection: sqlite3.Connection, end: int) -> None:
    """Delete the events up to `end` and store its hash, where the chain now begins. Inside the caller's transaction."""
    (digest,) = connection.execute("SELECT hash FROM event WHERE seq = ?", (end,)).fetchone()
    write_meta(connection, "pruned_thru", end)
    write_meta(connection, "pruned_hash", digest)
    connection.execute("DELETE FROM event WHERE seq <= ?", (end,))


def state(connection: sqlite3.Connection) -> LogState:
    """The fields that introduce this log in a session with the hub."""
    pruned = prune_point(connection).seq
    return LogState(log_id(connection), tip(connection), pruned, parent(connection), mark(connection))


def following(connection: sqlite3.Connection, limit: int, after: int) -> list[StoredEvent]:
    """The first events with a sequence number above `after`, in order."""
    rows = connection.execute(
        "SELECT seq, bytes, prev, hash FROM event WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit)
    )
    return [StoredEvent(*row) for row in rows.fetchall()]


def newest(connection: sqlite3.Connection, limit: int, before: int) -> list[StoredEvent]:
    """The last events with a sequence number below `before`, newest first."""
    rows = connection.execute(
        "SELECT seq, bytes, prev, hash FROM event WHERE seq < ? ORDER BY seq DESC LIMIT ?", (before, limit)
    )
    return [StoredEvent(*row) for row in rows.fetchall()]
