"""OrderKeys: the recorded order key of every event, maintained while anchors, boots and logs arrive in any order.

Most events follow the last event of their log in a boot with an anchor: their key is one sum. Keys of older events move only
after a first anchor, after a boot that follows a boot without anchors, or after an event in the middle of a log; then the
keys of those logs are recomputed from there until they no longer change. `station.core.ledger.times` defines the key.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, groupby, repeat
from typing import Any

from sqlalchemy import Connection, and_, select

from server.projection.boot_clocks import MAX_SEQ, BootClocks, ClockRelations, in_sequence
from server.projection.internal_tables import word
from server.projection.ledger_row import LedgerRow
from server.projection.tables import event_state
from server.projection.words import word_id
from station.core.ledger.times import BootClock, EventTime, OrderKey, key_behind, log_keys

ROWS_AT_ONCE = 1000  # rows of one log that a statement reads
_STATES = select(event_state, word.c.text.label("boot_id")).outerjoin(word, word.c.id == event_state.c.boot)


@dataclass(slots=True)
class _Tail:
    """The end of a log: its last sequence number, and the key from which the next one is computed."""

    seq: int
    key: OrderKey


class OrderKeys:
    """The end of each log, and the clocks of all boots."""

    def __init__(
        self, connection: Connection, item_events: ClockRelations | None = None, rows_at_once: int = ROWS_AT_ONCE
    ) -> None:
        self._boots = BootClocks(connection, item_events)
        self._rows_at_once = rows_at_once
        self._tails: dict[str, _Tail | None] = {}

    def apply_rows(
        self, connection: Connection, fresh: list[LedgerRow], flipped: list[LedgerRow]
    ) -> dict[int, OrderKey]:
        """Give each new row its key. Returns pos -> new key of the older rows that moved.

        `flipped`: older anchors whose void status changed.

        1. Group the rows by log; find the logs that get rows before their last row.
        2. Let the boot clocks name the spans of sequence numbers whose keys may move.
        3. Recompute the keys of these spans; append to all other logs.
        """
        by_log: dict[str, list[LedgerRow]] = {}
        for row in fresh:
            by_log.setdefault(row.counted.log, []).append(row)
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
                moved |= self._recompute(connection, log, by_log.get(log, []), *spans[log])
            else:
                self._append(connection, log, by_log[log])
        return moved

    def _append(self, connection: Connection, log: str, new: list[LedgerRow]) -> None:
        tail = self._tail(connection, log)
        stamps = [row.stamp for row in new]
        keys = log_keys(stamps, self._clocks(connection, stamps), tail.key if tail else None)
        last = OrderKey()
        for row, (_, key, next_from) in zip(new, keys, strict=True):
            row.key, last = key, next_from
        self._tails[log] = _Tail(new[-1].counted.seq, last)

    def _clocks(self, connection: Connection, stamps: list[EventTime]) -> dict[str, BootClock]:
        names = {stamp.boot for stamp in stamps}
        return {name: self._boots.clock(connection, name) for name in names if name is not None}

    def _tail(self, connection: Connection, log: str) -> _Tail | None:
        if log not in self._tails:
            before = place_before(connection, log, MAX_SEQ, self._rows_at_once)
            self._tails[log] = None if before is None else _Tail(*before)
        return self._tails[log]

    def _recompute(
        self, connection: Connection, log: str, new: list[LedgerRow], from_seq: int, until: int
    ) -> dict[int, OrderKey]:
        """Compute the keys of a log from `from_seq` on, stored and new rows together. Returns the stored ones that moved.

        The log is read in parts of `rows_at_once`. It ends after the last part, or after a part behind `until` whose last
        key is unchanged: then no later key can change.
        """
        if new:
            from_seq, until = min(from_seq, new[0].counted.seq), max(until, new[-1].counted.seq)
        moved: dict[int, OrderKey] = {}
        before = place_before(connection, log, from_seq, self._rows_at_once)
        last = OrderKey() if before is None else before[1]
        seq, highest = from_seq, max((row.counted.seq for row in new), default=0)
        while True:
            old = _states(connection, log, seq, self._rows_at_once)
            full = len(old) >= self._rows_at_once
            highest = max(highest, *(row.at_seq for row in old), 0)  # the last part may be empty
            end = old[-1].at_seq if full else MAX_SEQ
            part = [row for row in new if seq <= row.counted.seq <= end]
            last, unchanged = self._recompute_part(connection, log, [*part, *old], last, moved)
            if not full or (unchanged and end > until):
                break
            seq = end + 1
        self._tails.pop(log, None)
        if not full and highest:
            self._tails[log] = _Tail(highest, last)
        return moved

    def _recompute_part(
        self, connection: Connection, log: str, rows: list[Any], last: OrderKey, moved: dict[int, OrderKey]
    ) -> tuple[OrderKey, bool]:
        """Compute the keys of some new and stored rows after `last`; changed keys of stored rows go to `moved`.

        Returns the key from which the next row is computed, and whether that key is certainly the one it was before.
        """
        rows = sorted(rows, key=_mixed_order)
        stamps = [row.stamp if isinstance(row, LedgerRow) else _stamp(log, row) for row in rows]
        unchanged = True
        for row, (_, key, next_from) in zip(
            rows, log_keys(stamps, self._clocks(connection, stamps), last), strict=True
        ):
            last = next_from
            if isinstance(row, LedgerRow):
                row.key, unchanged = key, False
                continue
            unchanged = key == _stored_key(row)
            if not unchanged:
                moved[row.pos] = key
            # The key of a scan from a reader's memory does not determine the key from which the next one is computed.
            unchanged &= row.since_ns is None
        return last, unchanged


def place_before(
    connection: Connection, log: str, seq: int, rows_at_once: int = ROWS_AT_ONCE
) -> tuple[int, OrderKey] | None:
    """The last occupied place of a log before `seq`: its sequence number, and the key from which the next is computed.

    None where no place before `seq` is occupied.
    """
    places: list[list[Any]] = []
    for rows in places_backwards(connection, log, seq, rows_at_once):
        places.append(rows)
        if all(row.since_ns is None for row in rows):
            break  # the next key after a scan from a reader's memory also depends on the rows before it
    key = OrderKey()
    for rows in reversed(places):
        key = max(key_behind(key, _stamp(log, row), _stored_key(row)) for row in rows)
    return (places[0][0].at_seq, key) if places else None


def places_backwards(
    connection: Connection, log: str, before_seq: int, rows_at_once: int = ROWS_AT_ONCE
) -> Iterator[list[Any]]:
    """The rows of `event_state` at each place of a log, one list a place, backwards from `before_seq`.

    Forks put several rows at one place; they are never split. The first statement reads one row, the others `rows_at_once`.
    """
    c, reached = event_state.c, before_seq
    in_log = c.at_log == word_id(log)
    for at_once in chain([1], repeat(rows_at_once)):
        query = _STATES.where(and_(in_log, c.at_seq < reached))
        rows = list(connection.execute(query.order_by(c.at_seq.desc()).limit(at_once)))
        if not rows:
            return
        reached = rows[-1].at_seq
        if len(rows) == at_once:  # the limit may have split the rows of the last place
            place = _STATES.where(and_(in_log, c.at_seq == reached))
            rows = [*(row for row in rows if row.at_seq > reached), *connection.execute(place)]
        for _, place_rows in groupby(rows, key=lambda row: row.at_seq):
            yield list(place_rows)


def _states(connection: Connection, log: str, from_seq: int, rows_at_once: int = ROWS_AT_ONCE) -> list[Any]:
    """The next rows of a log in sequence; the rows of one place are never split."""
    c = event_state.c
    in_log = c.at_log == word_id(log)
    query = _STATES.where(and_(in_log, c.at_seq >= from_seq))
    rows = list(connection.execute(query.order_by(c.at_seq).limit(rows_at_once)).all())
    if len(rows) == rows_at_once:
        last = rows[-1].at_seq
        place = _STATES.where(and_(in_log, c.at_seq == last))
        rows = [*(row for row in rows if row.at_seq < last), *connection.execute(place)]
    return rows


def _stamp(log: str, row: Any) -> EventTime:
    return EventTime(log, row.at_seq, row.boot_id, row.mono_ns, row.since_ns)


def _stored_key(row: Any) -> OrderKey:
    return OrderKey(row.key_us, row.lo_us, row.hi_us, row.approx)


def _mixed_order(row: Any) -> tuple[int, str, int]:
    if isinstance(row, LedgerRow):
        return in_sequence(row)
    return (row.at_seq, row.boot_id or "", row.mono_ns or 0)
