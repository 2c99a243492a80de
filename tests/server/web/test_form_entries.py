"""What people put right on the pages: one form, one step, by name, with a reason; nothing is overwritten."""

import pytest
from shop_writer import ShopWriter
from sqlalchemy import select

from server.context import HubLimits
from server.projection.tables import item, parcel
from station.core.event import LogPosition


@pytest.fixture
def limits():
    return HubLimits(shown_within_s=0)  # no projector runs beside this application: `settle` is one


@pytest.fixture
def shop_writer(store):
    shop_writer = ShopWriter(store)
    shop_writer.small_shop()
    return shop_writer


@pytest.fixture
def send(hub_app, shop_writer, csrf_of):
    """Send a form of a page as somebody who supervises; the answer."""
    browser = hub_app.person("supervise", "Mara Weiss")

    def sent(page, to=None, **fields):
        answer = browser.post(
            to or page, data={"csrf_token": csrf_of(browser, page), **fields}, headers={"Accept": "text/html"}
        )
        shop_writer.settle()
        return answer

    return sent


@pytest.fixture
def where(rows):
    def of(name):
        query = select(parcel.c.stage, parcel.c.state, parcel.c.qty_milli, parcel.c.operator)
        return rows(query.where(parcel.c.item == name).order_by(parcel.c.stage))

    return of


def test_a_wrong_stage_is_put_right_and_what_was_recorded_stays(send, shop_writer, where, hub_app):
    shop_writer.release("WO-1")
    log, seq = shop_writer.scan("WO-1", "deburr", shop_writer.ago(hours=2), operator="K7")
    shop_writer.settle()
    answer = send("/items/WO-1", do="put-right", scan=f"{log}:{seq}", stage="test", operator="", why="wrong bench")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/items/WO-1")
    assert where("WO-1") == [("test", "here", 40_000, "K7")]
    events = hub_app.anonymous().get("/api/v1/items/WO-1").json["events"]
    assert events[0]["corrected"] == {"stage": "test"}
    assert (events[0]["stage"], events[0]["raw"]) == ("test", "V08tMQ==")


def test_a_scan_of_the_wrong_sheet_goes_to_the_right_item(send, shop_writer, where):
    shop_writer.release("WO-1")
    shop_writer.release("WO-2")
    log, seq = shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=2))
    shop_writer.settle()
    send("/items/WO-1", do="put-right", scan=f"{log}:{seq}", item="WO-2", why="the sheets were swapped")
    assert where("WO-1") == [(None, "released", 40_000, "Kim")]
    assert where("WO-2") == [("saw", "here", 40_000, None)]


def test_what_was_not_scanned_is_added_at_its_time(send, shop_writer, where, hub_app):
    shop_writer.release("WO-1")
    shop_writer.scan("WO-1", "test", shop_writer.ago(hours=2))
    shop_writer.settle()
    send(
        "/items/WO-1",
        do="add",
        stage="saw",
        operator="K7",
        quantity="10",
        at="2026-01-02T10:00",
        why="forgotten",
    )
    added = [each for each in hub_app.anonymous().get("/api/v1/items/WO-1").json["events"] if each["verb"] == "checkin"]
    assert [(each["stage"], each["qty"], each["by"], each["at"]) for each in added] == [
        ("saw", "10", "Mara Weiss", "2026-01-02T10:00:00.000000Z")
    ]


def test_a_scan_is_taken_back_and_brought_again_by_taking_that_back(send, shop_writer, where):
    shop_writer.release("WO-1")
    log, seq = shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=2))
    shop_writer.settle()
    send("/items/WO-1", do="void", scan=f"{log}:{seq}", why="scanned by mistake")
    assert where("WO-1") == [(None, "released", 40_000, "Kim")]


def test_a_note_stands_on_the_page_as_text(send, shop_writer, hub_app):
    shop_writer.release("WO-1")
    shop_writer.settle()
    send("/items/WO-1", do="note", text="<b>crack</b> in the flange")
    body = hub_app.anonymous().get("/items/WO-1").get_data(as_text=True)
    assert "&lt;b&gt;crack&lt;/b&gt; in the flange" in body


