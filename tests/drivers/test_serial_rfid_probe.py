"""The order of probes on a port: a reader is identified in the first round, even if it starts slowly."""

import os
from collections.abc import Callable, Iterator

import pytest

from drivers.decode.serial.em4100 import EM4100
from drivers.decode.serial.framing import TagProtocol
from drivers.decode.serial.m100 import M100
from drivers.decode.serial.pn532 import PN532
from drivers.decode.serial.swnet import SWNET
from drivers.decode.serial.uhfreader18 import UHFREADER18
from drivers.serial_rfid import SerialRfid, SerialRfidTimings
from tests.drivers.fixtures.simulated_readers import id12

M100_NONE = bytes.fromhex("BB01FF000115167E")
QUESTIONS = [M100.query, UHFREADER18.query, M100.query, SWNET.query, PN532.query]


class Port:
    """An open port with a simulated reader; `asked` are the bytes sent to it, `speeds` their speeds."""

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
def reader_at() -> Iterator[Callable[[Port], SerialRfid]]:
    timings = SerialRfidTimings(answer_s=0.02, quick_s=0.01)
    made: list[SerialRfid] = []

    def make(port: Port) -> SerialRfid:
        made.append(SerialRfid(port, timings=timings))
        return made[-1]

    yield make
    for driver in made:
        driver.close()


def answered(protocol: TagProtocol | None, reader_at: Callable[[Port], SerialRfid], port: Port) -> list[bytes]:
    """The probes sent until a reader of this protocol had answered."""
    reader = reader_at(port)
    assert (reader.probe(), reader.protocol) == (protocol is not None, protocol)
    return port.asked


def test_the_commonest_protocol_is_probed_first(reader_at: Callable[[Port], SerialRfid]) -> None:
    assert answered(M100, reader_at, Port(lambda _port: M100_NONE)) == [M100.query]


def test_a_reader_that_is_still_starting_is_probed_again_in_the_same_round(
    reader_at: Callable[[Port], SerialRfid],
) -> None:
    wakes = Port(lambda port: M100_NONE if port.asked.count(M100.query) == 2 else b"")
    assert answered(M100, reader_at, wakes) == [M100.query, UHFREADER18.query, M100.query]


def test_a_reader_that_sends_unprompted_is_identified_before_any_probe(
    reader_at: Callable[[Port], SerialRfid],
) -> None:
    assert answered(EM4100, reader_at, Port(lambda _port: b"", id12("0C000621A5"))) == []


def test_without_an_answer_every_protocol_is_probed_at_its_speed(reader_at: Callable[[Port], SerialRfid]) -> None:
    port = Port(lambda _port: b"")
    assert answered(None, reader_at, port) == QUESTIONS
    assert port.speeds == [9600, 115_200, 57_600, 115_200, 115_200, 115_200]
