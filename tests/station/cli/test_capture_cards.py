"""A card reader is recorded a slot at a time, and never while the station reads the device."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from drivers import DriverError
from station.cli import capture
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


def test_a_slot_of_a_device_that_the_station_reads_is_left_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toml = tmp_path / "station.toml"
    toml.write_text(f'station = "saw-1"\njournal = "{tmp_path}/x.db"\nstatus = "{tmp_path}/status.json"\n')
    runs(toml, tmp_path / "x.db", ReaderStatus("pcsc", "pcsc-ACS ACR1281U", "ready"))
    asked, made = list[Mapping[str, str | None]](), list[Slot]()

    def open_driver(_kind: str, settings: Mapping[str, str | None]) -> Slot:
        asked.append(settings)
        made.append(Slot(f"pcsc-{settings['match']}"))
        return made[-1]

    monkeypatch.setattr(capture, "open_driver", open_driver)
    for match in ("ACS ACR1281U 00 01", "ACS ACR1281U"):
        with pytest.raises(DriverError, match="is being read by the station"):
            Capture(CaptureOptions(kind="pcsc", match=match), load(toml))
        assert made[-1].closed
    Capture(CaptureOptions(kind="pcsc", match="ACS ACR1281UK 00 00"), load(toml)).close()
    assert {each["alone"] for each in asked} == {"yes"}
