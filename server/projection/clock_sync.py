"""Boots: which anchors a station's start has, which start followed it, and so what time its clock showed.

A boot is one run of a kernel. Its anchors serve every log written in it; a boot without any hangs before the boot that
followed in its log. The few rows about boots, runs and parents stay in memory: some hundred bytes a station and day.
"""

from collections.abc import Callable
from itertools import chain
from typing import NamedTuple

from sqlalchemy import Connection, and_, select

from server.db.bulk_insert import insert_many, insert_text, run_many
from server.projection.internal_tables import anchor, boot, parent, run
from server.projection.ledger_row import LedgerRow
from server.projection.set_aside import blame
from server.projection.tables import event_state
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

MOST_CLOCKS = 4096  # kept; a clock is read again in a fraction of a millisecond
FOR_EVER = 2**63 - 1


class BootClocks:
    """Every boot's clock, as far as the rows so far tell."""

    def __init__(self, connection: Connection, said: "ClockFacts | None" = None) -> None:
        self._said = said or ClockFacts()
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
        """Note what new rows say of boots; log -> (from, until) where keys given before may have moved.

        `by_log`: the new rows of each log, in sequence. `flipped`: older anchors that are void now, or no longer.
        `middle`: logs into whose middle something came.
        """
        fresh = list(chain.from_iterable(by_log.values()))
        moved = self._take_anchors(connection, fresh, flipped)
        self._take_runs(connection, by_log, moved, middle)
        for log in middle:
            self._runs_again(connection, log, by_log[log], moved)
        self._take_parents(connection, fresh, moved)
        return self._move(connection, moved) if moved else {}

    def clock(self, connection: Connection, name: str) -> BootClock:
        """The clock of a boot."""
        known = self._clocks.get(name)
        if known is None:
            if len(self._clocks) >= MOST_CLOCKS:
                self._clocks.clear()
            self._move(connection, {name})
            known = self._clocks.setdefault(name, UNKNOWN)
        return known

    def _take_anchors(self, connection: Connection, fresh: list[LedgerRow], flipped: list[LedgerRow]) -> set[str]:
        """Note the anchors; the boots in which events that have a key already may move."""
        moved = set()
        for each in flipped:
            if each.event is not None and each.event.kind == "anchor" and each.event.boot is not None:
                connection.execute(anchor.delete().where(anchor.c.pos == each.pos))
                self._insert_anchors(connection, [each] if each.ok else [])
                self._forget(each.event.boot)
                moved.add(each.event.boot)
        new = [each for each in fresh if each.ok and blame(each.pos, self._said.anchor, each) is not None]
        for event in filter(None, (each.event for each in new)):
            name, before = event.boot or "", self._last_ns.get(event.boot or "")
            if before is not None and ((event.t4 or 0) <= before or not self._is_anchored(connection, name)):
                moved.add(name)
        self._insert_anchors(connection, new)
        for event in filter(None, (each.event for each in new)):
            self._forget(event.boot or "")
        return moved

    def _insert_anchors(self, connection: Connection, rows: list[LedgerRow]) -> None:
        made = (blame(each.pos, self._said.anchor, each) for each in rows)
        insert_many(connection, anchor, [row for row in made if row is not None])

    def _forget(self, name: str) -> None:
        self._clocks.pop(name, None)
        self._anchored.pop(name, None)

    def _is_anchored(self, connection: Connection, name: str) -> bool:
        if name not in self._anchored:
            found = connection.execute(select(anchor.c.pos).where(anchor.c.boot == name).limit(1)).first()
            self._anchored[name] = found is not None
        return self._anchored[name]

    def _take_runs(
        self, connection: Connection, by_log: dict[str, list[LedgerRow]], moved: set[str], middle: set[str]
    ) -> None:
        grown: dict[str, int] = {}
        begun: list[BootRun] = []
        for each in chain.from_iterable(by_log.values()):
            log, seq, name, mono_ns, _ = each.stamp
            if name is None:
                continue
            if (mono_ns or 0) > max(grown.get(name, -1), self._last_ns.get(name, -1)):
                grown[name] = mono_ns or 0
            in_log = self._runs.setdefault(log, [])
            if log not in middle and (not in_log or in_log[-1].boot != name):
                self._moves(connection, moved, in_log or self._before_log(log))
                in_log.append(BootRun(log, seq, name))
                begun.append(in_log[-1])
                self._known_followers = None
        insert_many(connection, run, [(bytes.fromhex(each.log), each.first_seq, each.boot) for each in begun])
        for name, last_ns in grown.items():
            hangs = name in self._last_ns and self._followers().get(name)
            self._last_ns[name] = last_ns
            if hangs and not self._is_anchored(connection, name):
                moved.add(name)
        _note_boots(connection, grown)

    def _moves(self, connection: Connection, moved: set[str], before: list[BootRun]) -> None:
        """What ends with this run is followed by another boot now; that tells its time, if nothing else did."""
        moved.update(each.boot for each in before[-1:] if not self._is_anchored(connection, each.boot))

    def _before_log(self, log: str) -> list[BootRun]:
        return self._runs.get(self._parents[log].log, []) if log in self._parents else []

    def _followers(self) -> dict[str, set[str]]:
        if self._known_followers is None:
            self._known_followers = followers(self._runs, self._parents)
        return self._known_followers

    def _runs_again(self, connection: Connection, log: str, new: list[LedgerRow], moved: set[str]) -> None:
        """Something came into the middle of a log: its boots may follow each other otherwise now."""
        log_id = bytes.fromhex(log)
        row = event_state.c
        known = select(row.at_seq, row.boot, row.mono_ns).where(and_(row.at_log == log_id, row.boot.is_not(None)))
        stamps = [EventTime(log, *each) for each in connection.execute(known)] + [each.stamp for each in new]
        stamps.sort(key=lambda each: (each.seq, each.boot or "", each.mono_ns or 0))
        found = list(runs(stamps))
        before = self._runs.get(log, [])
        if found == before:
            return
        moved.update(each.boot for each in {*found} ^ {*before})
        moved.update(each.boot for each in (*found, *before) if not self._is_anchored(connection, each.boot))
        self._runs[log] = found
        self._known_followers = None
        connection.execute(run.delete().where(run.c.log_id == log_id))
        insert_many(connection, run, [(log_id, each.first_seq, each.boot) for each in found])

    def _take_parents(self, connection: Connection, fresh: list[LedgerRow], moved: set[str]) -> None:
        for each in fresh:
            log, link = each.counted.log, blame(each.pos, self._said.parent, each)
            known = self._parents.get(log)
            # Two openings of one log can only be a fork; the lesser counts, whichever came first.
            if link is None or (known is not None and known <= link):
                continue
            self._parents[log] = link
            self._known_followers = None
            self._moves(connection, moved, self._runs.get(link.log, []))
            self._moves(connection, moved, self._runs.get(known.log, []) if known else [])
            connection.execute(parent.delete().where(parent.c.log_id == bytes.fromhex(log)))
            insert_many(connection, parent, [(bytes.fromhex(log), bytes.fromhex(link.log), link.seq)])

    def _move(self, connection: Connection, moved: set[str]) -> dict[str, tuple[int, int]]:
        """New clocks for the boots that moved and for those that hang on them; log -> (from, until) to reckon again."""
        following = self._followers()
        leading: dict[str, set[str]] = {}
        for one, nexts in following.items():
            for after in nexts:
                leading.setdefault(after, set()).add(one)
        hanging, waiting = set(moved), list(moved)
        while waiting:
            for one in leading.get(waiting.pop(), ()):
                if one not in hanging and not self._is_anchored(connection, one):
                    hanging.add(one)
                    waiting.append(one)
        needed, ahead = set(hanging), list(hanging)
        while ahead:
            one = ahead.pop()
            if not self._is_anchored(connection, one):
                fresh = following.get(one, set()) - needed
                needed |= fresh
                ahead += fresh
        anchors = {one: _anchors(connection, one) for one in needed}
        last_ns = {one: self._last_ns.get(one, 0) for one in needed}
        self._clocks |= clocks(anchors, last_ns, following)
        return self._spans(hanging)

    def _spans(self, names: set[str]) -> dict[str, tuple[int, int]]:
        spans: dict[str, tuple[int, int]] = {}
        for log, in_log in self._runs.items():
            inside = [n for n, each in enumerate(in_log) if each.boot in names]
            if inside:
                until = in_log[inside[-1] + 1].first_seq if inside[-1] + 1 < len(in_log) else FOR_EVER
                spans[log] = (in_log[inside[0]].first_seq, until)
        return spans


