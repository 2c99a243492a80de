"""The timeline: the recorded key of every event, kept right as anchors, boots and logs arrive in any order.

Most events stand behind the last one of their log, in a boot that has an anchor: their key is one sum. Only a first anchor,
a boot behind one without, or an event in the middle of a log moves keys that were given before; then the logs concerned
are reckoned again from there, until nothing changes any more. What a key is, `station.core.ledger.times` says.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, groupby, repeat
from typing import Any

from sqlalchemy import Connection, and_, select

from server.projection.clock_sync import FOR_EVER, BootClocks, ClockFacts, in_sequence
from server.projection.ledger_row import LedgerRow
from server.projection.tables import event_state
from station.core.ledger.times import BootClock, EventTime, OrderKey, key_behind, log_keys

ROWS_AT_ONCE = 1000


@dataclass(slots=True)
class _Tail:
    """The end of a log: its last sequence number, and the key from which the next is reckoned."""

    seq: int
    key: OrderKey


class Timeline:
    """The ends of all logs, and the clocks of all boots."""

    def __init__(self, connection: Connection, said: ClockFacts | None = None) -> None:
        self._boots = BootClocks(connection, said)
        self._tails: dict[str, _Tail | None] = {}

    def apply_rows(
        self, connection: Connection, fresh: list[LedgerRow], flipped: list[LedgerRow]
    ) -> dict[int, OrderKey]:
        """Give each new row its key; pos -> new key of the older rows that moved.

        `flipped`: older anchors that are void now, or no longer.
        """
        by_log: dict[str, list[LedgerRow]] = {}
        for each in fresh:
            by_log.setdefault(each.counted.log, []).append(each)
        middle: dict[str, int] = {}
        for log, new in by_log.items():
            new.sort(key=in_sequence)
            tail = self._tail(connection, log)
            if tail is not None and new[0].counted.seq <= tail.seq:
                middle[log] = new[0].counted.seq
        spans = self._boots.apply_rows(connection, by_log, flipped, set(middle))
        for log, seq in middle.items():
            first, until = spans.get(log, (seq, seq))
            spans[log] = (min(first, seq), max(until, by_log[log][-1].counted.seq))
        moved: dict[int, OrderKey] = {}
        for log in {**by_log, **spans}:
            if log in spans:
                moved |= self._reckon_again(connection, log, by_log.get(log, []), *spans[log])
            else:
                self._append(connection, log, by_log[log])
        return moved

    def _append(self, connection: Connection, log: str, new: list[LedgerRow]) -> None:
        tail = self._tail(connection, log)
        stamps = [each.stamp for each in new]
        keys = log_keys(stamps, self._clocks(connection, stamps), tail.key if tail else None)
        last = OrderKey()
        for each, (_, key, behind) in zip(new, keys, strict=True):
            each.key, last = key, behind
        self._tails[log] = _Tail(new[-1].counted.seq, last)

    def _clocks(self, connection: Connection, stamps: list[EventTime]) -> dict[str, BootClock]:
        return {
            name: self._boots.clock(connection, name) for name in {each.boot for each in stamps} if name is not None
        }

    def _tail(self, connection: Connection, log: str) -> _Tail | None:
        if log not in self._tails:
            before = _before(connection, log, FOR_EVER)
            self._tails[log] = None if before is None else _Tail(*before)
        return self._tails[log]

    def _reckon_again(
        self, connection: Connection, log: str, new: list[LedgerRow], from_seq: int, until: int
    ) -> dict[int, OrderKey]:
        """Keys of a log from a place on, old rows and new ones together; those of the old ones that changed."""
        if new:
            from_seq, until = min(from_seq, new[0].counted.seq), max(until, new[-1].counted.seq)
        moved: dict[int, OrderKey] = {}
        before = _before(connection, log, from_seq)
        last = OrderKey() if before is None else before[1]
        seq, highest = from_seq, max((each.counted.seq for each in new), default=0)
        while True:
            old = _states(connection, log, seq)
            full = len(old) >= ROWS_AT_ONCE
            highest = max(highest, *(each.at_seq for each in old), 0)  # the last part may hold none
            end = old[-1].at_seq if full else FOR_EVER
            part = [each for each in new if seq <= each.counted.seq <= end]
            mixed = sorted([*part, *old], key=_mixed_order)
            stamps = [each.stamp if isinstance(each, LedgerRow) else _stamp(log, each) for each in mixed]
            same = True
            keys = log_keys(stamps, self._clocks(connection, stamps), last)
            for each, (_, key, behind) in zip(mixed, keys, strict=True):
                last = behind
                if isinstance(each, LedgerRow):
                    each.key, same = key, False
                else:
                    same = key == OrderKey(each.key_us, each.lo_us, each.hi_us, each.approx)
                    if not same:
                        moved[each.pos] = key
                    same &= each.since_ns is None  # its key does not tell what the next is reckoned from
            if not full or (same and end > until):
                break
            seq = end + 1
        self._tails.pop(log, None)
        if not full and highest:
            self._tails[log] = _Tail(highest, last)
        return moved


def _before(connection: Connection, log: str, seq: int) -> tuple[int, OrderKey] | None:
    """The last place of a log before `seq`, and the key from which the next one is reckoned."""
    places: list[list[Any]] = []
    for rows in _places_back(connection, log, seq):
        places.append(rows)
        if all(each.since_ns is None for each in rows):
            break  # of stored scans, what is reckoned from them depends on what stands before them
    key = OrderKey()
    for rows in reversed(places):
        key = max(
            key_behind(key, _stamp(log, each), OrderKey(each.key_us, each.lo_us, each.hi_us, each.approx))
            for each in rows
        )
    return (places[0][0].at_seq, key) if places else None


def _places_back(connection: Connection, log: str, before_seq: int) -> Iterator[list[Any]]:
    """The rows at each place of a log, from the last one before `before_seq` to the first; one alone, then many at once."""
    row, here = event_state.c, before_seq
    for at_once in chain([1], repeat(ROWS_AT_ONCE)):
        wanted = select(event_state).where(and_(row.at_log == bytes.fromhex(log), row.at_seq < here))
        found = list(connection.execute(wanted.order_by(row.at_seq.desc()).limit(at_once)))
        if not found:
            return
        here = found[-1].at_seq
        if len(found) == at_once:  # the last place may have been cut in two
            there = select(event_state).where(and_(row.at_log == bytes.fromhex(log), row.at_seq == here))
            found = [*(each for each in found if each.at_seq > here), *connection.execute(there)]
        for _, rows in groupby(found, key=lambda each: each.at_seq):
            yield list(rows)


def _states(connection: Connection, log: str, from_seq: int) -> list[Any]:
    """The next rows of a log in sequence; a place with several rows is never cut in two."""
    row = event_state.c
    wanted = select(event_state).where(and_(row.at_log == bytes.fromhex(log), row.at_seq >= from_seq))
    found = list(connection.execute(wanted.order_by(row.at_seq).limit(ROWS_AT_ONCE)))
    if len(found) == ROWS_AT_ONCE:
        last = found[-1].at_seq
        whole = [each for each in found if each.at_seq < last]
        there = select(event_state).where(and_(row.at_log == bytes.fromhex(log), row.at_seq == last))
        found = [*whole, *connection.execute(there)]
    return found


def _stamp(log: str, row: Any) -> EventTime:
    return EventTime(log, row.at_seq, row.boot, row.mono_ns, row.since_ns)


def _mixed_order(each: Any) -> tuple[int, str, int]:
    if isinstance(each, LedgerRow):
        return in_sequence(each)
    return (each.at_seq, each.boot or "", each.mono_ns or 0)
