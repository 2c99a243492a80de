"""Devices of each kind, recorded and played: the same scans, in the same order, and what is no scan beside them."""

import json
import os
import threading
import time

import pytest
from waiting import until

from drivers import Dropped, Gone, Known, Note, Read, pcsc, serial_rfid
from drivers.cards import NoReader, ServiceGone
from drivers.decode.m100 import M100
from drivers.decode.pn532 import PN532
from drivers.decode.recording import Event, Head, event_line, head_line
from drivers.decode.smartcard import GET_UID
from drivers.keyboard import EVENT, Keyboard
from drivers.pcsc import opened
from drivers.ports import opened as opened_port
from drivers.serial_line import SerialLine
from drivers.serial_rfid import SerialRfid
from drivers.tape import Tape, TapedService
from tests.drivers.hands import Cable, Pcscd, id12
from tests.drivers.hid_devices import MAKERS, PosScanner
from tests.drivers.pcsc_room import ACR, GOOD, READS, ULTRALIGHT
from tests.drivers.recording_room import bare, lines_of, notes, play, raws, record
from tests.drivers.rfid_room import ANSWERS, M100_NONE, TAGS, Simulator
from tests.drivers.scanners import SQUARE

NS = 1_000_000_000


def spans(said):
    """When each was said, from the first on, in milliseconds."""
    return [(each.boot_ns - said[0].boot_ns) / 1e6 for each in said]


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


def test_a_keyboard_says_the_same_again(benches, tmp_path, file):
    wedge = benches["keyboard"](tmp_path)

    def hand(said):
        wedge.scan("WO-1042")
        wedge.scan("]C10104012345678901\x1d10A7")
        wedge.begin("by silence")  # ended by a gap
        until(lambda: len(said) == 3)
        wedge.begin("lost")
        wedge.strike((0, 3, 0), (0, 0, 0))
        wedge.scan("tail")
        wedge.scan("0123456789" * 500)
        until(lambda: len(said) == 5)
        wedge.begin("half")
        time.sleep(0.1)

    take = record(wedge.driver, file, hand)
    again = play(file.read_bytes())
    assert bare(again) == bare(take.said)
    assert [type(each) for each in again] == [Read, Read, Read, Dropped, Read]
    assert {(each.kind, each.reader) for each in again} == {("replay", "replay-x")}
    assert spans(again) == pytest.approx(spans(take.said), abs=1)
    assert take.lost is None


