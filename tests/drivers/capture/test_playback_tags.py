"""Tag readers and card readers, captured and played back: the same arrivals and departures, in the same order."""

import json
import time

import pytest
from waiting import until

from drivers import Dropped, OperatorNotice, ProfileLearned, Read, TagRemoved
from drivers.capture.playback_device import PlaybackHandle, PlaybackPcsc, PlaybackSerial
from drivers.capture.recorder import CaptureWriter, CapturingPcsc
from drivers.decode.capture_file import CaptureEvent, CaptureHeader, event_line, head_line
from drivers.decode.serial.m100 import M100
from drivers.decode.serial.pn532 import PN532
from drivers.decode.tags.smartcard import GET_UID
from drivers.pcsc import Pcsc, PcscTimings, open_reader
from drivers.platform.pcsc_interface import NoReader, ServiceGone
from drivers.platform.serial_ports import open_port
from drivers.serial_rfid import PROTOCOLS, SerialRfid, SerialRfidTimings
from tests.drivers.fixtures.captures import bare, lines_of, notes, play, raws, record
from tests.drivers.fixtures.pcsc_names import ACR, GOOD, READS, ULTRALIGHT
from tests.drivers.fixtures.serial_rfid_readers import ANSWERS, M100_NONE, TAGS, Simulator
from tests.drivers.fixtures.simulated_readers import Cable, Pcscd, id12

NS = 1_000_000_000


@pytest.fixture
def file(tmp_path):
    return tmp_path / "case.rec"


# Tag readers are identified soon, and tags leave soon, in the capture and in its playback.
LINE = SerialRfidTimings(answer_s=0.05, first_listen_s=0.1, longest_listen_s=0.1, poll_s=0.05)
CARDS = PcscTimings(wait_s=0.05, leave_s=0.2, retry_s=0.02, restart_s=0.5)
QUICK = {
    "pcsc": lambda head, device: Pcsc(
        PlaybackPcsc(device), head.settings["name"], head.reader, hold=device.holding, timings=CARDS
    ),
    "serial_rfid": lambda head, device: SerialRfid(
        PlaybackSerial(head.reader, device), hold=device.holding, timings=LINE
    ),
}


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_a_polled_tag_reader_is_played_back(file, name):
    cable = Cable()
    driver = SerialRfid(open_port(cable.port, {}), timings=LINE)
    cable.hand_over()
    driver.teach((), None)
    simulator = Simulator(cable, dict(ANSWERS[name]))
    full = simulator.answers

    def hand(outcomes):
        until(lambda: any(isinstance(outcome, Read) for outcome in outcomes))
        simulator.answers = {**full, M100.query: M100_NONE} if name == M100.name else {
            question: answer for question, answer in full.items() if question not in _polls(name)
        }  # fmt: skip
        until(lambda: any(isinstance(outcome, TagRemoved) for outcome in outcomes))
        simulator.answers = full
        until(lambda: sum(isinstance(outcome, Read) for outcome in outcomes) == 2)

    take = record(driver, file, hand)
    simulator.stop.set()
    simulator.join(5)
    cable.unplug()
    replayed = play(file.read_bytes(), sheets=(), readers=QUICK)
    counted = [outcome for outcome in bare(take.outcomes) if not isinstance(outcome, TagRemoved)]
    assert [outcome for outcome in bare(replayed) if not isinstance(outcome, TagRemoved)] == counted
    assert [type(outcome) for outcome in replayed] == [ProfileLearned, Read, TagRemoved, Read]
    removed, original = (
        next(outcome for outcome in outcomes if isinstance(outcome, TagRemoved))
        for outcomes in (replayed, take.outcomes)
    )
    assert (removed.raw, removed.signal_dbm) == (original.raw, original.signal_dbm)
    assert abs(removed.seen - original.seen) <= 1  # a detection at the end of a round
    assert removed.since_ns == replayed[1].boot_ns
    assert b'"out":"' in file.read_bytes()  # the probes are in the capture beside the answers


def test_a_tag_reader_that_was_found_in_opening_is_found_in_its_recording(file):
    cable = Cable()
    driver = SerialRfid(open_port(cable.port, {}), timings=LINE)
    cable.hand_over()
    simulator = Simulator(cable, dict(ANSWERS[PN532.name]))
    assert driver.probe()
    take = record(driver, file, lambda outcomes: until(lambda: outcomes))
    simulator.stop.set()
    simulator.join(5)
    cable.unplug()
    assert raws(play(file.read_bytes(), readers=QUICK)) == raws(take.outcomes) == [TAGS[PN532.name]]
    written = [item.value for item in lines_of(file.read_bytes())[1:] if item.name == "out"]
    assert PN532.query in written  # sent again, so that the capture contains the identification


def _polls(name):
    return {protocol.poll for protocol in PROTOCOLS if protocol.name == name}


