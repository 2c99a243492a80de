"""What the tests of readers share: the keys that a scanner strikes for a text, and readers to hold in a hand."""

import os
import queue
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from waiting import HANG_S

from drivers import Driver, DriverError, Dropped, Read, TagRemoved, open_driver
from drivers.decode.keyboard.keymap import US
from drivers.keyboard import EVENT, Keyboard, KeyboardDevice
from tests.drivers.fixtures.fake_udev import udev
from tests.drivers.fixtures.hid_cases import honeywell, maker
from tests.drivers.fixtures.hid_devices import PosScanner
from tests.drivers.fixtures.pcsc_names import service
from tests.drivers.fixtures.pcscd_service import daemon, reader
from tests.drivers.fixtures.serial_rfid_readers import line
from tests.drivers.fixtures.simulated_readers import Cable, CardReader, SerialScanner, TagReader
from tests.drivers.fixtures.typing_scanners import Typist

__all__ = [
    "daemon",
    "honeywell",
    "line",
    "maker",
    "reader",
    "service",
    "udev",
]  # fixtures: pytest finds them here by name

SHIFT, CONTROL = 42, 29
CONTROL_KEYS = {chr(ord(char) & 0x1F): code for code, char in US.plain.items() if char.isalpha() or char in "[\\]"}
NS = 1_000_000_000
PSEUDO_TERMINALS = (5, *range(136, 144))  # major numbers


def struck(text: str) -> list[tuple[int, int, int]]:
    """The events (type, code, value) of a scanner that types `text` on the US layout; a newline is Enter."""
    events: list[tuple[int, int, int]] = []
    for char in text:
        plain = [code for code, typed in US.plain.items() if typed == char and code not in (14, 1)]
        shifted = [code for code, typed in US.shifted.items() if typed == char]
        if char in "\n\t":
            held, code = None, {"\n": 28, "\t": 15}[char]
        elif plain:
            held, code = None, plain[0]
        elif shifted:
            held, code = SHIFT, shifted[0]
        else:
            held, code = CONTROL, CONTROL_KEYS[char]
        strokes = [(1, code, 1), (0, 0, 0), (1, code, 0), (0, 0, 0)]
        events += [(1, held, 1), (0, 0, 0), *strokes, (1, held, 0), (0, 0, 0)] if held else strokes
    return events


@pytest.fixture
def strike() -> Callable[[str], list[tuple[int, int, int]]]:
    return struck


class Wedge:
    """A keyboard-wedge scanner of which the kernel's side is a pipe."""

    codes = tuple(f"wo {number}" for number in range(50))
    reader = "usb-05e0-1200-SN77"

    def __init__(self, _folder: Path) -> None:
        read_end, self._write_end = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(read_end, False)
        device = KeyboardDevice(read_end, "Symbol Bar Code Scanner", lambda: os.close(read_end))
        self.driver: Driver = Keyboard(device, self.reader)

    def strike(self, *events: tuple[int, int, int]) -> None:
        """These input events, now."""
        now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        for event in events:
            os.write(self._write_end, EVENT.pack(now // NS, now % NS // 1000, *event))

    def begin(self, text: str) -> None:
        """A scan that is not complete yet."""
        self.strike(*struck(text))

    def scan(self, text: str) -> None:
        """A whole scan."""
        self.begin(text + "\n")

    def unplug(self) -> None:
        """Pull the cable."""
        os.close(self._write_end)


class Pipe:
    """A named pipe that somebody writes scans to."""

    codes = tuple(f"wo {number}" for number in range(50))

    def __init__(self, folder: Path) -> None:
        self._path = folder / "scans"
        os.mkfifo(self._path)
        self.reader = f"replay-{self._path}"
        self.driver: Driver = open_driver("replay", {"path": str(self._path)})
        self._write_end = os.open(self._path, os.O_WRONLY)

    def begin(self, text: str) -> None:
        """A line that has no end yet."""
        os.write(self._write_end, text.encode())

    def scan(self, text: str) -> None:
        """A whole line."""
        self.begin("".join(f"{{{ord(char):02X}}}" if char < " " else char for char in text) + "\n")

    def unplug(self) -> None:
        """The writer leaves and takes the pipe away."""
        self._path.unlink()
        os.close(self._write_end)


BENCHES = {
    "hidpos": PosScanner,
    "keyboard": Wedge,
    "pcsc": CardReader,
    "replay": Pipe,
    "serial_line": SerialScanner,
    "serial_rfid": TagReader,
}


@pytest.fixture
def benches() -> dict[str, Callable[[Path], Wedge | Pipe | SerialScanner | TagReader | CardReader | PosScanner]]:
    """For each kind of reader one that a test can scan with, without hardware."""
    return BENCHES


class Listener:
    """A thread that reads a driver to its end, as a station does."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._heard: queue.Queue[Read | Dropped | DriverError | None] = queue.Queue()
        self.gone: queue.Queue[TagRemoved] = queue.Queue()  # apart: a tag leaves in its own time
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        try:
            for read in self._driver.reads():
                if isinstance(read, TagRemoved):
                    self.gone.put(read)
                else:
                    self._heard.put(read)
        except DriverError as error:
            self._heard.put(error)
        self.cpu_s = time.thread_time()
        self._heard.put(None)

    def next(self, within_s: float = HANG_S) -> Read | Dropped | DriverError | None:
        """The next that the driver said; None when it ended."""
        return self._heard.get(timeout=within_s)

    def read(self) -> Read:
        """The next, which must be a scan."""
        heard = self.next()
        assert isinstance(heard, Read), heard
        return heard

    def nothing(self, for_s: float = 0.2) -> bool:
        """Whether the driver says nothing for so long."""
        try:
            heard = self.next(for_s)
        except queue.Empty:
            return True
        raise AssertionError(heard)

    def end(self) -> None:
        """Close the driver from this thread and see the other one end."""
        self._driver.close()
        assert self.next() is None
        self._thread.join(10)


@pytest.fixture
def listen() -> Iterator[Callable[[Driver], Listener]]:
    """Reads a driver in a thread; whatever is still open is closed afterwards."""
    opened: list[Driver] = []

    def begin(driver: Driver) -> Listener:
        opened.append(driver)
        return Listener(driver)

    yield begin
    for driver in opened:
        driver.close()


def descriptors() -> int:
    """How many files of a device this process has open."""
    return sum(1 for link in list(Path("/proc/self/fd").iterdir()) if _is_a_devices(link))


def _is_a_devices(link: Path) -> bool:
    try:
        found = link.stat()
        terminal = stat.S_ISCHR(found.st_mode) and os.major(found.st_rdev) in PSEUDO_TERMINALS
        piped = stat.S_ISFIFO(found.st_mode) or stat.S_ISSOCK(found.st_mode)
        return terminal or piped or "eventfd" in str(link.readlink())
    except OSError:
        return False


@pytest.fixture
def open_descriptors() -> Callable[[], int]:
    return descriptors


@pytest.fixture
def cable() -> Iterator[Cable]:
    """A serial line with a device at its end."""
    made = Cable()
    yield made
    for pull in (made.hand_over, made.unplug):
        try:
            pull()
        except OSError:
            continue  # the test has done it


@pytest.fixture(scope="session")
def typist() -> Iterator[Typist]:
    """A scanner with its own knowledge of keyboards, in a process of its own."""
    typist = Typist()
    yield typist
    typist.end()
