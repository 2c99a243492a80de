"""A pattern that a version before recorded and that could be matched for ever: hub and station start, say so, and scan."""

import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from running_hub import RunningHub

from server.db.store import Store
from server.ledger.hub_log import append_own, event_of, keep_time
from station.core.codes import Scheme
from station.rules.snapshot import log_refused, read_shop, rule_context
from tests.station.fixtures.journals import open_journal
from tests.station.fixtures.scan_pipeline import Bench, a_read
from tests.station.fixtures.station_process import Daemon

ENDLESS = {"name": "endless", "regex": "(?:a{,})+b", "as": "item"}
ORDER = {"name": "order", "regex": "WO-(?P<id>[0-9]+)", "as": "item"}
ATTACK = "a" * 40 + "c"  # a backtracking search would take 2^40 steps
OLD_SNAPSHOT = json.dumps(
    {"definitions": [{"what": "pattern.define", "data": each} for each in (ENDLESS, ORDER)]}
).encode()


def test_a_snapshot_of_before_is_read_without_the_pattern_and_the_log_names_it() -> None:
    shop = read_shop(OLD_SNAPSHOT)
    assert [each.name for each in shop.patterns] == ["order"]
    lines: list[dict[str, str]] = []
    log_refused(shop, lambda what, **fields: lines.append({"what": what, **fields}))
    assert lines[0]["pattern"] == "endless"
    assert "repeat without end" in lines[0]["why"]


def test_a_scan_that_the_pattern_would_match_for_ever_is_green_at_once() -> None:
    bench = Bench(patterns=tuple(rule_context(OLD_SNAPSHOT).patterns))
    began = time.process_time()
    answers = bench.take(a_read(ATTACK.encode(), 10), a_read(b"WO-1042", 11))
    assert time.process_time() - began < 2
    assert [each.text for each in answers] == [f"saved: {ATTACK}", "saved: 1042"]
    assert [each.scheme for each in bench.journal.decoded()] == [Scheme.TEXT, Scheme.OWN]


def record_unchecked(db: Path, *patterns: dict[str, str]) -> None:
    """Write definitions as a hub without today's check did."""
    store = Store(db)
    with store.write() as connection:
        keep_time(connection, store.clock)
        now = store.clock.read()
        fields = [{"what": "pattern.define", "data": each, "by": "Ann", "holds_from_us": 0} for each in patterns]
        append_own(connection, [event_of("entry", store.clock, now, **each) for each in fields], now.utc_us)
    store.close()


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[RunningHub]:
    """A hub whose ledger holds the pattern."""
    running = RunningHub(tmp_path / "hub.db")
    record_unchecked(tmp_path / "hub.db", ENDLESS, ORDER)
    yield running.start().ready()
    running.stop()


def test_hub_and_station_start_with_it_say_so_and_scan(hub: RunningHub, tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.save_snapshot("old", OLD_SNAPSHOT)
    (tmp_path / "token").write_text(hub.command("station", "add", "saw-1").stdout)
    link = f'[hub]\nurl = "{hub.url}"\ntoken_file = "{tmp_path}/token"\n'
    with Daemon(tmp_path, link) as station:
        station.start()
        assert b"pattern=endless" in station.log.read_bytes()
        station.scan(ATTACK, "WO-1042")
        assert [each["state"] for each in station.answered(2)] == ["green", "green"]
        tip = station.answers()[-1]["seq"]
        station.until(lambda: station.status()["hub"]["accepted_thru"] >= tip)
        station.until(
            lambda: station.log.read_bytes().count(b"pattern=endless") >= 2
        )  # the hub's snapshot names it, too
        assert "(?:a{,})+b" in station.command("doctor").stdout
        healthz = hub.get("/healthz")
        assert any("Pattern 'endless' (?:a{,})+b" in note and "Define it again" in note for note in healthz["notes"])
        station.until(lambda: hub.get("/api/v1/items/1042").get("events"))
        assert hub.get(f"/api/v1/items/{ATTACK}")["item"] == ATTACK


def test_the_hub_does_not_send_it_to_stations(hub: RunningHub, tmp_path: Path) -> None:
    token = hub.command("station", "add", "saw-1").stdout.strip()
    asked = urllib.request.Request(  # noqa: S310  loopback
        f"{hub.url}/api/v1/snapshot", headers={"Authorization": f"Bearer {token}"}
    )
    deadline = time.monotonic() + 20
    while True:
        with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310  loopback
            body = json.load(answer)
        if body["definitions"]:
            break
        assert time.monotonic() < deadline, body
        time.sleep(0.05)
    assert [each["data"]["name"] for each in body["definitions"]] == ["order"]
    assert [each["name"] for each in body["refused"]] == ["endless"]
