"""What an event changes about the past: voids, corrections, first anchors, bindings, late definitions, copies."""

import gc
import hashlib
from typing import Any

import pytest
from sqlalchemy import select

from server.db.position_signal import PositionSignal
from server.db.schema import ledger
from server.projection.bindings import BindingChange, Bindings
from server.projection.internal_tables import no_item
from server.projection.interpreter import DEFAULT_INTERPRETER
from server.projection.rebuild import compare, rebuild
from server.projection.tables import dirty, event_item, event_state, finding, head, item, move, parcel
from server.projection.worker import Projector
from station.core.event import EventIdentity

WHERE = select(parcel.c.item, parcel.c.stage, parcel.c.state, parcel.c.qty_milli).order_by(
    parcel.c.item, parcel.c.stage.nulls_first()
)
STANDING = (
    select(ledger.c.seq, event_state.c.status).join(ledger, ledger.c.pos == event_state.c.pos).order_by(ledger.c.pos)
)
DAY_S = 86_400
START_US_PLUS_AN_HOUR = 20_000 * 86_400_000_000 + 3_600_000_000
OPERATIONS = [{"op": 10, "stage": "saw"}, {"op": 20, "stage": "deburr"}, {"op": 30, "stage": "pack"}]


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


def release(office: Any, order: str = "WO-1", **fields: Any) -> Any:
    return office.entry("order.release", {"order": order, "product": "bracket", "qty_milli": 40_000}, **fields)


def test_an_item_is_where_it_was_scanned_last(hub_db: Any, office: Any, saw: Any) -> None:
    hub_db.deliver(release(office), saw.scan("WO-1", "saw"), saw.scan("WO-1", "deburr", operator="7"))
    hub_db.drain()
    assert hub_db.show(WHERE) == [("WO-1", "deburr", "here", 40_000)]
    went = select(move.c.from_stage, move.c.from_state, move.c.to_stage, move.c.to_state)
    assert hub_db.show(went) == [
        (None, "ordered", None, "released"),
        (None, "released", "saw", "here"),
        ("saw", "here", "deburr", "here"),
    ]
    assert hub_db.show(select(item.c.status, item.c.product, item.c.ordered_milli)) == [("open", "bracket", 40_000)]
    assert compare(hub_db.store) == []


def test_a_void_takes_a_scan_out_and_a_void_of_it_brings_it_back(hub_db: Any, office: Any, saw: Any) -> None:
    first, second = saw.scan("WO-1", "saw"), saw.scan("WO-1", "deburr")
    hub_db.deliver(release(office), first, second)
    hub_db.drain()
    undo = saw.undo(second)
    hub_db.deliver(undo)
    hub_db.drain()
    assert hub_db.show(WHERE) == [("WO-1", "saw", "here", 40_000)]
    hub_db.deliver(office.void(undo))
    hub_db.drain()
    assert hub_db.show(WHERE) == [("WO-1", "deburr", "here", 40_000)]
    assert compare(hub_db.store) == []


def test_a_void_waits_for_what_it_names(hub_db: Any, office: Any, saw: Any) -> None:
    scanned = saw.scan("WO-1", "saw")
    hub_db.deliver(release(office), saw.undo(scanned))
    hub_db.drain()
    hub_db.deliver(scanned)
    hub_db.drain()
    assert hub_db.show(WHERE) == [("WO-1", None, "released", 40_000)]
    assert hub_db.show(STANDING) == [(1, "ok"), (1, "ok"), (2, "ok"), (3, "ok"), (2, "void")]


def test_an_item_of_which_everything_is_void_never_was(hub_db: Any, saw: Any) -> None:
    scanned = saw.scan("WO-1", "saw")
    hub_db.deliver(scanned)
    hub_db.drain()
    hub_db.deliver(saw.undo(scanned))
    hub_db.drain()
    assert [hub_db.show(select(table)) for table in (item, parcel, move, head, finding, event_item)] == [[]] * 6


def test_a_closed_period_cannot_be_voided(hub_db: Any, office: Any) -> None:
    closed = office.entry("period.close", {"at_us": 5})
    hub_db.deliver(closed, office.void(closed))
    hub_db.drain()
    assert hub_db.show(STANDING) == [(1, "ok"), (2, "ok"), (3, "ok")]


