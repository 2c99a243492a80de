"""The network between a real station and a real hub goes away and comes back: nothing is lost, nothing is there twice."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from running_hub import RunningHub

from tests.faults.hub_ledger import promised, scans
from tests.faults.machine import Network, own_network
from tests.station.fixtures.station_process import Daemon

pytestmark = [pytest.mark.host, pytest.mark.xdist_group("wire")]

DRAINED_S = 120.0
OFFLINE_SCANS = [400, pytest.param(15_000, marks=pytest.mark.nightly)]
AT_ONCE = 100


@pytest.fixture
def network() -> Iterator[Network]:
    """A network of this test's own."""
    with own_network() as made:
        yield made


@pytest.fixture
def hub(network: Network, tmp_path: Path) -> Iterator[RunningHub]:
    """A hub in it."""
    made = RunningHub(tmp_path / "hub.db")
    (tmp_path / "token").write_text(made.command("station", "add", "saw-1").stdout)
    made.start().ready()
    yield made
    made.stop()


@pytest.fixture
def station(hub: RunningHub, tmp_path: Path) -> Iterator[Daemon]:
    """A station in it that has scanned once, and sent it."""
    with Daemon(tmp_path, f'[hub]\nurl = "{hub.url}"\ntoken_file = "{tmp_path}/token"\n') as made:
        made.start().scan("WO-FIRST")
        made.answered(1)
        made.until(lambda: in_step(made))
        yield made


def in_step(station: Daemon) -> bool:
    """Whether all that is recorded is at the hub, by the station's own status."""
    status = station.status()
    return bool(status["hub"]["state"] == "ok" and not status["waiting"])


def everything_is_there_once(hub: RunningHub, station: Daemon) -> None:
    """Each answered scan is in the ledger under its place, and there are no others."""
    told = promised(station.answers())
    assert {(log, seq): code for (log, seq, _), code in scans(hub).items()} == told
    assert hub.command("verify").returncode == 0
    assert len(told) == len(set(told.values()))


@pytest.mark.parametrize("count", OFFLINE_SCANS)
def test_a_backlog_drains_when_the_network_is_back_and_each_scan_is_there_once(
    network: Network, hub: RunningHub, station: Daemon, count: int
) -> None:
    network.down()
    for first in range(0, count, AT_ONCE):
        station.scan(*(f"WO-{number}" for number in range(first, first + AT_ONCE)))
        station.answered(1 + first + AT_ONCE)
    assert {each["state"] for each in station.answers()} == {"green"}
    station.until(lambda: station.status()["hub"]["state"] == "away")
    assert station.status()["waiting"] == count
    network.up()
    began_s = time.monotonic()
    station.until(lambda: in_step(station), DRAINED_S)
    print(f"{count} events: drained {time.monotonic() - began_s:.1f} s after the network was back")
    everything_is_there_once(hub, station)


def test_a_network_that_goes_in_the_middle_of_batches_again_and_again_costs_no_scan(
    network: Network, hub: RunningHub, station: Daemon
) -> None:
    for turn in range(4):
        station.scan(*(f"WO-{turn}-{number}" for number in range(AT_ONCE)))  # a batch is on its way
        network.down()
        station.scan(f"WO-{turn}-OFF")
        station.answered(1 + (turn + 1) * (AT_ONCE + 1))
        network.up()
    station.until(lambda: in_step(station), DRAINED_S)
    everything_is_there_once(hub, station)


def test_a_station_that_is_offline_while_its_token_is_revoked_and_made_anew_records_on_and_joins_again(
    network: Network, hub: RunningHub, station: Daemon
) -> None:
    """Row 37 of the fault matrix, with the days compressed: nothing on this path counts days but the pruning of what is
    durable. There is no TLS between station and hub yet, so neither certificates nor their authority are tried.
    """
    network.down()
    station.scan("WO-1", "WO-2")
    station.answered(3)
    token = station.folder / "token"
    hub.command("station", "revoke", "saw-1")  # by the control socket, which needs no network
    renewed = hub.command("station", "add", "saw-1").stdout
    network.up()
    station.until(lambda: station.status()["hub"]["state"] == "refused", 90)
    station.scan("WO-3")
    assert {each["state"] for each in station.answered(4)} == {"green"}
    assert list(scans(hub).values()) == ["WO-FIRST"]  # a revoked token brings in nothing
    token.write_text(renewed)
    station.until(lambda: in_step(station), 90)
    everything_is_there_once(hub, station)
    assert list(scans(hub).values()) == ["WO-FIRST", "WO-1", "WO-2", "WO-3"]
