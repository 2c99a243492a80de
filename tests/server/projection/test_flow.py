"""Rows of flow: at every step they are the sums of the moves, whatever came late, was voided or corrected."""

import random
import secrets
from collections.abc import Callable
from typing import Any

import pytest
from flow_oracle import have, want
from sqlalchemy import select

from server.projection.rebuild import compare, rebuild
from server.projection.tables import flow_class, flow_day, flow_duration, folded_rows
from server.projection.verify_flow import verify_flow
from station.core.ledger.flow import Measure

DAY_US = 86_400_000_000
DAY_S = 86_400
ZERO_US = 20_000 * DAY_US
ZONES = ["Europe/Berlin", "Asia/Tokyo", "America/Los_Angeles", "UTC"]
SUMS = ("qty_milli", "count", "stage_us", "queue_us", "run_us", "throughput_us", "lead_us")
OPERATIONS = [{"op": 10, "stage": "saw"}, {"op": 20, "stage": "deburr"}, {"op": 30, "stage": "pack"}]


def assert_flow_is_that_of_the_moves(hub_db: Any) -> None:
    with hub_db.store.read() as connection:
        assert have(connection) == want(connection)


def days(hub_db: Any, **of_class: Any) -> dict[int, tuple[Any, ...]]:
    """The sums of the rows of one class by day; the class by some of its columns."""
    rows = select(flow_day.c.day, *(flow_day.c[name] for name in SUMS)).join(
        flow_class, flow_class.c.id == flow_day.c.class_id
    )
    found: dict[int, tuple[Any, ...]] = {}
    for day, *sums in hub_db.show(rows.where(*(flow_class.c[name] == value for name, value in of_class.items()))):
        assert day not in found
        found[day] = tuple(sums)
    return found


def measures(hub_db: Any) -> dict[str, int]:
    """The number of durations of each measure."""
    found: dict[str, int] = {}
    for measure, count in hub_db.show(select(flow_duration.c.measure, flow_duration.c.count)):
        name = Measure(measure).name
        found[name] = found.get(name, 0) + count
    return found


def released(hub_db: Any, office: Any, **fields: Any) -> list[Any]:
    return [
        office.entry("routing.define", {"routing": "r", "operations": OPERATIONS}),
        office.entry("product.define", {"product": "bracket", "routing": "r"}),
        office.entry("order.release", {"order": "WO-1", "product": "bracket", "qty_milli": 10_000}, **fields),
    ]


def site_of(chance: random.Random, log: Any, said: list[Any]) -> Any:
    """A definition of the site at some time of the story, or a void of an earlier one."""
    if said and chance.random() < 0.3:
        return log.void(chance.choice(said))
    fields: dict[str, Any] = chance.choice([
        {"zone": chance.choice(ZONES)}, {"day_start": chance.randrange(1440)}, {"currency": "CHF"},
        {"zone": chance.choice(ZONES), "day_start": chance.randrange(1440)},
    ])  # fmt: skip
    said.append(log.entry("site.define", fields, holds_from_us=ZERO_US + chance.randint(-10, 80) * 3_600_000_000))
    return said[-1]


@pytest.mark.parametrize("seed", [988083, "new", pytest.param(7, marks=pytest.mark.nightly)])
def test_flow_is_the_sum_of_the_moves_after_every_part_of_a_story(
    seed: int | str, new_hub_db: Callable[[], Any], story: Callable[[int], list[Any]]
) -> None:
    """The parts arrive in random order, with entries of the site between them; a rebuild gives equal rows."""
    drawn = seed if isinstance(seed, int) else secrets.randbelow(10**6)
    print(f"seed {drawn}")
    chance, hub_db, rows, said = random.Random(drawn), new_hub_db(), story(drawn), []
    site = hub_db.log("hub", 66)
    rows += [site.anchor(), *(site_of(chance, site, said) for _ in range(6))]
    if chance.random() < 0.5:
        chance.shuffle(rows)
    for start in range(0, len(rows), 25):
        hub_db.deliver(*rows[start : start + 25])
        hub_db.drain()
        assert_flow_is_that_of_the_moves(hub_db)
    with hub_db.store.read() as connection:
        assert [str(one) for one in verify_flow(connection)] == []
        assert have(connection)[0] or drawn != 988083, "a story that moves nothing shows nothing"
    assert compare(hub_db.store) == []
    before = hub_db.everything()
    rebuild(hub_db.store)
    assert {name: hub_db.everything()[name] for name in ("flow_class", "flow_day", "flow_duration")} == {
        name: before[name] for name in ("flow_class", "flow_day", "flow_duration")
    }


def test_a_shop_that_scans_in_start_and_out_has_every_measure(hub_db: Any) -> None:
    office, saw = hub_db.log("hub", 1), hub_db.log("saw-1", 2)
    hub_db.deliver(
        office.anchor(), saw.anchor(), *released(hub_db, office),
        saw.scan("WO-1", "saw", after_s=100, action="in"),
        saw.scan("WO-1", "saw", after_s=50, action="start"),
        saw.scan("WO-1", "saw", after_s=200, action="out"),
        saw.scan("WO-1", "pack", after_s=300, action="in"),
        saw.scan("WO-1", "pack", after_s=70, action="out"),
    )  # fmt: skip
    hub_db.drain()
    assert days(hub_db, from_stage="saw", to_stage="deburr") == {
        20_000: (10_000, 1, 250_000_000, 50_000_000, 200_000_000, None, None)
    }
    (finished,) = days(hub_db, to_state="finished").values()
    assert finished[:6] == (10_000, 1, 70_000_000, None, None, 620_000_000)
    assert finished[6] > finished[5]
    assert measures(hub_db) == {"STAGE": 3, "QUEUE": 1, "RUN": 1, "THROUGHPUT": 1, "LEAD": 1}


