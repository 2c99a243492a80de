"""Readers under supervision: opened again with patience, refused when too fast, known by one name over replugging."""

import queue
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from drivers import DeviceLost, DriverError, Dropped, Read
from drivers.hotplug import Added, Facts, Removed
from station import reading as module
from station.answers import TOO_FAST, Answer, Red
from station.config import Config
from station.config import Reader as Row
from station.inbox import Inbox
from station.readers import Readers
from station.reading import FORGET_IT
from station.roll import MOST, ReaderStatus
from station.scan import ReaderPlace
from station.taught import KEYPAD, Lesson, Taught, beside
from tests.station.scan_room import a_read, until


class Held:
    """A reader in a test's hand: what is put in `scans` is read; None is a pulled plug."""

    kind = "replay"

    def __init__(self, name: str = "replay-1", lossless: bool = False) -> None:
        self.reader, self.lossless = name, lossless
        self.scans: queue.Queue[Read | Dropped | str | None] = queue.Queue()

    def reads(self) -> Iterator[Read | Dropped]:
        """What is put in."""
        while (scan := self.scans.get()) != "closed":
            if scan is None:
                raise DeviceLost(came="Unplugged.", expected="A plug.", do="Plug it in.")
            assert not isinstance(scan, str)
            yield scan

    def close(self) -> None:
        """End."""
        self.scans.put("closed")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Held | DriverError]:
    """What the next openings give; the last one stays."""
    queued: list[Held | DriverError] = []

    def open_driver(_kind: str, _settings: Mapping[str, str | None]) -> Held:
        given = queued.pop(0) if len(queued) > 1 else queued[0]
        if isinstance(given, DriverError):
            raise given
        return given

    monkeypatch.setattr(module, "open_driver", open_driver)
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.01)
    return queued


def a_station(*rows: Row, room: int = 64) -> tuple[Readers, Inbox[Read | Dropped], list[Answer], list[str]]:
    """Readers with an inbox, what was said, and what was logged."""
    inbox: Inbox[Read | Dropped] = Inbox(room)
    said, logged = list[Answer](), list[str]()
    config = Config(station="saw-1", stage="saw", reader=rows or (Row("replay", "scans"),))
    log = lambda what, **_fields: logged.append(what)  # noqa: E731 - a port
    return Readers(config, inbox, said.append, log, lambda: None), inbox, said, logged


def test_a_reader_that_is_not_there_is_opened_when_it_comes(opened: list[Any]) -> None:
    missing = DriverError(came="scans is not there.", expected="A pipe.", do="Make it: mkfifo scans")
    held = Held()
    opened += [missing, missing, missing, held]
    readers, inbox, _, logged = a_station()
    readers.start()
    until(lambda: [each.state for each in readers.status()] == ["ready"])
    held.scans.put(a_read())
    assert inbox.take(5) == a_read()
    until(lambda: readers.status()[0].reads == 1)
    named = ("Reader 1 of the configuration names it.",)
    assert readers.status() == [ReaderStatus("replay", "replay-1", "ready", "", 1, a_read().boot_ns, named)]
    assert logged == ["a reader is waiting", "a reader is ready"]
    readers.close()


def test_a_lost_reader_comes_back_under_its_name(opened: list[Any]) -> None:
    first, second = Held("usb-1"), Held("usb-1")
    opened += [first, second]
    readers, inbox, _, logged = a_station()
    readers.start()
    first.scans.put(a_read())
    first.scans.put(None)
    until(lambda: logged[-1:] == ["a reader is ready"] and "a reader is lost" in logged)
    second.scans.put(a_read(b"WO-2"))
    assert [inbox.take(5), inbox.take(5)] == [a_read(), a_read(b"WO-2")]
    assert [(each.id, each.state) for each in readers.status()] == [("usb-1", "ready")]
    readers.close()


