"""The API's answer about one item: its structs, which openapi.json describes, and their construction from query rows."""

from typing import Any

import msgspec

from server.api.format import decimal, iso, time
from server.api.past_query import Past, keep_past
from server.queries.current_stock import StockRow
from server.queries.item_changes import ItemChange
from server.queries.item_detail import ItemDetail, ItemFinding
from server.queries.item_events import ItemEventRow
from server.queries.item_moves import ItemMove
from server.queries.lag import Lag
from server.urls import item_url
from station.core.ledger.parcels import Account
from station.core.quantity import decimal_text


class ParcelAnswer(msgspec.Struct):
    """A quantity of the item at one place in one state; `qty` null: unknown quantity.

    `run_since_us`: a `start` scan began its run at this operation, UTC us; null: no start was scanned since its arrival.
    """

    operation: int | None
    stage: str | None
    state: str
    qty: str | None
    since: str
    at_stage_since: str
    started: str | None
    station: str | None
    operator: str | None
    reason: str | None
    approx: bool
    run_since_us: int | None


class VisitAnswer(msgspec.Struct):
    """A past stay."""

    operation: int | None
    stage: str | None
    state: str
    qty: str | None
    entered: str
    left: str
    station: str | None
    operator: str | None
    went_to_stage: str | None
    went_to_state: str


class MoveAnswer(msgspec.Struct):
    """A posting: a quantity that went from one account of the item to another, by the event `log`, `seq`.

    `from_account`, `to_account`: as in `accounts`; an empty one has pieces that no scan had seen before.
    """

    number: int
    at: str
    from_account: str
    from_stage: str | None
    to_account: str
    to_stage: str | None
    qty: str | None
    log: str
    seq: int


class FindingAnswer(msgspec.Struct):
    """A finding of an enabled rule about one event; `log`, `seq`: that event; `etag`: what an answer sends back, so that
    it holds for what was seen only.

    `state`: open; answered, by a person; ended, by later scans or by the closing of the order. `charged_micros`: the cost in
    its value of operations that were passed without a scan; null where nothing is charged.
    """

    rule: str
    at: str
    stage: str | None
    station: str
    text: str
    log: str
    seq: int
    etag: str
    state: str
    answered_at: str | None
    answered_by: str
    note: str
    charged_micros: int | None


class EventAnswer(msgspec.Struct):
    """One event of an item; `raw` is base64 of the device's bytes.

    On the arrival of a tag, `seen`, `rssi_dbm` and `until` are the number of reads, the best signal and the end of its
    presence. `ends` is true for a departure whose arrival is not in the list; it is no scan.
    """

    log: str
    seq: int
    pos: int
    at: str
    kind: str
    verb: str
    station: str
    stage: str | None
    by: str | None
    qty: str | None
    reason: str | None
    repeat: bool
    raw: bytes | None
    corrected: dict[str, Any]
    seen: int | None
    rssi_dbm: int | None
    until: str | None
    ends: bool


class ChangeAnswer(msgspec.Struct):
    """A void or a correction of an event of the item, which the void of `log`, `seq` takes back.

    `kind`: void or correct; `of_log`, `from_seq`, `to_seq`: the events that it names; the first was made at `of_at`.
    `old`, `new`: the fields of that event before and after, with the earlier corrections; `new` of a void is empty.
    `effective` false: it was taken back, by `back_by` at `back_at` because of `back_why`; with an empty `back_by`, it has no
    effect because of `back_why`: a later correction, or the void of the event.
    """

    kind: str
    log: str
    seq: int
    at: str
    by: str
    why: str
    of_log: str
    from_seq: int
    to_seq: int
    of_at: str
    old: dict[str, Any]
    new: dict[str, Any]
    effective: bool
    back_by: str
    back_at: str | None
    back_why: str


class ItemQuery(msgspec.Struct):
    """`before`: only events before this ledger position, as `older` of an answer names it.

    `as_of`: a past time, ISO 8601; `known`: only the events up to this position.
    """

    before: str = ""
    as_of: str = ""
    known: str = ""