def test_keys_that_the_kernel_stamps_keep_its_times_to_the_nanosecond(strike, file):
    read_end, write_end = os.pipe2(os.O_NONBLOCK)
    driver = Keyboard(read_end, "r", "n", lambda: os.close(read_end), stamped=True)

    def hand(said):
        now_us = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000
        for number, event in enumerate(strike("wo 1042\n")):
            at_us = now_us + number * 700
            os.write(write_end, EVENT.pack(at_us // 10**6, at_us % 10**6, *event))
        until(lambda: said)

    take = record(driver, file, hand)
    os.close(write_end)
    again = play(file.read_bytes(), begun_ns=take.tape._begun_ns)
    assert [each.boot_ns for each in again] == [each.boot_ns for each in take.said]
    assert raws(again) == [b"wo 1042"]


@pytest.mark.parametrize("after_s", [0.01, 0.2])
def test_a_keyboard_that_was_typing_when_it_was_taken_loses_the_same_head(strike, file, after_s):
    read_end, write_end = os.pipe2(os.O_NONBLOCK)
    now_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    driver = Keyboard(read_end, "r", "n", lambda: os.close(read_end), stamped=True, opened_ns=now_ns)

    def hand(said):
        at_us = (now_ns + int(after_s * NS)) // 1000
        os.write(write_end, b"".join(EVENT.pack(at_us // 10**6, at_us % 10**6, *each) for each in strike("half\n")))
        until(lambda: said)

    take = record(driver, file, hand)
    os.close(write_end)
    again = play(file.read_bytes())
    assert bare(again) == bare(take.said)
    assert type(again[0]) is (Dropped if after_s < 0.05 else Read)


def test_a_scanner_for_another_layout_is_played_with_its_layout_profile_and_lamp(typist, file):
    how = {"layout": "de", "prefix": "S1-", "turned": True}
    read_end, write_end = os.pipe2(os.O_NONBLOCK)
    driver = Keyboard(read_end, "r", "n", lambda: os.close(read_end), caps_lock=True, said_layout="de")
    driver.teach((), '{"layout":"de","prefix":"S1-"}')
    events = typist.scan("Zahl/Yard_#7", **how).events

    def hand(said):
        for event in events:
            os.write(write_end, EVENT.pack(0, 0, *event[:3]))
        until(lambda: said)

    take = record(driver, file, hand)
    os.close(write_end)
    assert raws(play(file.read_bytes())) == raws(take.said) == [b"Zahl/Yard_#7"]


def test_a_setup_sheet_teaches_a_recorded_scanner_as_it_taught_the_real_one(typist, file):
    read_end, write_end = os.pipe2(os.O_NONBLOCK)
    driver = Keyboard(read_end, "r", "n", lambda: os.close(read_end))
    driver.teach((SQUARE,), None)
    sheet = typist.scan(SQUARE[0], layout="fr")
    code = typist.scan("wo-1042", layout="fr")

    def hand(said):
        for part, count in ((sheet, 2), (code, 3)):
            for event in part.events:
                os.write(write_end, EVENT.pack(0, 0, *event[:3]))
            until(lambda count=count: len(said) == count)

    take = record(driver, file, hand)
    os.close(write_end)
    again = play(file.read_bytes(), sheets=(SQUARE,))
    assert bare(again) == bare(take.said)
    assert [type(each) for each in again] == [Known, Read, Read]
    assert again[0].profile is None  # nobody keeps what a recording was taught
    assert again[2].raw == b"wo-1042"


def test_a_serial_scanner_says_the_same_again(file):
    cable = Cable()
    driver = SerialLine(opened_port(cable.port, {}))
    cable.hand_over()
    driver.teach((), '{"suffix":"!"}')

    def hand(said):
        cable.send(b"WO-1042!\r\nWO-")
        time.sleep(0.02)
        cable.send(b"7\t\x02]C1A\x1dB\x03")
        until(lambda: len(said) == 3)
        cable.send(b"by silence")
        until(lambda: len(said) == 4)
        cable.send(bytes(range(32, 256)) * 40 + b"\r")
        until(lambda: len(said) == 5)
        cable.send(b"half")
        time.sleep(0.05)
        cable.unplug()
        time.sleep(0.1)

    take = record(driver, file, hand)
    again = play(file.read_bytes())
    assert bare(again[:-1]) == bare(take.said)
    assert raws(again)[:2] == [b"WO-1042", b"WO-7"]
    assert spans(again[:-1]) == pytest.approx(spans(take.said), abs=5)
    assert take.lost is not None
    half = " was unplugged in mid-scan, and half a scan was dropped (bytes: 4)."
    assert take.lost.came == f"{driver.reader} ({cable.port}){half}"
    assert notes(again) == [driver.reader + half]


@pytest.mark.parametrize("maker", sorted(MAKERS))
def test_a_hid_pos_scanner_says_the_same_again(tmp_path, file, maker):
    scanner = PosScanner(tmp_path, maker)

    def hand(said):
        scanner.scan("]C1WO-1042")
        scanner.scan("]d2" + "0123456789" * 20)
        until(lambda: len(said) == 2)
        scanner.begin("half")
        until(lambda: len(said) == 3)  # given up
        scanner.scan("wo 7")
        time.sleep(0.05)
        scanner.begin("half")
        time.sleep(0.05)
        scanner.unplug()
        time.sleep(0.05)

    take = record(scanner.driver, file, hand)
    again = play(file.read_bytes())
    assert bare(again[: len(take.said)]) == bare(take.said)
    assert isinstance(again[2], Dropped)
    assert take.lost is not None
    assert notes(again) == [take.lost.came]


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_a_tag_reader_that_is_asked_says_the_same_again(quick, file, name):
    cable = Cable()
    driver = SerialRfid(opened_port(cable.port, {}))
    cable.hand_over()
    driver.teach((), None)
    simulator = Simulator(cable, dict(ANSWERS[name]))
    full = simulator.answers

    def hand(said):
        until(lambda: any(isinstance(each, Read) for each in said))
        simulator.answers = {**full, M100.query: M100_NONE} if name == M100.name else {
            question: answer for question, answer in full.items() if question not in _polls(name)
        }  # fmt: skip
        until(lambda: any(isinstance(each, Gone) for each in said))
        simulator.answers = full
        until(lambda: sum(isinstance(each, Read) for each in said) == 2)

    take = record(driver, file, hand)
    simulator.stop.set()
    simulator.join(5)
    cable.unplug()
    again = play(file.read_bytes(), sheets=())
    counted = [each for each in bare(take.said) if not isinstance(each, Gone)]
    assert [each for each in bare(again) if not isinstance(each, Gone)] == counted
    assert [type(each) for each in again] == [Known, Read, Gone, Read]
    gone, was = (next(each for each in said if isinstance(each, Gone)) for said in (again, take.said))
    assert (gone.raw, gone.signal_dbm) == (was.raw, was.signal_dbm)
    assert abs(gone.seen - was.seen) <= 1  # of sightings at the edge of a round
    assert gone.since_ns == again[1].boot_ns
    assert b'"out":"' in file.read_bytes()  # what it was asked stands beside its answers


def test_a_tag_reader_that_was_found_in_opening_is_found_in_its_recording(quick, file):
    cable = Cable()
    driver = SerialRfid(opened_port(cable.port, {}))
    cable.hand_over()
    simulator = Simulator(cable, dict(ANSWERS[PN532.name]))
    assert driver.ask()
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
    driver = SerialRfid(opened_port(cable.port, {}))
    cable.hand_over()

    def hand(said):
        for code in ("3C00CE754C", "3C00CE754C", "0C000621A5"):
            cable.send(id12(code))
            time.sleep(0.02)
        cable.send(id12("3C00CE7500")[:9])  # a frame that stops
        until(lambda: sum(isinstance(each, Gone) for each in said) == 2)
        cable.send(id12("3C00CE7500"))
        until(lambda: sum(isinstance(each, Read) for each in said) == 3)
        cable.unplug()
        time.sleep(0.1)

    take = record(driver, file, hand)
    again = play(file.read_bytes())
    assert bare(again[:-1]) == bare(take.said)
    assert [type(each) for each in again] == [Read, Read, Gone, Gone, Read, Gone, Note]
    assert notes(again) == [f"{driver.reader} was unplugged."]


def test_cards_are_put_on_and_taken_off_again(quick, file):
    service = Pcscd(ACR)
    service.atr, service.answers = ULTRALIGHT, dict(READS)
    driver = opened(service, {})

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
    assert [type(each) for each in again] == [Read, Gone, Dropped, Read, Gone, Note]
    assert (again[0].raw, again[0].texts) == (b"04A1B2C3", (b"WO-1042",))
    assert again[1].seen == 2
    assert take.lost is not None
    assert notes(again) == [take.lost.came] == ["pcsc-ACS ACR122U PICC Interface was unplugged."]


def a_slow_card(step_ms):
    """A card that takes its time for each answer."""
    answers = [(GET_UID, b"\x04\xa1\xb2\xc3" + GOOD), *READS.items()]
    asked = [Event(each * step_ms * 1_000_000, "asked", pair) for each, pair in enumerate(answers, 1)]
    events = [Event(0, "state", (1, True, ULTRALIGHT)), *asked, Event(5 * NS, "end", True)]
    return head_line(Head("pcsc", "r", {"name": "OMNIKEY 5022 CL"})) + b"".join(map(event_line, events))


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
    tape = Tape(lines.append, lambda: None)
    taped = TapedService(service, tape)
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
    driver = opened(service, {})

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


def test_nothing_is_read_otherwise_because_it_is_recorded(benches, tmp_path, file):
    said = []
    for taped in (False, True):
        folder = tmp_path / str(taped)
        folder.mkdir()
        wedge = benches["keyboard"](folder)
        if taped:
            take = record(wedge.driver, file, lambda heard, wedge=wedge: _two(wedge, heard))
            said.append(bare(take.said))
        else:
            heard: list = []
            thread = threading.Thread(target=lambda wedge=wedge, heard=heard: heard.extend(wedge.driver.reads()))
            thread.start()
            wedge.scan("a")
            wedge.scan("b")
            time.sleep(0.1)
            wedge.driver.close()
            thread.join(10)
            said.append(bare(heard))
    assert said[0] == said[1]


def _two(wedge, heard):
    wedge.scan("a")
    wedge.scan("b")
    until(lambda: len(heard) == 2)
