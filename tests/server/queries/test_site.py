"""The site of a hub: hub.toml proposes the first entry once; from then on the entries hold."""

import datetime as dt
import json

import pytest
from shop_folder import SHOP, read
from sqlalchemy import func, select

from server.api.health import health
from server.config import HubConfig
from server.context import HubContext
from server.db import schema
from server.importer.current_state import CurrentState, RecordedEntry, fold_entries
from server.locale_format import locale_of
from server.ops.site_proposal import propose_site
from server.queries.site import current_locale, ignored_settings, site_definitions
from station.core.master_data import Definition

BERLIN = HubConfig(timezone="Europe/Berlin", currency="CHF", locale="de_CH.UTF-8")
HOUR_US = 3_600_000_000


@pytest.fixture
def proposed(store, shop_writer):
    """Start the hub with a configuration, and fold: the fields of all entries `site.define`."""

    def started(config):
        with store.write() as connection:
            propose_site(connection, config, store.clock)
        shop_writer.settle()
        with store.read() as connection:
            return [entry.data for entry in site_definitions(connection)]

    return started


def test_hub_toml_proposes_the_first_site_once_with_what_it_names(store, proposed):
    assert proposed(HubConfig()) == []
    first = {"zone": "Europe/Berlin", "currency": "CHF", "locale": "de-CH"}
    assert proposed(BERLIN) == [first]
    assert proposed(HubConfig(timezone="Asia/Tokyo")) == [first]
    assert proposed(HubConfig()) == [first]


def test_a_proposal_that_is_not_projected_yet_is_not_made_again(store):
    count = select(func.count()).select_from(schema.ledger)
    for _ in range(2):
        with store.write() as connection:
            propose_site(connection, BERLIN, store.clock)
            made = connection.execute(count).scalar_one()
    with store.write() as connection:
        propose_site(connection, BERLIN, store.clock)
        assert connection.execute(count).scalar_one() == made


def test_a_value_that_is_no_site_is_not_proposed(proposed):
    assert proposed(HubConfig(timezone="Europe/Berlin", currency="ABC", locale="klingon")) == [
        {"zone": "Europe/Berlin"}
    ]


def test_the_entries_hold_and_a_hub_toml_that_differs_is_said_and_ignored(store, shop_writer, proposed):
    proposed(BERLIN)
    shop_writer.say("site.define", None, day_start=360)
    shop_writer.settle()
    other = HubConfig(timezone="Asia/Tokyo", currency="CHF", locale="de-CH")
    with store.read() as connection:
        locale = current_locale(connection, other, store.clock.utc_us())
        assert (str(locale.zone), locale.currency, locale.locale) == ("Europe/Berlin", "CHF", "de-CH")
        assert ignored_settings(site_definitions(connection), BERLIN, store.clock.utc_us()) == []
    said = "hub.toml has timezone = Asia/Tokyo, and the site is defined with Europe/Berlin: hub.toml is ignored."
    assert [note for note in health(HubContext(other, store)).notes if note.startswith(said)]


def test_what_no_entry_states_is_as_hub_toml_has_it(store, shop_writer):
    shop_writer.say("site.define", 0, day_start=360)
    shop_writer.settle()
    with store.read() as connection:
        locale = current_locale(connection, BERLIN, store.clock.utc_us())
        assert (str(locale.zone), locale.currency) == ("Europe/Berlin", "CHF")
        assert ignored_settings(site_definitions(connection), BERLIN, store.clock.utc_us()) == []


def us(text):
    return int(dt.datetime.fromisoformat(text).timestamp()) * 1_000_000


