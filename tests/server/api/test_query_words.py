"""Query words over HTTP: unknown and repeated words, times without a zone, and how far behind each answer is."""

import pytest
from shop_writer import ShopWriter

from server.config import HubConfig

LISTS = (
    "/api/v1/wip",
    "/api/v1/items/WO-1",
    "/api/v1/orders",
    "/api/v1/calls",
    "/api/v1/stages",
    "/api/v1/stations",
)
VALUE = ("/value", "/value.csv", "/api/v1/value", "/obsolete", "/obsolete.csv", "/api/v1/obsolete")
PAGES = (
    "/",
    "/wall",
    "/orders",
    "/orders.csv",
    "/stages/saw",
    "/stage.csv?stage=saw",
    "/items/WO-1",
    "/item.csv?code=WO-1",
    "/find?q=WO-1",
    "/stations",
    "/rules",
    "/changes",
    "/cards",
    "/sheet",
)
PAST = (
    *VALUE,
    "/",
    "/orders",
    "/orders.csv",
    "/stages/saw",
    "/stage.csv?stage=saw",
    "/items/WO-1",
    "/item.csv?code=WO-1",
    "/find?q=WO-1",
    "/carriers",
    "/carriers.csv",
    "/api/v1/wip",
    "/api/v1/items/WO-1",
    "/api/v1/orders",
    "/api/v1/stages",
)


@pytest.fixture
def shop_writer(store):
    shop_writer = ShopWriter(store)
    shop_writer.small_shop()
    shop_writer.release("WO-1", qty=40, at_us=shop_writer.ago(days=2))
    shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=5))
    shop_writer.settle()
    return shop_writer


def asked(hub_app, address, word):
    return hub_app.anonymous().get(f"{address}{'&' if '?' in address else '?'}{word}")


@pytest.mark.parametrize(
    "address", [*LISTS, *PAGES, *VALUE, "/api/v1/events", "/api/v1/snapshot", "/api/v1/items/changes"]
)
def test_an_unknown_query_word_is_refused_with_the_known_ones(hub_app, shop_writer, address):
    answer = asked(hub_app, address, "colour=red")
    assert answer.status_code == 400
    assert answer.json["error"]["came"].startswith("the query word 'colour'")


@pytest.mark.parametrize("address", [one for one in (*LISTS, *PAGES) if one not in PAST])
def test_a_past_time_is_refused_where_only_the_present_is_answered(hub_app, shop_writer, address):
    answer = asked(hub_app, address, "as_of=2026-01-01T12:00")
    assert answer.status_code == 400
    assert "/api/v1/wip?as_of=" in answer.json["error"]["do"]


@pytest.mark.parametrize("address", PAST)
@pytest.mark.parametrize("time", ["yesterday", "2999-01-01T00:00", "2026-13-01", "999999999999999999"])
def test_a_time_that_is_no_past_time_is_refused(hub_app, shop_writer, address, time):
    assert asked(hub_app, address, f"as_of={time}").status_code == 400


def test_a_repeated_query_word_is_refused(hub_app, shop_writer):
    assert asked(hub_app, "/api/v1/wip?by=item", "by=stage").status_code == 400


@pytest.mark.parametrize(
    "address", ["/api/v1/items/WO-1?before=never", "/items/WO-1?before=-3", "/api/v1/stages?cursor=nowhere"]
)
def test_a_value_that_leads_nowhere_is_refused_and_not_ignored(hub_app, shop_writer, address):
    assert hub_app.anonymous().get(address).status_code == 400


def test_a_word_of_another_tool_does_not_end_a_health_check_or_a_sign_in(hub_app, shop_writer):
    for address in ("/healthz", "/metrics", "/openapi.json", "/sign-in"):
        assert asked(hub_app, address, "t=1").status_code == 200


def test_a_time_without_a_zone_is_the_time_of_the_site(open_hub_app, shop_writer):
    hub_app = open_hub_app(HubConfig(timezone="Pacific/Auckland"))
    zoned = asked(hub_app, "/api/v1/wip", "as_of=2026-01-15T12:00").json["as_of"]
    assert zoned == "2026-01-14T23:00:00.000000Z"


@pytest.mark.parametrize("address", LISTS)
def test_each_answer_has_its_position_and_how_far_it_is_behind(hub_app, shop_writer, address):
    answer = hub_app.anonymous().get(address).json
    pos = shop_writer.projector.pos
    assert [answer[name] for name in ("pos", "behind", "behind_s", "recalculating")] == [pos, 0, 0, 0]
    shop_writer.say("note", text="not projected yet", item="WO-1")
    shop_writer.say("note", text="neither is this", item="WO-1")
    answer = hub_app.anonymous().get(address).json
    assert [answer[name] for name in ("pos", "behind")] == [pos, 2]