def test_a_device_that_is_too_fast_is_answered_red_and_a_file_waits(opened: list[Any]) -> None:
    device = Held()
    opened.append(device)
    readers, inbox, said, _ = a_station(room=2)
    readers.start()
    for number in range(3):
        device.scans.put(a_read(b"WO-%d" % number))
    until(lambda: said != [])
    assert said == [Red("not_saved", TOO_FAST)]
    assert [inbox.take(1), inbox.take(1), inbox.take(0)] == [a_read(b"WO-0"), a_read(b"WO-1"), None]
    readers.close()

    file = Held(lossless=True)
    opened[:] = [file]
    readers, inbox, said, _ = a_station(room=2)
    readers.start()
    for number in range(5):
        file.scans.put(a_read(b"WO-%d" % number))
    threading.Event().wait(0.05)
    assert [inbox.take(5) for _ in range(5)] == [a_read(b"WO-%d" % number) for number in range(5)]
    assert said == []
    readers.close()


def test_a_storm_of_scans_is_answered_each_time_and_logged_now_and_then(opened: list[Any]) -> None:
    device = Held("usb-storm")
    opened.append(device)
    readers, _, said, logged = a_station(room=1)
    readers.start()
    for number in range(3000):
        device.scans.put(a_read(b"WO-1", at_s=10 + number / 1000, kind="keyboard"))
    until(lambda: len(said) == 2999)
    assert logged == ["a reader is ready", "scans came too fast"]
    readers.close()


def test_a_reader_stands_where_its_row_says(opened: list[Any]) -> None:
    opened.append(Held("replay-1"))
    readers, *_ = a_station(Row("replay", "scans", stage="mill", bench="left", action="out"))
    readers.start()
    until(lambda: [each.state for each in readers.status()] == ["ready"])
    assert readers.place_of("replay-1") == ReaderPlace("left", "mill", "out")
    assert readers.place_of("another") == ReaderPlace(None, "saw", None)
    readers.close()


def test_a_scanner_that_is_configured_and_not_there_is_named() -> None:
    readers, *_ = a_station(Row("keyboard", match="05e0:1200"))
    assert readers.status() == [ReaderStatus("keyboard", "05e0:1200", "waiting", "No such reader is plugged in.")]


SCANNER = Facts("/dev/input/event3", "Bar Code Scanner", 3, 0x05E0, 0x1200, "SN77", "usb-1.3", types=True, points=False)
KEYBOARD = Facts("/dev/input/event4", "Dell KB216", 3, 0x413C, 0x2113, "", "usb-1.4", types=True, points=False)


class Plugs:
    """What udev would say: changes put in `said` are watched; None ends it."""

    said: queue.Queue[Added | Removed | None] = queue.Queue()

    def __init__(self, _known: dict[str, Facts]) -> None: ...

    def watch(self) -> Iterator[Added | Removed]:
        """The changes."""
        while (change := self.said.get()) is not None:
            yield change

    def close(self) -> None:
        """End."""
        self.said.put(None)


def test_a_scanner_that_is_plugged_in_is_read_and_comes_back_as_itself_and_a_persons_keyboard_is_left_alone(
    opened: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.hotplug.Hotplug", Plugs)
    monkeypatch.setattr(Plugs, "said", queue.Queue())
    asked: list[tuple[str | None, str | None]] = []
    first, second = Held("usb-05e0-1200-SN77"), Held("usb-05e0-1200-SN77")
    given = iter((first, second))

    def open_driver(_kind: str, settings: Mapping[str, str | None]) -> Held:
        if settings["listen"]:
            return Held("a person's")
        asked.append((settings["path"], settings["layout"]))
        return next(given)

    def states() -> list[str]:
        return [each.state for each in readers.status() if each.id != "a person's"]

    monkeypatch.setattr(module, "open_driver", open_driver)
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.5)  # udev's word comes some 50 ms behind the lost device
    readers, inbox, _, _ = a_station(Row("keyboard", stage="mill", layout="de"))
    readers.start()
    for change in (Added(KEYBOARD), Added(SCANNER), Added(SCANNER)):
        Plugs.said.put(change)
    until(lambda: sorted(each.state for each in readers.status()) == ["listening", "ready"])
    heard = next(each for each in readers.status() if each.state == "listening")
    assert heard.evidence[:2] == (
        "It looks like a person's keyboard, so it is only listened to, until it types the setup sheet.", "usb 413c:2113",
    )  # fmt: skip
    first.scans.put(a_read())
    assert inbox.take(5) == a_read()
    assert readers.place_of("usb-05e0-1200-SN77") == ReaderPlace(None, "mill", None)
    first.scans.put(None)
    Plugs.said.put(Removed(SCANNER))
    until(lambda: states() == ["lost", "waiting"])
    Plugs.said.put(Added(replace(SCANNER, node="/dev/input/event9")))
    until(lambda: states() == ["ready"])
    Plugs.said.put(Removed(KEYBOARD))
    second.scans.put(a_read(b"WO-2"))
    assert inbox.take(5) == a_read(b"WO-2")
    assert asked == [("/dev/input/event3", "de"), ("/dev/input/event9", "de")]
    readers.close()


