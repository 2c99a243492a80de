"""Readers of QEMU's for the guest: an FTDI serial port, a smart card reader.

They are plugged by the monitor, and what lies behind them, a reader module or a card, is played here.
"""

import binascii
import contextlib
import queue
import socket
import struct
import threading
import time
from functools import reduce
from operator import xor

from tests.guest.fixtures.usb_devices import EmulatedDevices

FIELD_S = 0.065  # an RDM6300 says a tag again and again
LIE_S = 0.8  # a tag lies in the field for so long
TAKEN_S = 0.05
PLUGGED = {"always-plugged": True}  # else QEMU shows the port only once somebody is at its other end


class OnSerial:
    """An RFID reader module behind an FTDI serial port of QEMU; what it says is the subclass's."""

    def __init__(self, devices: EmulatedDevices, serial: str, port: int) -> None:
        self.reader = f"usb-0403-6001-{serial}"
        self._devices, self._name = devices, f"ftdi-{serial}"
        self._how = {"bus": "xhci.0", "port": str(port), "chardev": self._name, "serial": serial, **PLUGGED}
        self._line = devices.guest.line_to(self._name)
        self._here: set[str] = set()  # tags in its field
        self._talking, self._plugged = threading.Lock(), False
        threading.Thread(target=self._serve, daemon=True).start()

    def add(self) -> int:
        return self.plug()

    def plug(self) -> int:
        at_ns = self._devices.now_ns()
        self._devices.guest.monitor("device_add", driver="usb-serial", id=self._name, **self._how)
        self._plugged = True
        return at_ns

    def scan(self, text: str) -> None:
        """The tag lies in the field for as long as it takes to be seen there."""
        self._here.add(text)
        threading.Timer(LIE_S, self._here.discard, [text]).start()

    def pull_in_mid_read(self, text: str) -> None:
        whole = self.frame(text)
        with self._talking:  # QEMU may fall over bytes that reach a port while it is being pulled out
            self._line.sendall(whole[: len(whole) // 2])
            time.sleep(TAKEN_S)
            self._here.clear()
            self._plugged = False
            self._devices.guest.monitor("device_del", id=self._name)

    def frame(self, tag: str) -> bytes:
        """How it says a tag."""
        raise NotImplementedError

    def _say(self, data: bytes) -> None:
        with self._talking:
            if self._plugged:
                self._line.sendall(data)

    def _serve(self) -> None:
        raise NotImplementedError


class Rdm6300(OnSerial):
    """A reader of 125 kHz tags that speaks by itself, again and again while a tag is there."""

    def frame(self, tag: str) -> bytes:
        return b"\x02" + tag.encode() + f"{reduce(xor, bytes.fromhex(tag)):02X}".encode() + b"\x03"

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                time.sleep(FIELD_S)
                for tag in list(self._here):
                    self._say(self.frame(tag))


class Yrm100(OnSerial):
    """A UHF reader that answers one question, which tags it sees, and is silent to all others."""

    QUESTION = bytes.fromhex("BB00220000227E")
    NONE = bytes.fromhex("BB01FF000115167E")

    def frame(self, tag: str) -> bytes:
        number = bytes.fromhex(tag)
        memory = bytes((len(number) // 2 << 3, 0)) + number
        own = binascii.crc_hqx(memory, 0xFFFF) ^ 0xFFFF
        payload = b"\xc9" + memory + own.to_bytes(2, "big")
        body = b"\x02\x22" + len(payload).to_bytes(2, "big") + payload
        return b"\xbb" + body + bytes((sum(body) & 0xFF,)) + b"\x7e"

    def _serve(self) -> None:
        heard = b""
        with contextlib.suppress(OSError):
            while data := self._line.recv(4096):
                heard = (heard + data)[-64:]
                if heard.endswith(self.QUESTION):
                    heard = b""
                    self._say(b"".join(map(self.frame, list(self._here))) or self.NONE)


# The protocol of virtual smart cards (libcacard's vscard_common.h): type, reader, length, body.
INIT, READER_ADD, CARD_ON, CARD_OFF, APDU = 1, 3, 5, 6, 7
ATR = bytes.fromhex("3B8F8001804F0CA000000306030001000000006A")  # as an ACR122 makes it of a MIFARE Classic
GET_UID = bytes.fromhex("FFCA0000")
ASKED_S = 5.0
CARD_LIES_S = 0.2  # on the reader after it was asked
NEXT_CARD_S = 0.9  # pcscd looks for a card every 0.4 s: one that takes the place of another in between is not seen


class CardReader:
    """A USB reader of smart cards (CCID) of QEMU, and the cards that are put on it, one after another."""

    def __init__(self, devices: EmulatedDevices, name: str, reader: str, port: int) -> None:
        self.reader = reader
        self._devices, self._name, self._port, self._turn = devices, name, str(port), 0
        self._uid: bytes | None = None  # of the card that lies on it; None: the card says nothing
        self._asked, self._pulled = threading.Event(), threading.Event()
        self._cards: queue.Queue[bytes | None] = queue.Queue()
        threading.Thread(target=self._put_on, daemon=True).start()

    def add(self) -> int:
        return self.plug()

    def plug(self) -> int:
        self._turn += 1
        line = f"{self._name}-{self._turn}"
        self._end = self._devices.guest.line_to(line)
        at_ns = self._devices.now_ns()
        monitor = self._devices.guest.monitor
        monitor("device_add", driver="usb-ccid", id=self._name, bus="xhci.0", port=self._port)
        monitor("device_add", driver="ccid-card-passthru", id=f"card-{line}", bus=f"{self._name}.0", chardev=line)
        self._say(INIT, b"VSCD" + struct.pack(">II", 2, 0))
        self._say(READER_ADD, b"bench")
        threading.Thread(target=self._serve, args=(self._end,), daemon=True).start()
        return at_ns

    def scan(self, text: str) -> None:
        self._cards.put(bytes.fromhex(text))

    def pull_in_mid_read(self, _text: str) -> None:
        """A card is asked, and has not answered when the reader goes."""
        self._pulled.clear()
        self._cards.put(None)
        self._pulled.wait(2 * ASKED_S)

    def _put_on(self) -> None:
        while True:
            self._uid = self._cards.get()
            self._asked.clear()
            self._say(CARD_ON, ATR)
            self._asked.wait(ASKED_S)
            if self._uid is None:
                self._devices.guest.monitor("device_del", id=self._name)
                self._end.close()
                self._pulled.set()
                continue
            time.sleep(CARD_LIES_S)
            self._say(CARD_OFF)
            time.sleep(NEXT_CARD_S)

    def _say(self, kind: int, body: bytes = b"") -> None:
        with contextlib.suppress(OSError):
            self._end.sendall(struct.pack(">III", kind, 0, len(body)) + body)

    def _serve(self, end: socket.socket) -> None:
        with contextlib.suppress(OSError), end.makefile("rb") as stream:
            while len(head := stream.read(12)) == 12:
                kind, _, size = struct.unpack(">III", head)
                body = stream.read(size)
                if kind == APDU:
                    self._asked.set()
                    if self._uid is not None:
                        self._say(APDU, self._uid + b"\x90\x00" if body.startswith(GET_UID) else b"\x6a\x81")
