"""Known keys: the order keys that events had when the ledger ended at an earlier position, where they differ from today's.

The key of an event moves after a first anchor of its boot, after an anchor that arrives behind later events of its boot,
after a boot that follows a boot without anchors, and after an event in the middle of its log. Only the logs in which one of
these happened after the position are computed again.
"""

from collections.abc import Iterable
from itertools import zip_longest
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, select

from server.db import schema
from server.projection.boot_clocks import MAX_SEQ, anchor_row, parent_of
from server.projection.internal_tables import anchor, boot, parent, resent, run, word
from server.projection.ledger_row import LedgerRow, rows_at
from server.projection.order_keys import place_before
from server.projection.tables import event_state
from server.projection.words import word_id
from station.core.ledger.times import (
    BootClock,
    BootRun,
    EventTime,
    LogParent,
    OrderKey,
    TimeAnchor,
    clocks,
    followers,
    log_keys,
    runs,
)

_BOOTS_AT_ONCE = 500


def logs_of(connection: Connection) -> set[str]:
    """The logs (hex) at whose places events count."""
    log_ids = {*connection.execute(select(schema.log.c.log_id)).scalars()}
    log_ids |= {*connection.execute(select(resent.c.at_log).distinct()).scalars()}
    return {log_id.hex() for log_id in log_ids}


def last_places(connection: Connection, pos: int) -> dict[str, int]:
    """By log, the last place that an event up to a position took."""
    c = event_state.c
    return _places(connection, c.pos + 0 <= pos, c.at_seq.desc())


def _first_places(connection: Connection, pos: int) -> dict[str, int]:
    """By log, the first place that an event after a position took."""
    c = event_state.c
    return _places(connection, c.pos + 0 > pos, c.at_seq.asc())


def _places(connection: Connection, condition: ColumnElement[bool], order: Any) -> dict[str, int]:
    """By log, the first place in an order with a condition on the position.

    Only the index of places is read: that is why the condition has an addition.
    """
    c, found = event_state.c, dict[str, int]()
    for log in logs_of(connection):
        places = select(c.at_seq).where(and_(c.at_log == word_id(log), condition)).order_by(order).limit(1)
        seq = connection.execute(places).scalar()
        if seq is not None:
            found[log] = seq
    return found


def keys_at(
    connection: Connection, pos: int, flipped: Iterable[LedgerRow], last: dict[str, int]
) -> dict[int, OrderKey]:
    """Position -> key, of the events up to `pos` whose key was another one when the ledger ended there.

    `flipped`: the events up to `pos` whose status was another one, with that status. `last`: the `last_places`.
    """
    return _KnownClocks(connection, pos, list(flipped), last).moved()


