"""Queue and run apart where START is scanned: pages, file, answers, the past, and after an UNDO."""

import csv
import io

import pytest
from shop_writer import ShopWriter
from sqlalchemy import select

from server.projection.rebuild import compare
from server.projection.tables import parcel
from server.queries.historical_stock import stock_at
from station.core.event import LogPosition


@pytest.fixture
def shop_writer(store):
    shop_writer = ShopWriter(store)
    shop_writer.small_shop()
    shop_writer.release("WO-1", qty=40)
    return shop_writer


@pytest.fixture
def started(shop_writer):
    """Forty pieces at the saw for three hours, ten of them in run for one; the place of the START."""
    shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=3))
    place = shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=1), action="start", qty_milli=10_000)
    shop_writer.settle()
    return place


PARCELS = select(parcel.c.qty_milli, parcel.c.run_since_us.is_not(None)).order_by(parcel.c.qty_milli)


def test_stage_and_item_page_say_what_runs_and_what_waits_to_run(hub_app, started):
    for path in ("/stages/saw", "/items/WO-1"):
        body = hub_app.anonymous().get(path).get_data(as_text=True)
        assert (body.count("in work, running since "), body.count("in work, waiting to run")) == (1, 1), path


def test_without_a_start_neither_is_said(hub_app, shop_writer):
    shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=3))
    shop_writer.settle()
    for path in ("/stages/saw", "/items/WO-1"):
        body = hub_app.anonymous().get(path).get_data(as_text=True)
        assert "in work" in body
        assert "running since" not in body
        assert "waiting to run" not in body


def test_the_file_of_a_stage_and_the_answer_of_an_item_have_the_time(hub_app, shop_writer, started):
    text = hub_app.anonymous().get("/stage.csv?stage=saw").get_data(as_text=True)
    rows = {row["quantity"]: row for row in csv.DictReader(io.StringIO(text.lstrip("\ufeff")))}
    assert (rows["10"]["run_since"] > rows["10"]["since"], rows["30"]["run_since"]) == (True, "")
    parcels = {each["qty"]: each for each in hub_app.anonymous().get("/api/v1/items/WO-1").get_json()["parcels"]}
    assert abs(parcels["10"]["run_since_us"] - shop_writer.ago(hours=1)) < 60_000_000
    assert parcels["30"]["run_since_us"] is None
    assert parcels["10"]["since"] == parcels["30"]["since"]


def test_the_past_before_the_start_has_no_run(store, shop_writer, started):
    with store.read() as connection:
        now, before = (
            {row.qty_milli: row.run_since_us is not None for row in stock_at(connection, shop_writer.ago(hours=ago))}
            for ago in (0, 2)
        )
    assert (now, before) == ({10_000: True, 30_000: False}, {40_000: False})


def test_an_undo_of_the_start_takes_the_run_back_live_and_rebuilt(store, rows, shop_writer, started):
    assert rows(PARCELS) == [(10_000, True), (30_000, False)]
    log, seq = started
    shop_writer.scan(
        "WIP:UNDO", "saw", shop_writer.ago(minutes=50), action="void", scheme="command", ref=LogPosition(log, seq)
    )
    shop_writer.settle()
    assert rows(PARCELS) == [(40_000, False)]
    assert compare(store) == []
