"""The page and the API of a finished count: accept, reject, take back, with the rights that each takes."""

import html
import re

import pytest


@pytest.fixture
def shop(shop_writer):
    shop_writer.small_shop()
    for order in ("WO-1", "WO-2", "WO-3"):
        shop_writer.release(order, qty=10)
        shop_writer.scan(order, "saw", shop_writer.ago(hours=9))
    shop_writer.say("count.open", shop_writer.ago(hours=5), count="C-7", stages=["saw"])
    shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=4), action="count", qty_milli=8000)
    shop_writer.scan("WO-2", "saw", shop_writer.ago(hours=3), action="count", qty_milli=15_000)
    shop_writer.settle()
    shop_writer.say("count.end", shop_writer.ago(hours=2), count="C-7", how="finished")
    shop_writer.settle()
    return shop_writer


@pytest.fixture
def supervisor(hub_app):
    return hub_app.person("supervise", "Nora Blum")


@pytest.fixture
def accountant(hub_app):
    return hub_app.person("account", "Ida Roth")


def text_of(page):
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", page))).strip().replace("\u2212", "-")


def page_of(browser, address="/counts/C-7"):
    return text_of(browser.get(address).get_data(as_text=True))


def fields_of(browser, address="/counts/C-7"):
    page = browser.get(address).get_data(as_text=True).partition('method="post"')[2]
    return {
        name: page.partition(f'name="{name}" value="')[2].partition('"')[0] for name in ("csrf_token", "once", "all")
    }


def lines_of(browser):
    """The etag of each line that the page lets choose."""
    page = browser.get("/counts/C-7").get_data(as_text=True)
    return {item: etag for etag, item in re.findall(r'name="line" value="(\w+)" aria-label="(\S+) at', page)}


def send(browser, shop, fields=None, **typed):
    sent = (fields_of(browser) if fields is None else fields) | typed
    answer = browser.post("/counts/C-7/decisions", data=sent)
    shop.settle()
    return answer


def test_lines_are_accepted_rejected_and_taken_back(hub_app, shop, supervisor):
    assert "Accept all 3 lines" in page_of(supervisor)
    assert "Accept all" not in page_of(hub_app.anonymous())
    line = lines_of(supervisor)
    fields = fields_of(supervisor)
    assert send(supervisor, shop, fields, do="accepted", line=line["WO-1"]).status_code == 302
    assert send(supervisor, shop, fields, do="accepted", line=line["WO-1"]).status_code == 302  # the same form again
    assert send(supervisor, shop, do="accepted", line=line["WO-1"]).status_code == 409
    assert send(supervisor, shop, do="rejected", line=line["WO-2"]).status_code == 400
    assert send(supervisor, shop, do="rejected", line=line["WO-2"], why="wrong <card>").status_code == 302
    page = page_of(hub_app.anonymous())
    assert re.search(r"accepted .{5,30} by Nora Blum", page)
    assert re.search(r"rejected .{5,30} by Nora Blum: wrong <card>", page)
    file = hub_app.anonymous().get("/count.csv?count=C-7").get_data(as_text=True)
    assert re.search(r"differs,WO-1,saw,bracket,10,10,8,-2,.*,accepted,.*,Nora Blum,,", file)
    undo = re.search(r'name="undo" value="(\S+)" aria-label="Take back the decision about WO-1', supervisor.get(
        "/counts/C-7"
    ).get_data(as_text=True))[1]  # fmt: skip
    assert send(supervisor, shop, undo=undo).status_code == 302
    assert "WO-1" in lines_of(supervisor)
    assert send(supervisor, shop, undo=undo).status_code == 400
    assert send(supervisor, shop, undo="x").status_code == 400
    assert send(supervisor, shop, do="lost").status_code == 400
    assert send(supervisor, shop, do="accepted").status_code == 400


def test_all_lines_up_to_the_limit_are_accepted_at_once_as_they_were_shown(hub_app, shop, supervisor, accountant):
    assert accountant.post("/count-limit", data=fields_of(accountant, "/counts") | {"limit": "9.99"}).status_code == 302
    assert supervisor.post("/count-limit", data=fields_of(supervisor, "/counts") | {"limit": "10"}).status_code == 403
    shop.settle()
    assert "more than € 9.99, or without a cost" in page_of(supervisor, "/counts")
    page = page_of(supervisor)
    assert "Accept all 1 line up to € 9.99" in page
    assert page.count("above the limit: an accountant who did not count") == 2
    shown = fields_of(supervisor)
    shop.scan("WO-1", "saw", shop.ago(hours=2.5), action="count", qty_milli=7000)
    shop.settle()
    assert send(supervisor, shop, shown, do="all").status_code == 409
    assert send(supervisor, shop, do="all").status_code == 302
    line = lines_of(supervisor)
    assert set(line) == {"WO-2", "WO-3"}
    assert send(supervisor, shop, do="accepted", line=line["WO-2"]).status_code == 403
    assert send(accountant, shop, do="accepted", line=line["WO-2"]).status_code == 302
    assert send(supervisor, shop, do="rejected", line=line["WO-3"], why="found since").status_code == 302
    place = hub_app.anonymous().get("/api/v1/counts/C-7").get_json()["lines"][1]["decision"]
    for roles, status in (("supervise", 403), ("account", 200)):
        void = {"what": "void", "data": {"log": place["log"], "seq": place["seq"]}}
        assert (
            hub_app.anonymous().post("/api/v1/entries", json=void, headers=hub_app.token(roles)).status_code == status
        )


def test_the_api_decides_as_the_page_does(hub_app, shop):
    reader, token = hub_app.anonymous(), hub_app.token("supervise")
    line = {one["item"]: one for one in reader.get("/api/v1/counts/C-7").get_json()["lines"]}
    assert [line["WO-1"]["booking"]["obstacle"], line["WO-1"]["decision"]] == [None, None]
    body = {"how": "accepted", "lines": [line[name]["booking"]["etag"] for name in ("WO-1", "WO-2")], "by": "Nora"}

    def post(content, headers=token, count="C-7"):
        answer = reader.post(f"/api/v1/counts/{count}/decisions", json=content, headers=headers)
        shop.settle()
        return answer

    assert post(body, headers={}).status_code == 401
    assert post(body, headers=hub_app.token("view")).status_code == 403
    assert post(body, count="nothing").status_code == 404
    assert len(post(body).get_json()["entries"]) == 2
    assert post(body).status_code == 409
    assert post({"how": "accepted", "lines": []}).status_code == 400
    decided = reader.get("/api/v1/counts/C-7").get_json()["lines"][0]["decision"]
    assert decided["how"] == "accepted"
    assert decided["by"].startswith("Nora (token ")
    assert [decided["difference_milli"], decided["value_micros"]] == [-2000, -4_000_000]


def test_a_line_that_moved_since_says_why_it_is_not_booked(shop, supervisor):
    shop.scan("WO-1", "deburr", shop.ago(hours=1))
    shop.settle()
    assert "Not bookable: it moved since: 0 of what was at Saw is left there. Count it again" in page_of(supervisor)
    line = lines_of(supervisor)
    assert send(supervisor, shop, do="accepted", line=line["WO-1"]).status_code == 409
    assert "Accept all 2 lines" in page_of(supervisor)


def test_a_late_scan_after_the_decision_says_that_the_difference_is_another_one(shop, supervisor):
    assert send(supervisor, shop, do="all").status_code == 302
    shop.scan("WO-1", "deburr", shop.ago(hours=4.5), qty_milli=2000)
    shop.settle()
    assert page_of(supervisor).count("The difference is another one now") == 1