class ItemAnswer(msgspec.Struct):
    """One item. `accounts`: decimals by account, which sum to zero; `older`: the address of earlier events."""

    item: str
    name: str | None
    product: str | None
    order: str
    status: str
    unit: str
    due: str | None
    parcels: list[ParcelAnswer]
    visits: list[VisitAnswer]
    accounts: dict[str, str]
    moves: list[MoveAnswer]
    moves_total: int
    findings: list[FindingAnswer]
    events: list[EventAnswer]
    older: str | None
    page: str
    changes: list[ChangeAnswer]
    more_changes: bool
    visits_total: int
    findings_total: int
    as_of: str
    known: int
    pos: int
    behind: int
    behind_s: int
    recalculating: int


def item_answer(detail: ItemDetail, past: Past, lag: Lag) -> ItemAnswer:
    """The answer of /api/v1/items/{item}."""
    row = detail.row
    oldest = detail.events[-1].pos if detail.events else None
    return ItemAnswer(
        item=row.item,
        name=row.name,
        product=row.product,
        order=detail.order,
        status=row.status,
        unit=detail.product.unit if detail.product else "pcs",
        due=row.due,
        parcels=[_parcel(stock_row) for stock_row in detail.stock],
        visits=[
            VisitAnswer(
                stay.operation, stay.stage, stay.state, decimal(stay.qty_milli), time(stay.entered_us), time(stay.left_us),
                stay.station, stay.operator, stay.went_to_stage, stay.went_to_state,
            )
            for stay in detail.visits
        ],
        accounts={name: decimal_text(milli) for name, milli in detail.accounts.items()},
        moves=[_move(made) for made in detail.moves],
        moves_total=detail.move_count,
        findings=[
            _finding(finding)
            for finding in detail.findings
        ],
        events=[_event(event) for event in detail.events],
        older=None if not detail.more_events else keep_past(f"/api/v1{item_url(row.item)}?before={oldest}"),
        page=keep_past(item_url(row.item)),
        changes=[_change(change) for change in detail.changes],
        more_changes=detail.more_changes,
        visits_total=detail.visit_count,
        findings_total=detail.finding_count,
        as_of=time(past.time_us), known=past.known_pos,
        pos=lag.pos, behind=lag.events, behind_s=lag.seconds, recalculating=lag.queued,
    )  # fmt: skip


def _move(made: ItemMove) -> MoveAnswer:
    source = Account(made.from_state, made.from_operation, made.from_stage)
    target = Account(made.to_state, made.to_operation, made.to_stage)
    return MoveAnswer(
        made.number, time(made.at_us), str(source), made.from_stage, str(target), made.to_stage, decimal(made.qty_milli),
        made.log, made.seq,
    )  # fmt: skip


def _finding(finding: ItemFinding) -> FindingAnswer:
    state = "open" if finding.is_open else "answered" if finding.answered_us is not None else "ended"
    return FindingAnswer(
        finding.rule, time(finding.key_us), finding.stage, finding.station, finding.text, finding.log, finding.seq,
        finding.etag, state, iso(finding.answered_us), finding.answered_by, finding.note, finding.charged_micros,
    )  # fmt: skip


def _parcel(row: StockRow) -> ParcelAnswer:
    return ParcelAnswer(
        row.operation,
        row.stage,
        row.state,
        decimal(row.qty_milli),
        time(row.since_us),
        time(row.at_stage_since_us),
        iso(row.started_us),
        row.station,
        row.operator,
        row.reason,
        row.approx,
        row.run_since_us,
    )


def _change(change: ItemChange) -> ChangeAnswer:
    return ChangeAnswer(
        change.kind, change.log, change.seq, time(change.at_us), change.by, change.why, change.of_log, change.from_seq,
        change.to_seq, time(change.of_at_us), change.old, change.new, change.effective, change.back_by, iso(change.back_us),
        change.back_why,
    )  # fmt: skip


def _event(event: ItemEventRow) -> EventAnswer:
    presence = event.presence
    return EventAnswer(
        event.log,
        event.seq,
        event.pos,
        time(event.key_us),
        event.kind,
        event.verb,
        event.station,
        event.stage,
        event.by,
        decimal(event.qty_milli),
        event.reason,
        event.repeat,
        event.raw,
        event.changed,
        presence.seen if presence else None,
        presence.signal_dbm if presence else None,
        time(presence.until_us) if presence else None,
        event.ends,
    )
