"""What a station's log may say: scans of its own. An entry counts from the hub's own logs alone, by whatever way it came."""

from collections.abc import Callable
from typing import Any

import engines
import msgspec
import pytest
from sqlalchemy import select

from server.db import schema
from server.ledger import station_logs
from server.ledger.verify import notes, verify
from server.projection.internal_tables import claim
from server.projection.rebuild import compare
from server.projection.station_snapshot import snapshot
from server.projection.tables import binding, definition, event_state, item, parcel
from station.core.event import Event, EventIdentity, encode

engine = engines.both_at_night

ATTACKS: list[tuple[str, dict[str, Any]]] = [
    ("person.define", {"person": "p-mallory", "name": "Mallory", "badge": "M1", "roles": ["administer"]}),
    ("order.close", {"order": "WO-1", "how": "cancelled"}),
    ("rule.define", {"rule": "unknown_code", "on": False}),
    ("code.bind", {"code": "TAG-1", "as": "item", "to": "WO-1"}),
    ("item.name", {"item": "WO-1", "name": "mine"}),
    ("period.close", {}),
    ("checkin", {"code": "WO-1", "stage": "pack", "qty_milli": 1000}),
    ("adjust", {"item": "WO-1", "stage": "saw", "qty_milli": 5000}),
]


def claimed(log: Any, seq: int = 7) -> EventIdentity:
    return EventIdentity(log.log_id.hex(), seq, "ab" * 32)


def plainly(log: Any, event: Event, _hub: Any) -> Any:
    return log.write(event)


def by_origin(log: Any, event: Event, hub: Any) -> Any:
    return log.write(msgspec.structs.replace(event, origin=claimed(hub)))


def by_salvage(log: Any, event: Event, hub: Any) -> Any:
    return log.said("salvage", from_=claimed(hub), body=encode(event))


def by_salvage_of_its_own_log(log: Any, event: Event, _hub: Any) -> Any:
    return log.said("salvage", from_=claimed(log, 99), body=encode(event))


def by_salvage_with_an_origin(log: Any, event: Event, hub: Any) -> Any:
    return log.said("salvage", from_=claimed(log, 99), body=encode(msgspec.structs.replace(event, origin=claimed(hub))))


WAYS = [plainly, by_origin, by_salvage, by_salvage_of_its_own_log, by_salvage_with_an_origin]


def an_entry(what: str, data: dict[str, Any]) -> Event:
    return Event(kind="entry", station="hub", sw="t", what=what, data=data, by="p-administer", holds_from_us=0)


def told(hub_db: Any) -> dict[str, Any]:
    """All that an entry could change: without the events themselves and their times."""
    tables = ("event_state", "word", "boot", "run", "resent", "claim")
    return {name: rows for name, rows in hub_db.everything().items() if name not in tables}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("what", "data"), ATTACKS, ids=[what for what, _ in ATTACKS])
def test_an_entry_in_a_stations_log_changes_nothing(
    hub_db: Any, way: Callable[..., Any], what: str, data: dict[str, Any]
) -> None:
    office, saw, weld = hub_db.log("hub", 1), hub_db.log("saw-1", 2), hub_db.log("weld-1", 3)
    first = saw.scan("WO-1", "saw", qty_milli=2000)
    hub_db.deliver(office.anchor(), saw.anchor(), weld.anchor(), first)
    hub_db.deliver(office.entry("order.release", {"order": "WO-1", "qty_milli": 5000}))
    hub_db.drain()
    before = told(hub_db)
    row = way(weld, an_entry(what, data), office)
    hub_db.deliver(row)
    hub_db.drain()
    assert hub_db.show(select(event_state.c.status).where(event_state.c.pos == 6)) == [("not_permitted",)]
    assert told(hub_db) == before
    assert compare(hub_db.store) == []
    with hub_db.store.read() as connection:
        assert notes(connection)[0].startswith(f"Log {weld.log_id.hex()} of station weld-1 holds 1 entry")


@pytest.mark.parametrize("way", WAYS)
def test_a_void_of_anothers_scan_by_entry_or_by_scan_voids_nothing(hub_db: Any, way: Callable[..., Any]) -> None:
    office, saw, weld = hub_db.log("hub", 1), hub_db.log("saw-1", 2), hub_db.log("weld-1", 3)
    scan = saw.scan("WO-1", "saw")
    hub_db.deliver(office.anchor(), scan, weld.anchor())
    undo = Event(
        kind="scan", station="weld-1", sw="t", raw=b"WIP:UNDO", scheme="command", action="void", ref=_place(scan)
    )
    hub_db.deliver(way(weld, an_entry("void", scan.place), office), way(weld, undo, office), weld.scan("WO-2", "weld"))
    hub_db.drain()
    states = [row[0] for row in hub_db.show(select(event_state.c.status).order_by(event_state.c.pos))]
    assert states[1] == "ok"
    assert states[3] == "not_permitted"
    assert states[4] in ("not_permitted", "copy")  # both claim the same place
    assert sorted(hub_db.show(select(item.c.item))) == [("WO-1",), ("WO-2",)]
    assert compare(hub_db.store) == []


