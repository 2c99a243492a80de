"""/api/v1/periods: what each close stored, and its restatement; a roll-forward that begins at a close opens with it."""

import pytest
from sqlalchemy import delete

from server.db.schema import period_listing


@pytest.fixture
def shop(shop_writer):
    shop_writer.small_shop()
    shop_writer.release("WO-1", qty=10)
    shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=9))
    shop_writer.settle()
    for hours in (6, 4):
        shop_writer.say("period.close", shop_writer.ago(hours=hours), why="month end")
    shop_writer.scan("WO-1", "deburr", shop_writer.ago(hours=8), station="late-1")
    shop_writer.settle()
    return shop_writer


def asked(hub_app, address, **words):
    answer = hub_app.anonymous().get(address, query_string=words)
    assert answer.status_code == 200, answer.get_json()
    return answer.get_json()


def test_each_close_is_listed_with_its_hashes_on_pages(hub_app, shop):
    both = asked(hub_app, "/api/v1/periods")
    assert both["cursor"] is None
    newest, oldest = both["periods"]
    assert newest["until"] > oldest["until"]
    assert newest["id"] > oldest["id"] > oldest["known"]
    assert [(one["why"], one["holds"], one["value_micros"], one["lines"]) for one in both["periods"]] == [
        ("month end", True, 20_000_000, 1)
    ] * 2
    assert len({one["listing_sha256"] for one in both["periods"]}) == 2
    first = asked(hub_app, "/api/v1/periods", limit=1)
    assert first["periods"] == [newest]
    second = asked(hub_app, "/api/v1/periods", limit=1, cursor=first["cursor"])
    assert (second["periods"], second["cursor"]) == ([oldest], None)


def test_a_close_has_its_figures_and_what_is_known_now(hub_app, shop):
    newest = asked(hub_app, "/api/v1/periods")["periods"][0]
    answer = asked(hub_app, f"/api/v1/periods/{newest['id']}")
    assert answer["period"] == newest
    assert answer["components"] == {"bar": 20_000_000}
    assert answer["stages"] == [{"stage": "saw", "value_micros": 20_000_000}]
    assert answer["quantities"] == [{"unit": "pcs", "qty": "10", "items": 1}]
    assert answer["restatement"] == {
        "stored_micros": 20_000_000,
        "causes": {
            "late_scans": 10_000_000,
            "corrections": 0,
            "entries": 0,
            "definitions": 0,
            "computation": 0,
            "prices": 0,
        },
        "now_micros": 30_000_000,
    }


def test_a_period_that_is_none_or_has_no_listing_is_not_found(hub_app, shop):
    number = asked(hub_app, "/api/v1/periods")["periods"][0]["id"]
    for absent in (1, 2**80):
        assert hub_app.anonymous().get(f"/api/v1/periods/{absent}").status_code == 404
    with shop.store.write() as connection:
        connection.execute(delete(period_listing))
    assert hub_app.anonymous().get(f"/api/v1/periods/{number}").status_code == 404


def test_a_roll_forward_from_a_close_opens_with_what_was_stored(hub_app, shop):
    closed = asked(hub_app, "/api/v1/periods")["periods"][0]
    roll = asked(hub_app, "/api/v1/rollforward", **{"from": closed["until"]})
    assert roll["known"] == closed["known"]
    assert (roll["totals"]["opening_micros"], roll["totals"]["lines"]) == (20_000_000, {"late": 10_000_000})
    shop.say("period.reopen", why="a scan was missing")
    reopened = asked(hub_app, "/api/v1/rollforward", **{"from": closed["until"]})
    assert reopened["known"] == 0
