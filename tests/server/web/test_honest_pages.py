"""Pages say true things of themselves: what is not included yet, what the hub knows to be wrong, what is not known."""

import html
import re

import pytest
from shop_writer import ShopWriter

from server.config import HubConfig
from server.db import schema
from server.ledger.entries import Entry, record_all


@pytest.fixture
def shop_writer(store):
    shop_writer = ShopWriter(store)
    shop_writer.small_shop()
    return shop_writer


def page_of(hub_app, address, status=200):
    """The text of a page as a reader sees it."""
    answer = hub_app.anonymous().get(address, headers={"Accept": "text/html"})
    assert answer.status_code == status
    return text_of(answer.get_data(as_text=True))


def text_of(page):
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", "", page)))


@pytest.mark.parametrize("address", ["/", "/wall", "/orders", "/stations", "/find?q=WO-1"])
def test_a_page_that_is_behind_the_ledger_says_how_far(hub_app, shop_writer, address):
    behind = r"Recalculating: \d+ events are not included yet, \d+ (s|min) behind\."
    shop_writer.projector.drain()
    assert not re.search(behind, page_of(hub_app, address, 404 if "find" in address else 200))
    for number in range(3):
        shop_writer.release(f"WO-{number}")
    assert re.search(behind, page_of(hub_app, address, 404 if "find" in address else 200))


def test_a_shop_that_is_being_imported_is_not_called_empty(hub_app, shop_writer):
    assert "Not known yet" in page_of(hub_app, "/")
    assert "the shop is empty" not in page_of(hub_app, "/")
    assert "No open" not in page_of(hub_app, "/orders")
    assert "Recalculating" in page_of(hub_app, "/items/WO-1", 404)
    shop_writer.projector.drain()
    assert "No open" in page_of(hub_app, "/orders")


def alerts_on(hub_app, address="/"):
    """The sentences of a page's alerts, each with the text beside it."""
    page = hub_app.anonymous().get(address).get_data(as_text=True)
    lines = re.findall(r'<li class="(?:grave|mild)".*?</li>', page) or re.findall(r'<p class="line-of">.*?</p>', page)
    return [text_of(line) for line in lines]


def test_what_healthz_knows_is_on_the_board_and_on_the_wall(open_hub_app, shop_writer):
    faults = ("The last backup failed: no folder. Mount it.", None)
    hub_app = open_hub_app(HubConfig(), [lambda fault=fault: fault for fault in faults])
    shop_writer.release("WO-1")
    shop_writer.settle()
    assert alerts_on(hub_app) == [
        "The last backup failed: no folderMount it",
        "No verified backup off the hub's diskstations keep everything they send",
    ]
    assert "The last backup failed: no folder" in page_of(hub_app, "/wall")
    assert hub_app.anonymous().get("/healthz").json["wrong"] == [faults[0]]


def backed_up(store, pos, at_us):
    with store.write() as connection:
        connection.execute(schema.hub.update().values(backup_pos=pos, backup_us=at_us))


def test_an_old_backup_is_on_the_board_while_the_ledger_grows(hub_app, shop_writer):
    shop_writer.release("WO-1")
    shop_writer.settle()
    old = ["The last verified backup off the hub's disk is 3 d old" + "stations keep everything they send"]
    backed_up(hub_app.store, 1, shop_writer.ago(days=3))
    assert [text.replace("\xa0", " ") for text in alerts_on(hub_app)] == old
    assert hub_app.anonymous().get("/healthz").json["notes"] == [old[0].replace("oldst", "old: st") + "."]
    backed_up(hub_app.store, shop_writer.projector.pos, shop_writer.ago(days=3))
    assert alerts_on(hub_app) == []
    backed_up(hub_app.store, 1, shop_writer.ago(days=1))
    assert alerts_on(hub_app) == []


def test_a_new_hub_has_nothing_to_back_up(hub_app, store):
    assert alerts_on(hub_app) == []


def test_a_stage_that_the_shop_has_not_defined_is_on_the_board(hub_app, shop_writer):
    backed_up(hub_app.store, 2**40, shop_writer.now_us)
    shop_writer.station("gate-1")
    shop_writer.release("WO-1", qty=5)
    shop_writer.scan("WO-1", "gate", shop_writer.ago(minutes=2), station="gate-1")
    shop_writer.say("rule.define", rule="not_in_routing", on=False)
    shop_writer.settle()
    seen = "1 item was scanned at gate, a stage that the shop has not definedby gate-1"
    assert [text.partition(":")[0] for text in alerts_on(hub_app)] == [seen]
    record_all(hub_app.store, [Entry("station.define", {"station": "gate-1", "stage": "saw"}, "Kim")])
    shop_writer.say("stage.define", stage="gate", name="Gate")
    shop_writer.settle()
    assert alerts_on(hub_app) == []


