"""A hub that is put back to an older state while nobody scans: real processes, and every green arrives without a scan."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from running_hub import RunningHub, hub_command

from tests.faults.hub_ledger import scans
from tests.station.fixtures.station_process import Daemon

pytestmark = [pytest.mark.host, pytest.mark.xdist_group("wire")]

BEFORE, AFTER = 80, 60
SENT_S = 120.0  # a pause after failures may be a minute


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[tuple[RunningHub, Daemon]]:
    """A hub that runs, and a station with its token that does not yet."""
    with ExitStack() as stack:
        hub = RunningHub(tmp_path / "hub.db")
        (tmp_path / "token").write_text(hub.command("station", "add", "saw-1").stdout)
        hub.start().ready()
        stack.callback(hub.stop)
        more = f'[hub]\nurl = "{hub.url}"\ntoken_file = "{tmp_path}/token"\n'
        yield hub, stack.enter_context(Daemon(tmp_path, more))


def sent(station: Daemon, name: str, count: int) -> None:
    """So many green scans that the hub has."""
    before = len(station.answers())
    station.scan(*(f"{name}-{number}" for number in range(count)))
    assert {answer["state"] for answer in station.answered(before + count)[before:]} == {"green"}
    tip = station.answers()[-1]["seq"]
    station.until(lambda: station.status()["hub"]["accepted_thru"] >= tip, SENT_S)


def all_arrive(hub: RunningHub, station: Daemon) -> None:
    """Every green of this station comes to the ledger, and nobody scans."""
    greens = sorted(answer["code"] for answer in station.answers())
    assert len(greens) == BEFORE + AFTER
    station.until(lambda: len(scans(hub)) == len(greens), SENT_S)
    assert sorted(scans(hub).values()) == greens
    assert hub.command("verify").returncode == 0


def test_an_idle_station_sends_what_a_restored_hub_lacks(rooms: tuple[RunningHub, Daemon], tmp_path: Path) -> None:
    hub, station = rooms
    station.start()
    sent(station, "BEFORE", BEFORE)
    hub.command("backup", str(tmp_path / "copy.db"))
    sent(station, "AFTER", AFTER)
    hub.stop()
    hub_command("restore", str(tmp_path / "copy.db"), "--db", str(hub.db))
    assert len(scans(hub)) == BEFORE, f"{AFTER} are missing"
    epoch = station.status()["hub"]["epoch"]
    hub.start().ready()
    all_arrive(hub, station)
    station.until(lambda: station.status()["hub"]["epoch"] != epoch, SENT_S)


def test_an_idle_station_sends_what_a_hub_lacks_that_was_put_back_without_a_word(
    rooms: tuple[RunningHub, Daemon],
) -> None:
    """The files of before, the high-water file too: no epoch begins, and the heartbeat's answer alone shows it."""
    hub, station = rooms
    station.start()
    sent(station, "BEFORE", BEFORE)
    hub.stop()
    kept = {path: path.read_bytes() for path in (hub.db, hub.db.with_name(hub.db.name + ".high"))}
    hub.start().ready()
    sent(station, "AFTER", AFTER)
    hub.stop()
    for suffix in ("-wal", "-shm"):
        hub.db.with_name(hub.db.name + suffix).unlink(missing_ok=True)
    for path, content in kept.items():
        path.write_bytes(content)  # into the same file: its number is what it was
    assert len(scans(hub)) == BEFORE
    epoch = station.status()["hub"]["epoch"]
    hub.start().ready()
    all_arrive(hub, station)
    assert station.status()["hub"]["epoch"] == epoch