class _KnownClocks:
    """The clock relations of the events up to a position."""

    def __init__(self, connection: Connection, pos: int, flipped: list[LedgerRow], last: dict[str, int]) -> None:
        self._connection, self._pos = connection, pos
        self._anchors = [row for row in flipped if row.event is not None and row.event.kind == "anchor"]
        self._first_later = _first_places(connection, pos)
        self._mixed = {log for log, seq in self._first_later.items() if last.get(log, -1) >= seq}
        sent_again = connection.execute(select(resent.c.at_log).distinct()).scalars()
        self._out_of_order = self._mixed | {log_id.hex() for log_id in sent_again}
        self._runs_now: dict[str, list[BootRun]] = {}
        for row in connection.execute(select(run).order_by(run.c.log_id, run.c.first_seq, run.c.boot)):
            self._runs_now.setdefault(row.log_id.hex(), []).append(BootRun(row.log_id.hex(), row.first_seq, row.boot))
        self._later_boots = self._boots_with_later()
        self._runs = {log: self._known_runs(log) for log in {**self._runs_now, **dict.fromkeys(self._mixed)}}
        self._anchored = self._anchored_boots()

    def _boots_with_later(self) -> set[str]:
        """The boots that may have an event after the position: from the first place on that one took in their log."""
        found = set()
        for log, first in self._first_later.items():
            of_log = self._runs_now.get(log, [])
            for begin, following in zip_longest(of_log, of_log[1:]):
                if following is None or following.first_seq >= first:
                    found.add(begin.boot)
        return found

    def _known_runs(self, log: str) -> list[BootRun]:
        if log in self._mixed:
            rows = self._stamps(log, 0)
            return list(runs(stamp for _, stamp, _ in rows))
        until = self._first_later.get(log, MAX_SEQ)
        return [begin for begin in self._runs_now.get(log, ()) if begin.first_seq < until]

    def _stamps(self, log: str, from_seq: int) -> list[tuple[int, EventTime, OrderKey]]:
        """(position, time, key of today) of the events of a log from a place on, in sequence."""
        c = event_state.c
        boot_id = word.c.text.label("boot_id")
        query = (
            select(c.pos, c.at_seq, boot_id, c.mono_ns, c.since_ns, c.key_us, c.lo_us, c.hi_us, c.approx)
            .select_from(event_state)
            .outerjoin(word, word.c.id == c.boot)
            .where(and_(c.at_log == word_id(log), c.at_seq >= from_seq, c.pos <= self._pos))
        )
        rows = [
            (row.pos, EventTime(log, row.at_seq, row.boot_id, row.mono_ns, row.since_ns),
             OrderKey(row.key_us, row.lo_us, row.hi_us, row.approx))
            for row in self._connection.execute(query)
        ]  # fmt: skip
        return sorted(rows, key=lambda row: (row[1].seq, row[1].boot or "", row[1].mono_ns or 0))

    def _anchored_boots(self) -> set[str]:
        c = anchor.c
        changed = {row.pos for row in self._anchors}
        query = select(c.boot).where(and_(c.pos <= self._pos, c.pos.not_in(changed))).distinct()
        return {*self._connection.execute(query).scalars(), *(name for name, _ in self._flipped_anchors())}

    def _flipped_anchors(self) -> list[tuple[str, TimeAnchor]]:
        """The anchors that had effect at the position and have none today."""
        values: list[Any] = [anchor_row(row) for row in self._anchors if row.ok]
        return [
            (name, TimeAnchor(name, t1, t4, t2, t3, log_id.hex(), seq))
            for _, name, log_id, seq, t1, t4, t2, t3 in filter(None, values)
        ]

    def _last_ns(self, name: str) -> int:
        """The boottime of the last event of a boot up to the position."""
        if name not in self._later_boots:
            return self._connection.execute(select(boot.c.last_ns).where(boot.c.boot == name)).scalar() or 0
        c, last_ns = event_state.c, 0
        for log in {begin.log for of_log in self._runs.values() for begin in of_log if begin.boot == name}:
            query = select(c.mono_ns).where(and_(c.at_log == word_id(log), c.boot == word_id(name), c.pos <= self._pos))
            if log in self._out_of_order:
                query = query.order_by(c.mono_ns.desc().nulls_last()).limit(1)
            else:  # boottimes increase within a log: the last place has the greatest
                query = query.where(c.at_seq < self._first_later.get(log, MAX_SEQ)).order_by(c.at_seq.desc()).limit(1)
            last_ns = max(last_ns, self._connection.execute(query).scalar() or 0)
        return last_ns

    def _parents(self) -> tuple[dict[str, LogParent], dict[str, LogParent]]:
        """The parents of logs, today and at the position."""
        query = select(parent.c.log_id, parent.c.parent_log, parent.c.parent_seq)
        today = {row[0].hex(): LogParent(row[1].hex(), row[2]) for row in self._connection.execute(query)}
        known = dict(today)
        c = event_state.c
        for log in today:
            if self._first_later.get(log, MAX_SEQ) <= 1:
                first = select(c.pos).where(and_(c.at_log == word_id(log), c.at_seq == 1, c.pos <= self._pos))
                rows = rows_at(self._connection, self._connection.execute(first).scalars())
                found = [link for row in rows if (link := parent_of(row)) is not None]
                del known[log]
                if found:
                    known[log] = min(found)
        return today, known

    def _changed_boots(self, following: dict[str, set[str]], today: dict[str, set[str]]) -> set[str]:
        """The boots with events up to the position whose clock was another one."""
        present = {begin.boot for of_log in self._runs.values() for begin in of_log}
        c = anchor.c
        later = select(c.boot, func.min(c.t4_ns)).where(c.pos > self._pos).group_by(c.boot)
        changed = {row.event.boot or "" for row in self._anchors if row.event is not None}
        for name, first_ns in self._connection.execute(later):
            if name in present and (name not in self._anchored or first_ns <= self._last_ns(name)):
                changed.add(name)
        for name in present - self._anchored:
            if name in self._later_boots or following.get(name) != today.get(name):
                changed.add(name)
        preceding: dict[str, set[str]] = {}
        for relation in (following, today):
            for name, after in relation.items():
                for one in after:
                    preceding.setdefault(one, set()).add(name)
        waiting = list(changed)
        while waiting:
            for name in preceding.get(waiting.pop(), ()):
                if name not in changed and name not in self._anchored:
                    changed.add(name)
                    waiting.append(name)
        return changed & present

    def _clock_of(self, names: set[str], following: dict[str, set[str]]) -> dict[str, BootClock]:
        """The clocks of these boots at the position; a boot without anchors is placed by those that follow it."""
        needed, waiting = set(names), list(names)
        while waiting:
            name = waiting.pop()
            if name not in self._anchored:
                after = following.get(name, set()) - needed
                needed |= after
                waiting += after
        anchors: dict[str, list[TimeAnchor]] = {}
        for name, one in self._flipped_anchors():
            anchors.setdefault(name, []).append(one)
        changed = {row.pos for row in self._anchors}
        ordered, c = sorted(needed), anchor.c
        for start in range(0, len(ordered), _BOOTS_AT_ONCE):
            of_boots = and_(c.boot.in_(ordered[start : start + _BOOTS_AT_ONCE]), c.pos <= self._pos)
            for row in self._connection.execute(select(anchor).where(of_boots)):
                if row.pos not in changed:
                    one = TimeAnchor(row.boot, row.t1_ns, row.t4_ns, row.t2_us, row.t3_us, row.log_id.hex(), row.seq)
                    anchors.setdefault(row.boot, []).append(one)
        return clocks(anchors, {name: self._last_ns(name) for name in needed}, following)

    def moved(self) -> dict[int, OrderKey]:
        """Position -> key at the position, of the events whose key differs.

        1. Find the boots whose clock was another one, and the first place of each log that depends on one of them.
        2. Add the logs in whose middle an event arrived later, from there on.
        3. Compute the keys of these parts from the events up to the position.
        """
        parents_now, parents = self._parents()
        following, today = followers(self._runs, parents), followers(self._runs_now, parents_now)
        changed = self._changed_boots(following, today)
        first: dict[str, int] = {log: self._first_later[log] for log in self._mixed}
        for log, of_log in self._runs.items():
            seqs = [begin.first_seq for begin in of_log if begin.boot in changed]
            if seqs:
                first[log] = min(*seqs, first.get(log, seqs[0]))
        parts = {log: self._stamps(log, seq) for log, seq in first.items()}
        names = {stamp.boot for rows in parts.values() for _, stamp, _ in rows if stamp.boot is not None}
        clock_of = self._clock_of(names, following) if names else {}
        moved: dict[int, OrderKey] = {}
        for log, rows in parts.items():
            before = place_before(self._connection, log, first[log])
            keys = log_keys((stamp for _, stamp, _ in rows), clock_of, None if before is None else before[1])
            for (pos, _, stored), (_, key, _) in zip(rows, keys, strict=True):
                if key != stored:
                    moved[pos] = key
        return moved
