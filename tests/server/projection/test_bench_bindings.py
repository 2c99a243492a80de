"""A tag that a bench bound to a code: a pattern that gives this code another item gives it to the tag, too."""

from typing import Any

from sqlalchemy import select

from server.projection.rebuild import compare
from server.projection.tables import event_item

BY_NUMBER = {"name": "order", "regex": "X-(?P<id>[0-9]+)", "as": "item"}
WITHOUT = {"name": "order", "regex": "NONE-[0-9]", "as": "item"}


def items_of(hub_db: Any, code: str) -> list[str]:
    """The items of the scans of a code."""
    return [name for (name,) in hub_db.show(select(event_item.c.item).where(event_item.c.code == code).distinct())]


def test_a_pattern_of_the_bound_code_moves_the_scans_of_the_tag(hub_db: Any) -> None:
    office, saw = hub_db.log("hub", 1), hub_db.log("saw-1", 2)
    bind = saw.scan("X-9", "saw", action="bind", carrier="TAG-1")
    hub_db.deliver(saw.anchor(), office.anchor(), bind, saw.scan("TAG-1", "saw", scheme="uid"))
    hub_db.drain()
    assert items_of(hub_db, "TAG-1") == ["X-9"]
    for pattern, item in ((BY_NUMBER, "9"), (WITHOUT, "X-9"), (BY_NUMBER, "9")):
        hub_db.deliver(office.entry("pattern.define", pattern, holds_from_us=0))
        hub_db.drain()
        assert items_of(hub_db, "TAG-1") == [item]
        assert compare(hub_db.store) == []


def test_a_pattern_of_a_code_that_no_scan_names_any_more_moves_the_tag(hub_db: Any) -> None:
    office, saw = hub_db.log("hub", 1), hub_db.log("saw-1", 2)
    bind = saw.scan("X-9", "saw", action="bind", carrier="TAG-1")
    hub_db.deliver(saw.anchor(), office.anchor(), bind, saw.scan("TAG-1", "saw", scheme="uid"))
    correct = {"of": {"log": bind.place["log"], "seq": bind.place["seq"]}, "put": {"item": "WO-1"}}
    hub_db.deliver(office.entry("correct", correct))
    hub_db.drain()
    hub_db.deliver(office.entry("pattern.define", BY_NUMBER, holds_from_us=0))
    hub_db.drain()
    assert compare(hub_db.store) == []