def test_an_anchor_tells_the_time_of_the_scans_before_it(hub_db: Any, office: Any) -> None:
    weld = hub_db.log("weld-1", 3, zero_us=START_US_PLUS_AN_HOUR)
    early = weld.scan("WO-1", "weld", after_s=10)
    hub_db.deliver(release(office), early)
    hub_db.drain()
    assert hub_db.show(select(event_state.c.key_us, event_state.c.approx).where(event_state.c.pos == 3)) == [(0, True)]
    hub_db.deliver(weld.anchor())
    hub_db.drain()
    when = hub_db.show(select(parcel.c.since_us, parcel.c.approx))
    assert when == [(START_US_PLUS_AN_HOUR + 10_000_000, False)]
    assert compare(hub_db.store) == []


def test_a_voided_anchor_moves_everything_back(hub_db: Any, office: Any, saw: Any) -> None:
    weld = hub_db.log("weld-1", 3)
    wrong = weld.anchor()
    scanned = weld.scan("WO-1", "weld")
    hub_db.deliver(wrong, scanned)
    hub_db.drain()
    hub_db.deliver(office.void(wrong))
    hub_db.drain()
    assert hub_db.show(select(parcel.c.since_us, parcel.c.approx)) == [(0, True)]
    assert compare(hub_db.store) == []


def test_an_anchor_with_a_foreign_seal_counts_for_nothing(hub_db: Any) -> None:
    weld = hub_db.log("weld-1", 3)
    hub_db.deliver(weld.anchor(mac="00" * 32), weld.scan("WO-1", "weld"))
    hub_db.drain()
    rows = hub_db.show(select(event_state.c.status, event_state.c.key_us).order_by(event_state.c.pos))
    assert rows == [("not_understood", 0), ("ok", 0)]
    assert compare(hub_db.store) == []


def test_a_scan_that_arrives_late_is_folded_where_it_belongs(hub_db: Any, office: Any, saw: Any) -> None:
    weld = hub_db.log("weld-1", 3)
    anchor = weld.anchor()
    late = weld.scan("WO-1", "weld", after_s=1)
    hub_db.deliver(release(office), saw.scan("WO-1", "saw", after_s=100), saw.scan("WO-1", "pack", after_s=5))
    hub_db.drain()
    hub_db.deliver(anchor, late)
    assert hub_db.projector.step()
    assert hub_db.show(select(dirty.c.item)) == [("WO-1",)]
    hub_db.drain()
    stages = select(move.c.from_stage).where(move.c.from_stage.is_not(None)).order_by(move.c.since_us)
    assert hub_db.show(stages) == [("weld",), ("saw",)]
    assert hub_db.show(select(dirty)) == []


def test_a_correction_puts_other_values_in_place(hub_db: Any, office: Any, saw: Any) -> None:
    scanned = saw.scan("WO-2", "saw")
    hub_db.deliver(release(office), scanned)
    hub_db.drain()
    data = {"log": scanned.log.hex(), "from_seq": scanned.seq, "to_seq": scanned.seq}
    put = office.entry("correct", {**data, "set": {"item": "WO-1", "stage": "deburr"}})
    hub_db.deliver(put)
    hub_db.drain()
    assert hub_db.show(WHERE) == [("WO-1", "deburr", "here", 40_000)]
    hub_db.deliver(office.void(put))
    hub_db.drain()
    assert hub_db.show(WHERE) == [("WO-1", None, "released", 40_000)]  # WO-2 is not known
    assert compare(hub_db.store) == []


def test_a_binding_moves_the_scans_of_a_code_to_its_item(hub_db: Any, office: Any, saw: Any) -> None:
    hub_db.deliver(release(office), saw.scan("TAG-7", "saw"))
    hub_db.drain()
    assert hub_db.show(select(finding.c.item, finding.c.rule, finding.c.args)) == [("TAG-7", "unknown_code", "{}")]
    bound = office.entry("code.bind", {"code": "TAG-7", "as": "item", "to": "WO-1"})
    hub_db.deliver(bound)
    hub_db.drain()
    assert hub_db.show(WHERE) == [("WO-1", "saw", "here", 40_000)]
    assert hub_db.show(select(finding)) == []
    hub_db.deliver(office.void(bound), saw.scan("TAG-7", "pack"))
    hub_db.drain()
    assert hub_db.show(WHERE) == [("WO-1", None, "released", 40_000)]
    assert hub_db.show(select(finding.c.item, finding.c.rule)) == [("TAG-7", "unknown_code")] * 2
    assert compare(hub_db.store) == []


