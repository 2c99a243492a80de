"""Readers with umockdev in place of the kernel and udev: announced, decided, grabbed, read, unplugged and plugged in again.

`fixtures/umockdev_testbed.py` runs umockdev, `fixtures/umockdev_station.py` the product, each in a process of its own. What
umockdev cannot simulate (a refused second grab, ENODEV) is tested in the guest.
"""

import json
import os
import queue
import string
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from waiting import until

from drivers.decode.keyboard.keys import JOINED_S

HERE = Path(__file__).parent
LIMIT_S = 20

pytestmark = [pytest.mark.host, pytest.mark.xdist_group("umockdev")]

SCANNER = ("05e0", "1200", "Zebra Symbol Bar Code Scanner")
LOGITECH = ("046d", "c31c", "Logitech USB Keyboard")
DELL = ("413c", "2113", "Dell KB216")
DELL_WHY = "It looks like a person's keyboard, so it is only listened to, until it types the setup sheet."
ZEBRA_WHY = "Its maker makes scanners: 05e0, Symbol, Zebra."


class Process:
    """A process that writes JSON lines."""

    def __init__(self, *command, **environment):
        self.ended = False
        self._process = subprocess.Popen(
            ["umockdev-wrapper", *map(str, command)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        self._lines = queue.Queue()
        self._thread = threading.Thread(target=self._hear, daemon=True)
        self._thread.start()

    def _hear(self):
        for line in self._process.stdout:
            self._lines.put(json.loads(line))

    def next(self, within_s=LIMIT_S):
        return self._lines.get(timeout=within_s)

    def tell(self, **command):
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()

    def wakeups(self):
        """The number of wake-ups of its threads."""
        texts = [(task / "status").read_text() for task in Path(f"/proc/{self._process.pid}/task").iterdir()]
        return sum(int(text.partition("\nvoluntary_ctxt_switches:")[2].split()[0]) for text in texts)

    def end(self):
        self.ended = True
        self._process.stdin.close()
        try:
            assert self._process.wait(LIMIT_S) == 0
        finally:
            self._process.kill()
            self._thread.join()
            self._process.stdout.close()


class Machine:
    """A simulated machine with input devices."""

    def __init__(self, folder):
        self._folder = folder
        self._testbed = Process("/usr/bin/python3", HERE / "fixtures" / "umockdev_testbed.py")
        self._root = self._testbed.next()["root"]
        self._paths = {}
        self._station = None

    def station(self, *rows):
        """Start the product on this machine; without a device, returns when it has listed the devices."""
        empty = not self._paths
        if empty:
            self.plug(2, 2, LOGITECH, "")
        self._station = Process(
            sys.executable, HERE / "fixtures" / "umockdev_station.py", json.dumps(rows), UMOCKDEV_DIR=self._root
        )
        if empty:
            lines = self._station.next()
            assert (lines["added"], lines["take"]) == ("/dev/input/event2", False)
        return self._station

    def _do(self, **command):
        self._testbed.tell(**command)
        assert self._testbed.next() == {"done": True}

    def plug(self, number, port, device, serial):
        """Plug a device in at a port; its node gets this number. Each number may be used once."""
        vendor, product, name = device
        words = {
            "number": number,
            "minor": 64 + number,
            "port": port,
            "vendor": vendor,
            "VENDOR": vendor.upper(),
            "product": product,
            "PRODUCT": product.upper(),
            "name": name,
            "serial": serial,
            "ids": "0300" + vendor[2:] + vendor[:2] + product[2:] + product[:2] + "0101",
            "name_bytes": _ioctl_text(name),
            "phys_bytes": _ioctl_text(f"usb-dummy_hcd.0-{port}/input0"),
            "serial_bytes": _ioctl_text(serial),
        }
        ioctls = self._folder / f"{number}.ioctl"
        ioctls.write_text(_recording("keys.ioctl", words))
        description = _recording("keys.umockdev", words)
        self._paths[number] = "/sys" + description.rpartition("P: ")[2].partition("\n")[0]
        self._do(add=description, ioctl=str(ioctls))

    def type(self, number, events):
        """Send key events."""
        time.sleep(2 * JOINED_S)  # a scan so soon after the opening would count as the rest of an earlier one
        now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        self._do(node=f"/dev/input/event{number}", events=[[*event, now] for event in events])

    def pull(self, number):
        """End the data of the device; its reader notices."""
        self._do(node=f"/dev/input/event{number}", pull=True)

    def udev_removes(self, number):
        """udev reports the removal."""
        self._do(remove=self._paths[number])

    def end(self):
        """End the product, then the machine."""
        if self._station and not self._station.ended:
            self._station.end()
        self._testbed.end()


def _recording(name, words):
    return string.Template((HERE / "recordings" / name).read_text()).substitute(words)


def _ioctl_text(text):
    """The result of an ioctl that returns a text: its length with the final NUL, and a buffer of 256 bytes."""
    return f"{len(text) + 1} {text.encode().hex().upper():0<512}"


@pytest.fixture
def machine(tmp_path):
    machine = Machine(tmp_path)
    yield machine
    machine.end()


def added(number, device, take, why):
    return {"added": f"/dev/input/event{number}", "name": device[2], "take": take, "why": why}


def read(text, serial="SN77", sym=None):
    return {"read": text, "reader": f"usb-05e0-1200-{serial}", "sym": sym}


def lost(serial="SN77", half=""):
    return {
        "lost": f"usb-05e0-1200-{serial} (Zebra Symbol Bar Code Scanner) was unplugged{half}. "
        "Scans are read while it is plugged in. Plug it in again; it is used again at once."
    }


def test_a_scanner_plugged_in_before_the_start_is_found_and_read(machine, strike):
    machine.plug(3, 1, SCANNER, "SN77")
    station = machine.station()
    assert station.next() == added(3, SCANNER, True, ZEBRA_WHY)
    assert station.next() == {"opened": "usb-05e0-1200-SN77"}
    machine.type(3, strike("4006381333931\n]C10104012345678901\x1d10A7\n"))
    assert station.next() == read("4006381333931")
    assert station.next() == read("]C10104012345678901\x1d10A7", sym="]C1")


def test_a_scanner_plugged_in_later_is_usable_at_once_and_again_after_a_replug(machine, strike):
    station = machine.station()
    machine.plug(3, 1, SCANNER, "SN77")
    assert station.next() == added(3, SCANNER, True, ZEBRA_WHY)
    assert station.next() == {"opened": "usb-05e0-1200-SN77"}
    machine.type(3, strike("WO-1042\nWO"))
    assert station.next() == read("WO-1042")
    until(lambda: settled(station))  # two keys are no scan yet; events still in transit are lost with the cable
    machine.pull(3)
    assert station.next() == lost(half=" in mid-scan, and half a scan was dropped (bytes: 2)")
    machine.udev_removes(3)
    assert station.next() == {"removed": "/dev/input/event3"}
    # The same scanner again; the kernel gives it the next number.
    machine.plug(7, 3, SCANNER, "SN77")
    assert station.next() == added(7, SCANNER, True, ZEBRA_WHY)
    assert station.next() == {"opened": "usb-05e0-1200-SN77"}
    machine.type(7, strike("-whole\n"))
    assert station.next() == read("-whole")


def test_a_persons_keyboard_is_not_grabbed(machine, strike):
    machine.plug(3, 1, DELL, "")
    station = machine.station()
    assert station.next() == added(3, DELL, False, DELL_WHY)
    machine.type(3, strike("password\n"))
    machine.plug(4, 2, SCANNER, "SN77")  # an outcome of the keyboard would have come first
    assert station.next() == added(4, SCANNER, True, ZEBRA_WHY)
    assert station.next() == {"opened": "usb-05e0-1200-SN77"}
    station.end()
    assert station.next() == {"ended": True}


def test_a_keyboard_that_the_configuration_names_is_grabbed(machine, strike):
    station = machine.station({"kind": "keyboard", "match": "413c:2113"})
    machine.plug(3, 1, DELL, "")
    assert station.next() == added(3, DELL, True, "Reader 1 of the configuration names it.")
    assert station.next() == {"opened": "usb-413c-2113-at-usb-dummy_hcd.0-1"}
    machine.type(3, strike("12\n"))
    assert station.next() == {"read": "12", "reader": "usb-413c-2113-at-usb-dummy_hcd.0-1", "sym": None}


def test_a_reader_is_configured_by_the_link_that_udev_makes(machine):
    link = "/dev/input/by-path/platform-dummy_hcd.0-usb-0:4:1.0-event-kbd"
    machine.plug(3, 3, SCANNER, "SN77")
    machine.plug(4, 4, SCANNER, "SN78")
    station = machine.station({"kind": "keyboard", "path": link})
    other = "The configuration names the readers of this station, and not this one."
    assert station.next() == added(3, SCANNER, False, other)
    assert station.next() == added(4, SCANNER, True, "Reader 1 of the configuration names it.")
    assert station.next() == {"opened": "usb-05e0-1200-SN78"}


def test_two_scanners_of_one_make_never_mix(machine, strike):
    machine.plug(3, 1, SCANNER, "SN77")
    machine.plug(4, 2, SCANNER, "SN78")
    station = machine.station()
    lines = [station.next() for _ in range(4)]
    assert {line["opened"] for line in lines if "opened" in line} == {"usb-05e0-1200-SN77", "usb-05e0-1200-SN78"}
    for left, right in zip("wo-1111\n", "wo-2222\n", strict=True):
        machine.type(3, strike(left))
        machine.type(4, strike(right))
    lines = sorted([station.next(), station.next()], key=lambda line: line["reader"])
    assert lines == [read("wo-1111"), read("wo-2222", "SN78")]


def test_two_scanners_with_one_serial_number_are_distinguished(machine):
    machine.plug(3, 1, SCANNER, "0001")
    machine.plug(4, 2, SCANNER, "0001")
    station = machine.station()
    lines = [station.next() for _ in range(4)]
    assert [line["opened"] for line in lines if "opened" in line] == [
        "usb-05e0-1200-at-usb-dummy_hcd.0-1",
        "usb-05e0-1200-at-usb-dummy_hcd.0-2",
    ]


def test_an_overrun_of_the_kernel_is_reported_as_a_dropped_scan(machine, strike):
    machine.plug(3, 1, SCANNER, "SN77")
    station = machine.station()
    assert "opened" in [station.next(), station.next()][1]
    machine.type(3, [*strike("WO-"), (0, 3, 0), (0, 0, 0), *strike("1042\nWO-7\n")])
    why = "The reader sent keys faster than they were taken, and some were lost."
    assert station.next() == {"dropped": why, "reader": "usb-05e0-1200-SN77"}
    assert station.next() == read("WO-7")


def test_a_scan_without_enter_ends_in_silence(machine, strike):
    machine.plug(3, 1, SCANNER, "SN77")
    station = machine.station()
    assert "opened" in [station.next(), station.next()][1]
    machine.type(3, strike("WO-1042"))
    assert station.next() == read("WO-1042")


def settled(station):
    """Whether no thread of the station has woken for 0.2 s."""
    before = station.wakeups()
    time.sleep(0.2)
    return station.wakeups() == before


def test_no_thread_wakes_without_a_scan(machine):
    machine.plug(3, 1, SCANNER, "SN77")
    station = machine.station()
    assert "opened" in [station.next(), station.next()][1]
    until(lambda: settled(station))
    before = station.wakeups()
    time.sleep(1.5)
    assert station.wakeups() == before
