"""One item as the API answers it: structs that describe themselves, and how rows become them."""

from typing import Any

import msgspec

from server.api.format import decimal, iso, time
from server.queries.current_stock import StockRow
from server.queries.item_detail import ItemDetail
from server.queries.item_events import ItemEventRow
from server.urls import item_url
from station.core.quantity import decimal_text


class ParcelAnswer(msgspec.Struct):
    """A quantity that stands somewhere; `qty` null: nobody has said how many."""

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


class VisitAnswer(msgspec.Struct):
    """A stay that is over."""

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


class FindingAnswer(msgspec.Struct):
    """What a rule that is on says of one event."""

    rule: str
    at: str
    stage: str | None
    station: str
    text: str


class EventAnswer(msgspec.Struct):
    """One event of an item; `raw` is base64 of what the device sent.

    Of a tag's arrival `seen`, `rssi_dbm` and `until` say how often it was seen since, its best signal, and until when; where
    an end of a presence stands alone, `ends` is true, and nobody scanned.
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


class ItemAnswer(msgspec.Struct):
    """One item. `accounts`: decimals by account, which sum to zero; `older`: where earlier events are."""

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
    findings: list[FindingAnswer]
    events: list[EventAnswer]
    older: str | None
    page: str


def item_answer(found: ItemDetail) -> ItemAnswer:
    """The answer of /api/v1/items/{item}."""
    row = found.row
    oldest = found.events[-1].pos if found.events else None
    return ItemAnswer(
        item=row.item,
        name=row.name,
        product=row.product,
        order=found.order,
        status=row.status,
        unit=found.product.unit if found.product else "pcs",
        due=row.due,
        parcels=[_parcel(stand) for stand in found.stands],
        visits=[
            VisitAnswer(
                each.operation, each.stage, each.state, decimal(each.qty_milli), time(each.entered_us), time(each.left_us),
                each.station, each.operator, each.went_to_stage, each.went_to_state,
            )
            for each in found.visits
        ],
        accounts={name: decimal_text(milli) for name, milli in found.accounts.items()},
        findings=[FindingAnswer(e.rule, time(e.key_us), e.stage, e.station, e.text) for e in found.findings],
        events=[_event(each) for each in found.events],
        older=None if not found.more_events else f"/api/v1{item_url(row.item)}?before={oldest}",
        page=item_url(row.item),
    )  # fmt: skip


def _parcel(stand: StockRow) -> ParcelAnswer:
    return ParcelAnswer(
        stand.operation,
        stand.stage,
        stand.state,
        decimal(stand.qty_milli),
        time(stand.since_us),
        time(stand.at_stage_since_us),
        iso(stand.started_us),
        stand.station,
        stand.operator,
        stand.reason,
        stand.approx,
    )


def _event(each: ItemEventRow) -> EventAnswer:
    presence = each.presence
    return EventAnswer(
        each.log,
        each.seq,
        each.pos,
        time(each.key_us),
        each.kind,
        each.verb,
        each.station,
        each.stage,
        each.by,
        decimal(each.qty_milli),
        each.reason,
        each.repeat,
        each.raw,
        each.changed,
        presence.seen if presence else None,
        presence.signal_dbm if presence else None,
        time(presence.until_us) if presence else None,
        each.ends,
    )
