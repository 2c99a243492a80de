"""The card's file system turns read-only while a station scans: red at once, nothing false, and it comes back."""

import base64
import json
import time
from pathlib import Path

import pytest

from tests.faults.machine import Disk, ext4_disk
from tests.station.fixtures.station_process import Daemon

pytestmark = [pytest.mark.host, pytest.mark.xdist_group("disk")]

SAVED = 20


def codes(station: Daemon) -> list[str]:
    """The codes that the journal holds, in its order."""
    events = [json.loads(line)["event"] for line in station.command("events").stdout.splitlines()]
    return [base64.b64decode(event["raw"]).decode() for event in events if event["kind"] == "scan"]


def station_on(disk: Disk, folder: Path) -> Daemon:
    """A station whose journal is on this disk; its pipe of scans and its answers are elsewhere."""
    station = Daemon(folder)
    station.config.write_text(
        station.config.read_text().replace(f'journal = "{folder}/journal.db"', f'journal = "{disk.mount}/journal.db"')
    )
    return station


def test_a_file_system_that_turns_read_only_is_red_within_one_scan_and_scanning_goes_on_after_its_repair(
    tmp_path: Path,
) -> None:
    with ext4_disk(tmp_path) as disk, station_on(disk, tmp_path) as station:
        station.start().scan(*(f"WO-{number}" for number in range(SAVED)))
        before = station.answered(SAVED)
        assert {each["state"] for each in before} == {"green"}
        disk.fail()
        station.scan("WO-LOST")
        began_s = time.monotonic()
        refused = station.answered(SAVED + 1)[SAVED]
        print(f"red {time.monotonic() - began_s:.2f} s after the first scan on a read-only disk")
        assert refused["state"] == "red"
        assert refused.get("seq") is None
        assert station.process is not None
        assert station.process.wait(30) != 0  # what the kernel still has in memory is not to be believed
        station.end()
        station.start(ready=False).until(lambda: station.process is None or station.process.poll() is not None)
        assert len([each for each in station.answers() if each.get("seq")]) == SAVED  # a start on it promises nothing
        station.end()
        disk.detach()
        disk.attach()
        station.start().scan("WO-AFTER")
        station.until(lambda: any(each.get("code") == "WO-AFTER" and each.get("seq") for each in station.answers()))
        found = codes(station)
        promised = [each["code"] for each in station.answers() if each.get("seq")]
        assert [code for code in found if code in promised] == promised
        assert promised == [*(f"WO-{number}" for number in range(SAVED)), "WO-AFTER"]
        assert station.command("verify").returncode == 0
        station.end()