def test_the_day_of_the_pages_begins_at_the_start_of_day_and_has_23_or_25_hours():
    definitions = [Definition("site.define", 0, (0, "hub", 1), {"zone": "Europe/Berlin", "day_start": 360})]
    locale = locale_of(HubConfig(), definitions)
    at_us = us("2026-11-24T05:59:00+01:00")
    assert locale.today(at_us) == dt.date(2026, 11, 23)
    assert locale.due(dt.date(2026, 11, 23), at_us) == "due today"
    assert locale.day_bounds(at_us) == (us("2026-11-23T06:00+01:00"), us("2026-11-24T06:00+01:00"))
    plain = locale_of(HubConfig(timezone="Europe/Berlin"))
    bounds = [plain.day_bounds(us(text)) for text in ("2026-03-29T12:00+02:00", "2026-10-25T12:00+01:00")]
    assert [(end - start) // HOUR_US for start, end in bounds] == [23, 25]


def test_the_address_of_the_site_has_its_present_day_and_its_definitions(hub_app, store, shop_writer, proposed):
    proposed(BERLIN)
    _log, seq = shop_writer.say("site.define", None, zone="Asia/Tokyo", day_start=420)
    shop_writer.settle()
    answer = hub_app.anonymous().get("/api/v1/site").get_json()
    site = {name: answer[name] for name in ("zone", "currency", "locale", "day_start")}
    assert site == {"zone": "Asia/Tokyo", "currency": "CHF", "locale": "de-CH", "day_start": 420}
    assert answer["day_from"] <= answer["definitions"][-1]["holds_from"] < answer["day_until"]
    first, second = answer["definitions"]
    assert (first["zone"], first["day_start"]) == ("Europe/Berlin", None)
    assert (second["zone"], second["currency"], second["seq"]) == ("Asia/Tokyo", None, seq)
    assert hub_app.anonymous().get("/api/v1/site?day=today").status_code == 400


def test_a_site_may_be_entered_at_the_general_address_by_an_administrator(hub_app, store, shop_writer):
    entry = {"what": "site.define", "data": {"zone": "Europe/Zurich", "currency": "CHF"}, "by": "dana"}
    for role, status in (("supervise", 403), ("administer", 200)):
        answer = hub_app.anonymous().post("/api/v1/entries", json=entry, headers=hub_app.token(role))
        assert answer.status_code == status, answer.get_data(as_text=True)
    shop_writer.settle()
    assert "CHF" in hub_app.anonymous().get("/api/v1/site").get_data(as_text=True)


def test_stations_get_the_zone_of_the_site_and_no_definition_of_it(store, shop_writer):
    hub = HubContext(HubConfig(timezone="Europe/Berlin"), store)
    version, body = hub.definitions()
    assert json.loads(body)["zone"] == "Europe/Berlin"
    shop_writer.say("site.define", 0, zone="Asia/Tokyo", locale="de", currency="JPY")
    shop_writer.settle()
    later, body = hub.definitions()
    found = json.loads(body)
    assert (later != version, found["zone"], found["separators"]["decimal"]) == (True, "Asia/Tokyo", ",")
    assert [entry for entry in found["definitions"] if entry["what"] == "site.define"] == []


def test_an_import_reads_days_by_the_site():
    site = RecordedEntry("0a" * 16, 1, "site.define", {"zone": "Asia/Tokyo", "day_start": 360}, None, 5)
    costs = b"component,product,op,basis,amount,valid_from\nsteel,,,,1.84,2026-12-01\n"
    for current, start in (
        (fold_entries([site]), "2026-12-01T06:00+09:00"),
        (CurrentState(), "2026-12-01T00:00+00:00"),
    ):
        read_entries = read({**SHOP, "costs.csv": costs}, current=current).entries
        (cost,) = (entry for entry in read_entries if entry.what == "cost.set")
        assert cost.holds_from_us == us(start)


def test_a_site_that_is_taken_back_does_not_hold_for_an_import():
    site = RecordedEntry("0a" * 16, 1, "site.define", {"zone": "Asia/Tokyo"}, None, 5)
    void = RecordedEntry("0a" * 16, 2, "void", {"log": "0a" * 16, "seq": 1}, None, 6)
    assert [len(fold_entries(entries).site) for entries in ([site], [site, void])] == [1, 0]


def test_the_board_counts_what_was_finished_since_the_start_of_day(hub_app, store, shop_writer):
    shop_writer.small_shop()
    shop_writer.release("WO-1", qty=7)
    shop_writer.scan("WO-1", "pack", shop_writer.ago(hours=2), action="finish")
    shop_writer.settle()
    now = dt.datetime.fromtimestamp(store.clock.utc_us() / 1_000_000, dt.UTC)
    pages = []
    for number, hours in enumerate((3, 1)):
        day_start = ((now.hour - hours) * 60 + now.minute) % 1440
        shop_writer.say("site.define", number, zone="UTC", day_start=day_start)
        shop_writer.settle()
        pages.append(hub_app.anonymous().get("/").get_data(as_text=True))
    assert ["7\xa0pcs" in page for page in pages] == [True, False]
