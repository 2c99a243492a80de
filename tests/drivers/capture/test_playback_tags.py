"""Tag readers and card readers, recorded and played: the same arrivals and leavings, in the same order."""

import json
import time

import pytest
from waiting import until

from drivers import Dropped, OperatorNotice, ProfileLearned, Read, TagRemoved, pcsc, serial_rfid
from drivers.capture.recorder import CaptureWriter, CapturingPcsc
from drivers.decode.capture_file import CaptureEvent, CaptureHeader, event_line, head_line
from drivers.decode.serial.m100 import M100
from drivers.decode.serial.pn532 import PN532
from drivers.decode.tags.smartcard import GET_UID
from drivers.pcsc import open_reader
from drivers.platform.pcsc_interface import NoReader, ServiceGone
from drivers.platform.serial_ports import open_port
from drivers.serial_rfid import SerialRfid
from tests.drivers.fixtures.captures import bare, lines_of, notes, play, raws, record
from tests.drivers.fixtures.pcsc_names import ACR, GOOD, READS, ULTRALIGHT
from tests.drivers.fixtures.serial_rfid_readers import ANSWERS, M100_NONE, TAGS, Simulator
from tests.drivers.fixtures.simulated_readers import Cable, Pcscd, id12

NS = 1_000_000_000


@pytest.fixture
def file(tmp_path):
    return tmp_path / "case.rec"


@pytest.fixture
def quick(monkeypatch):
    """Tag readers are found soon, and tags leave soon."""
    for name, value in (("ANSWER_S", 0.05), ("FIRST_LISTEN_S", 0.1), ("LONGEST_LISTEN_S", 0.1), ("POLL_S", 0.05)):
        monkeypatch.setattr(serial_rfid, name, value)
    for name, value in (("WAIT_S", 0.05), ("LEAVE_S", 0.2), ("RETRY_S", 0.02), ("RESTART_S", 0.5)):
        monkeypatch.setattr(pcsc, name, value)


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_a_tag_reader_that_is_asked_says_the_same_again(quick, file, name):
    cable = Cable()
    driver = SerialRfid(open_port(cable.port, {}))
    cable.hand_over()
    driver.teach((), None)
    simulator = Simulator(cable, dict(ANSWERS[name]))
    full = simulator.answers

    def hand(said):
        until(lambda: any(isinstance(each, Read) for each in said))
        simulator.answers = {**full, M100.query: M100_NONE} if name == M100.name else {
            question: answer for question, answer in full.items() if question not in _polls(name)
        }  # fmt: skip
        until(lambda: any(isinstance(each, TagRemoved) for each in said))
        simulator.answers = full
        until(lambda: sum(isinstance(each, Read) for each in said) == 2)

    take = record(driver, file, hand)
    simulator.stop.set()
    simulator.join(5)
    cable.unplug()
    again = play(file.read_bytes(), sheets=())
    counted = [each for each in bare(take.said) if not isinstance(each, TagRemoved)]
    assert [each for each in bare(again) if not isinstance(each, TagRemoved)] == counted
    assert [type(each) for each in again] == [ProfileLearned, Read, TagRemoved, Read]
    gone, was = (next(each for each in said if isinstance(each, TagRemoved)) for said in (again, take.said))
    assert (gone.raw, gone.signal_dbm) == (was.raw, was.signal_dbm)
    assert abs(gone.seen - was.seen) <= 1  # of sightings at the edge of a round
    assert gone.since_ns == again[1].boot_ns
    assert b'"out":"' in file.read_bytes()  # what it was asked stands beside its answers


def test_a_tag_reader_that_was_found_in_opening_is_found_in_its_recording(quick, file):
    cable = Cable()
    driver = SerialRfid(open_port(cable.port, {}))
    cable.hand_over()
    simulator = Simulator(cable, dict(ANSWERS[PN532.name]))
    assert driver.probe()
    take = record(driver, file, lambda said: until(lambda: said))
    simulator.stop.set()
    simulator.join(5)
    cable.unplug()
    assert raws(play(file.read_bytes())) == raws(take.said) == [TAGS[PN532.name]]
    written = [each.value for each in lines_of(file.read_bytes())[1:] if each.name == "out"]
    assert PN532.query in written  # asked again, so that who has the file sees how it introduced itself


def _polls(name):
    return {each.poll for each in serial_rfid.PROTOCOLS if each.name == name}