def test_a_scan_that_could_not_be_read_is_shown_and_moves_nothing(hub_db: Any, office: Any, saw: Any) -> None:
    hub_db.deliver(release(office), saw.scan("WIP:QTY:x", "saw", scheme=None, unread="no quantity"))
    hub_db.drain()
    said = hub_db.show(select(finding.c.item, finding.c.rule, finding.c.args))
    assert said == [("WIP:QTY:x", "unread", '{"why":"no quantity"}')]
    assert hub_db.show(WHERE) == [("WO-1", None, "released", 40_000)]


def test_a_tag_names_what_it_was_bound_to_at_the_time(hub_db: Any, office: Any, saw: Any) -> None:
    for order in ("WO-1", "WO-2"):
        hub_db.deliver(release(office, order))
        hub_db.deliver(saw.scan(order, "saw", action="bind", carrier="TAG-7"), saw.scan("TAG-7", "saw"))
    hub_db.deliver(saw.scan("TAG-7", "saw", action="unbind"), saw.scan("TAG-7", "pack"))
    hub_db.drain()
    assert hub_db.show(WHERE) == [("WO-1", "saw", "here", 40_000), ("WO-2", "saw", "here", 40_000)]
    assert hub_db.show(select(finding.c.item, finding.c.rule, finding.c.stage)) == [("TAG-7", "unknown_code", "pack")]


def test_a_pattern_reads_the_codes_of_the_past_too(hub_db: Any, office: Any, saw: Any) -> None:
    hub_db.deliver(release(office, "1042"), saw.scan("WO-1042-20", "saw"), saw.scan("PART-3", "saw"))
    hub_db.drain()
    order = office.entry("pattern.define", {"name": "order", "regex": r"WO-(?P<id>\d+)-\d\d", "as": "item"})
    part = office.entry("pattern.define", {"name": "part", "regex": r"PART-\d", "as": "product"})
    hub_db.deliver(order, part)
    hub_db.drain()
    assert hub_db.show(WHERE) == [("1042", "saw", "here", 40_000)]
    assert hub_db.show(select(no_item.c.code)) == [("PART-3",)]
    hub_db.deliver(office.void(order), office.void(part))
    hub_db.drain()
    assert [row[0] for row in hub_db.show(WHERE)] == ["1042"]
    unknown = select(finding.c.item).where(finding.c.rule == "unknown_code").order_by(finding.c.item)
    assert hub_db.show(unknown) == [("PART-3",), ("WO-1042-20",)]
    assert compare(hub_db.store) == []


def test_definitions_that_come_late_hold_for_the_first_day(hub_db: Any, office: Any, saw: Any) -> None:
    hub_db.deliver(release(office), saw.scan("WO-1", "saw"), saw.scan("WO-1", "pack"))
    hub_db.drain()
    assert hub_db.show(select(item.c.routing, item.c.status)) == [(None, "open")]
    hub_db.deliver(
        office.entry("product.define", {"product": "bracket", "routing": "r"}, after_s=DAY_S),
        office.entry("routing.define", {"routing": "r", "operations": OPERATIONS}),
    )
    hub_db.drain()
    assert hub_db.show(select(item.c.routing, item.c.status, item.c.finished_milli)) == [("r", "finished", 40_000)]
    assert compare(hub_db.store) == []


def test_a_release_makes_known_what_was_scanned_before_it(hub_db: Any, office: Any, saw: Any) -> None:
    hub_db.deliver(release(office, "WO-9"), saw.scan("WO-1", "saw"), saw.scan("WO-1", "deburr"))
    hub_db.drain()
    assert len(hub_db.show(select(finding).where(finding.c.rule == "unknown_code"))) == 2
    hub_db.deliver(release(office))
    hub_db.drain()
    assert hub_db.show(select(finding)) == []
    assert hub_db.show(WHERE) == [("WO-1", "deburr", "here", 40_000), ("WO-9", None, "released", 40_000)]
    assert hub_db.show(select(move.c.to_stage, move.c.qty_milli).where(move.c.item == "WO-1").order_by(move.c.n)) == [
        ("saw", 40_000),
        (None, 40_000),
        ("deburr", 40_000),
    ]
    assert compare(hub_db.store) == []


def test_an_entry_acts_from_when_it_holds(hub_db: Any, office: Any, saw: Any) -> None:
    hub_db.deliver(saw.scan("WO-1", "saw", after_s=50), release(office, after_s=99, holds_from_us=saw.zero_us + 1))
    hub_db.drain()
    released = select(item.c.released_us, item.c.known_qty)
    assert hub_db.show(released) == [(saw.zero_us + 1, True)]


