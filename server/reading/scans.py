"""The events of one item: what was scanned and entered, as it came, and what became of it."""

from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, and_, or_, select

from server.projection.links import Corrections
from server.projection.tables import event_item, event_state
from server.projection.taken import Taken, again
from station.core.event import Event

MOST = 200


class Scan(NamedTuple):
    """One event. `raw`: what the device sent; `changed`: the fields that a person put in place of the recorded ones.

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

    @property
    def is_scan(self) -> bool:
        """Whether it says that something moved: a scan, or one that a person added."""
        return self.kind == "scan" or self.verb_of_entry == "checkin"

    @property
    def verb_of_entry(self) -> str:
        """The word of an entry, empty for a scan."""
        return self.verb if self.kind == "entry" else ""


def scans(connection: Connection, item: str, before_pos: int | None = None) -> list[Scan]:
    """The newest events of an item, the newest first, at most MOST; those before a position where one is given."""
    c = event_item.c
    query = select(c.pos, c.key_us).where(c.item == item)
    if before_pos is not None:
        query = query.where(c.pos < before_pos)
    rows = connection.execute(query.order_by(c.key_us.desc(), c.log_id, c.seq.desc()).limit(MOST)).all()
    taken = {each.pos: each for each in again(connection, [row.pos for row in rows])}
    corrections = Corrections(connection)
    return [_scan(taken[row.pos], row.key_us, corrections.put(taken[row.pos])) for row in rows]


def _scan(each: Taken, key_us: int, put: dict[str, Any]) -> Scan:
    event = each.event
    assert event is not None  # only what could be read belongs to an item
    data = event.data or {}
    said = event if event.kind == "scan" else msgspec.convert(_of_entry(event), _Said)
    return Scan(
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
