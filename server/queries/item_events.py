"""Item events: the scans and entries of one item as they were recorded, with their status and corrections."""

from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, and_, select

from server.db.schema import ledger
from server.projection.event_items import Corrections
from server.projection.internal_tables import word
from server.projection.ledger_row import LedgerRow, rows_at
from server.projection.log_permissions import LogOwners, claimed_by
from server.projection.tables import event_item, event_state
from server.projection.words import word_id
from station.core.event import Event

MOST = 200


class TagPresence(NamedTuple):
    """The presence of a tag on a reader: number of reads, end (UTC us), best signal where the reader reports one."""

    seen: int
    until_us: int
    signal_dbm: int | None


class ItemEventRow(NamedTuple):
    """One event. `raw`: the bytes of the device; `changed`: the fields that a correction replaced.

    `presence`: on the arrival of a tag, the data of its departure. `ends`: the event is a departure whose arrival is not on
    the page. `log`, `seq`: the place where the event counts, by which corrections and voids name it. Times UTC us.
    """

    pos: int
    log: str
    seq: int
    key_us: int
    approx: bool
    status: str
    kind: str
    verb: str
    station: str
    reader: str
    stage: str | None
    by: str | None
    qty_milli: int | None
    all: bool
    reason: str | None
    repeat: bool
    unread: str | None
    code: str | None
    raw: bytes | None
    text: str
    changed: dict[str, Any]
    presence: TagPresence | None = None
    ends: bool = False
    sent_by: str | None = None  # the station that owns the log, where the event names another one

    @property
    def is_scan(self) -> bool:
        """Whether the event is a check-in: a scan or an added check-in, but not the departure of a tag."""
        return (self.kind == "scan" and not self.ends) or self.verb_of_entry == "checkin"

    @property
    def verb_of_entry(self) -> str:
        """The kind of an entry; empty for a scan."""
        return self.verb if self.kind == "entry" else ""


class ItemEventPage(NamedTuple):
    """A page of events, the newest first; `more`: older events may exist."""

    events: tuple[ItemEventRow, ...]
    more: bool


def scans(connection: Connection, item: str, before_pos: int | None = None, most: int | None = MOST) -> ItemEventPage:
    """The newest events of an item before `before_pos`, at most `most`; None: all.

    A tag's departure is merged into its arrival; it is an event of its own where the arrival is not on the page.
    """
    c = event_item.c
    s = event_state.c
    query = select(c.pos, c.key_us).join(event_state, s.pos == c.pos).join(word, word.c.id == s.at_log)
    query = query.where(c.item == item)
    if before_pos is not None:
        query = query.where(c.pos < before_pos)
    rows = connection.execute(query.order_by(c.key_us.desc(), word.c.text, s.at_seq.desc()).limit(most)).all()
    ledger_rows = {row.pos: row for row in rows_at(connection, [linked.pos for linked in rows])}
    corrections = Corrections(connection)
    owners = LogOwners(connection, 0)
    events = []
    for linked in rows:
        row = ledger_rows[linked.pos]
        events.append(_event_row(row, linked.key_us, corrections.put(row), owners))
    ref_of = {row.pos: (ref.log, ref.seq) for row in ledger_rows.values() if row.event and (ref := row.event.ref)}
    return ItemEventPage(tuple(_merge_departures(events, ref_of)), len(rows) == most)


def _merge_departures(events: list[ItemEventRow], ref_of: dict[int, tuple[str, int]]) -> list[ItemEventRow]:
    """Merge each tag departure into its arrival: the first later departure of the same log that names the arrival."""
    present = {(event.log, event.seq) for event in events if not event.ends}
    departures: dict[tuple[str, int], ItemEventRow] = {}
    for event in reversed(events):
        ref = ref_of.get(event.pos)
        # Only the owner of a log may end a presence in it.
        if event.ends and ref in present and ref < (event.log, event.seq) and ref[0] == event.log:
            departures.setdefault(ref, event)
    merged = {event.pos for event in departures.values()}
    return [
        event if (end := departures.get((event.log, event.seq))) is None else event._replace(presence=end.presence)
        for event in events
        if event.pos not in merged
    ]


def _event_row(row: LedgerRow, key_us: int, put: dict[str, Any], owners: LogOwners) -> ItemEventRow:
    event = row.event
    assert event is not None  # only a decoded event is linked to an item
    data = event.data or {}
    fields = event if event.kind == "scan" else msgspec.convert(_entry_fields(event), _EntryFields)
    return ItemEventRow(
        pos=row.pos,
        log=row.counted.log,
        seq=row.counted.seq,
        key_us=key_us,
        approx=row.key.approx,
        status=row.status,
        kind=event.kind,
        verb=(put.get("action", fields.action) or "") if event.kind == "scan" else event.what or "",
        station=event.station,
        reader=event.reader.id if event.reader else "",
        stage=put.get("stage", fields.stage),
        by=put.get("operator", event.operator) or event.by,
        qty_milli=put.get("qty_milli", fields.qty_milli),
        all=event.all,
        reason=fields.reason,
        repeat=event.repeat,
        unread=event.unread,
        code=event.code,
        raw=event.raw,
        text=str(data.get("text") or data.get("why") or ""),
        changed=put,
        presence=None if event.seen is None else TagPresence(event.seen, key_us, event.rssi_dbm),
        ends=event.kind == "scan" and event.seen is not None,
        sent_by=None if claimed_by(row, owners) is None else owners.of(row.stored.log)[1],
    )


class _EntryFields(msgspec.Struct):
    """The fields of a scan that an entry may also have."""

    stage: str | None = None
    action: str | None = None
    qty_milli: int | None = None
    reason: str | None = None


def _entry_fields(event: Event) -> dict[str, Any]:
    """Those fields of an entry that have the type of the scan's field."""
    data = event.data or {}
    fields = {name: data[name] for name in ("stage", "action", "reason") if isinstance(data.get(name), str)}
    quantity = data.get("qty_milli")
    is_number = isinstance(quantity, int) and not isinstance(quantity, bool)
    return {**fields, "qty_milli": quantity} if is_number else fields


def of_log(connection: Connection, log: str, seq: int) -> list[str]:
    """The items that one event is linked to; [] for an unknown event and for one without items."""
    s, i, stored = event_state.c, event_item.c, ledger.c
    counted = select(s.pos).where(and_(s.at_log == word_id(log), s.at_seq == seq))
    at_place = select(stored.pos).where(and_(stored.log_id == bytes.fromhex(log), stored.seq == seq))
    rows = connection.execute(select(i.item).where(i.pos.in_(counted.union(at_place))).order_by(i.pos, i.item))
    return list(dict.fromkeys(rows.scalars()))