def test_a_station_that_is_placed_at_an_unknown_stage_is_on_the_board(hub_app, store):
    shop_writer = ShopWriter(store)
    shop_writer.station("gate-1")
    shop_writer.say("station.define", station="gate-1", stage="gate")
    shop_writer.settle()
    assert alerts_on(hub_app) == []  # a shop without defined stages may name any
    shop_writer.small_shop()
    shop_writer.settle()
    seen = "Station gate-1 is placed at the stage gate, which the shop has not defined"
    assert alerts_on(hub_app) == [f"{seen}wipline-hub station place gate-1 STAGE"]


def test_the_number_on_the_wall_is_that_of_its_lines(hub_app, shop_writer):
    backed_up(hub_app.store, 2**40, shop_writer.now_us)
    for number in range(5):
        shop_writer.release(f"WO-{number}", due="2026-01-01")
    shop_writer.settle()
    page = page_of(hub_app, "/wall")
    assert re.search(r"Needs someone now 5 WO-0 .* WO-1 .* WO-2 .* and 2 more on the board", page)
    assert len(alerts_on(hub_app)) == 5


UNIT, NAME = "\u0642\u0637\u0639\u0629", "\u05de\u05e1\u05d5\u05e8 7"
CUSTOMER = "\u0634\u0631\u0643\u0629 \u0646\u0648\u0631"
RUN = re.compile("(?<![\u2068\u0590-\u08ff])[\u0590-\u08ff]+")


def test_right_to_left_texts_are_isolated_from_the_numbers_beside_them(hub_app, shop_writer):
    shop_writer.say("stage.define", 0, stage="saw", name=NAME, target_s=60)
    shop_writer.say("product.define", 0, product="lid", name=UNIT, unit=UNIT, routing="line")
    shop_writer.say("reason.define", 0, reason="burr", name=CUSTOMER)
    shop_writer.release("WO-1", "lid", qty=40, customer=CUSTOMER, reference=CUSTOMER, due="2026-01-01")
    shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=3))
    shop_writer.scan("WO-1", "deburr", shop_writer.ago(hours=2), qty_milli=15_000)
    shop_writer.scan("WO-1", "deburr", shop_writer.ago(hours=1), action="hold", reason="burr")
    shop_writer.settle()
    assert f"40 \u2068{UNIT}\u2069" in page_of(hub_app, "/items/WO-1")
    for address in ("/", "/wall", "/orders", "/stages/saw", "/stages/deburr", "/items/WO-1", "/without-cost"):
        page = hub_app.anonymous().get(address).get_data(as_text=True)
        page = re.sub(r"<(option|bdi|title|h1)\b.*?</\1>", "", page, flags=re.DOTALL)  # no text stands beside these
        bare = [match for text in re.findall(r">([^<]+)<", page) for match in RUN.findall(html.unescape(text))]
        inside = [run for run in bare if run not in (CUSTOMER.split()[1], NAME)]
        assert (address, inside) == (address, [])


def test_a_value_that_is_not_zero_is_not_shown_as_zero(hub_app, shop_writer):
    shop_writer.say("cost.set", 0, component="bar", basis="unit", micros=100_000)
    shop_writer.say("cost.set", 0, product="bracket", op=10, component="labour", basis="unit", micros=0)
    shop_writer.release("WO-1", qty=2)
    shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=2))
    shop_writer.settle()
    page = page_of(hub_app, "/").replace("\xa0", " ")
    assert "< € 1 in process" in page
    assert "€ 0" not in page


def test_an_order_without_a_quantity_is_not_one_of_zero(hub_app, shop_writer):
    shop_writer.say("order.release", order="WO-9", product="bracket")
    shop_writer.settle()
    assert "no quantity given" in page_of(hub_app, "/orders")
    row = hub_app.anonymous().get("/orders.csv").get_data(as_text=True).splitlines()[1].split(",")
    assert row[10:13] == ["", "0", "0"]


def test_a_number_that_is_not_known_yet_is_not_zero(hub_app, shop_writer):
    assert "… items in process" in page_of(hub_app, "/")
    shop_writer.projector.drain()
    assert "0 items in process" in page_of(hub_app, "/")
