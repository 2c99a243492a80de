"""Boot clocks: the mapping from a boot's boottime to UTC, from its anchors or from the boot that follows it in its log.

A boot is one run of a kernel. Its anchors apply to every log that was written in it. A boot without anchors is placed so
that it ends where the next boot of the same log begins. The rows about boots, runs and parents stay in memory: some hundred
bytes for each station and day.
"""

from collections.abc import Callable
from itertools import chain
from typing import NamedTuple

from sqlalchemy import Connection, select

from server.db.bulk_insert import insert_many, insert_text, run_many
from server.projection.dead_letters import attribute_error
from server.projection.internal_tables import anchor, boot, parent, run, word
from server.projection.ledger_row import LedgerRow
from server.projection.tables import event_state
from server.projection.words import word_id
from station.core.ledger.times import (
    UNKNOWN,
    BootClock,
    BootRun,
    EventTime,
    LogParent,
    TimeAnchor,
    clocks,
    followers,
    runs,
)

MOST_CLOCKS = 4096  # cached; computing a clock again costs a fraction of a millisecond
MAX_SEQ = 2**63 - 1


class BootClocks:
    """The clock of every boot, from the rows projected so far."""

    def __init__(self, connection: Connection, item_events: "ClockRelations | None" = None) -> None:
        self._item_events = item_events or ClockRelations()
        self._runs: dict[str, list[BootRun]] = {}
        for row in connection.execute(select(run).order_by(run.c.log_id, run.c.first_seq, run.c.boot)):
            self._runs.setdefault(row.log_id.hex(), []).append(BootRun(row.log_id.hex(), row.first_seq, row.boot))
        self._last_ns: dict[str, int] = {row.boot: row.last_ns for row in connection.execute(select(boot))}
        self._parents = {
            row.log_id.hex(): LogParent(row.parent_log.hex(), row.parent_seq)
            for row in connection.execute(select(parent))
        }
        self._clocks: dict[str, BootClock] = {}
        self._anchored: dict[str, bool] = {}
        self._known_followers: dict[str, set[str]] | None = None

    def apply_rows(
        self, connection: Connection, by_log: dict[str, list[LedgerRow]], flipped: list[LedgerRow], middle: set[str]
    ) -> dict[str, tuple[int, int]]:
        """Apply the clock relations of new rows. Returns log -> (from seq, until seq) where keys of older rows may change.

        `by_log`: the new rows of each log, in sequence. `flipped`: older anchors whose void status changed.
        `middle`: logs that got rows before their last row.

        1. Store new anchors; collect the boots whose clock they may change.
        2. Append runs of boots to the logs that grew at their end; recompute the runs of the logs in `middle`.
        3. Store which log continues which.
        4. Compute new clocks for the collected boots and for the boots that depend on them.
        """
        fresh = list(chain.from_iterable(by_log.values()))
        moved = self._apply_anchors(connection, fresh, flipped)
        self._append_runs(connection, by_log, moved, middle)
        for log in middle:
            self._recompute_runs(connection, log, by_log[log], moved)
        self._apply_parents(connection, fresh, moved)
        return self._recompute_clocks(connection, moved) if moved else {}

    def clock(self, connection: Connection, name: str) -> BootClock:
        """The clock of a boot."""
        clock = self._clocks.get(name)
        if clock is None:
            if len(self._clocks) >= MOST_CLOCKS:
                self._clocks.clear()
            self._recompute_clocks(connection, {name})
            clock = self._clocks.setdefault(name, UNKNOWN)
        return clock

    def _apply_anchors(self, connection: Connection, fresh: list[LedgerRow], flipped: list[LedgerRow]) -> set[str]:
        """Store the anchors. Returns the boots in which the keys of older events may change."""
        moved = set()
        for row in flipped:
            if row.event is not None and row.event.kind == "anchor" and row.event.boot is not None:
                connection.execute(anchor.delete().where(anchor.c.pos == row.pos))
                self._insert_anchors(connection, [row] if row.ok else [])
                self._forget(row.event.boot)
                moved.add(row.event.boot)
        new = [row for row in fresh if row.ok and attribute_error(row.pos, self._item_events.anchor, row) is not None]
        for event in filter(None, (row.event for row in new)):
            name, last_ns = event.boot or "", self._last_ns.get(event.boot or "")
            if last_ns is not None and ((event.t4 or 0) <= last_ns or not self._is_anchored(connection, name)):
                moved.add(name)
        self._insert_anchors(connection, new)
        for event in filter(None, (row.event for row in new)):
            self._forget(event.boot or "")
        return moved

    def _insert_anchors(self, connection: Connection, rows: list[LedgerRow]) -> None:
        anchor_rows = (attribute_error(row.pos, self._item_events.anchor, row) for row in rows)
        insert_many(connection, anchor, [values for values in anchor_rows if values is not None])

    def _forget(self, name: str) -> None:
        self._clocks.pop(name, None)
        self._anchored.pop(name, None)

    def _is_anchored(self, connection: Connection, name: str) -> bool:
        if name not in self._anchored:
            row = connection.execute(select(anchor.c.pos).where(anchor.c.boot == name).limit(1)).first()
            self._anchored[name] = row is not None
        return self._anchored[name]

    def _append_runs(
        self, connection: Connection, by_log: dict[str, list[LedgerRow]], moved: set[str], middle: set[str]
    ) -> None:
        """Append the runs that begin at the end of a log, and advance the last boottime of each boot.

        A boot without anchors moves when another boot follows it, or when it grows and is placed before a follower.
        """
        grown: dict[str, int] = {}
        begun: list[BootRun] = []
        for row in chain.from_iterable(by_log.values()):
            log, seq, name, mono_ns, _ = row.stamp
            if name is None:
                continue
            if (mono_ns or 0) > max(grown.get(name, -1), self._last_ns.get(name, -1)):
                grown[name] = mono_ns or 0
            log_runs = self._runs.setdefault(log, [])
            if log not in middle and (not log_runs or log_runs[-1].boot != name):
                self._mark_followed(connection, moved, log_runs or self._parent_runs(log))
                log_runs.append(BootRun(log, seq, name))
                begun.append(log_runs[-1])
                self._known_followers = None
        insert_many(connection, run, [(bytes.fromhex(begin.log), begin.first_seq, begin.boot) for begin in begun])
        for name, last_ns in grown.items():
            has_follower = name in self._last_ns and self._followers().get(name)
            self._last_ns[name] = last_ns
            if has_follower and not self._is_anchored(connection, name):
                moved.add(name)
        _upsert_boots(connection, grown)

    def _mark_followed(self, connection: Connection, moved: set[str], earlier: list[BootRun]) -> None:
        """Mark the last of the earlier runs as moved: a new boot follows it, which places it if it has no anchor."""
        moved.update(last.boot for last in earlier[-1:] if not self._is_anchored(connection, last.boot))

    def _parent_runs(self, log: str) -> list[BootRun]:
        return self._runs.get(self._parents[log].log, []) if log in self._parents else []

    def _followers(self) -> dict[str, set[str]]:
        if self._known_followers is None:
            self._known_followers = followers(self._runs, self._parents)
        return self._known_followers

    def _recompute_runs(self, connection: Connection, log: str, new: list[LedgerRow], moved: set[str]) -> None:
        """Recompute the runs of a log that got rows in its middle: the order of its boots may have changed."""
        log_id = bytes.fromhex(log)
        c = event_state.c
        projected = select(c.at_seq, word.c.text, c.mono_ns).join(word, word.c.id == c.boot)
        projected = projected.where(c.at_log == word_id(log))
        stamps = [EventTime(log, *values) for values in connection.execute(projected)] + [row.stamp for row in new]
        stamps.sort(key=lambda stamp: (stamp.seq, stamp.boot or "", stamp.mono_ns or 0))
        after = list(runs(stamps))
        before = self._runs.get(log, [])
        if after == before:
            return
        moved.update(changed.boot for changed in {*after} ^ {*before})
        moved.update(kept.boot for kept in (*after, *before) if not self._is_anchored(connection, kept.boot))
        self._runs[log] = after
        self._known_followers = None
        connection.execute(run.delete().where(run.c.log_id == log_id))
        insert_many(connection, run, [(log_id, begin.first_seq, begin.boot) for begin in after])

    def _apply_parents(self, connection: Connection, fresh: list[LedgerRow], moved: set[str]) -> None:
        for row in fresh:
            log, link = row.counted.log, attribute_error(row.pos, self._item_events.parent, row)
            current = self._parents.get(log)
            # Two `open` events of one log are a fork: the lesser parent counts, in whatever order they arrived.
            if link is None or (current is not None and current <= link):
                continue
            self._parents[log] = link
            self._known_followers = None
            self._mark_followed(connection, moved, self._runs.get(link.log, []))
            self._mark_followed(connection, moved, self._runs.get(current.log, []) if current else [])
            connection.execute(parent.delete().where(parent.c.log_id == bytes.fromhex(log)))
            insert_many(connection, parent, [(bytes.fromhex(log), bytes.fromhex(link.log), link.seq)])

    def _recompute_clocks(self, connection: Connection, moved: set[str]) -> dict[str, tuple[int, int]]:
        """Compute the clocks of moved boots and of their dependents. Returns log -> (from seq, until seq) to recompute.

        1. Dependents: boots without anchors before a moved boot, which are placed by it.
        2. Inputs: the boots after a boot without anchors, up to the first anchored one.
        3. Compute the clocks of both from their anchors.
        """
        following = self._followers()
        dependents = self._dependents(connection, moved, following)
        needed, open_boots = set(dependents), list(dependents)
        while open_boots:
            name = open_boots.pop()
            if not self._is_anchored(connection, name):
                inputs = following.get(name, set()) - needed
                needed |= inputs
                open_boots += inputs
        anchors = {name: _anchors(connection, name) for name in needed}
        last_ns = {name: self._last_ns.get(name, 0) for name in needed}
        self._clocks |= clocks(anchors, last_ns, following)
        return self._spans(dependents)

    def _dependents(self, connection: Connection, moved: set[str], following: dict[str, set[str]]) -> set[str]:
        """The moved boots, and all boots without anchors that are placed by one of them, directly or through others."""
        preceding: dict[str, set[str]] = {}
        for name, followers_of in following.items():
            for follower in followers_of:
                preceding.setdefault(follower, set()).add(name)
        dependents, open_boots = set(moved), list(moved)
        while open_boots:
            for name in preceding.get(open_boots.pop(), ()):
                if name not in dependents and not self._is_anchored(connection, name):
                    dependents.add(name)
                    open_boots.append(name)
        return dependents

    def _spans(self, names: set[str]) -> dict[str, tuple[int, int]]:
        """For each log, the sequence numbers from its first to its last run of the named boots."""
        spans: dict[str, tuple[int, int]] = {}
        for log, log_runs in self._runs.items():
            inside = [index for index, begin in enumerate(log_runs) if begin.boot in names]
            if inside:
                until = log_runs[inside[-1] + 1].first_seq if inside[-1] + 1 < len(log_runs) else MAX_SEQ
                spans[log] = (log_runs[inside[0]].first_seq, until)
        return spans