def test_a_scanner_that_comes_back_as_another_for_ever_costs_bounded_threads_and_memory(
    opened: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.hotplug.Hotplug", Plugs)
    monkeypatch.setattr(Plugs, "said", queue.Queue())
    taken: list[Held] = []
    plugged = threading.Event()

    def open_driver(_kind: str, _settings: Mapping[str, str | None]) -> Held:
        if not plugged.is_set():
            raise DriverError(came="It is gone.", expected="A plug.", do="Plug it in.")
        taken.append(Held(f"usb-05e0-1200-S{len(taken)}"))
        return taken[-1]

    monkeypatch.setattr(module, "open_driver", open_driver)
    readers, *_ = a_station(Row("keyboard", stage="mill"))
    before = threading.active_count()
    readers.start()
    for turn in range(300):
        plugged.set()
        Plugs.said.put(Added(replace(SCANNER, serial=f"S{turn}")))
        until(lambda turn=turn: len(taken) == turn + 1)  # type: ignore[misc]
        plugged.clear()
        taken[-1].scans.put(None)
        Plugs.said.put(Removed(replace(SCANNER, serial=f"S{turn}")))
        until(lambda: not readers._plugs._plugged)
    until(lambda: threading.active_count() <= before + 1)
    assert len(readers.status()) <= MOST + 1
    assert len(readers._places) <= MOST + 1
    assert len(readers._readings) <= 2
    readers.close()


def test_stored_scans_of_a_scanner_that_was_pulled_out_are_waited_for_and_no_longer_than_said(
    opened: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.hotplug.Hotplug", Plugs)
    monkeypatch.setattr(Plugs, "said", queue.Queue())
    monkeypatch.setattr("station.readers.END_S", 0.5)
    monkeypatch.setattr(Held, "kind", "keyboard")
    scanners = {f"/dev/input/event{number}": Held(f"usb-{number}") for number in range(4)}
    monkeypatch.setattr(module, "open_driver", lambda _kind, settings: scanners[settings["path"]])
    readers, inbox, *_ = a_station(Row("keyboard"), room=1)
    readers.start()
    for node, scanner in scanners.items():
        Plugs.said.put(Added(replace(SCANNER, node=node, serial=node)))
        for code in range(20):
            scanner.scans.put(a_read(b"WO-%d" % code, at_s=10 + code / 100, kind="keyboard"))
    until(lambda: sum(len(each._spool) for each in readers._readings.values()) >= 4 * 16)
    Plugs.said.put(Removed(replace(SCANNER, node="/dev/input/event0")))
    until(lambda: len(readers._plugs._plugged) == 3)
    assert sum(len(each._spool) for each in readers._readings.values()) >= 4 * 16  # his are waited for, too
    began_s = time.monotonic()
    readers.close()
    assert 0.5 <= time.monotonic() - began_s < 1.5
    while inbox.take(0.2) is not None:
        pass


@pytest.mark.parametrize("row", [Row("hidpos", match="05e0:1200"), Row("hidpos", path="/dev/hidraw3"), Row("hidpos")])
def test_a_point_of_sale_scanner_that_a_row_names_is_opened_once_and_its_twin_too(
    monkeypatch: pytest.MonkeyPatch, row: Row
) -> None:
    monkeypatch.setattr("drivers.hotplug.Hotplug", Plugs)
    monkeypatch.setattr(Plugs, "said", queue.Queue())
    asked: list[str | None] = []

    def open_driver(_kind: str, settings: Mapping[str, str | None]) -> Held:
        asked.append(settings["path"])
        return Held(f"usb-05e0-1200-S{len(asked)}")

    monkeypatch.setattr(module, "open_driver", open_driver)
    readers, *_ = a_station(row)
    readers.start()
    first = replace(SCANNER, node="/dev/hidraw3", types=False, subsystem="hidraw")
    Plugs.said.put(Added(first))
    Plugs.said.put(Added(replace(first, node="/dev/hidraw4", serial="SN78")))
    both = 1 if row.path else 2
    until(lambda: [each.state for each in readers.status()] == ["ready"] * both + ["ignored"] * (2 - both))
    assert asked == ["/dev/hidraw3", "/dev/hidraw4"][:both]
    readers.close()


class Teachable(Held):
    """One that can be taught, and notes its profile."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.profile: str | None = "not asked"

    def teach(self, _sheets: Any, profile: str | None) -> None:
        """Note it."""
        self.profile = profile


@pytest.mark.parametrize("opened_as", ["usb-1a86-5723-S1", "usb-1a86-5723-at-usb-1.3"])
@pytest.mark.parametrize("taught_as", ["usb-1a86-5723-S1", "usb-1a86-5723-at-usb-1.3"])
def test_what_a_scanner_was_taught_holds_whether_or_not_a_twin_claims_its_serial_number(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, taught_as: str, opened_as: str
) -> None:
    monkeypatch.setattr("drivers.hotplug.Hotplug", Plugs)
    config = Config(station="saw-1", journal=str(tmp_path / "journal.db"))
    taught = Taught(beside(tmp_path / "journal.db"))
    facts = replace(SCANNER, name="USB Keyboard", vendor=0x1A86, product=0x5723, serial="S1", place="usb-1.3")

    def plugged_in() -> tuple[Readers, Teachable]:
        scanner = Teachable(opened_as)
        monkeypatch.setattr(Plugs, "said", queue.Queue())
        monkeypatch.setattr(module, "open_driver", lambda _kind, _settings: scanner)
        readers = Readers(config, Inbox(), lambda _: None, lambda *_, **__: None, lambda: None)
        readers.start()
        Plugs.said.put(Added(facts))
        until(lambda: [each.state for each in readers.status()] == ["ready"])
        readers.close()
        return readers, scanner

    taught.keep(taught_as, Lesson(profile={"layout": "de"}, words="German."))
    readers, scanner = plugged_in()
    assert scanner.profile == '{"layout": "de"}'
    (line,) = readers.status()
    assert (line.id, line.taught, line.mend) == (opened_as, "German.", FORGET_IT.format(taught_as))
    taught.keep(taught_as, KEYPAD)
    readers, scanner = plugged_in()
    assert readers.place_of(opened_as).keypad


def test_a_serial_reader_is_opened_with_the_speed_and_parity_of_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: queue.Queue[tuple[str, Mapping[str, str | None]]] = queue.Queue()

    def open_driver(kind: str, settings: Mapping[str, str | None]) -> Held:
        asked.put((kind, settings))
        return Held()

    monkeypatch.setattr(module, "open_driver", open_driver)
    readers, *_ = a_station(Row("serial_line", "/dev/ttyS0", baud=19_200, parity="even"))
    readers.start()
    settings = {
        "path": "/dev/ttyS0", "match": None, "layout": None, "baud": "19200", "parity": "even", "flow": None,
    }  # fmt: skip
    assert asked.get(timeout=5) == ("serial_line", settings)
    readers.close()