@pytest.mark.parametrize(
    ("form", "came"),
    [
        ({"do": "put-right", "scan": "ab:1", "why": "x"}, "a correction without a changed field"),
        ({"do": "add", "scan": "", "why": "x"}, "a scan to be added, without a stage"),
        ({"do": "add", "scan": "", "stage": "saw"}, "no reason"),
        ({"do": "add", "scan": "", "stage": "saw", "why": "x", "quantity": "ten"}, "the quantity"),
        ({"do": "add", "scan": "", "stage": "saw", "why": "x", "quantity": "1e99"}, "the quantity"),
        ({"do": "add", "scan": "", "stage": "saw", "why": "x", "quantity": "0"}, "the quantity"),
        ({"do": "add", "scan": "", "stage": "saw", "why": "x", "at": "soon"}, "the time"),
        ({"do": "put-right", "scan": "zz:1", "stage": "saw", "why": "x"}, "correct, of which"),
        ({"do": "put-right", "scan": "", "stage": "saw", "why": "x"}, "no scan"),
        (
            {"do": "put-right", "scan": "ab:1", "stage": "saw", "why": "x", "at": "2026-01-02T10:00"},
            "a scan and a time",
        ),
        ({"do": "add", "scan": "ab:1", "stage": "saw", "why": "x"}, "a scan in the form for what was not scanned"),
        ({"do": "add", "stage": "saw", "why": "x", "at": "2999-01-02T10:00"}, "the time "),
        (
            {"do": "add", "stage": "saw", "why": "x", "quantity": "1,000"},
            "the quantity &#39;1,000&#39;, which is 1000 or 1",
        ),
        ({"do": "void", "scan": "", "why": "x"}, "no scan"),
        ({"do": "void", "scan": "ab:99999999999999999999", "why": "x"}, "no scan"),
        ({"do": "note", "text": "  "}, "an empty note"),
        ({"do": "burn"}, "a form with do="),
    ],
)
def test_a_form_that_says_nothing_is_told_what_is_missing_and_writes_nothing(send, shop_writer, form, came):
    shop_writer.release("WO-1")
    shop_writer.settle()
    before = shop_writer.projector.pos
    answer = send("/items/WO-1", **form)
    assert answer.status_code == 400
    assert f"Came: {came}" in answer.get_data(as_text=True)
    assert shop_writer.projector.pos == before


def test_orders_are_closed_all_or_none(send, shop_writer, rows):
    for name in ("WO-1", "WO-2", "WO-3"):
        shop_writer.release(name)
    shop_writer.settle()
    answer = send("/orders", "/orders/close", order=["WO-1", "WO-2"], how="cancelled", status="open")
    assert answer.headers["Location"] == "/orders?status=open"
    found = rows(select(item.c.item, item.c.status, item.c.how).order_by(item.c.item))
    assert found == [("WO-1", "closed", "cancelled"), ("WO-2", "closed", "cancelled"), ("WO-3", "open", None)]
    assert send("/orders", "/orders/close", how="cancelled").status_code == 400
    assert send("/orders", "/orders/close", order=["WO-3"], how="burned").status_code == 400