def parent_of(row: LedgerRow) -> LogParent | None:
    """The place in another log that a log continues, from its `open` event; None for every other event."""
    event = row.event
    if event is None or event.kind != "open" or event.parent is None or row.counted.seq != 1:
        return None
    log = event.parent.log.lower()
    is_log_id = len(log) == len(row.stored.log) and not log.strip("0123456789abcdef")
    return LogParent(log, event.parent.seq) if is_log_id else None


def anchor_row(row: LedgerRow) -> tuple[object, ...] | None:
    """A row of the table `anchor`; None for every other event and for an anchor whose times run backwards."""
    event = row.event
    if event is None or event.kind != "anchor" or event.boot is None or event.t1 is None or event.t4 is None:
        return None
    if event.t2 is None or event.t3 is None or event.t4 < event.t1 or event.t3 < event.t2:
        return None
    place = (bytes.fromhex(row.counted.log), row.counted.seq)
    return (row.pos, event.boot, *place, event.t1, event.t4, event.t2, event.t3)


class ClockRelations(NamedTuple):
    """Functions that read the clock relations of an event: the row of an anchor, the parent of a log."""

    anchor: Callable[[LedgerRow], tuple[object, ...] | None] = anchor_row
    parent: Callable[[LedgerRow], LogParent | None] = parent_of


def _anchors(connection: Connection, name: str) -> list[TimeAnchor]:
    rows = connection.execute(select(anchor).where(anchor.c.boot == name))
    return [TimeAnchor(name, row.t1_ns, row.t4_ns, row.t2_us, row.t3_us, row.log_id.hex(), row.seq) for row in rows]


def _upsert_boots(connection: Connection, grown: dict[str, int]) -> None:
    statement = insert_text(boot.name, ("boot", "last_ns"), connection.dialect.paramstyle)
    upsert = f"{statement} ON CONFLICT (boot) DO UPDATE SET last_ns = excluded.last_ns"
    run_many(connection, upsert, list(grown.items()))


def in_sequence(row: LedgerRow) -> tuple[int, str, int]:
    """Sort key of a log's rows; rows at one place are ordered by their content, not by arrival."""
    stamp = row.stamp
    return (stamp.seq, stamp.boot or "", stamp.mono_ns or 0)
