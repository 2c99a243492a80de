"""Which item a recorded code is: braces as they are printed, a published code by its keys, bindings of any spelling."""

from typing import Any

import engines
import pytest
from sqlalchemy import func, select

from server.db.position_signal import PositionSignal
from server.projection.internal_tables import code_key
from server.projection.rebuild import compare
from server.projection.station_snapshot import snapshot
from server.projection.tables import DAY_US, FOLD_VERSION_ROW, event_item, item, projection
from server.projection.worker import Projector
from server.queries.search import find, item_named
from station.core.codes import canonical, read_code
from station.core.codes.canonical import split_aim
from station.core.master_data import MasterData
from station.core.snapshot import read_snapshot

engine = engines.both_at_night


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


SPELLINGS = (
    {"raw": b"0105000456013482172012001000001\x1d210000000003"},
    {"raw": b"\x1d0105000456013482172012001000001\x1d210000000003"},
    {"raw": b"]d20105000456013482172012001000001\x1d210000000003", "sym": "]d2"},
    {"raw": b"]C10105000456013482172012001000001\x1d210000000003\x1d", "sym": "]C1"},
    {"raw": b"]Q3210000000003\x1d0105000456013482", "sym": "]Q3"},
    {"raw": b"https://id.gs1.org/01/05000456013482/21/0000000003"},
)
KEY = "0105000456013482210000000003"
OTHER = "01050004560134822199"


def scans(log: Any, stage: str = "saw") -> list[Any]:
    """A scan of each spelling, as a station of any version records it."""
    rows = []
    for fields in SPELLINGS:
        code = canonical(split_aim(fields["raw"], None)[1])
        rows.append(log.said("scan", scheme="gs1", stage=stage, code=code, **fields))
    return rows


def test_every_spelling_of_a_published_code_is_one_item(hub_db: Any) -> None:
    saw = hub_db.log("saw-1", 2)
    other = saw.said("scan", raw=b"]d201050004560134822199", sym="]d2", scheme="gs1", code="01050004560134822199")
    hub_db.deliver(saw.anchor(), *scans(saw), other)
    hub_db.drain()
    assert hub_db.show(select(item.c.item).order_by(item.c.item)) == [(KEY,), ("01050004560134822199",)]
    linked = select(event_item.c.item, func.count()).group_by(event_item.c.item).order_by(event_item.c.item)
    assert hub_db.show(linked) == [(KEY, 6), (OTHER, 1)]
    assert compare(hub_db.store) == []


@pytest.mark.parametrize(
    "written",
    ["0105000456013482172012001000001{GS}210000000003{GS}", "(01)05000456013482(21)0000000003", KEY, f"]d2{KEY}"],
)
def test_a_binding_and_a_release_in_any_spelling_hold_for_all(hub_db: Any, written: str) -> None:
    office, saw = hub_db.log("hub", 1), hub_db.log("saw-1", 2)
    hub_db.deliver(office.anchor(), saw.anchor(), *scans(saw))
    hub_db.drain()
    bind = office.entry("code.bind", {"code": written, "as": "item", "to": "O-21"})
    hub_db.deliver(bind)
    hub_db.drain()
    assert hub_db.show(select(item.c.item)) == [("O-21",)]
    assert compare(hub_db.store) == []
    hub_db.deliver(office.entry("code.bind", {"code": "]C1" + KEY + "{GS}"}))  # let go, in another spelling
    hub_db.drain()
    assert compare(hub_db.store) == []
    hub_db.deliver(*scans(saw, "deburr"), office.void(bind))
    release = {"order": written, "product": "b", "qty_milli": 5000}
    hub_db.deliver(
        office.entry("order.release", release), office.entry("order.change", {"order": KEY, "due": "2026-12-01"})
    )
    hub_db.drain()
    orders = select(item.c.item, item.c.order_, item.c.ordered_milli, item.c.due)
    assert hub_db.show(orders) == [(KEY, KEY, 5000, "2026-12-01")]
    assert compare(hub_db.store) == []


def test_a_binding_to_a_spelling_is_a_binding_to_its_item_and_so_is_a_correction(hub_db: Any) -> None:
    office, saw = hub_db.log("hub", 1), hub_db.log("saw-1", 2)
    wrong = saw.scan("WO-9", "saw")
    hub_db.deliver(
        office.anchor(),
        saw.anchor(),
        office.entry("code.bind", {"code": "TOTE-1", "as": "item", "to": "(01)05000456013482(21)0000000003"}),
        saw.scan("TOTE-1", "saw"),
        wrong,
        office.entry("correct", {"log": wrong.log.hex(), "from_seq": wrong.seq, "set": {"item": KEY + "{GS}"}}),
        office.entry("checkin", {"code": "]d2" + KEY, "stage": "deburr"}),
        saw.said("scan", raw=b"3034257BF7194E4000001A85", scheme="epc", stage="saw"),
        saw.said(
            "scan",
            raw=b"]d20180614141123458216789",
            sym="]d2",
            scheme="gs1",
            stage="saw",
            code="0180614141123458216789",
        ),
    )
    hub_db.drain()
    assert hub_db.show(select(item.c.item).order_by(item.c.item)) == [(KEY,), ("0180614141123458216789",)]
    assert compare(hub_db.store) == []