def test_a_form_without_its_token_or_from_elsewhere_changes_nothing(hub_app, shop_writer, csrf_of):
    shop_writer.release("WO-1")
    shop_writer.settle()
    browser, before = hub_app.person("supervise"), shop_writer.projector.pos
    note = {"do": "note", "text": "x"}
    assert browser.post("/items/WO-1", data=note).status_code == 400
    stolen = {**note, "csrf_token": csrf_of(browser, "/items/WO-1")}
    assert browser.post("/items/WO-1", data=stolen, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert hub_app.person("view").post("/items/WO-1", data=note).status_code == 403
    assert hub_app.anonymous().post("/items/WO-1", data=note).status_code == 401
    shop_writer.settle()
    assert shop_writer.projector.pos == before


def test_only_who_administers_turns_rules(hub_app, shop_writer, csrf_of):
    supervisor, administrator = hub_app.person("supervise"), hub_app.person("administer")
    for browser, status in ((supervisor, 403), (administrator, 302)):
        form = {"csrf_token": csrf_of(browser, "/rules"), "rule": "skipped", "on": "yes"}
        assert browser.post("/rules", data=form).status_code == status
    form["rule"] = "no such rule"
    assert administrator.post("/rules", data=form).status_code == 400


def test_every_change_shows_old_new_author_time_and_reason_and_is_taken_back(send, shop_writer, where, hub_app):
    shop_writer.release("WO-1")
    log, seq = shop_writer.scan("WO-1", "deburr", shop_writer.ago(hours=2), operator="K7")
    shop_writer.settle()
    send("/items/WO-1", do="put-right", scan=f"{log}:{seq}", stage="test", why="wrong bench")

    def changes():
        answer = hub_app.anonymous().get("/api/v1/items/WO-1").json
        return [
            (each["kind"], each["old"], each["new"], each["by"], each["why"], each["effective"], each["back_by"])
            for each in answer["changes"]
        ], answer["changes"]

    found, (change,) = changes()
    corrected = ("correct", {"stage": "deburr"}, {"stage": "test"}, "Mara Weiss", "wrong bench")
    assert found == [(*corrected, True, "")]
    assert (change["of_log"], change["from_seq"], change["to_seq"]) == (log, seq, seq)
    page = hub_app.anonymous().get("/items/WO-1").get_data(as_text=True)
    for word in ("wrong bench", "Deburr", "Test", "in effect"):
        assert word in page.partition('id="changes"')[2].partition("</section>")[0]

    send("/items/WO-1", do="void", scan=f"{change['log']}:{change['seq']}", why="it was right")
    assert where("WO-1") == [("deburr", "here", 40_000, "K7")]
    assert (*corrected, False, "Mara Weiss") in changes()[0]

    send("/items/WO-1", do="void", scan=f"{log}:{seq}", why="scanned by mistake")
    assert where("WO-1") == [(None, "released", 40_000, "Kim")]
    found, (newest, *_) = changes()
    was = {"stage": "deburr", "operator": "K7", "item": "WO-1"}
    assert found[0] == ("void", was, {}, "Mara Weiss", "scanned by mistake", True, "")
    send("/items/WO-1", do="void", scan=f"{newest['log']}:{newest['seq']}", why="no mistake")
    assert where("WO-1") == [("deburr", "here", 40_000, "K7")]
    assert changes()[0][0] == ("void", was, {}, "Mara Weiss", "scanned by mistake", False, "Mara Weiss")


def test_a_correction_has_the_value_of_the_earlier_one_as_old_and_is_superseded_by_the_later(
    send, shop_writer, hub_app
):
    shop_writer.release("WO-1")
    log, seq = shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=2))
    shop_writer.settle()

    def correct(**fields):
        place = shop_writer.say("correct", log=log, from_seq=seq, to_seq=seq, set=fields)
        shop_writer.settle()
        return place

    def changes():
        answer = hub_app.anonymous().get("/api/v1/items/WO-1").json["changes"]
        return [(each["old"], each["new"], each["effective"], each["back_why"]) for each in answer]

    four, six = {"qty_milli": 4_000}, {"qty_milli": 6_000}
    none = {"qty_milli": None}
    correct(**four)
    second = correct(**six)
    assert changes() == [(four, six, True, ""), (none, four, False, "superseded by the later one")]
    browser = hub_app.person("supervise")
    page = browser.get("/items/WO-1").get_data(as_text=True).partition('id="changes"')[2].partition("</section>")[0]
    assert page.count("take it back") == 1
    assert "without effect: superseded by the later one" in page

    both = correct(operator="K7", **four)
    only_operator = correct(operator="kim")
    assert [change[2] for change in changes()] == [True, True, False, False]  # of `both` the quantity has effect
    assert changes()[0][:2] == ({"operator": "K7"}, {"operator": "kim"})
    for place in (only_operator, both, second):
        shop_writer.say("void", log=place[0], seq=place[1])
    shop_writer.settle()
    assert (none, four, True, "") in changes()

    void = shop_writer.say("void", log=log, seq=seq)
    shop_writer.settle()
    assert (none, four, False, "the event was taken back") in changes()
    undo = LogPosition(log, seq)
    shop_writer.scan("WIP:UNDO", "saw", shop_writer.ago(hours=1), scheme="command", action="void", ref=undo)
    shop_writer.settle()
    voids = {why: effective for _, new, effective, why in changes() if new == {}}
    assert voids == {"": True, "the event was taken back before": False}
    shop_writer.say("void", log=void[0], seq=void[1])
    shop_writer.settle()
    assert (none, four, False, "the event was taken back") in changes()


def test_a_scan_that_was_moved_to_another_item_shows_on_both(send, shop_writer, hub_app):
    shop_writer.release("WO-1")
    shop_writer.release("WO-2")
    log, seq = shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=2))
    shop_writer.settle()
    send("/items/WO-1", do="put-right", scan=f"{log}:{seq}", item="WO-2", why="the sheets were swapped")
    for name in ("WO-1", "WO-2"):
        (change,) = hub_app.anonymous().get(f"/api/v1/items/{name}").json["changes"]
        assert (change["old"], change["new"]) == ({"item": "WO-1"}, {"item": "WO-2"}), name
