"""The verification of flow: each planted defect is named with its day and its class."""

from typing import Any

import engines
import pytest
from click.testing import CliRunner
from shop_writer import ShopWriter

from server.cli.commands import main
from server.projection.verify_flow import verify_flow

engine = engines.both_at_night
OPERATIONS = [{"op": 10, "stage": "saw"}, {"op": 20, "stage": "deburr"}, {"op": 30, "stage": "pack"}]
OF_SCRAP = "class_id = (SELECT id FROM flow_class WHERE to_state = 'scrapped')"
SCRAP = "flow of 2024-10-07: bracket, here@deburr@20 -> scrapped@deburr@20"
DEFECTS = {
    "a row is gone": (
        "DELETE FROM flow_day WHERE OF_SCRAP",
        f"{SCRAP} has moves, and no row of flow_day",
    ),
    "a row too many": (
        "INSERT INTO flow_day (day, class_id, qty_milli, count) SELECT 3, class_id, 1000, 1 FROM flow_day WHERE OF_SCRAP",
        "flow of 1970-01-04: bracket, here@deburr@20 -> scrapped@deburr@20 has a row of flow_day, and no move",
    ),
    "a row of no day of the calendar": (
        "UPDATE flow_day SET day = 9999999 WHERE OF_SCRAP",
        "flow of day 9999999: bracket, here@deburr@20 -> scrapped@deburr@20 has a row of flow_day, and no move",
    ),
    "another day": (
        "UPDATE flow_day SET day = day + 1 WHERE OF_SCRAP",
        "flow of 2024-10-08: bracket, here@deburr@20 -> scrapped@deburr@20 has a row of flow_day, and no move",
    ),
    "a quantity": (
        "UPDATE flow_day SET qty_milli = 7 WHERE OF_SCRAP",
        f"{SCRAP}: qty_milli of its moves is 1000, that of flow_day 7",
    ),
    "a number of moves": (
        "UPDATE flow_day SET count = 2 WHERE OF_SCRAP",
        f"{SCRAP}: count of its moves is 1, that of flow_day 2",
    ),
    "a time at a stage": (
        "UPDATE flow_day SET stage_us = stage_us + 1 WHERE OF_SCRAP",
        f"{SCRAP}: stage_us of its moves is 259200000000, that of flow_day 259200000001",
    ),
    "a queue time of 0": (
        "UPDATE flow_day SET queue_us = 0 WHERE OF_SCRAP",
        f"{SCRAP}: queue_us of its moves is none, that of flow_day 0",
    ),
    "a run time": (
        "UPDATE flow_day SET run_us = 5 WHERE OF_SCRAP",
        f"{SCRAP}: run_us of its moves is none, that of flow_day 5",
    ),
    "a throughput time is gone": (
        "UPDATE flow_day SET throughput_us = NULL",
        "here@pack@30 -> finished: throughput_us of its moves is 259380000000, that of flow_day none",
    ),
    "a lead time": ("UPDATE flow_day SET lead_us = 1", "here@pack@30 -> finished: lead_us of its moves is "),
    "a class is gone": (
        "DELETE FROM flow_class WHERE to_state = 'scrapped'",
        ", which flow_class does not have, has a row of flow_day, and no move",
    ),
    "all classes are gone": (
        "DELETE FROM flow_class",
        "flow of 2024-10-07: bracket, here@pack@30 -> finished has moves, and no row of flow_day",
    ),
    "a product of a class": (
        "UPDATE flow_class SET product = 'cover' WHERE to_state = 'scrapped'",
        "flow of 2024-10-07: cover, here@deburr@20 -> scrapped@deburr@20 has a row of flow_day, and no move",
    ),
    "a class twice": (
        "INSERT INTO flow_class (id, from_state, to_state) VALUES (98, 'here', 'here'), (99, 'here', 'here')",
        "flow: the classes 98 and 99 are equal",
    ),
    "a duration is gone": (
        "DELETE FROM flow_duration WHERE OF_SCRAP",
        f"{SCRAP}: 1 of its moves have a stage time in bucket 2335 (",
    ),
    "a duration too many": (
        "INSERT INTO flow_duration SELECT day, class_id, 2, 44, 1 FROM flow_day WHERE OF_SCRAP",
        f"{SCRAP}: none of its moves have a run time in bucket 44 (44 to 44 us), flow_duration has 1",
    ),
    "a number of durations": (
        "UPDATE flow_duration SET count = 0 WHERE OF_SCRAP",
        "flow_duration has 0",
    ),
    "another bucket": (
        "UPDATE flow_duration SET bucket = 30000 WHERE OF_SCRAP",
        f"{SCRAP}: none of its moves have a stage time in bucket 30000, flow_duration has 1",
    ),
    "another measure": (
        "UPDATE flow_duration SET measure = 77 WHERE OF_SCRAP",
        f"{SCRAP}: none of its moves have a measure 77 in bucket 2335 (",
    ),
    "a definition of the site": (
        "UPDATE definition SET data = '{\"zone\": \"America/Los_Angeles\"}' WHERE what = 'site.define'",
        "flow of 2024-10-03: bracket, ordered -> released has moves, and no row of flow_day",
    ),
}