def test_a_tag_reader_that_speaks_by_itself_says_the_same_again(quick, file):
    cable = Cable()
    driver = SerialRfid(open_port(cable.port, {}))
    cable.hand_over()

    def hand(said):
        for code in ("3C00CE754C", "3C00CE754C", "0C000621A5"):
            cable.send(id12(code))
            time.sleep(0.02)
        cable.send(id12("3C00CE7500")[:9])  # a frame that stops
        until(lambda: sum(isinstance(each, TagRemoved) for each in said) == 2)
        cable.send(id12("3C00CE7500"))
        until(lambda: sum(isinstance(each, Read) for each in said) == 3)
        cable.unplug()
        time.sleep(0.1)

    take = record(driver, file, hand)
    again = play(file.read_bytes())
    assert bare(again[:-1]) == bare(take.said)
    assert [type(each) for each in again] == [Read, Read, TagRemoved, TagRemoved, Read, TagRemoved, OperatorNotice]
    assert notes(again) == [f"{driver.reader} was unplugged."]


def test_cards_are_put_on_and_taken_off_again(quick, file):
    service = Pcscd(ACR)
    service.atr, service.answers = ULTRALIGHT, dict(READS)
    driver = open_reader(service, {})

    def hand(said):
        service.put(b"\x04\xa1\xb2\xc3" + GOOD)
        until(lambda: len(said) == 1)
        service.take()
        service.put(b"\x04\xa1\xb2\xc3" + GOOD)  # it flickers
        service.take()
        until(lambda: len(said) == 2)
        service.put(bytes.fromhex("08A1B2C3") + GOOD)  # a random number
        service.take()
        until(lambda: len(said) == 3)
        service.put(None)  # gone before it is read
        service.put(b"\x04\xff" + GOOD)
        until(lambda: len(said) == 4)
        service.set(running=False)
        time.sleep(0.1)
        service.set(running=True)
        time.sleep(0.1)
        service.set(names=[])
        until(lambda: len(said) == 5)

    take = record(driver, file, hand)
    again = play(file.read_bytes())
    assert bare(again[:-1]) == bare(take.said)
    assert [type(each) for each in again] == [Read, TagRemoved, Dropped, Read, TagRemoved, OperatorNotice]
    assert (again[0].raw, again[0].texts) == (b"04A1B2C3", (b"WO-1042",))
    assert again[1].seen == 2
    assert take.lost is not None
    assert notes(again) == [take.lost.came] == ["pcsc-ACS ACR122U PICC Interface was unplugged."]


def a_slow_card(step_ms):
    """A card that takes its time for each answer."""
    answers = [(GET_UID, b"\x04\xa1\xb2\xc3" + GOOD), *READS.items()]
    asked = [CaptureEvent(each * step_ms * 1_000_000, "asked", pair) for each, pair in enumerate(answers, 1)]
    events = [CaptureEvent(0, "state", (1, True, ULTRALIGHT)), *asked, CaptureEvent(5 * NS, "end", True)]
    return head_line(CaptureHeader("pcsc", "r", {"name": "OMNIKEY 5022 CL"})) + b"".join(map(event_line, events))


@pytest.mark.parametrize(("step_ms", "texts"), [(900, (b"WO-1042",)), (1001, ())])
def test_a_card_that_took_too_long_takes_too_long_again(step_ms, texts):
    assert play(a_slow_card(step_ms))[0].texts == texts


def test_a_decoder_that_asks_a_card_otherwise_gets_the_answers_that_there_are(monkeypatch):
    def talk():
        yield b"\x00never asked"
        first, second = READS
        tail = yield second
        head = yield first
        return head[4:-2] + tail[:-2]

    monkeypatch.setattr(pcsc, "conversation", lambda _atr: talk())
    monkeypatch.setattr(pcsc, "texts", lambda message: (message,))
    assert play(a_slow_card(10))[0].texts[0].startswith(b"\x03\x0e\xd1\x01\x0a\x54\x02en")


def test_a_service_that_ends_while_a_card_is_read_is_written_down_once(file):
    class Ending(Pcscd):
        def send(self, _command):
            self.running = False
            raise ServiceGone

    service = Ending(ACR)
    lines: list[bytes] = []
    tape = CaptureWriter(lines.append, lambda: None)
    taped = CapturingPcsc(service, tape)
    tape.begin("pcsc", "r")
    with pytest.raises(ServiceGone):
        taped.card(ACR).send(GET_UID)
    with pytest.raises(ServiceGone):
        taped.change(ACR, None, 0.01)
    assert [b"gone" in line for line in lines] == [False, True]
    service.running = True
    taped.change(ACR, None, 0.01)
    service.names = []
    with pytest.raises(NoReader):
        taped.change(ACR, None, 0.01)
    assert [json.loads(line) for line in lines[2:]][1]["gone"] == "reader"


def test_a_service_that_stays_away_is_lost_in_the_recording_too(quick, file):
    service = Pcscd(ACR)
    driver = open_reader(service, {})

    def hand(said):
        service.put(b"\x04\xff" + GOOD)
        until(lambda: said)
        service.set(running=False)
        until(lambda: len(said) == 2)

    take = record(driver, file, hand)
    again = play(file.read_bytes())
    assert bare(again[:-1]) == bare(take.said)
    assert take.lost is not None
    assert notes(again) == [take.lost.came]
