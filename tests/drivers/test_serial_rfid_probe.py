"""In which order a port is asked who is there: whoever answers is found in the first round, also one that wakes up late."""

import os
from collections.abc import Callable, Iterator

import pytest

from drivers import serial_rfid
from drivers.decode.serial.em4100 import EM4100
from drivers.decode.serial.framing import TagProtocol
from drivers.decode.serial.m100 import M100
from drivers.decode.serial.pn532 import PN532
from drivers.decode.serial.swnet import SWNET
from drivers.decode.serial.uhfreader18 import UHFREADER18
from drivers.serial_rfid import SerialRfid
from tests.drivers.fixtures.simulated_readers import id12

M100_NONE = bytes.fromhex("BB01FF000115167E")
QUESTIONS = [M100.query, UHFREADER18.query, M100.query, SWNET.query, PN532.query]


class Port:
    """An open port at which a reader is played; `asked` is what it was sent, `speeds` at which."""

    reader = "usb-0403-6001-UHF1"

    def __init__(self, answer: Callable[["Port"], bytes], speaks: bytes = b"") -> None:
        self.descriptor, self._end = os.pipe()
        self._answer, self._speaks = answer, speaks
        self.asked: list[bytes] = []
        self.speeds: list[int] = []

    def read(self) -> bytes:
        return os.read(self.descriptor, 4096)

    def write(self, data: bytes) -> None:
        self.asked.append(data)
        os.write(self._end, self._answer(self))

    def set_speed(self, baud: int) -> None:
        self.speeds.append(baud)
        if baud == EM4100.baud:
            os.write(self._end, self._speaks)

    def close(self) -> None:
        os.close(self.descriptor)
        os.close(self._end)


@pytest.fixture
def reader_at(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Port], SerialRfid]]:
    monkeypatch.setattr(serial_rfid, "ANSWER_S", 0.02)
    monkeypatch.setattr(serial_rfid, "QUICK_S", 0.01)
    made: list[SerialRfid] = []

    def make(port: Port) -> SerialRfid:
        made.append(SerialRfid(port))
        return made[-1]

    yield make
    for each in made:
        each.close()


def answered(protocol: TagProtocol | None, reader_at: Callable[[Port], SerialRfid], port: Port) -> list[bytes]:
    """What was asked until a reader of this protocol had answered."""
    reader = reader_at(port)
    assert (reader.probe(), reader.protocol) == (protocol is not None, protocol)
    return port.asked


def test_the_reader_that_is_bought_most_is_asked_first(reader_at: Callable[[Port], SerialRfid]) -> None:
    assert answered(M100, reader_at, Port(lambda _port: M100_NONE)) == [M100.query]


def test_one_that_was_still_starting_up_is_asked_again_in_the_same_round(
    reader_at: Callable[[Port], SerialRfid],
) -> None:
    wakes = Port(lambda port: M100_NONE if port.asked.count(M100.query) == 2 else b"")
    assert answered(M100, reader_at, wakes) == [M100.query, UHFREADER18.query, M100.query]


def test_one_that_speaks_by_itself_is_heard_before_anybody_is_asked(
    reader_at: Callable[[Port], SerialRfid],
) -> None:
    assert answered(EM4100, reader_at, Port(lambda _port: b"", id12("0C000621A5"))) == []


def test_everybody_is_asked_at_his_speed_where_nobody_answers(reader_at: Callable[[Port], SerialRfid]) -> None:
    port = Port(lambda _port: b"")
    assert answered(None, reader_at, port) == QUESTIONS
    assert port.speeds == [9600, 115_200, 57_600, 115_200, 115_200, 115_200]
