"""Numbers and texts beyond their bounds: kept, marked, and never in the way of the events behind them."""

import random
from typing import Any

import engines
import msgspec
import pytest
from engines import SQLITE
from sqlalchemy import select

from server.projection.rebuild import compare
from server.projection.tables import event_state, item, parcel
from station.core.event import MAX_QTY_MILLI

engine = engines.both_at_night

BIG = 2**63 - 1


def raw_event(log: Any, **fields: Any) -> Any:
    """A row with these fields as they are: what no station of ours would encode."""
    return log.put(msgspec.json.encode({"v": 1, "station": log.name, "sw": "t", **fields}))


def entry(log: Any, what: str, data: dict[str, Any], **fields: Any) -> Any:
    return raw_event(log, kind="entry", what=what, data=data, by="Ann", **fields)


def statuses(hub_db: Any) -> list[str]:
    return [row[0] for row in hub_db.show(select(event_state.c.status).order_by(event_state.c.pos))]


def test_a_checkin_of_the_greatest_quantity_twice_stops_nothing(hub_db: Any) -> None:
    office, saw = hub_db.log("hub", 1), hub_db.log("saw-1", 2)
    huge = {"code": "WO-1", "stage": "saw", "qty_milli": BIG}
    hub_db.deliver(entry(office, "checkin", huge), entry(office, "checkin", huge), saw.scan("WO-2", "saw"))
    hub_db.drain()
    assert statuses(hub_db) == ["not_understood", "not_understood", "ok"]
    assert hub_db.show(select(item.c.item)) == [("WO-2",)]
    assert compare(hub_db.store) == []


def test_a_routing_with_an_operation_beyond_64_bits_stops_nothing(hub_db: Any) -> None:
    office, saw = hub_db.log("hub", 1), hub_db.log("saw-1", 2)
    hub_db.deliver(
        entry(office, "routing.define", {"routing": "r", "operations": [{"op": 2**63, "stage": "saw"}]}),
        office.entry("product.define", {"product": "bracket", "routing": "r"}),
        office.entry("order.release", {"order": "WO-1", "product": "bracket", "qty_milli": 5000}),
        saw.scan("WO-1", "saw", qty_milli=1000),
    )
    hub_db.drain()
    assert statuses(hub_db) == ["not_understood", "ok", "ok", "ok"]
    assert set(hub_db.show(select(parcel.c.stage, parcel.c.qty_milli))) == {(None, 4000), ("saw", 1000)}
    assert compare(hub_db.store) == []


def test_a_correction_and_a_scrap_of_2_to_the_63_stop_nothing(hub_db: Any) -> None:
    office, saw = hub_db.log("hub", 1), hub_db.log("saw-1", 2)
    scan = saw.scan("WO-1", "saw", qty_milli=1000)
    span = {"log": saw.log_id.hex(), "from_seq": 1, "to_seq": 1}
    hub_db.deliver(
        scan,
        entry(office, "correct", {**span, "set": {"qty_milli": BIG}}),
        entry(office, "correct", {**span, "set": {"qty_milli": 2**63}}),
        raw_event(saw, kind="scan", raw="V08tMQ==", stage="saw", action="scrap", qty_milli=BIG),
        entry(office, "checkin", {"code": "WO-1", "stage": "saw", "action": "scrap", "qty_milli": 2**63}),
        saw.scan("WO-1", "saw", action="scrap", qty_milli=MAX_QTY_MILLI),
    )
    hub_db.drain()
    assert statuses(hub_db) == ["ok", *["not_understood"] * 4, "ok"]
    found = hub_db.show(select(parcel.c.state, parcel.c.qty_milli))
    assert found == [("scrapped", MAX_QTY_MILLI)]
    assert compare(hub_db.store) == []


