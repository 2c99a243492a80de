"""The pages of counts: a person opens one, walks, and finishes it; a blind one hides what the ledger expects until then."""

import html
import re

import pytest

from server.ledger.hub_log import append_own, event_of


@pytest.fixture
def shop(shop_writer):
    shop_writer.small_shop()
    for order in ("WO-1", "WO-2"):
        shop_writer.release(order, qty=10)
        shop_writer.scan(order, "saw", shop_writer.ago(hours=9))
    shop_writer.settle()
    return shop_writer


@pytest.fixture
def supervisor(hub_app):
    return hub_app.person("supervise", "Nora Blum")


def text_of(page):
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", page))).strip()


def page_of(browser, address):
    return text_of(browser.get(address).get_data(as_text=True))


def send(browser, shop, address, **typed):
    page = browser.get(address).get_data(as_text=True).partition('method="post"')[2]
    fields = {name: page.partition(f'name="{name}" value="')[2].partition('"')[0] for name in ("csrf_token", "once")}
    answer = browser.post(address, data=fields | typed)
    shop.settle()
    return answer


def test_a_count_is_opened_walked_and_finished(hub_app, shop, supervisor):
    shop.say("count.open", shop.ago(hours=5), count="C-7", stages=["saw"], why="Year <end>")
    shop.scan("WO-1", "saw", shop.ago(hours=4), action="count", qty_milli=8000)
    shop.settle()
    page = page_of(supervisor, "/counts/C-7")
    assert "1 line counted · quantity differs: 1 · not counted: 1 (€ 20.00) · € 4.00 not in agreement" in page
    assert "WO-1 Bracket Saw 10 8 pcs -2 -€ 4.00 quantity differs" in page.replace("\u2212", "-")
    assert send(supervisor, shop, "/counts/C-7", do="finished").status_code == 302
    assert "Year <end>" in page_of(hub_app.anonymous(), "/counts")
    assert "missing: 1" in page_of(hub_app.anonymous(), "/counts/C-7")
    lines = hub_app.anonymous().get("/count.csv?count=C-7").get_data(as_text=True).splitlines()
    assert lines[1].startswith("missing,WO-2,saw,bracket,10,10,,-10,pcs,-20.00,")
    assert send(supervisor, shop, "/counts/C-7", do="finished").status_code in (400, 409)


def test_the_form_opens_a_count_of_the_chosen_stages_once(shop, supervisor):
    answer = send(supervisor, shop, "/counts", stage=["saw", "deburr"], blind="1", why="a")
    assert (answer.status_code, answer.location) == (302, "/counts/C-1")
    assert send(supervisor, shop, "/counts").location == "/counts/C-2"
    lines = supervisor.get("/counts.csv").get_data(as_text=True).splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == ["C-2", "C-1"]
    assert send(supervisor, shop, "/counts", stage="nowhere").status_code == 400


def test_a_blind_count_shows_nothing_expected_until_it_is_finished(hub_app, shop, supervisor):
    shop.say("count.open", shop.ago(hours=5), count="a/b", blind=True)
    shop.scan("WO-1", "saw", shop.ago(hours=4), action="count")
    shop.settle()
    page = page_of(hub_app.anonymous(), "/counts/a%2Fb")
    assert "all of it" in page
    assert "WO-2" not in page
    assert "Expected" not in page
    answer = hub_app.anonymous().get("/api/v1/counts/a%2Fb").get_json()
    hidden = answer["lines"][0]
    assert [answer["total"], hidden["kind"], hidden["expected_milli"], hidden["counted_milli"]] == [1, None, None, None]
    assert "counted,WO-1,saw,bracket,,,,,pcs,,,,,,1," in hub_app.anonymous().get("/count.csv?count=a%2Fb").get_data(
        as_text=True
    )
    send(supervisor, shop, "/counts/a%2Fb", do="finished")
    assert "10 10 pcs agrees" in re.sub(r"\s+", " ", page_of(hub_app.anonymous(), "/counts/a%2Fb"))


def test_the_api_has_counts_and_lines_in_pages(hub_app, shop):
    shop.say("count.open", shop.ago(hours=5), count="C-1")
    shop.say("count.open", shop.ago(hours=4), count="C-2")
    shop.settle()
    reader = hub_app.anonymous()
    first = reader.get("/api/v1/counts?limit=1").get_json()
    assert [first["counts"][0]["count"], first["cursor"]] == ["C-2", "C-2"]
    assert reader.get("/api/v1/counts?limit=1&cursor=C-2").get_json()["counts"][0]["count"] == "C-1"
    one = reader.get("/api/v1/counts/C-1?limit=1").get_json()
    two = reader.get("/api/v1/counts/C-1", query_string={"limit": 1, "cursor": one["cursor"]}).get_json()
    assert [one["lines"][0]["item"], two["lines"][0]["item"], two["cursor"]] == ["WO-1", "WO-2", None]
    assert reader.get("/api/v1/counts/C-1?cursor=x").status_code == 400
    assert reader.get("/api/v1/counts/nothing").status_code == 404
    assert reader.get("/counts/nothing").status_code == 404


@pytest.mark.parametrize(
    ("what", "data"),
    [
        ("count.open", {"count": "C-1"}),
        ("count.end", {"count": "C-9", "how": "finished"}),
        ("count.open", {"count": "C-3", "stages": []}),
        ("count.end", {"count": "C-1", "how": "lost"}),
        ("count.open", {"count": "C-3", "stage": "saw"}),
        *(("count.open", {"count": name}) for name in ("..", ".", "a\nb", "C\u200b1", "\u202eC")),
        ("count.open", {"count": "C-3", "stages": ["saw", "swa"]}),
        ("count.limit", {"micros": -1}),
    ],
)
def test_an_entry_without_effect_or_with_a_wrong_field_is_refused(hub_app, shop, what, data):
    shop.say("count.open", count="C-1")
    answer = hub_app.anonymous().post(
        "/api/v1/entries", json={"what": what, "data": data}, headers=hub_app.token("supervise account")
    )
    assert answer.status_code in (400, 409)


def test_the_answer_to_a_form_shows_each_character_of_a_name(hub_app, shop, supervisor):
    with shop.store.write() as connection:  # as an earlier version recorded it
        now = shop.store.clock.read()
        count = {"count": "x\u202eb" + "y" * 4_000}
        append_own(
            connection, [event_of("entry", shop.store.clock, now, what="count.open", data=count, by="Kim")], now.utc_us
        )
    shop.settle()
    (address,) = re.findall(r'href="(/counts/[^"]*)"', supervisor.get("/counts").get_data(as_text=True))
    assert send(supervisor, shop, address, do="finished").status_code == 302
    page = page_of(supervisor, address)
    assert "Count x⟨U+202E⟩by" in page
    assert "\u202e" not in page
    accountant = hub_app.person("account")
    shop.say("product.define", product="box", bom=[{"component": "\u202ebar", "qty_milli": 1000}])
    shop.settle()
    assert send(accountant, shop, "/costs", component="\u202ebar", basis="unit", amount="1").status_code == 302
    page = page_of(accountant, "/costs")
    assert "⟨U+202E⟩bar costs € 1.00" in page
    assert "\u202e" not in page
