"""No page is longer than 300 kB, however many rows the shop has: every list on a page has pages or a bound."""

import json
from datetime import UTC, datetime

import pytest
from shop_writer import ShopWriter

from server.auth import devices
from server.db import schema
from server.db.bulk_insert import insert_many

MOST_BYTES = 300_000
MANY = 130  # more than a page of any list
LONG = "of the northern works in the valley"


@pytest.fixture(scope="module")
def pages():
    """The addresses of the pages with lists."""
    return (
        "/", "/?as_of={then}", "/?against={then}", "/wall", "/orders", "/stages/saw", "/stages/deburr",
        "/stages/saw?run_next=2&coming=2", "/stations", "/stations?page=2&devices=3", "/people", "/carriers",
        "/labels?kind=product", "/labels?kind=reason", "/unknown-codes", "/without-cost", "/changes", "/changes?update=2",
        "/rules", "/cards", "/find?q=WO-0", "/items/WO-0000", "/items/WO-0001", "/items/BOX-1",
    )  # fmt: skip


def filled(store):
    """A shop with more rows than a page in every list."""
    writer = ShopWriter(store)
    writer.small_shop(saw={"limit": 3, "target_s": 3600}, deburr={"target_s": 3600})
    orders = [
        (f"WO-{n:04}", "tube" if n % 2 else "bracket", 20, {"due": "2026-01-02", "customer": f"Customer {n} {LONG}"})
        for n in range(3 * MANY)
    ]
    writer.release_all(orders)
    lots = [f"LOT-{n:04} {LONG}" for n in range(2 * MANY)]
    writer.say("order.release", writer.ago(days=9), order="BOX-1", product="bracket", qty_milli=900_000, items=lots)
    for n in range(MANY):
        writer.say("person.define", 0, person=f"p{n}", name=f"Person {n} {LONG}", badge=f"B{n}")
        writer.say("reason.define", 0, reason=f"r{n}", name=f"Reason {n} {LONG}")
        writer.say("product.define", 0, product=f"product {n} {LONG}", name=f"Product {n} {LONG}")
    for n in range(2 * MANY):
        writer.scan(f"WO-{n:04}", "saw", writer.ago(hours=30 + n % 7), operator="B1")
        if n % 2:
            writer.scan(f"WO-{n:04}", "saw", writer.ago(hours=20), action="hold", reason="r1", operator="B1")
    for n in range(MANY + 100):
        action = ("hold", "release", "rework")[n % 3]
        writer.scan(
            "WO-0000", ("saw", "deburr", "test")[n % 3], writer.ago(minutes=900 - n), action=action, operator="B2"
        )
        writer.scan(f"UNKNOWN-{n} {LONG}", "saw", writer.ago(minutes=900 - n))
    writer.settle()
    readers = json.dumps([
        {"kind": "keyboard", "id": f"usb-05e0-1200-SN{n}", "state": "ready", "evidence": f"usb 05e0 {LONG}", "mend": LONG}
        for n in range(4)
    ])  # fmt: skip
    with store.write() as connection:
        for n in range(MANY):
            devices.add(connection, f"station-{n:03}", writer.now_us)
            beat = {"station": f"station-{n:03}", "seen_us": writer.now_us, "readers": readers, "sw": "1.2.3"}
            connection.execute(schema.heartbeat.insert().values(**beat))
        for number in (1, 2):
            row = {"id": number, "at_us": writer.now_us, "sw": "1.2.3", "changed": 5 * MANY}
            connection.execute(schema.refold.insert().values(**row))
            rows = [(number, f"WO-{n:04} {LONG}", LONG, LONG) for n in range(5 * MANY)]
            insert_many(connection, schema.refolded_item, rows, "refold", "item", "before", "after")
    return writer


def test_no_page_is_longer_than_its_bound(hub_app, store, pages):
    writer = filled(store)
    then = f"{datetime.fromtimestamp(writer.ago(hours=25) / 1e6, UTC):%Y-%m-%dT%H:%M}"
    viewer = hub_app.person("supervise")
    sizes = {}
    for page in pages:
        answer = viewer.get(page.replace("{then}", then))
        assert answer.status_code == 200, (page, answer.get_data(as_text=True)[:300])
        sizes[page] = len(answer.data)
    assert {page: size for page, size in sizes.items() if size > MOST_BYTES} == {}