def test_a_bound_article_number_is_that_gtin_in_each_carrier_and_a_text_where_nothing_is_bound(hub_db: Any) -> None:
    office, saw = hub_db.log("hub", 1), hub_db.log("saw-1", 2)
    hub_db.deliver(
        office.anchor(),
        saw.anchor(),
        saw.said("scan", raw=b"]E09506000134352", sym="]E0", scheme="gs1", stage="saw", code="9506000134352"),
        saw.said("scan", raw=b"]C10109506000134352", sym="]C1", scheme="gs1", stage="saw", code="0109506000134352"),
        saw.scan("09506000134352", "saw"),
    )
    hub_db.drain()
    assert hub_db.show(select(item.c.item).order_by(item.c.item)) == [("0109506000134352",), ("09506000134352",)]
    hub_db.deliver(office.entry("code.bind", {"code": "9506000134352", "as": "item", "to": "O-1"}))
    hub_db.drain()
    assert hub_db.show(select(item.c.item)) == [("O-1",)]
    assert compare(hub_db.store) == []


def test_the_first_start_after_an_update_folds_recorded_scans_by_their_keys(hub_db: Any) -> None:
    saw = hub_db.log("saw-1", 2)
    hub_db.deliver(saw.anchor(), *scans(saw))
    hub_db.drain()
    with hub_db.store.write() as connection:  # as a version before left it
        connection.execute(item.update().values(item="old spelling"))
        connection.execute(code_key.delete())
        connection.execute(projection.update().where(projection.c.k == FOLD_VERSION_ROW).values(v=2))
    hub_db.projector = Projector(hub_db.store, PositionSignal())
    hub_db.drain()
    assert hub_db.show(select(item.c.item)) == [(KEY,)]
    assert len(hub_db.show(select(code_key.c.code))) == 5  # the first two scans differ in their ends; one is the key


def test_the_snapshot_names_every_bound_spelling_with_the_target_of_its_key(hub_db: Any) -> None:
    office = hub_db.log("hub", 1)
    hub_db.deliver(
        office.anchor(),
        office.entry("code.bind", {"code": KEY + "{GS}", "as": "item", "to": "O-1"}),
        office.entry("code.bind", {"code": "]d2" + KEY, "as": "item", "to": "O-2"}),
    )
    hub_db.drain()
    with hub_db.store.read() as connection:
        _, body = snapshot(connection, now_us=office.zero_us + DAY_US)
    shop = read_snapshot(body)
    assert {row.code: row.to for row in shop.codes} == {KEY + "{GS}": "O-2", "]d2" + KEY: "O-2"}
    assert shop.bound()[KEY].to == "O-2"


def test_an_older_spelling_still_finds_the_item(hub_db: Any) -> None:
    office, saw = hub_db.log("hub", 1), hub_db.log("saw-1", 2)
    hub_db.deliver(
        office.anchor(),
        saw.anchor(),
        *scans(saw),
        saw.said("scan", raw=b"]E09506000134352", sym="]E0", scheme="gs1", stage="saw", code="9506000134352"),
        saw.scan('{"wo": 7}', "saw"),
    )
    hub_db.drain()
    old = [row.code for row in map(saw_code, SPELLINGS)]
    with hub_db.store.read() as connection:
        shop = MasterData()
        for name in (*old, KEY, "(01)05000456013482(21)0000000003"):
            assert item_named(connection, shop, name, 0) == KEY, name
            assert find(connection, shop, name, 0) == [KEY], name
        assert item_named(connection, shop, "9506000134352", 0) == "0109506000134352"
        assert find(connection, shop, "9506000134352", 0) == ["0109506000134352"]
        assert item_named(connection, shop, '{7B}"wo": 7}', 0) == '{"wo": 7}'
        assert find(connection, shop, '{"wo": 7}', 0) == ['{"wo": 7}']
        assert item_named(connection, shop, "WO-404", 0) == "WO-404"
    hub_db.deliver(office.entry("code.bind", {"code": KEY, "as": "item", "to": "O-21"}))
    hub_db.drain()
    with hub_db.store.read() as connection:
        assert [item_named(connection, MasterData(), name, 0) for name in old] == ["O-21"] * len(old)


def saw_code(fields: dict[str, Any]) -> Any:
    """The code of a spelling."""
    return read_code(fields["raw"], fields.get("sym"), ())
