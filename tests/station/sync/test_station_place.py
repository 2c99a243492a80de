"""Where a station scans, when its own file does not say: the hub does, and a restart without a network remembers."""

import json
from pathlib import Path

import pytest
from running_hub import RunningHub

from station.rules.snapshot import read_shop
from tests.station.fixtures.station_process import Daemon


def test_a_snapshot_says_at_which_stage_a_station_scans() -> None:
    body = b'{"definitions":[{"what":"station.define","data":{"station":"saw-1","stage":"deburr"}}]}'
    shop = read_shop(body)
    assert (shop.stage_at("saw-1"), shop.stage_at("saw-2")) == ("deburr", None)


def stages(station: Daemon) -> list[str | None]:
    """The stage in each scan of the journal."""
    events = [json.loads(line)["event"] for line in station.command("events").stdout.splitlines()]
    return [event.get("stage") for event in events if event["kind"] == "scan"]


@pytest.mark.host
@pytest.mark.xdist_group("wire")
def test_a_station_without_a_stage_scans_where_the_hub_says_also_offline(tmp_path: Path) -> None:
    hub = RunningHub(tmp_path / "hub.db")
    token = hub.command("station", "add", "saw-1", "--stage", "deburr").stdout
    assert len(token.strip()) == 43
    (tmp_path / "token").write_text(token)
    hub.start().ready()
    with Daemon(tmp_path, f'[hub]\nurl = "{hub.url}"\ntoken_file = "{tmp_path}/token"\n') as station:
        station.config.write_text(station.config.read_text().replace('stage = "saw"\n', ""))
        station.start()
        station.until(lambda: station.status()["stage"] == "deburr")
        station.scan("WO-1")
        station.answered(1)
        hub.stop()
        station.end()
        station.start()
        station.scan("WO-2")
        station.answered(2)
        assert stages(station) == ["deburr", "deburr"]


@pytest.mark.host
@pytest.mark.xdist_group("wire")
def test_a_station_with_anothers_token_records_and_sends_nothing_under_the_wrong_name(tmp_path: Path) -> None:
    hub = RunningHub(tmp_path / "hub.db")
    (tmp_path / "token").write_text(hub.command("station", "add", "mill-2").stdout)
    hub.start().ready()
    with Daemon(tmp_path, f'[hub]\nurl = "{hub.url}"\ntoken_file = "{tmp_path}/token"\n').start() as station:
        station.scan("WO-1")
        assert station.answered(1)[0]["state"] == "green"
        station.until(lambda: station.status()["hub"]["state"] == "refused")
        assert "station 'saw-1'" in station.status()["hub"]["error"]
        assert "'mill-2', whose token this is" in station.status()["hub"]["error"]
        said = station.command("doctor").stdout
        assert "WRONG  the hub refuses this station: " in said
        assert f"the token in {tmp_path}/token is another station's: correct `station`, or get this one its own" in said
        station.end()
        station.config.write_text(station.config.read_text().replace('"saw-1"', '"mill-2"'))
        station.start()
        station.scan("WO-2")
        station.until(lambda: station.status()["hub"]["state"] == "ok" and not station.status()["waiting"])
    hub.stop()
