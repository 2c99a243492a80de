"""Long work of the hub is on every page, on the wall and in healthz: what runs, how far it is and what is left."""

import html

import pytest
from engines import both
from sqlalchemy import insert

from server.db.long_work import IMPORT, REBUILD, published
from server.db.schema import long_work
from server.ledger.entries import Entry, record_changes
from server.ledger.hub_log import append_own

engine = both
SENTENCE = (
    "Rebuild: 30 of 40 events, 3 a second, 3 s left. Until it ends the pages show the rows of before, and no new scans."
)


def banner(hub_app, address):
    page = hub_app.anonymous().get(address, headers={"Accept": "text/html"}).get_data(as_text=True)
    found = page[page.index('<div class="works"') :]
    return html.unescape(found[: found.index("</div>")])


@pytest.fixture
def elsewhere(store):
    """A rebuild that another process of this hub runs for ten seconds."""
    now_us = store.clock.utc_us()
    times = {"started_us": now_us - 10_000_000, "seen_us": now_us}
    row = {"work": REBUILD, "title": "Rebuild", "unit": "event", "done": 30, "total": 40, **times}
    with store.write() as connection:
        connection.execute(insert(long_work), [row])


@pytest.mark.parametrize("address", ["/", "/wall", "/orders", "/stations", "/rules", "/stages/saw", "/items/WO-1"])
def test_every_page_shows_the_long_work_of_another_process(hub_app, elsewhere, address):
    shown = banner(hub_app, address)
    assert f"<p>{SENTENCE}</p>" in shown
    assert " hidden" not in shown


def test_pages_that_follow_the_ledger_read_the_banner_again(hub_app, elsewhere):
    assert " data-live" in banner(hub_app, "/")
    assert " data-live" in banner(hub_app, "/wall")


def test_healthz_has_the_long_work_in_fields(hub_app, elsewhere):
    assert hub_app.anonymous().get("/healthz").json["running"] == [
        {"work": "rebuild", "text": SENTENCE, "unit": "event", "done": 30, "total": 40, "left_s": 3}
    ]


def test_pages_that_wait_for_a_rebuild_are_no_fault(hub_app, store, elsewhere):
    with store.write() as connection:
        append_own(connection, [b'{"v":1,"kind":"entry"}'], store.clock.utc_us() - 3_600_000_000)
    answer = hub_app.anonymous().get("/healthz").json
    assert (answer["status"], answer["wrong"]) == ("ok", [])
    with store.write() as connection:
        connection.execute(long_work.delete())
    assert hub_app.anonymous().get("/healthz").json["wrong"][0].startswith("The pages have not moved for 60 min")


def test_without_long_work_no_page_has_a_banner(hub_app):
    assert " hidden" in banner(hub_app, "/")
    assert hub_app.anonymous().get("/healthz").json["running"] == []


def test_an_import_is_shown_while_its_transaction_is_open(hub_app, store):
    ticks = iter(range(0, 1000, 5))
    entries = [
        Entry("stage.define", {"stage": f"s{number}", "name": f"Stage {number}", "type": "process"}, "Kim", 0)
        for number in range(4)
    ]
    shown = []

    def look(_progress):
        shown.append(hub_app.anonymous().get("/healthz").json["running"][0]["text"])

    with published(store, IMPORT, "Import", "entry", look, now_s=lambda: float(next(ticks))) as advance:
        record_changes(store, entries, advance)
    assert shown[1] == (
        "Import: 1 of 4 entries, 6.0 a minute, 30 s left. Its entries are shown when all of them are recorded."
    )
    assert hub_app.anonymous().get("/healthz").json["running"] == []


def test_a_row_that_a_killed_process_left_is_not_shown_for_long(hub_app, store, elsewhere):
    with store.write() as connection:
        connection.execute(long_work.update().values(seen_us=long_work.c.seen_us - 600_000_000))
    assert hub_app.anonymous().get("/healthz").json["running"] == []
