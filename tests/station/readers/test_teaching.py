"""A station is taught a scanner by the sheet and knows it after a restart: the whole daemon, at a serial line."""

import json
import os
import tty
from pathlib import Path

from station.core.codes.setup_sheet import SQUARE_TEXT
from tests.station.fixtures.station_process import Daemon


def test_a_prefix_that_the_sheet_taught_is_gone_from_every_scan_also_after_a_restart(tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    path = os.ttyname(theirs)
    daemon = Daemon(tmp_path, f'[[reader]]\nkind = "serial_line"\npath = "{path}"\n')

    def scanned(raw: bytes, count: int) -> dict[str, object]:
        os.write(ours, raw + b"\r\n")
        return daemon.answered(count)[-1]

    with daemon.start():
        daemon.until(lambda: any(each["kind"] == "serial_line" for each in daemon.status()["readers"]))
        assert scanned(b"S1-WO-7", 1)["code"] == "S1-WO-7"
        sheet = scanned(b"S1-" + SQUARE_TEXT.encode(), 2)
        assert (sheet["state"], sheet["why"], sheet["text"]) == ("green", "card", "setup sheet: nothing is counted")
        assert scanned(b"S1-WO-7", 3)["code"] == "WO-7"
        daemon.until(lambda: any(each["taught"] for each in daemon.status()["readers"]))
        said = daemon.command("readers").stdout
        assert "taught:" in said
        assert "if wrong: To have that forgotten" in said
    kept = json.loads((tmp_path / "readers.json").read_text())["readers"]
    assert [lesson["profile"]["prefix"] for lesson in kept.values()] == ["S1-"]
    with daemon.start():
        daemon.until(lambda: any(each["kind"] == "serial_line" for each in daemon.status()["readers"]))
        assert scanned(b"S1-WO-8", 4)["code"] == "WO-8"
    os.close(ours)
    os.close(theirs)