def _place(row: Any) -> Any:
    from station.core.event import LogPosition

    return LogPosition(**row.place)


def test_a_station_undoes_its_own_scans_also_in_an_earlier_log(hub_db: Any) -> None:
    old, new = hub_db.log("saw-1", 2), hub_db.log("saw-1", 3)
    first, second = old.scan("WO-1", "saw"), old.scan("WO-2", "saw")
    undone = new.undo(first)
    hub_db.deliver(undone, first, second, new.undo(new.scan("WO-3", "saw")))
    hub_db.drain()
    hub_db.deliver(*new.rows[1:2])
    hub_db.drain()
    assert hub_db.show(select(item.c.item)) == [("WO-2",)]
    assert compare(hub_db.store) == []


def test_the_hub_undoes_what_it_likes(hub_db: Any) -> None:
    office, saw = hub_db.log("hub", 1), hub_db.log("saw-1", 2)
    scan = saw.scan("WO-1", "saw")
    hub_db.deliver(scan, office.void(scan), saw.undo(office.rows[0]))
    hub_db.drain()
    assert hub_db.show(select(event_state.c.status).order_by(event_state.c.pos)) == [
        ("void",),
        ("ok",),
        ("not_permitted",),
    ]
    assert compare(hub_db.store) == []


def test_a_void_that_comes_before_its_target_is_judged_when_that_arrives(hub_db: Any) -> None:
    saw, weld = hub_db.log("saw-1", 2), hub_db.log("weld-1", 3)
    scan = saw.scan("WO-1", "saw")
    hub_db.deliver(weld.undo(scan))
    hub_db.drain()
    assert hub_db.show(select(event_state.c.status)) == [("ok",)]
    assert compare(hub_db.store) == []
    hub_db.deliver(scan)
    hub_db.drain()
    assert hub_db.show(select(event_state.c.status).order_by(event_state.c.pos)) == [("not_permitted",), ("ok",)]
    assert hub_db.show(select(item.c.item)) == [("WO-1",)]
    assert compare(hub_db.store) == []


def test_a_refused_void_takes_part_in_no_chain_of_voids(hub_db: Any) -> None:
    office, saw, weld = hub_db.log("hub", 1), hub_db.log("saw-1", 2), hub_db.log("weld-1", 3)
    scan = saw.scan("WO-1", "saw")
    void = office.void(scan)
    hub_db.deliver(scan, void)
    hub_db.drain()
    hub_db.deliver(weld.undo(void))  # would bring it back
    hub_db.drain()
    assert hub_db.show(select(item.c.item)) == []
    assert compare(hub_db.store) == []


def test_a_station_cannot_stand_in_a_hubs_log_with_a_scan(hub_db: Any) -> None:
    office, saw = hub_db.log("hub", 1), hub_db.log("saw-1", 2)
    release = office.entry("order.release", {"order": "WO-1", "qty_milli": 5000})
    hub_db.deliver(office.anchor(), release, saw.anchor())
    hub_db.deliver(saw.scan("WO-9", "saw", origin=EventIdentity(release.log.hex(), release.seq, "ab" * 32)))
    hub_db.drain()
    hub_db.deliver(office.void(release))  # still means the release
    hub_db.drain()
    assert hub_db.show(select(event_state.c.status).where(event_state.c.pos == 4)) == [("not_permitted",)]
    assert hub_db.show(select(item.c.item)) == []
    assert compare(hub_db.store) == []


def test_a_claim_that_came_before_the_hubs_log_was_known_is_refused_then(hub_db: Any) -> None:
    office, saw = hub_db.log("hub", 1), hub_db.log("saw-1", 2)
    release = office.entry("order.release", {"order": "WO-1", "qty_milli": 5000})
    hub_db.deliver(saw.scan("WO-9", "saw", origin=EventIdentity(release.log.hex(), release.seq, "ab" * 32)))
    hub_db.drain()
    hub_db.deliver(release)
    hub_db.drain()
    assert hub_db.show(select(event_state.c.status).order_by(event_state.c.pos)) == [("not_permitted",), ("ok",)]
    assert compare(hub_db.store) == []


