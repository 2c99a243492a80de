"""Item changes: every void and correction of an event of one item, with old and new values, author, time and reason.

A voided event has no link to its item any more. It is found through the voids: its bytes contain the item's name or one of
its codes, as text or in the base64 of the raw scan. A found event is then decoded and compared exactly.
"""

from base64 import b64encode
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, LargeBinary, and_, cast, func, literal, or_, select

from server.db.schema import ledger
from server.projection.code_keys import spellings_of
from server.projection.event_items import Corrections
from server.projection.internal_tables import correction, void_mark
from server.projection.ledger_row import LedgerRow, rows_at
from server.projection.tables import binding, event_item, event_state
from server.queries.search import by_pattern
from station.core.codes import identity_of_written
from station.core.master_data import MasterData

MOST = 200  # changes of one item
MOST_CODES = 20
FIELDS = ("stage", "action", "operator", "item", "qty_milli")


class ItemChange(NamedTuple):
    """A void or a correction. `of_log`, `from_seq`, `to_seq`: the events that it names; times UTC us.

    `old`, `new`: the fields of the first of these events before and after, each with the earlier corrections that have
    effect; `new` of a void is empty. `back_*`: the void that took the change back; the change then has no effect.
    `replaced`: no void names the change, and it has no effect, because of `back_why`.
    """

    kind: str
    log: str
    seq: int
    at_us: int
    by: str
    why: str
    of_log: str
    from_seq: int
    to_seq: int
    of_at_us: int
    old: dict[str, Any]
    new: dict[str, Any]
    effective: bool
    back_by: str = ""
    back_us: int | None = None
    back_why: str = ""
    replaced: bool = False


def item_changes(
    connection: Connection, item: str, master_data: MasterData, now_us: int
) -> tuple[list[ItemChange], bool]:
    """The changes of one item, the newest first, at most MOST; whether there may be more."""
    names = _names(connection, item)
    targets = _targets(connection, names)
    rows = {row.pos: row for row in rows_at(connection, {pos for pair in targets for pos in pair})}
    corrections = Corrections(connection)
    changes = []
    for change_pos, target_pos in targets:
        change, target = rows[change_pos], rows[target_pos]
        if (
            change.event is not None
            and target.event is not None
            and _is_of(target, change, item, names, master_data, now_us)
        ):
            changes.append(_change(connection, change, target, corrections))
    changes.sort(key=lambda change: (-change.at_us, change.log, -change.seq))
    return changes[:MOST], len(targets) >= MOST


def change_targets(connection: Connection, item: str) -> list[tuple[int, int]]:
    """(position of a void or correction, position of an event that it names) of events that may be of the item."""
    return _targets(connection, _names(connection, item))


def _names(connection: Connection, item: str) -> list[str]:
    """The item's name and the codes by which it is scanned."""
    scanned = select(event_item.c.code).where(and_(event_item.c.item == item, event_item.c.code.is_not(None)))
    bound = select(binding.c.code).where(binding.c.item == item)
    codes = [
        *spellings_of(connection, item, MOST_CODES),
        *connection.execute(scanned.distinct().limit(MOST_CODES)).scalars(),
        *connection.execute(bound.limit(MOST_CODES)).scalars(),
    ]
    return list(dict.fromkeys([item, *codes]))


def _targets(connection: Connection, names: list[str]) -> list[tuple[int, int]]:
    """(position of a void or correction, position of an event that it names) whose bytes have one of the names."""
    target = ledger.alias("target")
    needles = dict.fromkeys(needle for name in names for needle in needles_of(name))
    has_name = or_(*(_contains(connection, target.c.bytes, needle) for needle in needles))
    projected = event_state.alias("projected")  # of the target
    voids = (
        select(void_mark.c.pos, target.c.pos)
        .join(target, and_(target.c.log_id == void_mark.c.target_log, target.c.seq == void_mark.c.target_seq))
        .join(projected, projected.c.pos == target.c.pos)
        .where(has_name)
        .order_by(void_mark.c.pos.desc())
        .limit(MOST)
    )
    put = [correction.c.put.contains(_text(name), autoescape=True) for name in names]
    of = and_(
        target.c.log_id == correction.c.of_log,
        target.c.seq >= correction.c.from_seq,
        target.c.seq <= correction.c.to_seq,
    )
    corrected = (
        select(correction.c.pos, target.c.pos)
        .join(target, of)
        .join(projected, projected.c.pos == target.c.pos)
        .where(or_(has_name, *put))
        .order_by(correction.c.pos.desc())
        .limit(MOST)
    )
    pairs = [(row[0], row[1]) for query in (voids, corrected) for row in connection.execute(query)]
    return [*pairs, *_taken_back(connection, target, has_name)]


def _taken_back(connection: Connection, target: Any, has_name: Any) -> list[tuple[int, int]]:
    """Corrections that were taken back, with the event that they name: a void names them, and `correction` lacks them."""
    void_of = ledger.alias("void_of")
    voided = (
        select(void_of.c.pos)
        .join(void_mark, and_(void_of.c.log_id == void_mark.c.target_log, void_of.c.seq == void_mark.c.target_seq))
        .join(event_state, event_state.c.pos == void_of.c.pos)
        .where(_contains(connection, void_of.c.bytes, '"what":"correct"'))
        .order_by(void_of.c.pos.desc())
        .distinct()
        .limit(MOST)
    )
    pairs = []
    for row in rows_at(connection, connection.execute(voided).scalars()):
        data = (row.event.data if row.event else None) or {}
        if row.status != "void" or not isinstance(data.get("log"), str):
            continue
        place = and_(target.c.log_id == bytes.fromhex(data["log"]), target.c.seq == data.get("from_seq"))
        named = connection.execute(select(target.c.pos).where(and_(place, has_name))).scalar()
        if named is not None:
            pairs.append((row.pos, named))
    return pairs


