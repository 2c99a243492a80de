"""Order keys of a rebuild: the clocks of all boots from the whole ledger, then the keys of each log in sequence.

While the ledger is read once in its order, `LogTimes` keeps the runs of each log, the end of each boot and the parents: what
grows with logs and boots, not with events. The keys are then computed log by log from the rows of `event_state`, some
thousand at a time.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, and_, select

from server.db.bulk_insert import insert_many, run_many
from server.projection.boot_clocks import ClockRelations
from server.projection.internal_tables import anchor, boot, parent, run, word
from server.projection.ledger_row import ROWS_AT_ONCE, LedgerRow
from server.projection.tables import event_state
from server.projection.words import word_id
from station.core.ledger.times import (
    LATEST_US,
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

_tuple = tuple.__new__  # makes a named tuple in a third of the time of its own constructor
# A row has room for its key before the key is known: an update in place does not split the pages of the table.
UNKNOWN_KEY = OrderKey(LATEST_US, LATEST_US, LATEST_US)


@dataclass(slots=True)
class _LogRuns:
    """The runs of a log. `in_order`: its rows arrived in the order of their sequence numbers, the last one is `seq`."""

    seq: int = 0
    in_order: bool = True
    runs: list[BootRun] = field(default_factory=list)


class LogTimes:
    """The clock relations of all logs. `relations`: the functions that read an anchor and a parent from an event."""

    def __init__(self, relations: ClockRelations, rows_at_once: int = ROWS_AT_ONCE) -> None:
        self._relations, self._rows_at_once = relations, rows_at_once
        self._logs: dict[str, _LogRuns] = {}
        self._last_ns: dict[str, int] = {}
        self._parents: dict[str, LogParent] = {}

    def add(self, target: Connection, rows: list[LedgerRow]) -> None:
        """Add the next rows of the ledger; the table `anchor` gets their anchors, voided ones too."""
        for row in rows:
            event, (log, seq, _) = row.event, row.counted
            of_log = self._logs.get(log)
            if of_log is None:
                of_log = self._logs[log] = _LogRuns()
            of_log.in_order = of_log.in_order and seq > of_log.seq
            of_log.seq = seq
            if event is not None and event.boot is not None:
                boot_id, mono_ns = event.boot, event.mono_ns or 0
                if mono_ns > self._last_ns.get(boot_id, -1):
                    self._last_ns[boot_id] = mono_ns
                if not of_log.runs or of_log.runs[-1].boot != boot_id:
                    of_log.runs.append(BootRun(log, seq, boot_id))
        opened = [row for row in rows if row.event is not None and row.event.kind == "open"]
        for row in opened:
            link = self._relations.parent(row)
            if link is not None:
                self._parents[row.counted.log] = min(link, self._parents.get(row.counted.log, link))
        anchors = [row for row in rows if row.ok and row.event is not None and row.event.kind == "anchor"]
        values = [self._relations.anchor(row) for row in anchors]
        insert_many(target, anchor, [row for row in values if row is not None])

    def write(self, target: Connection) -> None:
        """Write the tables of boots, runs and parents, and the order key of every row of `event_state`.

        1. Delete the anchors that have no effect; the status of all rows is known now.
        2. Derive the runs of logs whose rows arrived out of sequence from the table.
        3. Compute the clocks of all boots, and the keys of each log.
        """
        without_effect = select(event_state.c.pos).where(event_state.c.status != "ok")
        target.execute(anchor.delete().where(anchor.c.pos.in_(without_effect)))
        for log, of_log in self._logs.items():
            if not of_log.in_order:
                parts = _parts_of_log(target, log, self._rows_at_once)
                of_log.runs = list(runs(EventTime(log, *row[:4]) for rows in parts for row in rows))
        runs_of = {log: of_log.runs for log, of_log in self._logs.items()}
        clock_of = clocks(_stored_anchors(target), self._last_ns, followers(runs_of, self._parents))
        insert_many(target, boot, list(self._last_ns.items()))
        begins = [begin for log_runs in runs_of.values() for begin in log_runs]
        insert_many(target, run, [(bytes.fromhex(begin.log), begin.first_seq, begin.boot) for begin in begins])
        links = [(bytes.fromhex(log), bytes.fromhex(link.log), link.seq) for log, link in self._parents.items()]
        insert_many(target, parent, links)
        for log in self._logs:
            _write_keys(target, log, clock_of, self._rows_at_once)


def _parts_of_log(target: Connection, log: str, rows_at_once: int) -> Iterator[list[Any]]:
    """The rows of a log in sequence, some thousand at a time; the rows of one place are in one part."""
    after = -1
    while rows := _stamps(target, log, after, rows_at_once):
        if len({row[0] for row in rows}) < len(rows):  # forks: two rows at one place
            rows.sort(key=lambda stamp: (stamp[0], stamp[1] or "", stamp[2] or 0))
        yield rows
        after = rows[-1][0]


def _stamps(target: Connection, log: str, after: int, rows_at_once: int) -> list[Any]:
    """The next rows of a log in sequence: seq, boot, mono_ns, since_ns, pos. The rows of one place are never split."""
    c = event_state.c
    columns = select(c.at_seq, word.c.text, c.mono_ns, c.since_ns, c.pos).outerjoin(word, word.c.id == c.boot)
    query = columns.where(and_(c.at_log == word_id(log), c.at_seq > after)).order_by(c.at_seq)
    rows = list(target.execute(query.limit(rows_at_once)).all())
    if len(rows) == rows_at_once:
        last = rows[-1][0]
        place = columns.where(and_(c.at_log == word_id(log), c.at_seq == last))
        rows = [*(row for row in rows if row[0] < last), *target.execute(place).all()]
    return rows


def _write_keys(target: Connection, log: str, clock_of: Mapping[str, BootClock], rows_at_once: int) -> None:
    mark = "?" if target.dialect.paramstyle == "qmark" else "%s"
    values = ", ".join(f"{name} = {mark}" for name in ("key_us", "lo_us", "hi_us", "approx"))
    update = f"UPDATE event_state SET {values} WHERE pos = {mark}"  # noqa: S608  names of our own columns
    behind: OrderKey | None = None
    for rows in _parts_of_log(target, log, rows_at_once):
        updates = []
        stamps = [_tuple(EventTime, (log, seq, boot, mono_ns, since_ns)) for seq, boot, mono_ns, since_ns, _ in rows]
        for row, (_, key, next_from) in zip(rows, log_keys(stamps, clock_of, behind), strict=True):
            behind = next_from
            updates.append((*key, row[4]))
        run_many(target, update, updates)


def _stored_anchors(target: Connection) -> dict[str, list[TimeAnchor]]:
    anchors: dict[str, list[TimeAnchor]] = {}
    for row in target.execute(select(anchor)):
        time_anchor = TimeAnchor(row.boot, row.t1_ns, row.t4_ns, row.t2_us, row.t3_us, row.log_id.hex(), row.seq)
        anchors.setdefault(row.boot, []).append(time_anchor)
    return anchors
