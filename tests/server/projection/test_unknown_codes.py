"""A code that the office has not released is no item in process: it is found, and counted as soon as it is released."""

from typing import Any

import engines
import pytest
from sqlalchemy import select

from server.projection.rebuild import compare
from server.projection.tables import finding, parcel

engine = engines.both_at_night

STANDS = select(parcel.c.item, parcel.c.stage).order_by(parcel.c.item)
UNKNOWN = select(finding.c.item, finding.c.stage).where(finding.c.rule == "unknown_code").order_by(finding.c.key_us)
PATTERN = {"name": "order", "regex": r"WO-(?P<id>\d+)", "as": "item"}


@pytest.fixture
def office(hub_db: Any) -> Any:
    """The hub's own log, its clock known."""
    log = hub_db.log("hub", 1)
    hub_db.deliver(log.anchor())
    return log


@pytest.fixture
def saw(hub_db: Any) -> Any:
    """A station whose clock is known."""
    log = hub_db.log("saw-1", 2)
    hub_db.deliver(log.anchor())
    return log


def a_release(office: Any, order: str) -> Any:
    return office.entry("order.release", {"order": order, "qty_milli": 40_000})


def test_before_any_order_or_pattern_each_code_is_an_item(hub_db: Any, saw: Any) -> None:
    hub_db.deliver(saw.scan("WO-7", "saw"), saw.scan("o-33", "saw"))
    hub_db.drain()
    assert hub_db.show(STANDS) == [("WO-7", "saw"), ("o-33", "saw")]
    assert hub_db.show(UNKNOWN) == []


def test_in_a_shop_without_orders_a_pattern_names_the_items(hub_db: Any, office: Any, saw: Any) -> None:
    hub_db.deliver(office.entry("pattern.define", PATTERN), saw.scan("WO-7", "saw"), saw.scan("o-33", "saw"))
    hub_db.drain()
    assert hub_db.show(STANDS) == [("7", "saw")]
    assert hub_db.show(UNKNOWN) == [("o-33", "saw")]
    assert compare(hub_db.store) == []


def test_with_orders_what_fits_a_pattern_and_what_fits_nothing_are_both_unknown(
    hub_db: Any, office: Any, saw: Any
) -> None:
    hub_db.deliver(office.entry("pattern.define", PATTERN), a_release(office, "33"))
    scrapped = saw.scan("WO-7", "saw", action="scrap", qty_milli=2_000)
    hub_db.deliver(saw.scan("WO-33", "saw"), scrapped, saw.scan("o-33", "saw"), saw.scan("O-33 ", "weld"))
    hub_db.drain()
    assert hub_db.show(STANDS) == [("33", "saw")]
    assert hub_db.show(UNKNOWN) == [("7", "saw"), ("o-33", "saw"), ("O-33 ", "weld")]
    hub_db.deliver(a_release(office, "7"))
    hub_db.drain()
    assert hub_db.show(select(parcel.c.state, parcel.c.qty_milli).where(parcel.c.item == "7").order_by("state")) == [
        ("here", 38_000), ("scrapped", 2_000),
    ]  # fmt: skip
    assert hub_db.show(UNKNOWN) == [("o-33", "saw"), ("O-33 ", "weld")]
    assert compare(hub_db.store) == []


def test_the_first_release_and_its_void_change_what_the_patterns_of_earlier_scans_name(
    hub_db: Any, office: Any, saw: Any
) -> None:
    hub_db.deliver(office.entry("pattern.define", PATTERN), saw.scan("WO-7", "saw"))
    hub_db.drain()
    assert hub_db.show(STANDS) == [("7", "saw")]
    first = a_release(office, "33")
    hub_db.deliver(first)
    hub_db.drain()
    assert hub_db.show(STANDS) == [("33", None)]
    assert hub_db.show(UNKNOWN) == [("7", "saw")]
    assert compare(hub_db.store) == []
    hub_db.deliver(office.void(first))
    hub_db.drain()
    assert hub_db.show(STANDS) == [("7", "saw")]
    assert compare(hub_db.store) == []


def test_a_code_that_is_bound_or_corrected_to_an_item_is_known(hub_db: Any, office: Any, saw: Any) -> None:
    hub_db.deliver(a_release(office, "33"), office.entry("code.bind", {"code": "TAG", "as": "item", "to": "LOT-1"}))
    wrong = saw.scan("o-33", "saw")
    hub_db.deliver(saw.scan("TAG", "saw"), wrong)
    place = {"log": wrong.log.hex(), "from_seq": wrong.seq, "to_seq": wrong.seq}
    hub_db.deliver(office.entry("correct", {**place, "set": {"item": "33"}}))
    hub_db.drain()
    assert hub_db.show(STANDS) == [("33", "saw"), ("LOT-1", "saw")]
    assert hub_db.show(UNKNOWN) == []