def needles_of(name: str) -> list[str]:
    """The texts of which the bytes of an event with this name contain at least one.

    These are the name as JSON writes it, and the characters of the base64 of a raw scan that the name alone determines, for
    each of the three positions that it may have in a group of three bytes.

    >>> needles_of("WO-1")
    ['WO-1', 'V08tM', 'dPLT', 'XTy0x']
    """
    raw, texts = name.encode("utf-8", "replace"), [_text(name)]
    for shift in range(3):
        encoded = b64encode(b"\0" * shift + raw).decode()
        texts.append(encoded[-(-8 * shift // 6) : 8 * (shift + len(raw)) // 6])
    return [text for text in texts if text]


def _contains(connection: Connection, column: Any, text: str) -> Any:
    """SQL condition: the bytes of an event contain a text."""
    raw = literal(text.encode(), LargeBinary)
    if connection.dialect.name == "sqlite":
        return func.instr(column, raw) > 0
    return func.position(cast(raw, LargeBinary).op("IN")(column)) > 0


def _text(name: str) -> str:
    return msgspec.json.encode(name).decode()[1:-1]


def _is_of(
    target: LedgerRow, change: LedgerRow, item: str, names: list[str], master_data: MasterData, now_us: int
) -> bool:
    """Whether the event, as recorded or as corrected, is one of the item."""
    event, data = target.event, (change.event.data if change.event else None) or {}
    assert event is not None
    put = data["set"].get("item") if isinstance(data.get("set"), dict) else None
    if isinstance(put, str) and identity_of_written(put) == item:
        return True
    fields = event.data or {}
    if event.kind == "entry":
        named = fields.get("order") if (event.what or "").startswith("order.") else fields.get("item")
        return isinstance(named, str) and identity_of_written(named) == item
    return (
        target.identity == item
        or target.code in names
        or (target.code is not None and item in by_pattern(master_data, target.code, now_us))
    )


def _change(connection: Connection, change: LedgerRow, target: LedgerRow, corrections: Corrections) -> ItemChange:
    event, of = change.event, target.event
    assert event is not None
    assert of is not None
    data, recorded = event.data or {}, _fields(target)
    is_correction = event.what == "correct"
    new = {name: data["set"][name] for name in FIELDS if name in data["set"]} if is_correction else {}
    old = {**recorded, **corrections.put(target)}
    if is_correction:
        before = {**recorded}
        for earlier in corrections.of(target):
            before |= earlier.set if earlier.recorded < change.recorded else {}
        old = {name: before.get(name) for name in new}
    back = None if change.status == "ok" else _void_of(connection, change)
    replaced = _replaced(connection, change, target, corrections, new) if change.status == "ok" else ""
    return ItemChange(
        kind="correct" if is_correction else "void",
        log=change.counted.log,
        seq=change.counted.seq,
        at_us=change.key.us,
        by=event.by or event.operator or event.station,
        why=str(data.get("why") or ""),
        of_log=target.counted.log,
        from_seq=int(data.get("from_seq", target.counted.seq)) if is_correction else target.counted.seq,
        to_seq=int(data.get("to_seq", target.counted.seq)) if is_correction else target.counted.seq,
        of_at_us=target.key.us,
        old=old,
        new=new,
        effective=change.status == "ok" and not replaced,
        back_by="" if back is None or back.event is None else back.event.by or back.event.station,
        back_us=None if back is None else back.key.us,
        back_why=replaced if back is None or back.event is None else str((back.event.data or {}).get("why") or ""),
        replaced=bool(replaced),
    )


def _replaced(
    connection: Connection, change: LedgerRow, target: LedgerRow, corrections: Corrections, new: dict[str, Any]
) -> str:
    """Why a change that was not taken back has no effect on the event; empty where it has.

    The later corrections replace all of its fields, or another void takes the event back.
    """
    void = _void_of(connection, target) if target.status == "void" else None
    if void is not None and void.pos != change.pos:
        return "the event was taken back" if new else "the event was taken back before"
    later = {name for other in corrections.of(target) if other.recorded > change.recorded for name in other.set}
    return "superseded by the later one" if new and later >= set(new) else ""


def _void_of(connection: Connection, row: LedgerRow) -> LedgerRow | None:
    """The void with effect that names an event."""
    c, place = void_mark.c, row.stored
    named = and_(c.target_log == bytes.fromhex(place.log), c.target_seq == place.seq, event_state.c.status == "ok")
    query = select(c.pos).join(event_state, event_state.c.pos == c.pos).where(named).order_by(c.pos).limit(1)
    return next(iter(rows_at(connection, connection.execute(query).scalars())), None)


def _fields(row: LedgerRow) -> dict[str, Any]:
    """The fields of an event as they were recorded, without those that it does not have."""
    event = row.event
    assert event is not None
    data = event.data or {}
    if event.kind == "entry":
        values = {
            **{name: data.get(name) for name in FIELDS},
            "action": event.what,
            "item": data.get("order") or data.get("item"),
        }
    else:
        values = {
            "stage": event.stage, "action": event.action, "operator": event.operator, "item": row.code,
            "qty_milli": event.qty_milli,
        }  # fmt: skip
    return {name: value for name, value in values.items() if value is not None}
