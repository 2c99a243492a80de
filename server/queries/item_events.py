"""The events of one item: what was scanned and entered, as it came, and what became of it."""

from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, and_, or_, select

from server.projection.event_items import Corrections
from server.projection.ledger_row import LedgerRow, rows_at
from server.projection.log_permissions import LogOwners, claimed_by
from server.projection.tables import event_item, event_state
from station.core.event import Event

MOST = 200


class TagPresence(NamedTuple):
    """How long a tag lay on a reader: how often it was seen, until when, and its best signal where the reader tells one."""

    seen: int
    until_us: int
    signal_dbm: int | None


class ItemEventRow(NamedTuple):
    """One event. `raw`: what the device sent; `changed`: the fields that a person put in place of the recorded ones.

    `presence`: of a tag's arrival, what its end told. `ends`: it is such an end itself, and its arrival is not among these.
    `log`, `seq`: where it counts, which is how a correction or a void names it. Times UTC us.
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
    sent_by: str | None = None  # the station whose log it stands in, where the event names another

    @property
    def is_scan(self) -> bool:
        """Whether it says that something moved: a scan, or one that a person added. The end of a presence is none."""
        return (self.kind == "scan" and not self.ends) or self.verb_of_entry == "checkin"

    @property
    def verb_of_entry(self) -> str:
        """The word of an entry, empty for a scan."""
        return self.verb if self.kind == "entry" else ""


class ItemEventPage(NamedTuple):
    """Events, the newest first; `more`: there may be older ones."""

    events: tuple[ItemEventRow, ...]
    more: bool


def scans(connection: Connection, item: str, before_pos: int | None = None) -> ItemEventPage:
    """The newest events of an item, at most MOST; those before a position where one is given.

    The end of a tag's presence is told of its arrival, and stands alone only where that is not among these.
    """
    c = event_item.c
    query = select(c.pos, c.key_us).where(c.item == item)
    if before_pos is not None:
        query = query.where(c.pos < before_pos)
    rows = connection.execute(query.order_by(c.key_us.desc(), c.log_id, c.seq.desc()).limit(MOST)).all()
    taken = {each.pos: each for each in rows_at(connection, [row.pos for row in rows])}
    corrections = Corrections(connection)
    owners = LogOwners(connection, 0)
    found = [_scan(taken[row.pos], row.key_us, corrections.put(taken[row.pos]), owners) for row in rows]
    ref_of = {each.pos: (ref.log, ref.seq) for each in taken.values() if each.event and (ref := each.event.ref)}
    return ItemEventPage(tuple(_joined(found, ref_of)), len(rows) == MOST)


def _joined(found: list[ItemEventRow], ref_of: dict[int, tuple[str, int]]) -> list[ItemEventRow]:
    """The events, each arrival with what its end told: one of its own log, behind it, and the first where several came."""
    here = {(each.log, each.seq) for each in found if not each.ends}
    ends: dict[tuple[str, int], ItemEventRow] = {}
    for each in reversed(found):
        ref = ref_of.get(each.pos)
        # Whoever may write in a log may end what arrived there; no other station may.
        if each.ends and ref in here and ref < (each.log, each.seq) and ref[0] == each.log:
            ends.setdefault(ref, each)
    told = {each.pos for each in ends.values()}
    return [
        each if (end := ends.get((each.log, each.seq))) is None else each._replace(presence=end.presence)
        for each in found
        if each.pos not in told
    ]


def _scan(each: LedgerRow, key_us: int, put: dict[str, Any], owners: LogOwners) -> ItemEventRow:
    event = each.event
    assert event is not None  # only what could be read belongs to an item
    data = event.data or {}
    said = event if event.kind == "scan" else msgspec.convert(_of_entry(event), _Said)
    return ItemEventRow(
        pos=each.pos,
        log=each.counted.log,
        seq=each.counted.seq,
        key_us=key_us,
        approx=each.key.approx,
        status=each.status,
        kind=event.kind,
        verb=(put.get("action", said.action) or "") if event.kind == "scan" else event.what or "",
        station=event.station,
        reader=event.reader.id if event.reader else "",
        stage=put.get("stage", said.stage),
        by=put.get("operator", event.operator) or event.by,
        qty_milli=put.get("qty_milli", said.qty_milli),
        all=event.all,
        reason=said.reason,
        repeat=event.repeat,
        unread=event.unread,
        code=event.code,
        raw=event.raw,
        text=str(data.get("text") or data.get("why") or ""),
        changed=put,
        presence=None if event.seen is None else TagPresence(event.seen, key_us, event.rssi_dbm),
        ends=event.kind == "scan" and event.seen is not None,
        sent_by=None if claimed_by(each, owners) is None else owners.of(each.stored.log)[1],
    )


class _Said(msgspec.Struct):
    """The fields of an entry that a scan has, too."""

    stage: str | None = None
    action: str | None = None
    qty_milli: int | None = None
    reason: str | None = None


def _of_entry(event: Event) -> dict[str, Any]:
    """What an entry says of these fields, where it says it in their form."""
    data = event.data or {}
    kept = {name: data[name] for name in ("stage", "action", "reason") if isinstance(data.get(name), str)}
    quantity = data.get("qty_milli")
    return {**kept, "qty_milli": quantity} if isinstance(quantity, int) and not isinstance(quantity, bool) else kept


def of_log(connection: Connection, log: str, seq: int) -> list[str]:
    """The items that one event is about; [] where there is no such event or it is about none."""
    s, i = event_state.c, event_item.c
    place = bytes.fromhex(log)
    rows = connection.execute(
        select(i.item)
        .join(event_state, s.pos == i.pos)
        .where(or_(and_(s.at_log == place, s.at_seq == seq), and_(s.log_id == place, s.seq == seq)))
    )
    return list(dict.fromkeys(rows.scalars()))