def test_a_tag_reader_that_sends_unprompted_is_played_back(file):
    cable = Cable()
    driver = SerialRfid(open_port(cable.port, {}), timings=LINE)
    cable.hand_over()

    def hand(outcomes):
        for code in ("3C00CE754C", "3C00CE754C", "0C000621A5"):
            cable.send(id12(code))
            time.sleep(0.02)
        cable.send(id12("3C00CE7500")[:9])  # an incomplete frame
        until(lambda: sum(isinstance(outcome, TagRemoved) for outcome in outcomes) == 2)
        cable.send(id12("3C00CE7500"))
        until(lambda: sum(isinstance(outcome, Read) for outcome in outcomes) == 3)
        cable.unplug()
        time.sleep(0.1)

    take = record(driver, file, hand)
    replayed = play(file.read_bytes(), readers=QUICK)
    assert bare(replayed[:-1]) == bare(take.outcomes)
    assert [type(outcome) for outcome in replayed] == [
        Read,
        Read,
        TagRemoved,
        TagRemoved,
        Read,
        TagRemoved,
        OperatorNotice,
    ]
    assert notes(replayed) == [f"{driver.reader} was unplugged."]


def test_cards_are_put_on_and_removed_in_playback(file):
    service = Pcscd(ACR)
    service.atr, service.answers = ULTRALIGHT, dict(READS)
    driver = open_reader(service, {}, timings=CARDS)

    def hand(outcomes):
        service.put(b"\x04\xa1\xb2\xc3" + GOOD)
        until(lambda: len(outcomes) == 1)
        service.take()
        service.put(b"\x04\xa1\xb2\xc3" + GOOD)  # the card flickers
        service.take()
        until(lambda: len(outcomes) == 2)
        service.put(bytes.fromhex("08A1B2C3") + GOOD)  # a random number
        service.take()
        until(lambda: len(outcomes) == 3)
        service.put(None)  # removed before it is read
        service.put(b"\x04\xff" + GOOD)
        until(lambda: len(outcomes) == 4)
        service.set(running=False)
        time.sleep(0.1)
        service.set(running=True)
        time.sleep(0.1)
        service.set(names=[])
        until(lambda: len(outcomes) == 5)

    take = record(driver, file, hand)
    replayed = play(file.read_bytes(), readers=QUICK)
    assert bare(replayed[:-1]) == bare(take.outcomes)
    assert [type(outcome) for outcome in replayed] == [Read, TagRemoved, Dropped, Read, TagRemoved, OperatorNotice]
    assert (replayed[0].raw, replayed[0].texts) == (b"04A1B2C3", (b"WO-1042",))
    assert replayed[1].seen == 2
    assert take.lost is not None
    assert notes(replayed) == [take.lost.came] == ["pcsc-ACS ACR122U PICC Interface was unplugged."]


def a_slow_card(step_ms):
    """A card that responds slowly."""
    answers = [(GET_UID, b"\x04\xa1\xb2\xc3" + GOOD), *READS.items()]
    asked = [CaptureEvent(answer * step_ms * 1_000_000, "asked", pair) for answer, pair in enumerate(answers, 1)]
    events = [CaptureEvent(0, "state", (1, True, ULTRALIGHT)), *asked, CaptureEvent(5 * NS, "end", True)]
    return head_line(CaptureHeader("pcsc", "r", {"name": "OMNIKEY 5022 CL"})) + b"".join(map(event_line, events))


@pytest.mark.parametrize(("step_ms", "texts"), [(900, (b"WO-1042",)), (1001, ())])
def test_a_card_that_took_too_long_takes_too_long_again(step_ms, texts):
    assert play(a_slow_card(step_ms))[0].texts == texts


def test_a_changed_exchange_gets_the_captured_responses():
    events = [line for line in lines_of(a_slow_card(10)) if isinstance(line, CaptureEvent)]
    service = PlaybackPcsc(PlaybackHandle(iter(events), 0))
    assert service.change("r", None, 1.0).card
    card = service.card("r")
    first, second = READS
    commands = (b"\x00never asked", second, first)
    assert [card.send(command) for command in commands] == [b"", READS[second], READS[first]]


def test_a_service_that_ends_while_a_card_is_read_is_written_down_once(file):
    class Ending(Pcscd):
        def send(self, _command):
            self.running = False
            raise ServiceGone

    service = Ending(ACR)
    lines: list[bytes] = []
    writer = CaptureWriter(lines.append, lambda: None)
    capturing = CapturingPcsc(service, writer)
    writer.begin("pcsc", "r")
    with pytest.raises(ServiceGone):
        capturing.card(ACR).send(GET_UID)
    with pytest.raises(ServiceGone):
        capturing.change(ACR, None, 0.01)
    assert [b"gone" in line for line in lines] == [False, True]
    service.running = True
    capturing.change(ACR, None, 0.01)
    service.names = []
    with pytest.raises(NoReader):
        capturing.change(ACR, None, 0.01)
    assert [json.loads(line) for line in lines[2:]][1]["gone"] == "reader"


def test_a_service_that_stays_away_is_lost_in_the_recording_too(file):
    service = Pcscd(ACR)
    driver = open_reader(service, {}, timings=CARDS)

    def hand(outcomes):
        service.put(b"\x04\xff" + GOOD)
        until(lambda: outcomes)
        service.set(running=False)
        until(lambda: len(outcomes) == 2)

    take = record(driver, file, hand)
    replayed = play(file.read_bytes(), readers=QUICK)
    assert bare(replayed[:-1]) == bare(take.outcomes)
    assert take.lost is not None
    assert notes(replayed) == [take.lost.came]