@pytest.mark.parametrize("first", [True, False])
def test_a_void_of_a_stations_scan_means_no_other_stations_claim_to_its_place(hub_db: Any, first: bool) -> None:
    office, saw, weld = hub_db.log("hub", 1), hub_db.log("saw-1", 2), hub_db.log("weld-1", 3)
    scan = saw.scan("WO-1", "saw")
    claim_to_it = weld.scan("WO-9", "weld", origin=EventIdentity(scan.log.hex(), scan.seq, "ab" * 32))
    rows = [claim_to_it, office.void(scan), scan] if first else [scan, claim_to_it, office.void(scan)]
    for row in rows:
        hub_db.deliver(row)
        hub_db.drain()
    assert hub_db.show(select(item.c.item)) == [("WO-9",)]
    assert compare(hub_db.store) == []


def test_a_correction_in_a_stations_log_corrects_nothing(hub_db: Any) -> None:
    saw = hub_db.log("saw-1", 2)
    scan = saw.scan("WO-1", "saw")
    span = {"log": saw.log_id.hex(), "from_seq": 1, "to_seq": 1}
    hub_db.deliver(scan, saw.entry("correct", {**span, "set": {"item": "WO-2"}}))
    hub_db.drain()
    assert hub_db.show(select(parcel.c.item)) == [("WO-1",)]
    assert compare(hub_db.store) == []


def test_a_stations_snapshot_holds_nothing_from_a_stations_log(hub_db: Any) -> None:
    office, saw = hub_db.log("hub", 1), hub_db.log("saw-1", 2)
    hub_db.deliver(office.anchor(), *[saw.write(an_entry(what, data)) for what, data in ATTACKS])
    hub_db.drain()
    with hub_db.store.read() as connection:
        body = msgspec.json.decode(snapshot(connection)[1])
    assert body["definitions"] == []
    assert body["bindings"] == {}
    assert "unknown_code" in body["rules"]
    assert hub_db.show(select(definition)) == hub_db.show(select(binding)) == []


def test_a_bench_binds_a_tag_by_scans(hub_db: Any) -> None:
    saw = hub_db.log("saw-1", 2)
    hub_db.deliver(saw.scan("WO-1", "saw", action="bind", carrier="TAG-1"), saw.scan("TAG-1", "saw"))
    hub_db.drain()
    assert hub_db.show(select(item.c.item)) == [("WO-1",)]


def test_a_log_of_an_earlier_epoch_of_the_hub_counts(hub_db: Any) -> None:
    first, second = hub_db.log("hub", 1), hub_db.log("hub", 5)
    hub_db.deliver(first.entry("stage.define", {"stage": "saw", "name": "Saw"}))
    hub_db.deliver(
        second.said("open", parent=claimed(first, 1)), second.entry("stage.define", {"stage": "s2", "name": "S"})
    )
    hub_db.drain()
    assert len(hub_db.show(select(definition))) == 2
    assert compare(hub_db.store) == []


def test_a_station_that_is_called_hub_is_a_station(hub_db: Any) -> None:
    with hub_db.store.write() as connection:
        key = connection.execute(
            schema.station.insert().returning(schema.station.c.id), [{"name": "hub", "added_us": 0}]
        )
        row = {"station": key.scalar_one(), "token_hash": b"h", "state": "active", "added_us": 0}
        device = connection.execute(schema.device.insert().returning(schema.device.c.id), [row]).scalar_one()
    log = hub_db.log("hub", 4)
    row = log.entry("order.close", {"order": "WO-1", "how": "short"})
    with hub_db.store.write() as connection:
        station_logs.log_of(connection, log.log_id, device=device, station="hub", now_us=0)
    row.station = ""
    hub_db.deliver(row)
    hub_db.drain()
    assert hub_db.show(select(event_state.c.status)) == [("not_permitted",)]


def test_another_name_in_an_event_is_a_claim_and_shown(hub_db: Any) -> None:
    saw = hub_db.log("saw-1", 2)
    hub_db.deliver(saw.scan("WO-1", "saw"), saw.scan("WO-1", "saw", station="weld-1"))
    hub_db.drain()
    assert hub_db.show(select(claim.c.pos, claim.c.station)) == [(2, "weld-1")]
    assert compare(hub_db.store) == []
    with hub_db.store.read() as connection:
        assert "1 event that claims to be of station weld-1" in notes(connection)[0]


def test_what_a_station_may_not_say_is_no_break(hub_db: Any) -> None:
    saw = hub_db.log("saw-1", 2)
    hub_db.deliver(saw.entry("note", {"item": "WO-1", "text": "hello"}), saw.scan("WO-1", "saw"))
    with hub_db.store.read() as connection:
        assert not [each for each in verify(connection) if "chain" not in each.text and "acknowledged" not in each.text]
        assert "\n".join(notes(connection)) == (
            f"Log {saw.log_id.hex()} of station saw-1 holds 1 entry, which only the hub's own log may hold: seq 1."
            " It is stored without effect."
        )