BEYOND: list[dict[str, Any]] = [
    {"kind": "scan", "raw": "V08tMQ==", "stage": "saw", "qty_milli": quantity}
    for quantity in (0, -1, MAX_QTY_MILLI + 1, BIG)
]
BEYOND += [
    {"kind": "scan", "raw": "V08tMQ==", name: "a\0b"}
    for name in (
        "stage", "code", "operator", "reason", "to", "carrier", "bench", "unread", "boot", "station", "sw", "clk", "sym",
        "scheme", "action", "caused_at", "load", "hub_clk", "mac", "cause", "by", "what",
    )
]  # fmt: skip
BEYOND += [
    {"kind": "a\0b", "raw": "V08tMQ=="},
    {"kind": "scan", "raw": "V08tMQ==", "reader": {"kind": "a\0b", "id": "x"}},
]
BEYOND += [
    {"kind": "entry", "what": what, "by": "Ann", "data": data}
    for what, data in (
        ("order.release", {"order": "WO-1", "qty_milli": MAX_QTY_MILLI + 1}),
        ("order.release", {"order": "WO-1", "priority": 2**63}),
        ("order.change", {"order": "WO-1", "qty_milli": -(2**63)}),
        ("adjust", {"item": "WO-1", "stage": "saw", "qty_milli": -MAX_QTY_MILLI - 1}),
        ("cost.set", {"product": "p", "op": 1, "component": "labour", "micros": 2**63}),
        ("product.define", {"product": "p", "bom": [{"component": "bar", "qty_milli": 2**62}]}),
        ("routing.define", {"routing": "r", "operations": [{"op": 1, "stage": "s", "transfer_qty_milli": 2**62}]}),
        ("stage.define", {"stage": "s", "limit": 2**64}),
        ("note", {"item": "WO-1", "deep": {"list": [1, [2, {"n": -(2**63) - 1}]]}}),
        ("item.name", {"item": "WO-1", "name": "a\0b"}),
        ("item.name", {"item": "WO-1", "a\0b": "c"}),
        ("person.define", {"person": "p\0"}),
    )
]


@pytest.mark.parametrize("fields", BEYOND, ids=str)
def test_what_is_beyond_its_bounds_is_kept_and_not_understood(hub_db: Any, fields: dict[str, Any]) -> None:
    log = hub_db.log("hub", 1)
    hub_db.deliver(raw_event(log, **fields), log.scan("WO-2", "saw"))
    hub_db.drain()
    assert statuses(hub_db) == ["not_understood", "ok"]
    assert hub_db.show(select(item.c.item)) == [("WO-2",)]
    assert compare(hub_db.store) == []


@pytest.mark.parametrize("quantity", [True, 1.5, "7", None, [1]])
def test_a_quantity_that_is_no_whole_number_is_no_quantity(hub_db: Any, quantity: Any) -> None:
    office = hub_db.log("hub", 1)
    hub_db.deliver(entry(office, "checkin", {"code": "WO-1", "stage": "saw", "qty_milli": quantity}))
    hub_db.drain()
    assert hub_db.show(select(parcel.c.item, parcel.c.qty_milli)) == [("WO-1", None)]
    assert compare(hub_db.store) == []


def test_a_sum_stays_within_what_the_database_holds(hub_db: Any) -> None:
    office = hub_db.log("hub", 1)
    hub_db.deliver(*[office.entry("adjust", {"item": "WO-1", "qty_milli": MAX_QTY_MILLI}) for _ in range(1002)])
    hub_db.drain()
    assert hub_db.show(select(item.c.adjusted_milli)) == [(-1000 * MAX_QTY_MILLI,)]
    assert compare(hub_db.store) == []


def test_a_code_that_is_too_long_for_an_index_of_the_database_delays_nothing(hub_db: Any, engine: str) -> None:
    chance = random.Random(1)
    code = "".join(chr(chance.randrange(0x4E00, 0x9FA5)) for _ in range(1_400))  # 4,200 bytes that do not compress
    saw = hub_db.log("saw-1", 1)
    hub_db.deliver(saw.scan("WO-1", "saw"), saw.scan(code, "saw"), saw.scan("WO-2", "saw"))
    hub_db.drain()
    assert statuses(hub_db) == ["ok", "ok" if engine == SQLITE else "set_aside", "ok"]
    folded = [("WO-1",), ("WO-2",), *([(code,)] if engine == SQLITE else [])]
    assert hub_db.show(select(item.c.item).order_by(item.c.item)) == folded
    assert compare(hub_db.store) == []