@pytest.fixture
def order(hub_db: Any) -> Any:
    """An order of ten pieces, eight of them at Deburr over three nights, then one scrapped and two finished."""
    office, saw = hub_db.log("hub", 1), hub_db.log("saw-1", 2)
    hub_db.deliver(
        office.anchor(),
        saw.anchor(),
        office.entry("site.define", {"zone": "UTC"}),
        office.entry("routing.define", {"routing": "r", "operations": OPERATIONS}),
        office.entry("product.define", {"product": "bracket", "routing": "r"}),
        office.entry("order.release", {"order": "WO-1", "product": "bracket", "qty_milli": 10_000}),
        saw.scan("WO-1", "saw", after_s=60),
        saw.scan("WO-1", "deburr", after_s=60, qty_milli=8_000),
        saw.scan("WO-1", "deburr", after_s=3 * 86_400, action="scrap", qty_milli=1_000),
        saw.scan("WO-1", "pack", after_s=60, qty_milli=2_000, action="in"),
        saw.scan("WO-1", "pack", after_s=60, qty_milli=2_000, action="out"),
    )
    hub_db.drain()
    return hub_db


def breaks(hub_db: Any) -> list[str]:
    with hub_db.store.read() as connection:
        return [str(each) for each in verify_flow(connection)]


@pytest.mark.parametrize("planted", DEFECTS)
def test_a_planted_defect_is_named_with_its_day_and_class(planted: str, order: Any) -> None:
    assert breaks(order) == []
    statement, said = DEFECTS[planted]
    with order.store.write() as connection:
        assert connection.exec_driver_sql(statement.replace("OF_SCRAP", OF_SCRAP)).rowcount > 0
    found = breaks(order)
    assert any(said in each for each in found), found
    assert all(each.startswith(("flow: ", "flow of ")) for each in found)


def test_the_command_prints_the_breaks_and_a_rebuild_mends_them(hub_db: Any) -> None:
    shop_writer = ShopWriter(hub_db.store)
    shop_writer.small_shop()
    shop_writer.release("WO-1")
    shop_writer.scan("WO-1", "saw", shop_writer.ago(days=1))
    shop_writer.settle()
    where = ["--db", shop_writer.store.url.render_as_string(hide_password=False)]
    with shop_writer.store.write() as connection:
        connection.exec_driver_sql("UPDATE flow_day SET count = 9")
    shop_writer.store.close()
    ran = CliRunner().invoke(main, ["verify", *where])
    assert ran.exit_code == 1
    assert "bracket, released -> here@saw@10: count of its moves is 1, that of flow_day 9" in ran.output
    assert "its projection has 2." in ran.output
    assert CliRunner().invoke(main, ["rebuild", *where]).exit_code == 0
    ran = CliRunner().invoke(main, ["verify", *where])
    assert (ran.exit_code, "verified, no break" in ran.output) == (0, True)
