"""Serial scanners, tag readers and card readers to hold in a hand: a pseudo-terminal, and a pcscd in this process."""

import os
import threading
import time
import tty
from functools import reduce
from operator import xor
from pathlib import Path

from drivers import Driver, open_driver
from drivers.cards import NoReader, ServiceGone, State
from drivers.decode.em4100 import EM4100
from drivers.decode.keys import JOINED_S
from drivers.pcsc import opened
from drivers.ports import opened as opened_port
from drivers.serial_rfid import SerialRfid


class Cable:
    """The device's end of a serial line; `port` is ours."""

    def __init__(self) -> None:
        self.end, self._port_end = os.openpty()
        tty.setraw(self._port_end)
        self.port = os.ttyname(self._port_end)

    def hand_over(self) -> None:
        """Somebody has opened the port: let go of it here, as a device does."""
        os.close(self._port_end)

    def send(self, data: bytes) -> None:
        """The device sends."""
        while data:
            data = data[os.write(self.end, data) :]

    def unplug(self) -> None:
        """Pull it."""
        os.close(self.end)


class SerialScanner:
    """A scanner at a serial line."""

    codes = tuple(f"wo {number}" for number in range(50))

    def __init__(self, _folder: Path) -> None:
        self._cable = Cable()
        self.reader = f"serial-{self._cable.port}"
        self.driver: Driver = open_driver("serial_line", {"path": self._cable.port})
        self._cable.hand_over()
        self.unplug = self._cable.unplug
        time.sleep(2 * JOINED_S)  # a hand takes longer to its trigger; what comes sooner counts as a tail

    def begin(self, text: str) -> None:
        """A scan that is not complete yet."""
        self._cable.send(text.encode())

    def scan(self, text: str) -> None:
        """A whole scan."""
        self.begin(text + "\r\n")


def id12(uid: str) -> bytes:
    """What an ID-12LA sends for a tag."""
    return b"\x02" + uid.encode() + f"{reduce(xor, bytes.fromhex(uid)):02X}".encode() + b"\r\n\x03"


class TagReader:
    """A reader of 125 kHz tags at a serial line."""

    codes = tuple(f"3C00CE75{number:02X}" for number in range(50))

    def __init__(self, _folder: Path) -> None:
        self._cable = Cable()
        self.reader = f"serial-{self._cable.port}"
        self.driver: Driver = SerialRfid(opened_port(self._cable.port, {}), EM4100)
        self._cable.hand_over()
        self.unplug = self._cable.unplug

    def begin(self, uid: str) -> None:
        """A frame that stops in the middle."""
        self._cable.send(id12(uid)[:9])

    def scan(self, uid: str) -> None:
        """A tag comes into the field."""
        self._cable.send(id12(uid))


class Pcscd:
    """A smart card service in this process: readers that come and go, and a card on one of them."""

    def __init__(self, *readers: str) -> None:
        self.names = list(readers)
        self.running = True
        self.response: bytes | None = b""
        self.atr = b""
        self.answers: dict[bytes, bytes | None] = {}  # beside the number: what the card says to other commands
        self.sent: list[bytes] = []  # every command to the card but the one for its number
        self.controls: list[bytes] = []
        self.reader_says = b""  # to a command of its own
        self.places: dict[str, tuple[int, int]] = {}  # bus and number of the USB device, of readers that tell
        self._turn = 0
        self._card = False
        self._cancelled = False
        self._asked = 0
        self._news = threading.Condition()

    def put(self, response: bytes | None) -> None:
        """Put a card on that answers so (None: it is gone before it can); back when it was asked."""
        with self._news:
            self.response, self._card, asked = response, True, self._asked
            self._turned()
            assert self._news.wait_for(lambda: self._asked > asked, 10)

    def take(self) -> None:
        """Take the card away."""
        with self._news:
            self._card = False
            self._turned()

    def set(self, *, running: bool | None = None, names: list[str] | None = None) -> None:
        """pcscd ends or starts; readers are plugged in or out."""
        with self._news:
            self.running = self.running if running is None else running
            self.names = self.names if names is None else names
            self._news.notify_all()

    def _turned(self) -> None:
        self._turn += 1
        self._news.notify_all()

    def _state(self, reader: str) -> State:
        if not self.running:
            raise ServiceGone
        if reader not in self.names:
            raise NoReader
        return State(self._turn, self._turn, self._card, self.atr)

    def connect(self) -> None:
        if not self.running:
            raise ServiceGone

    def readers(self) -> list[str]:
        self.connect()
        return self.names

    def change(self, reader: str, known: State | None, timeout_s: float) -> State:
        with self._news:
            self._news.wait_for(lambda: self._cancelled or self._state(reader) != known, timeout_s)
            self._cancelled = False
            return self._state(reader)

    def card(self, reader: str) -> "Pcscd":
        with self._news:
            self._state(reader)
        return self

    def send(self, command: bytes) -> bytes | None:
        with self._news:
            if command == bytes.fromhex("FFCA000000"):
                self._asked += 1
                self._news.notify_all()
                return self.response
            self.sent.append(command)
            self._news.notify_all()
            return self.answers.get(command, b"\x6a\x81")

    def control(self, _reader: str, command: bytes) -> bytes:
        with self._news:
            self.controls.append(command)
            return self.reader_says

    def usb(self, reader: str) -> tuple[int, int] | None:
        return self.places.get(reader)

    def cancel(self) -> None:
        with self._news:
            self._cancelled = True
            self._news.notify_all()

    def close(self) -> None:
        """Nothing is held."""


class CardReader:
    """A reader of contactless cards."""

    codes = tuple(f"04A1B2{number:02X}" for number in range(50))
    reader = "pcsc-ACS ACR122U PICC Interface"

    def __init__(self, _folder: Path) -> None:
        name = "ACS ACR122U PICC Interface 00 00"
        self._service = Pcscd(name)
        self.driver: Driver = opened(self._service, {})

    def begin(self, _uid: str) -> None:
        """A card that is gone before it is read."""
        self._service.put(None)

    def scan(self, uid: str) -> None:
        """A card is put on and taken away."""
        self._service.put(bytes.fromhex(uid) + b"\x90\x00")
        self._service.take()

    def unplug(self) -> None:
        """Pull the cable."""
        self._service.set(names=[])
