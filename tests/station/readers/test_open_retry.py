"""How soon a device that cannot be opened is tried again: one that was plugged in is there, and ready in a moment."""

from collections.abc import Mapping
from pathlib import Path

from waiting import until

from drivers import DriverError
from station.readers.device_access import ReaderPauses
from station.readers.reader_thread import ReaderSpec, ReaderThread
from tests.station.fixtures.reader_threads import Scanner, Station


def test_one_that_was_plugged_in_is_not_kept_waiting_as_long_as_one_that_may_never_come(tmp_path: Path) -> None:
    tried = list[str]()

    def open_driver(kind: str, _settings: Mapping[str, str | None]) -> Scanner:
        tried.append(kind)
        if kind == "pcsc" and tried.count(kind) == 4:
            return Scanner()
        raise DriverError(came="pcscd knows none.", expected="A reader.", do="Plug it in.")

    station = Station(tmp_path, opens=open_driver, pauses=ReaderPauses(first_s=3600.0, plugged_s=0.01))
    plugged = ReaderThread(ReaderSpec("usb.1", "pcsc", {}, names=("usb-072f-2200-R1",)), station.context)
    named = ReaderThread(ReaderSpec("keyboard-0", "keyboard", {}), station.context)
    named.start()
    until(lambda: tried == ["keyboard"])
    plugged.start()
    until(lambda: "ready" in station.state())
    assert (tried.count("pcsc"), tried.count("keyboard")) == (4, 1)
    plugged.close()
    named.close()
