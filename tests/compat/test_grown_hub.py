"""A hub of the version before with many events: its process serves, shows its progress and takes scans while it rebuilds."""

import json
import sqlite3
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest
from running_hub import RunningHub
from shop_writer import ShopWriter

from server.db.store import Store
from server.ops.bootstrap import initialise
from tests.compat.releases import a_log

pytestmark = [pytest.mark.host, pytest.mark.nightly]
ORDERS = 2_500
WITHIN_S = 600.0


@pytest.fixture
def grown(tmp_path: Path) -> tuple[Path, str]:
    """The database of a hub with ORDERS scanned orders that earlier rules folded, and the token of a station."""
    db = tmp_path / "hub.db"
    store = Store(db)
    initialise(store)
    shop_writer = ShopWriter(store)
    shop_writer.small_shop()
    for start in range(0, ORDERS, 500):
        shop_writer.release_all((f"WO-{n}", "bracket", 4, {}) for n in range(start, start + 500))
    for n in range(ORDERS):
        shop_writer.scan(f"WO-{n}", "saw", shop_writer.ago(hours=1))
    shop_writer.settle()
    token = shop_writer.station("saw-1")
    store.close()
    with closing(sqlite3.connect(db)) as earlier:
        earlier.execute("UPDATE projection SET v = v - 1 WHERE k = 'fold_version'")
        earlier.commit()
    return db, token


def test_a_grown_hub_takes_scans_while_its_projections_are_made_anew(grown: tuple[Path, str]) -> None:
    db, token = grown
    hub = RunningHub(db).start().ready()
    try:
        rebuild = hub.until(lambda health: health["running"], WITHIN_S)["running"][0]
        assert (rebuild["work"], rebuild["unit"]) == ("rebuild", "event")
        assert 0 < rebuild["done"] < rebuild["total"]
        log, _, scans = a_log(bytes(range(16, 32)), "WO-1")
        url, headers = f"{hub.url}/api/v1/logs/{log.hex()}/events", {"Authorization": f"Bearer {token}"}
        headers["Content-Type"] = "application/json"
        request = urllib.request.Request(url, json.dumps(scans).encode(), headers)  # noqa: S310 - loopback
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
            assert [verdict["verdict"] for verdict in json.load(answer)["verdicts"]] == ["ok"]
        assert hub.get("/healthz")["running"], "the scan was acknowledged while the rebuild ran"
        with urllib.request.urlopen(f"{hub.url}/wall", timeout=60) as page:  # noqa: S310 - loopback
            assert "Rebuild: " in page.read().decode()
        hub.until(lambda health: health["projected_pos"] == health["pos"] and not health["running"], WITHIN_S)
        assert hub.get("/api/v1/items/WO-1")["events"][-1]["log"] == log.hex()
    finally:
        hub.stop()
