"""What is plugged in is read, listened to or left alone, as the verdict on it says."""

import threading
from collections.abc import Callable
from dataclasses import replace

from waiting import until

from drivers.decode.detect.device_info import DeviceInfo
from drivers.hotplug import DeviceAdded, DeviceRemoved
from station.config import ReaderConfig as Row
from station.readers.hotplug import HOTPLUG, MOST_PLUGGED, TOO_MANY
from station.readers.registry import MAX_LINES
from tests.station.fixtures.fake_hotplug import CARDS, KEYBOARD, MOUSE, PORT, POS, SCANNER, Station
from tests.station.fixtures.reader_manager import SHORT, Watch, Watches


def test_each_device_is_read_as_what_it_is(station: Callable[..., Station]) -> None:
    begun = station().sees(DeviceAdded(SCANNER), DeviceAdded(POS), DeviceAdded(CARDS)).begun
    assert [(each.kind, each.settings, each.listen) for each in begun] == [
        ("keyboard", {"path": "/dev/input/event3", "match": "05e0:1200", "listen": None}, False),
        ("hidpos", {"path": "/dev/hidraw0", "match": "05e0:1200", "listen": None}, False),
        ("pcsc", {"path": "/sys/devices/usb1/1-2/1-2:1.0", "match": None, "listen": None}, False),
    ]
    assert begun[1].evidence == (
        "Its report descriptor says that it is a bar code scanner.", "usb 05e0:1200", "called 'Bar Code Scanner'",
        "serial number SN77", "Its report descriptor has page 8C.",
    )  # fmt: skip


def test_what_nobody_knows_is_listened_to_and_what_is_no_reader_is_in_the_registry(
    station: Callable[..., Station],
) -> None:
    here = station().sees(DeviceAdded(KEYBOARD), DeviceAdded(PORT), DeviceAdded(MOUSE))
    assert [(each.kind, each.settings["listen"]) for each in here.begun] == [
        ("keyboard", "yes"),
        ("serial_rfid", "yes"),
    ]
    (line,) = here.registry.lines()
    assert (line.id, line.state, line.why) == (
        "usb-046d-1200-at-usb-1.5", "ignored", "It is a mouse as well; taking it would take the pointer from a person.",
    )  # fmt: skip
    here.sees(DeviceRemoved(MOUSE), DeviceRemoved(KEYBOARD))
    assert here.registry.lines() == []
    assert [each.gone.is_set() for each in here.begun] == [True, False]


def test_what_was_taught_is_read_at_once(station: Callable[..., Station]) -> None:
    (wanted,) = (
        station(taught={"usb-413c-1200-at-usb-1.4": "It has sent the setup sheet."}).sees(DeviceAdded(KEYBOARD)).begun
    )
    assert (wanted.listen, wanted.evidence[0]) == (False, "It has sent the setup sheet.")


def test_a_device_that_is_told_twice_is_begun_once_and_again_when_it_came_back(station: Callable[..., Station]) -> None:
    here = station().sees(DeviceAdded(SCANNER), DeviceAdded(SCANNER), DeviceRemoved(SCANNER), DeviceAdded(SCANNER))
    assert [each.gone.is_set() for each in here.begun] == [True, False]
    assert here.begun[0].name != here.begun[1].name  # the old one may still have a word to say


def test_a_row_of_the_configuration_goes_with_its_device_and_others_are_named(station: Callable[..., Station]) -> None:
    rows = (Row("keyboard", match="05e0:1200", stage="mill"), Row("serial_rfid", path="/dev/ttyUSB0"))
    here = station(*rows).sees(DeviceAdded(SCANNER), DeviceAdded(PORT), DeviceAdded(POS))
    assert [each.row for each in here.begun] == [rows[0]]  # the port is opened by its own row
    (line,) = here.registry.lines()
    assert (line.kind, line.why) == ("hidpos", "The configuration names the readers of this station, and not this one.")


def test_a_watch_that_fails_is_said_and_begins_again(station: Callable[..., Station]) -> None:
    here = station()
    here.sees(OSError("udev is gone"))
    until(lambda: [each.why for each in here.registry.lines()] == ["udev is gone"])
    here.sees(DeviceAdded(SCANNER))
    assert [each.id for each in here.registry.lines() if each.kind == HOTPLUG] == []
    assert len(here.begun) == 1


def test_a_watch_that_failed_again_and_again_and_works_between_is_begun_as_soon_as_the_first_time(
    station: Callable[..., Station],
) -> None:
    here = station(pauses=replace(SHORT, longest_s=3600.0))  # doubled so often, a pause would be hours
    for number in range(20):
        here.sees(OSError("udev is gone"), DeviceAdded(replace(SCANNER, node=f"/dev/input/event{number}")))
    assert len(here.begun) == 20
    assert len(here.watches.open) == 1  # those that failed are let go of


def test_a_device_for_which_there_was_no_thread_is_begun_at_the_next_look(station: Callable[..., Station]) -> None:
    here = station()
    here.failures.append(RuntimeError("can't start new thread"))
    here.watches.put(DeviceAdded(SCANNER))
    until(lambda: [each.why for each in here.registry.lines()] == ["can't start new thread"])
    here.sees(DeviceAdded(SCANNER))
    assert [each.settings["path"] for each in here.begun] == [SCANNER.node]


def test_a_device_of_a_thousand_interfaces_has_a_few_threads_and_the_rest_are_named(
    station: Callable[..., Station],
) -> None:
    many = [replace(SCANNER, node=f"/dev/input/event{n}", place=f"usb-1.{n}", serial=f"S{n}") for n in range(1000)]
    here = station().sees(*map(DeviceAdded, many))
    assert [each.settings["path"] for each in here.begun] == [each.node for each in many[:MOST_PLUGGED]]
    lines = here.registry.lines()
    assert len(lines) == MAX_LINES
    assert {(each.state, each.why) for each in lines} == {("ignored", TOO_MANY)}
    here.sees(DeviceRemoved(many[0]), DeviceAdded(many[-1]))  # one goes, and there is room for one
    assert here.begun[-1].settings["path"] == many[-1].node
    assert len(here.begun) == MOST_PLUGGED + 1


def test_a_plug_that_goes_in_and_out_for_ever_leaves_nothing_behind(station: Callable[..., Station]) -> None:
    comings = [replace(SCANNER, serial=f"S{number}") for number in range(2000)]
    here = station().sees(*(kind(info) for info in comings for kind in (DeviceAdded, DeviceRemoved)))
    assert len(here.begun) == 2000
    assert all(each.gone.is_set() for each in here.begun)
    assert len(here.registry.lines()) <= MAX_LINES


def test_a_watch_that_was_still_beginning_has_ended_when_close_returns(plugs: Watches) -> None:
    """Otherwise it takes what is plugged in from whichever watch comes next."""
    begun, go_on, closed = threading.Event(), threading.Event(), threading.Event()

    def late(known: dict[str, DeviceInfo]) -> Watch:
        begun.set()
        assert go_on.wait(10)
        return plugs.open_monitor(known)

    here = Station(plugs, open_monitor=late)
    assert begun.wait(10)
    closing = threading.Thread(target=lambda: (here.plugs.close(), closed.set()), daemon=True)
    closing.start()
    assert not closed.wait(0.1)
    go_on.set()
    assert closed.wait(10)
    assert plugs.open == []
