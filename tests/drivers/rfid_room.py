"""What the tests of tag readers on serial lines share: their protocols' frames, and a reader at the far end of a line."""

import os
import select
import threading
from contextlib import contextmanager

import pytest

from drivers import open_driver, serial_rfid
from drivers.decode.m100 import M100
from drivers.decode.pn532 import ACK, PN532
from drivers.decode.swnet import SWNET
from drivers.decode.uhfreader18 import UHFREADER18, crc16
from drivers.serial_rfid import PROTOCOLS
from tests.drivers.hands import Cable

# Written out, from the manuals: what asks and changes nothing. A query that is added to a protocol must be added here.
HARMLESS = {
    bytes.fromhex("04FF211995"),  # UHFReader18: reader information
    bytes.fromhex("BB00220000227E"),  # M100: one round of inventory
    bytes.fromhex("53570003FF1044"),  # 53 57: system parameters, read
    bytes.fromhex("555500000000000000000000000000000000FF02FED4022A00"),  # PN532: wake up, firmware version
}  # fmt: skip
M100_TAG = bytes.fromhex("BB02220011C9340030751FEB705C5904E3D50D703A76EF7E")
M100_NONE = bytes.fromhex("BB01FF000115167E")
UHF_INFO = bytes.fromhex("0D0021000236090331801E0A")
UHF_TAG = bytes.fromhex("1300010101" + "0C3034257BF7194E4000001A85")
ANSWERS = {
    M100.name: {M100.query: M100_TAG},
    UHFREADER18.name: {
        UHFREADER18.query: UHF_INFO + crc16(UHF_INFO).to_bytes(2, "little"),
        UHFREADER18.poll: UHF_TAG + crc16(UHF_TAG).to_bytes(2, "little"),
    },
    SWNET.name: {
        SWNET.query: bytes.fromhex("4354000D0010011411C3DD938E1701232A"),
        SWNET.poll: bytes.fromhex("4354001600010100010F0102E2002067551602701270920F498C"),
    },
    PN532.name: {
        PN532.query: ACK + bytes.fromhex("0000FF06FAD50332010607E800"),
        PN532.begin: ACK + bytes.fromhex("0000FF02FED5151600"),
        PN532.poll: ACK + bytes.fromhex("0000FF0CF4D54B0101000408040102030ABE00"),
    },
}  # fmt: skip
TAGS = {
    M100.name: b"3A76340030751FEB705C5904E3D50D70",  # checksum, PC word, EPC
    UHFREADER18.name: b"3034257BF7194E4000001A85",
    SWNET.name: b"E2002067551602701270920F",
    PN532.name: b"0102030A",
}


def messages(sent: bytes) -> list[bytes]:
    """What was sent, question by question; a rest that is none stands at the end."""
    known = HARMLESS | {each.begin for each in PROTOCOLS} | {each.poll for each in PROTOCOLS}
    found = []
    while sent:
        found.append(next((each for each in known if each and sent.startswith(each)), sent))
        sent = sent[len(found[-1]) :]
    return found


class Simulator(threading.Thread):
    """A reader at the far end of a line: answers what it knows, after a while, and keeps all that it was sent."""

    def __init__(self, cable: Cable, answers: dict[bytes, bytes], late_s: float = 0.0) -> None:
        super().__init__(daemon=True)
        self._cable, self._late_s = cable, late_s
        self.answers = answers
        self.sent: list[bytes] = []
        self.stop = threading.Event()
        self.start()

    def run(self) -> None:
        """Until the line is pulled or `stop` is set."""
        while not self.stop.is_set():
            if not select.select([self._cable.end], [], [], 0.05)[0]:
                continue
            try:
                data = os.read(self._cable.end, 4096)
            except OSError:
                return
            asked = messages(data)
            self.sent += asked
            self.stop.wait(self._late_s)
            for question in asked:
                self._cable.send(self.answers.get(question, b""))


@contextmanager
def connections():
    """Ports that are open, each with a simulator at its far end: `connect(answers, late_s, listen="yes")`."""
    ends = []

    def connect(answers, late_s=0.0, **settings):
        cable = Cable()
        driver = open_driver("serial_rfid", {"path": cable.port, **settings})
        cable.hand_over()
        simulator = Simulator(cable, answers, late_s)
        ends.append((driver, simulator, cable))
        return driver, simulator, cable

    yield connect
    for driver, simulator, cable in ends:
        driver.close()
        simulator.stop.set()
        simulator.join(5)
        cable.unplug()


@pytest.fixture
def line(monkeypatch):
    """A serial line, its reader, and a simulator at the other end; answers are waited for briefly."""
    monkeypatch.setattr(serial_rfid, "ANSWER_S", 0.1)
    monkeypatch.setattr(serial_rfid, "FIRST_LISTEN_S", 0.2)
    monkeypatch.setattr(serial_rfid, "LONGEST_LISTEN_S", 0.2)
    monkeypatch.setattr(serial_rfid, "POLL_S", 0.05)
    with connections() as connect:
        yield connect


active = pytest.mark.parametrize(
    "protocol", [each for each in PROTOCOLS if each.query], ids=lambda protocol: protocol.name
)