def test_what_a_station_sends_again_counts_once(hub_db: Any, office: Any, saw: Any) -> None:
    scanned = saw.scan("WO-1", "saw", qty_milli=10_000)
    spare = hub_db.log("saw-1", 4, zero_us=saw.zero_us)
    again = spare.said("scan", raw=b"WO-1", stage="saw", qty_milli=10_000, origin=scanned.identity)
    saved = spare.said("salvage", from_=scanned.identity, body=scanned.encoded)
    hub_db.deliver(release(office), again, saved)
    hub_db.drain()
    assert [row[1] for row in hub_db.show(STANDING)][-2:] == ["ok", "copy"]
    hub_db.deliver(scanned)
    hub_db.drain()
    assert [row[1] for row in hub_db.show(STANDING)][-3:] == ["copy", "copy", "ok"]
    assert hub_db.show(WHERE) == [("WO-1", None, "released", 30_000), ("WO-1", "saw", "here", 10_000)]
    assert compare(hub_db.store) == []


def test_branches_of_a_fork_that_begin_other_boots_at_one_place_are_both_counted(hub_db: Any, saw: Any) -> None:
    first, second = saw.scan("WO-1", "saw"), saw.scan("WO-2", "saw")
    hub_db.deliver(first)
    spare = hub_db.log("saw-1", 4)
    for boot, code in (("boot-x", "WO-3"), ("boot-y", "WO-4")):
        twin = EventIdentity(second.log.hex(), second.seq, hashlib.sha256(code.encode()).hexdigest())
        hub_db.deliver(spare.scan(code, "saw", boot=boot, origin=twin))
    hub_db.deliver(second)
    hub_db.drain()
    assert [row[0] for row in hub_db.show(WHERE)] == ["WO-1", "WO-2", "WO-3", "WO-4"]
    assert compare(hub_db.store) == []


def test_a_name_is_what_the_office_said_last(hub_db: Any, office: Any) -> None:
    hub_db.deliver(release(office), *(office.entry("item.name", {"item": "WO-1", "name": name}) for name in ("A", "B")))
    hub_db.drain()
    assert hub_db.show(select(item.c.name)) == [("B",)]


def test_bindings_are_read_from_their_rows_as_codes_are_looked_up(hub_db: Any, office: Any) -> None:
    names = [f"TAG-{n}" for n in range(200)]
    hub_db.deliver(*(office.entry("code.bind", {"code": name, "as": "item", "to": f"WO-{name}"}) for name in names))
    hub_db.drain()
    at = (2**60, "", 0)
    with hub_db.store.read() as connection:
        gc.collect()
        before = sum(isinstance(one, BindingChange) for one in gc.get_objects())
        few, all_of_them = Bindings(connection, most_keys=3), Bindings(connection)
        named = [few.named(name, name, "text", at).item for name in names]
        assert sum(isinstance(one, BindingChange) for one in gc.get_objects()) - before <= 6
        assert named == [all_of_them.named(name, name, "text", at).item for name in names]
    assert named == [f"WO-{name}" for name in names]


DEFECTS = {"late": "move", "void": "event_state", "key": "anchor"}  # a table that each one leaves wrong


@pytest.mark.parametrize(("forgotten", "table"), DEFECTS.items())
def test_the_comparison_catches_a_defect_in_the_steps(
    forgotten: str, table: str, hub_db: Any, office: Any, saw: Any
) -> None:
    """Planted: the incremental projection loses its queue of items to refold, the effect of a void, or an anchor."""
    weld = hub_db.log("weld-1", 3)
    late = [weld.scan("WO-1", "weld", after_s=1), weld.anchor()]
    scanned = saw.scan("WO-1", "saw", after_s=100)
    hub_db.deliver(release(office), scanned, saw.scan("WO-1", "deburr"))
    hub_db.drain()
    interpreter = DEFAULT_INTERPRETER
    if forgotten == "late":
        hub_db.deliver(*reversed(late))
        hub_db.projector.step()
        with hub_db.store.write() as connection:
            assert connection.execute(dirty.delete()).rowcount == 1
    elif forgotten == "void":
        interpreter = interpreter._replace(void=lambda _event: None)
        hub_db.deliver(saw.undo(scanned))
    else:
        interpreter = interpreter._replace(times=interpreter.times._replace(anchor=lambda _row: None))
        hub_db.deliver(*late)
    hub_db.projector = Projector(hub_db.store, PositionSignal(), interpreter)
    hub_db.drain()
    assert table in {difference.table for difference in compare(hub_db.store)}
    rebuild(hub_db.store)
    assert compare(hub_db.store) == []