def test_a_shop_that_scans_only_done_at_the_end_has_a_lead_time_alone(hub_db: Any) -> None:
    office, pack = hub_db.log("hub", 1), hub_db.log("pack-1", 2)
    hub_db.deliver(office.anchor(), pack.anchor(), *released(hub_db, office), pack.scan("WO-1", "pack", after_s=500))
    hub_db.drain()
    assert [row[2:6] for row in days(hub_db, to_state="finished").values()] == [(None, None, None, None)]
    assert measures(hub_db) == {"LEAD": 1}


def test_a_void_leaves_no_row_of_what_was_not_moved(hub_db: Any) -> None:
    saw = hub_db.log("saw-1", 2)
    kept, voided = saw.scan("WO-1", "saw"), saw.scan("WO-1", "pack", after_s=DAY_S)
    hub_db.deliver(saw.anchor(), kept, voided)
    hub_db.drain()
    assert measures(hub_db) == {"STAGE": 1}
    assert len(hub_db.show(select(flow_day))) == 2
    hub_db.deliver(saw.undo(voided))
    hub_db.drain()
    assert measures(hub_db) == {}
    assert len(hub_db.show(select(flow_day))) == 1
    assert compare(hub_db.store) == []


def test_a_product_and_a_quantity_that_become_known_are_those_of_the_earlier_moves(hub_db: Any) -> None:
    office, saw = hub_db.log("hub", 1), hub_db.log("saw-1", 2)
    hub_db.deliver(office.anchor(), saw.anchor(), saw.scan("WO-1", "saw"), saw.scan("WO-1", "deburr", after_s=60))
    hub_db.drain()
    assert [sums[:3] for sums in days(hub_db, from_stage="saw").values()] == [(0, 1, 60_000_000)]
    hub_db.deliver(*released(hub_db, office, after_s=600))
    hub_db.drain()
    assert days(hub_db, from_stage="saw", product="bracket", routing="r") == {
        20_000: (10_000, 1, 60_000_000, None, None, None, None)
    }
    assert {row[-12] for row in hub_db.show(folded_rows(flow_day))} == {"bracket"}
    assert compare(hub_db.store) == []


def test_a_scrap_counts_under_its_reason_and_its_operations(hub_db: Any) -> None:
    office, saw = hub_db.log("hub", 1), hub_db.log("saw-1", 2)
    hub_db.deliver(
        office.anchor(), saw.anchor(), *released(hub_db, office),
        saw.scan("WO-1", "saw", after_s=60), saw.scan("WO-1", "deburr", after_s=60),
        *(saw.scan("WO-1", "deburr", after_s=60, action="scrap", qty_milli=milli, reason=reason)
          for milli, reason in ((1000, "crack"), (2000, "crack"), (3000, "burr"))),
    )  # fmt: skip
    hub_db.drain()
    crack = {"to_state": "scrapped", "reason": "crack", "entered": 20, "reached": 10, "scanned": "10,20"}
    assert days(hub_db, **crack) == {20_000: (3000, 2, 180_000_000, None, None, None, None)}
    assert [sums[:2] for sums in days(hub_db, to_state="scrapped", reason="burr").values()] == [(3000, 1)]


def site(office: Any, hours: float, **fields: Any) -> Any:
    """An entry of the site that holds from some hours after the first day began."""
    return office.entry("site.define", fields, holds_from_us=ZERO_US + round(hours * 3_600_000_000))


def scans_each_hour(hub_db: Any, hours: int) -> Any:
    """Scans at half past each hour, from 00:30 UTC on, each of another item."""
    saw = hub_db.log("saw-1", 2)
    rows = [saw.anchor(), *(saw.scan(f"WO-{n}", "saw", after_s=3600 if n else 1797) for n in range(hours))]
    hub_db.deliver(*rows)
    hub_db.drain()
    return saw


def moves_by_day(hub_db: Any) -> dict[int, int]:
    return {day: sums[1] for day, sums in days(hub_db, to_stage="saw").items()}


def test_the_first_zone_of_a_site_holds_for_all_days_and_a_later_one_from_its_day(hub_db: Any) -> None:
    office = hub_db.log("hub", 1)
    scans_each_hour(hub_db, 48)
    assert moves_by_day(hub_db) == {20_000: 24, 20_001: 24}
    hub_db.deliver(office.anchor(), site(office, 40, zone="Asia/Tokyo"))
    hub_db.drain()
    assert moves_by_day(hub_db) == {20_000: 15, 20_001: 24, 20_002: 9}
    hub_db.deliver(later := site(office, 30, zone="UTC"), site(office, 44, currency="CHF"))
    hub_db.drain()
    assert moves_by_day(hub_db) == {20_000: 24, 20_001: 16, 20_002: 8}  # in UTC until 16:00, which is 01:00 in Tokyo
    hub_db.deliver(office.void(later))
    hub_db.drain()
    assert moves_by_day(hub_db) == {20_000: 15, 20_001: 24, 20_002: 9}
    assert_flow_is_that_of_the_moves(hub_db)
    assert compare(hub_db.store) == []


def test_a_definition_that_was_entered_late_makes_the_days_from_its_time_on_anew(hub_db: Any) -> None:
    office = hub_db.log("hub", 1)
    hub_db.deliver(office.anchor(), site(office, 0, zone="UTC"))
    scans_each_hour(hub_db, 48)
    hub_db.deliver(site(office, 24, day_start=360))
    hub_db.drain()
    assert moves_by_day(hub_db) == {20_000: 30, 20_001: 18}  # the first day goes on until 06:00
    assert_flow_is_that_of_the_moves(hub_db)
    assert compare(hub_db.store) == []
