"""Which item a recorded code is: braces as they are printed, a published code by its keys, bindings of any spelling."""

from typing import Any

from sqlalchemy import select

from server.projection.rebuild import compare
from server.projection.tables import item


def test_a_recorded_text_with_braces_is_matched_and_named_as_it_is_printed(hub_db: Any) -> None:
    office, saw = hub_db.log("hub", 1), hub_db.log("saw-1", 2)
    hub_db.deliver(
        office.anchor(),
        saw.anchor(),
        saw.scan('{"wo":"O-35"}', "saw"),
        saw.scan('{"stockitem": 123}', "saw"),
        saw.scan('{"other": 1}', "saw"),
        office.entry("pattern.define", {"name": "jsonwo", "regex": r'\{"wo":"(?P<id>O-[0-9]+)"\}', "as": "item"}),
        office.entry("code.bind", {"code": '{"stockitem": 123}', "as": "item", "to": "O-20"}),
    )
    hub_db.drain()
    assert hub_db.show(select(item.c.item).order_by(item.c.item)) == [("O-20",), ("O-35",), ('{"other": 1}',)]
    assert compare(hub_db.store) == []