def parent_of(each: LedgerRow) -> LogParent | None:
    """Where a log continues another one, as the event that opens it says."""
    event = each.event
    if event is None or event.kind != "open" or event.parent is None or each.counted.seq != 1:
        return None
    log = event.parent.log.lower()
    return (
        LogParent(log, event.parent.seq)
        if len(log) == len(each.stored.log) and not log.strip("0123456789abcdef")
        else None
    )


def anchor_row(each: LedgerRow) -> tuple[object, ...] | None:
    """The row of an anchor that can be reckoned with; None where its answer came before its question."""
    event = each.event
    if event is None or event.kind != "anchor" or event.boot is None or event.t1 is None or event.t4 is None:
        return None
    if event.t2 is None or event.t3 is None or event.t4 < event.t1 or event.t3 < event.t2:
        return None
    place = (bytes.fromhex(each.counted.log), each.counted.seq)
    return (each.pos, event.boot, *place, event.t1, event.t4, event.t2, event.t3)


class ClockFacts(NamedTuple):
    """How an event's row is read for what it says of clocks: an anchor's row, the log that an opening continues."""

    anchor: Callable[[LedgerRow], tuple[object, ...] | None] = anchor_row
    parent: Callable[[LedgerRow], LogParent | None] = parent_of


def _anchors(connection: Connection, name: str) -> list[TimeAnchor]:
    rows = connection.execute(select(anchor).where(anchor.c.boot == name))
    return [TimeAnchor(name, row.t1_ns, row.t4_ns, row.t2_us, row.t3_us, row.log_id.hex(), row.seq) for row in rows]


def _note_boots(connection: Connection, grown: dict[str, int]) -> None:
    statement = insert_text(boot.name, ("boot", "last_ns"), connection.dialect.paramstyle)
    changed = f"{statement} ON CONFLICT (boot) DO UPDATE SET last_ns = excluded.last_ns"
    run_many(connection, changed, list(grown.items()))


def in_sequence(each: LedgerRow) -> tuple[int, str, int]:
    """The order of a log's rows; of several at one place, one that depends on nothing but what they say."""
    stamp = each.stamp
    return (stamp.seq, stamp.boot or "", stamp.mono_ns or 0)
