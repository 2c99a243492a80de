"""`decode` of a recording, and a station that plays one."""

import json
import os
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from drivers import open_driver
from station.core.event import decode
from station.journal import JournalReader
from tests.station.fixtures.capture_command import asked
from tests.station.fixtures.station_process import Daemon

pytestmark = [pytest.mark.host, pytest.mark.xdist_group("daemon")]
SAMPLES = Path(__file__).parents[2] / "drivers" / "recordings"


def test_a_wrong_recording_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "case.rec"
    file.write_bytes((SAMPLES / "serial_line.rec").read_bytes().replace(b'"t":35757273', b'"t":"soon"'))
    code, out, error = asked("decode", file)
    assert code == 2
    assert len(out.splitlines()) == 1  # what stands before it
    assert error == (
        "wipline-station: Line 4 of the recording: t is 'soon'; expected a whole number from 30554727 to 86400000000000. "
        "Expected what `wipline-station record` writes. Record it again, or have somebody look at the file.\n"
    )


def test_decode_answers_a_pipe_line_by_line() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "station.cli", "decode"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    for number in range(2):
        process.stdin.write(b"WO-%d\n" % number)
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["code"] == f"WO-{number}"
    process.communicate(timeout=30)


def test_a_station_plays_recordings_as_its_readers(tmp_path: Path) -> None:
    names = ("keyboard", "pcsc")
    rows = "".join(f'[[reader]]\nkind = "replay"\npath = "{SAMPLES}/{name}.rec"\n' for name in names)
    with Daemon(tmp_path, rows) as daemon:
        daemon.start()
        with closing(JournalReader(tmp_path / "journal.db")) as journal:
            daemon.until(lambda: len(list(journal.events())) >= 8)
            time.sleep(0.5)  # nothing is played twice
            events = [decode(stored.encoded) for stored in journal.events()]
    found = {
        name: [each for each in events if each.reader and each.reader.id.endswith(f"{name}.rec")] for name in names
    }
    keyboard = [(each.kind, each.raw, each.seen) for each in found["keyboard"]]
    assert keyboard == [
        ("scan", b"WO-1042/7", None),
        ("scan", b"]d20109506000134352\x1d10AB#7", None),
        ("scan", b"WIP:BADGE:kim", None),
        ("scan", b"WO-1044", None),
    ]
    cards = sorted((each.raw or b"", each.seen or 0) for each in found["pcsc"])
    assert cards == [(b"04112233445566", 0), (b"04112233445566", 2), (b"04A1B2C3", 0), (b"04A1B2C3", 1)]
    assert {(each.reader.kind, each.reader.id) for each in events if each.reader} == {
        ("replay", f"replay-{SAMPLES}/{name}.rec") for name in names
    }
    times = [each.mono_ns for each in found["keyboard"] if each.mono_ns is not None]
    assert times == sorted(times)
    assert (times[2] - times[1]) // 1_000_000 == 532


def test_a_recording_that_was_made_is_what_the_reader_of_kind_replay_opens(tmp_path: Path) -> None:
    driver = open_driver("replay", {"path": str(SAMPLES / "hidpos.rec")})
    assert (driver.kind, driver.reader) == ("replay", f"replay-{SAMPLES}/hidpos.rec")
    driver.close()
