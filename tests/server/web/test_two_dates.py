"""Two dates of the board side by side, and the links and fields that step by day."""

import csv
import io
import re
from datetime import UTC, datetime

import pytest
from shop_writer import ShopWriter


@pytest.fixture
def shop_writer(store):
    made = ShopWriter(store)
    made.small_shop()
    made.release("WO-1", qty=40)
    made.scan("WO-1", "saw", made.ago(days=3))
    made.scan("WO-1", "pack", made.ago(hours=30), qty_milli=15_000)
    made.settle()
    return made


def local(shop_writer, **ago):
    return f"{datetime.fromtimestamp(shop_writer.ago(**ago) / 1e6, UTC):%Y-%m-%dT%H:%M}"


def words(answer):
    text = re.sub(r"<[^>]+>", " ", answer.get_data(as_text=True))
    return re.sub(r"\s+", " ", text.replace("\u2068", "").replace("\u2069", ""))


def test_the_page_says_what_came_and_what_went(hub_app, shop_writer):
    query = f"as_of={local(shop_writer, hours=20)}&against={local(shop_writer, days=2)}"
    answer = hub_app.anonymous().get(f"/?{query}")
    assert "0 items came into the line and 0 left it; 15 pcs finished; 1 item in process, worth € 30 less." in words(
        answer
    )
    assert "data-live" not in answer.get_data(as_text=True)
    swapped = f"as_of={local(shop_writer, days=2)}&against={local(shop_writer, hours=20)}"
    assert "15 pcs finished" in words(hub_app.anonymous().get(f"/?{swapped}"))
    assert "15 pcs finished" in words(hub_app.anonymous().get(f"/?against={local(shop_writer, days=2)}"))
    (file,) = re.findall(r'href="(/change.csv[^"]+)"', answer.get_data(as_text=True))
    rows = list(
        csv.DictReader(io.StringIO(hub_app.anonymous().get(file.replace("&amp;", "&")).get_data(as_text=True)[1:]))
    )
    (saw,) = (row for row in rows if row["stage"] == "saw")
    assert [saw[name] for name in ("was", "came", "went", "finished", "is", "value_was", "value_went", "value_is")] == [
        "40", "0", "15", "0", "25", "80.00", "30.00", "50.00",
    ]  # fmt: skip
    (line,) = (row for row in rows if row["name"] == "In process")
    assert (line["went"], line["finished"], line["is"]) == ("15", "15", "25")


def test_the_api_answers_the_same_change(hub_app, shop_writer):
    against, as_of = shop_writer.ago(days=2), shop_writer.ago(hours=20)
    answer = hub_app.anonymous().get(f"/api/v1/wip/change?against={against}&as_of={as_of}").get_json()
    (saw,) = (place for place in answer["places"] if place["stage"] == "saw")
    assert saw["quantities"] == [
        {"unit": "pcs", "was": "40", "came": "0", "went": "15", "finished": "0", "scrapped": "0", "now": "25"}
    ]
    assert (saw["was_micros"], saw["went_micros"], saw["now_micros"]) == (80_000_000, 30_000_000, 50_000_000)
    assert (answer["line"]["place"], answer["line"]["quantities"][0]["finished"]) == ("line", "15")
    assert hub_app.anonymous().get("/api/v1/wip/change").status_code == 400
    late = shop_writer.now_us + 3_600_000_000
    assert "against" in hub_app.anonymous().get(f"/api/v1/wip/change?against={late}").get_data(as_text=True)


def test_the_links_step_by_day_and_end_at_the_present(hub_app, shop_writer):
    against = local(shop_writer, days=5).replace(":", "%3A")
    page = hub_app.anonymous().get(f"/?as_of=2026-01-10T08:30&against={against}").get_data(as_text=True)
    at = local(shop_writer, days=5)  # the earlier of both is what is compared with
    assert 'value="2026-01-10T08:30"' in page
    assert f'value="{at}"' in page
    page = hub_app.anonymous().get("/?as_of=2026-01-10T08:30").get_data(as_text=True)
    assert '<a rel="prev" href="/?as_of=2026-01-09T08%3A30">Day before</a>' in page
    assert '<a rel="next" href="/?as_of=2026-01-11T08%3A30">Day after</a>' in page
    page = hub_app.anonymous().get(f"/?as_of={local(shop_writer, hours=20)}").get_data(as_text=True)
    assert '<a rel="next" href="/">Day after</a>' in page
    page = hub_app.anonymous().get("/").get_data(as_text=True)
    assert "Day after" not in page
    assert re.search(r'id="as_of"[^>]* max="\d{4}-\d\d-\d\dT\d\d:\d\d"', page)
    kept = hub_app.anonymous().get("/?as_of=2026-01-10T08:30&against=2026-01-02T08:30").get_data(as_text=True)
    assert 'href="/?as_of=2026-01-11T08%3A30&amp;against=2026-01-02T08%3A30">Day after' in kept


def test_a_time_that_cannot_be_compared_is_refused(hub_app, shop_writer):
    for query in ("against=2199-01-01T00:00", "against=soon", "as_of=2199-01-01T00:00&against=2026-01-01T00:00"):
        answer = hub_app.anonymous().get(f"/?{query}")
        assert answer.status_code == 400
        assert "2199" in words(answer) or "soon" in words(answer)
