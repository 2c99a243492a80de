"""Separators of the shop's locale: from the hub's configuration through the snapshot to the station's screen."""

import json

import pytest

from server.api.snapshot_cache import CachedSnapshot
from server.config import HubConfig
from server.db.store import Store
from server.locale_format import locale_of
from station.core.protocol import OpenItem
from station.feedback.idle_screen import next_items
from station.rules.snapshot import StationDefinitions, read_shop
from station.scan.bench_state import ArmedAction

SHOP = [
    {"what": "product.define", "data": {"product": "bar", "routing": "r", "unit": "m", "decimals": 3}},
    {"what": "routing.define", "data": {"routing": "r", "operations": [{"op": 10, "stage": "saw"}]}},
]


@pytest.mark.parametrize(("locale", "text"), [("de", "1.234,5"), ("en", "1,234.5"), ("en-IN", "1,234.5")])
def test_a_quantity_on_the_screen_has_the_separators_of_the_hubs_locale(store: Store, locale: str, text: str) -> None:
    separators = locale_of(HubConfig(locale=locale)).separators
    _, body = CachedSnapshot().current(store, separators)
    shop = read_shop(json.dumps(json.loads(body) | {"definitions": SHOP}).encode())
    assert shop.quantity(1_234_500) == text
    assert next_items("saw", shop, [OpenItem("WO-1", "bar", 10, "waiting", 1_234_500)]) == (f"WO-1  bar  {text}",)
    assert ArmedAction(action="scrap", qty_milli=2_500).words(shop.quantity) == "SCRAP " + text[-3:].replace("4", "2")


def test_another_locale_is_another_version_of_the_snapshot(store: Store) -> None:
    versions = {
        CachedSnapshot().current(store, locale_of(HubConfig(locale=name)).separators)[0] for name in ("de", "en")
    }
    assert len(versions) == 2


def test_a_hub_of_an_earlier_version_sends_none() -> None:
    assert StationDefinitions().quantity(1_234_500) == "1234.5"
