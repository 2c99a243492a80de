"""A card reader is recorded a slot at a time, and never while the station reads the device."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from drivers import DriverError
from station.cli.capture import Capture, CaptureOptions
from station.config import load
from station.status import ReaderStatus
from tests.station.cli.test_keypads import runs


class Slot:
    """An open slot."""

    kind, lossless = "pcsc", False

    def __init__(self, reader: str) -> None:
        self.reader, self.closed = reader, False

    def close(self) -> None:
        """Let it go."""
        self.closed = True


def test_a_slot_of_a_device_that_the_station_reads_is_left_to_it(tmp_path: Path) -> None:
    toml = tmp_path / "station.toml"
    toml.write_text(f'station = "saw-1"\njournal = "{tmp_path}/x.db"\nstatus = "{tmp_path}/status.json"\n')
    runs(toml, tmp_path / "x.db", ReaderStatus("pcsc", "pcsc-ACS ACR1281U", "ready"))
    asked, made = list[Mapping[str, str | None]](), list[Slot]()

    def open_slot(_kind: str, settings: Mapping[str, str | None]) -> Any:
        asked.append(settings)
        made.append(Slot(f"pcsc-{settings['match']}"))
        return made[-1]

    for match in ("ACS ACR1281U 00 01", "ACS ACR1281U"):
        with pytest.raises(DriverError, match="is being read by the station"):
            Capture(CaptureOptions(kind="pcsc", match=match), load(toml), open_reader=open_slot)
        assert made[-1].closed
    options = CaptureOptions(kind="pcsc", match="ACS ACR1281UK 00 00")
    Capture(options, load(toml), open_reader=open_slot).close()
    assert {each["alone"] for each in asked} == {"yes"}
