"""The shop's separators and time zone: from the hub's configuration through the snapshot to the station's screen."""

import json
import time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import engines
import pytest

from server.config import HubConfig
from server.context import HubContext
from server.db.store import Store
from server.locale_format import locale_of
from server.projection.station_snapshot import snapshot
from station.core.protocol import OpenItem
from station.core.snapshot import Snapshot
from station.feedback.idle_screen import next_items, site_clock
from station.rules.snapshot import StationDefinitions, read_shop
from station.scan.bench_state import ArmedAction

engine = engines.both_at_night

SHOP = [
    {"what": "product.define", "data": {"product": "bar", "routing": "r", "unit": "m", "decimals": 3}},
    {"what": "routing.define", "data": {"routing": "r", "operations": [{"op": 10, "stage": "saw"}]}},
]


def _snapshot(store: Store, separators: tuple[str, str], zone: str | None = None) -> tuple[str, bytes]:
    with store.read() as connection:
        return snapshot(connection, None, separators, zone)


@pytest.mark.parametrize(("locale", "text"), [("de", "1.234,5"), ("en", "1,234.5"), ("en-IN", "1,234.5")])
def test_a_quantity_on_the_screen_has_the_separators_of_the_hubs_locale(store: Store, locale: str, text: str) -> None:
    separators = locale_of(HubConfig(locale=locale)).separators
    body = _snapshot(store, separators)[1]
    shop = read_shop(json.dumps(json.loads(body) | {"definitions": SHOP}).encode())
    assert shop.quantity(1_234_500) == text
    assert next_items("saw", shop, [OpenItem("WO-1", "bar", 10, "waiting", 1_234_500)]) == (f"WO-1  bar  {text}",)
    assert ArmedAction(action="scrap", qty_milli=2_500).words(shop) == "SCRAP " + text[-3:].replace("4", "2")


def test_another_locale_is_another_version_of_the_snapshot(store: Store) -> None:
    versions = {_snapshot(store, locale_of(HubConfig(locale=name)).separators)[0] for name in ("de", "en")}
    assert len(versions) == 2


def test_a_hub_of_an_earlier_version_sends_none() -> None:
    assert StationDefinitions().quantity(1_234_500) == "1234.5"


def test_the_clock_of_the_screen_is_in_the_sites_zone(store: Store) -> None:
    body = _snapshot(store, (".", ","), "Asia/Kolkata")[1]
    assert json.loads(body)["zone"] == "Asia/Kolkata"
    shop = read_shop(body)
    assert site_clock(shop.zone, shop.zone_missing, 0) == ("05:30:00", [])


def test_a_hub_sends_the_zone_of_its_configuration(store: Store) -> None:
    hub = HubContext(HubConfig(timezone="Europe/Berlin"), store)
    assert json.loads(hub.definitions()[1])["zone"] == "Europe/Berlin"


def test_a_machine_without_data_of_the_zone_has_its_own_clock_and_a_note() -> None:
    def no_zone(name: str) -> ZoneInfo:
        raise ZoneInfoNotFoundError(name)

    shop = StationDefinitions(Snapshot(zone="Europe/Berlin"), no_zone)
    clock, notes = site_clock(shop.zone, shop.zone_missing, 0)
    assert clock == time.strftime("%H:%M:%S", time.localtime(0))
    assert notes == [f"clock: {time.strftime('%Z', time.localtime(0))}, not Europe/Berlin: sudo apt-get install tzdata"]
    for name in ("../../etc/passwd", "Nowhere/Town", "a" * 64):
        assert StationDefinitions(Snapshot(zone=name)).zone_missing == name


def test_without_a_zone_from_the_hub_the_clock_is_that_of_the_machine() -> None:
    shop = StationDefinitions()
    assert site_clock(shop.zone, shop.zone_missing, 0) == (time.strftime("%H:%M:%S", time.localtime(0)), [])


def test_items_that_wait_have_the_names_of_their_products() -> None:
    named = [*SHOP[1:], {"what": "product.define", "data": {"product": "bar", "name": "Long bar", "routing": "r"}}]
    shop = read_shop(json.dumps({"definitions": named}).encode())
    assert next_items("saw", shop, [OpenItem("WO-1", "bar", 10, "waiting", 5_000)]) == ("WO-1  Long bar  5",)
