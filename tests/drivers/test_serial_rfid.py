"""Tag readers on serial lines: who is asked what, who is believed, and one arrival for a tag in the field."""

import os
import select
import threading
import time

import pytest

from drivers import DeviceLost, DriverError, Dropped, Gone, open_driver, serial_rfid
from drivers.decode.em4100 import EM4100
from drivers.decode.framing import Protocol
from drivers.decode.m100 import M100
from drivers.decode.plugged import Facts
from drivers.decode.pn532 import ACK, PN532
from drivers.decode.swnet import SWNET
from drivers.decode.uhfreader18 import UHFREADER18, crc16
from drivers.ports import opened
from drivers.serial_rfid import PROTOCOLS, SerialRfid
from tests.drivers.hands import Cable, id12

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


@pytest.fixture
def line(monkeypatch):
    """A serial line, its reader, and a simulator at the other end; answers are waited for briefly."""
    monkeypatch.setattr(serial_rfid, "ANSWER_S", 0.1)
    monkeypatch.setattr(serial_rfid, "FIRST_LISTEN_S", 0.2)
    monkeypatch.setattr(serial_rfid, "LONGEST_LISTEN_S", 0.2)
    monkeypatch.setattr(serial_rfid, "POLL_S", 0.05)
    ends = []

    def connect(answers, late_s=0.0):
        cable = Cable()
        driver = open_driver("serial_rfid", {"path": cable.port})
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


active = pytest.mark.parametrize(
    "protocol", [each for each in PROTOCOLS if each.query], ids=lambda protocol: protocol.name
)


@active
def test_a_reader_is_found_by_its_answer_and_its_tag_arrives_once(line, listen, protocol: Protocol):
    driver, simulator, _ = line(ANSWERS[protocol.name])
    heard = listen(driver)
    read = heard.read()
    assert (read.raw, read.sym, read.kind, driver.protocol) == (TAGS[protocol.name], None, "serial_rfid", protocol)
    assert heard.nothing(for_s=0.4)
    assert simulator.sent.count(protocol.poll) >= 2
    asked = simulator.sent[: simulator.sent.index(protocol.query) + 1]
    assert set(asked) <= HARMLESS
    assert set(simulator.sent) - set(asked) <= {protocol.query, protocol.begin, protocol.poll}
    heard.end()


@active
def test_a_late_answer_still_counts(line, listen, protocol: Protocol):
    driver, simulator, _ = line(ANSWERS[protocol.name], late_s=0.13)
    heard = listen(driver)
    assert heard.read().raw == TAGS[protocol.name]
    assert driver.protocol == protocol
    assert set(simulator.sent) <= HARMLESS | {protocol.begin, protocol.poll}
    heard.end()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x00" * 40,
        b"OK\r\n",
        b"$GPGGA,123519,4807.038,N\r\n",
        M100_TAG[:-1] + b"\x7f",
        bytes.fromhex("050001FB0000"),
    ],
    ids=["nothing", "zeros", "modem", "navigation", "broken sum", "broken CRC"],
)
def test_a_port_on_which_no_reader_answers_is_only_asked_harmless_questions(line, listen, answer):
    driver, simulator, _ = line(dict.fromkeys(HARMLESS, answer) if answer else {})
    heard = listen(driver)
    assert heard.nothing(for_s=1.6)
    assert driver.protocol is None
    assert set(simulator.sent) == HARMLESS
    assert len(simulator.sent) > len(HARMLESS)  # asked again: a reader that was without power has it now
    heard.end()


@active
def test_an_echo_of_the_questions_is_no_reader(line, listen, protocol: Protocol):
    driver, _, _ = line({each.query: each.query for each in PROTOCOLS if each.query})
    heard = listen(driver)
    assert heard.nothing(for_s=0.7)
    assert driver.protocol is None
    heard.end()


def test_anothers_answer_is_taken_for_what_it_is(line, listen):
    driver, _, _ = line({UHFREADER18.query: M100_NONE, M100.poll: M100_TAG})
    heard = listen(driver)
    assert heard.read().raw == TAGS[M100.name]
    assert driver.protocol == M100
    heard.end()


def test_a_reader_that_speaks_by_itself_is_listened_to_and_never_asked_again(line, listen):
    driver, simulator, cable = line({})
    heard = listen(driver)
    cable.send(b"\x00" + id12("0C000621A5"))
    assert heard.read().raw == b"0C000621A5"
    asked = len(simulator.sent)
    assert heard.nothing(for_s=0.5)
    assert (driver.protocol, len(simulator.sent)) == (EM4100, asked)
    assert driver.dropped == 1
    heard.end()


def test_a_tag_that_leaves_and_comes_back_arrives_again(line, listen):
    driver, _, cable = line({})
    heard = listen(driver)
    for _ in range(5):
        cable.send(id12("0C000621A5"))
        time.sleep(0.05)
    assert heard.read().raw == b"0C000621A5"
    assert heard.nothing(for_s=EM4100.leave_s + 0.1)
    cable.send(id12("0C000621A5"))
    assert heard.read().raw == b"0C000621A5"
    heard.end()


def test_a_quiet_field_ends_a_presence_that_tells_how_often_the_tag_was_seen(line, listen):
    driver, _, cable = line({})
    heard = listen(driver)
    for _ in range(5):
        cable.send(id12("0C000621A5"))
        time.sleep(0.05)
    read = heard.read()
    gone = heard.gone.get(timeout=EM4100.leave_s + 2)  # nothing else comes: the reader's own time ends it
    assert gone == Gone("serial_rfid", driver.reader, gone.boot_ns, read.boot_ns, b"0C000621A5", 5)
    assert 0.15e9 < gone.boot_ns - read.boot_ns < 0.9e9  # when it was last seen, not when it was missed
    assert heard.gone.empty()
    heard.end()


def test_a_frame_that_has_begun_is_not_cut_by_a_tag_that_leaves(line, listen):
    driver, _, cable = line({})
    heard = listen(driver)
    cable.send(id12("0C000621A5"))
    heard.read()
    time.sleep(EM4100.leave_s - 0.05)
    frame = id12("0C000621A6")
    cable.send(frame[:9])
    time.sleep(0.08)  # meanwhile the first tag's time is over
    cable.send(frame[9:])
    assert heard.read().raw == b"0C000621A6"
    assert heard.gone.get(timeout=2).raw == b"0C000621A5"
    assert driver.dropped == 0
    heard.end()


def test_a_tag_leaves_a_reader_that_is_asked_with_its_best_signal(line, listen):
    driver, simulator, _ = line(ANSWERS[M100.name])
    heard = listen(driver)
    read = heard.read()
    time.sleep(0.3)
    simulator.answers = {M100.poll: M100_NONE}
    gone = heard.gone.get(timeout=M100.leave_s + 2)
    assert (gone.raw, gone.since_ns, gone.signal_dbm) == (TAGS[M100.name], read.boot_ns, -55)
    assert gone.seen >= 2
    heard.end()


def test_a_lost_reader_has_lost_its_tags_and_a_closed_one_has_not(line, listen):
    for pulled in (True, False):
        cable = Cable()
        driver = SerialRfid(opened(cable.port, {}), EM4100)
        cable.hand_over()
        heard = listen(driver)
        cable.send(id12("0C000621A5"))
        heard.read()
        if pulled:
            cable.unplug()
            assert isinstance(heard.next(), DeviceLost)
            assert heard.gone.get(timeout=1).raw == b"0C000621A5"
        else:
            heard.end()
            assert heard.gone.empty()
            cable.unplug()


def test_a_refused_number_leaves_without_a_word(line, listen, monkeypatch):
    card = bytes.fromhex("0000FF0CF4D54B01010004080408A1B2C300")
    card = card[:-1] + bytes([-sum(card[5:-1]) & 0xFF, 0])
    driver, simulator, _ = line(ANSWERS[PN532.name] | {PN532.poll: ACK + card})
    heard = listen(driver)
    assert isinstance(heard.next(), Dropped)
    simulator.answers = ANSWERS[PN532.name]
    assert heard.read().raw == TAGS[PN532.name]
    simulator.answers = ANSWERS[PN532.name] | {PN532.poll: ACK + bytes.fromhex("0000FF03FDD54B00E000")}
    assert heard.gone.get(timeout=5).raw == TAGS[PN532.name]
    assert heard.gone.empty()
    heard.end()


def test_a_reader_that_lost_its_power_is_looked_for_again(line, listen, monkeypatch):
    monkeypatch.setattr(serial_rfid, "SILENT_S", 0.3)
    driver, simulator, _ = line(ANSWERS[M100.name])
    heard = listen(driver)
    assert heard.read().raw == TAGS[M100.name]
    simulator.answers = ANSWERS[SWNET.name]
    assert heard.read().raw == TAGS[SWNET.name]
    assert heard.gone.get(timeout=1).raw == TAGS[M100.name]  # what it saw before is over
    assert driver.protocol == SWNET
    heard.end()


def test_a_random_number_is_refused_with_the_reason_once(line, listen):
    card = bytes.fromhex("0000FF0CF4D54B01010004080408A1B2C300")
    card = card[:-1] + bytes([-sum(card[5:-1]) & 0xFF, 0])
    driver, _, _ = line(ANSWERS[PN532.name] | {PN532.poll: ACK + card})
    heard = listen(driver)
    dropped = heard.next()
    assert isinstance(dropped, Dropped)
    assert dropped.why == "The card shows a random number, another one each time (08A1B2C3)."
    heard.end()


def test_an_unplugged_reader_is_lost_while_it_is_asked(line, listen, open_descriptors):
    before = open_descriptors()
    cable = Cable()
    driver = SerialRfid(opened(cable.port, {}))
    cable.hand_over()
    heard = listen(driver)
    cable.unplug()
    lost = heard.next()
    assert isinstance(lost, DeviceLost)
    assert lost.came == f"serial-{cable.port} ({cable.port}) was unplugged."
    assert open_descriptors() == before


@pytest.fixture
def machine(line, monkeypatch):
    """Ports by name that nobody configured, each with what is at its other end."""
    cables = {}

    def plug(answers):
        cable = Cable()
        simulator = Simulator(cable, answers)
        cables[cable.port] = cable, simulator
        return cable, simulator

    def facts(port):
        return Facts(port, "Serial", 3, 0x0403, 0x6001, port[-1], "usb-1", types=False, points=False)

    monkeypatch.setattr(serial_rfid, "present", lambda: [facts(port) for port in cables])
    yield plug
    for cable, simulator in cables.values():
        simulator.stop.set()
        simulator.join(5)
        cable.unplug()
        cable.hand_over()


def test_of_unconfigured_ports_the_one_is_taken_on_which_a_reader_answers(machine):
    _, silent = machine({})
    answering, _ = machine(ANSWERS[M100.name])
    driver = open_driver("serial_rfid", {})
    assert (driver.reader, driver.protocol) == (f"serial-{answering.port}", M100)
    driver.close()
    assert set(silent.sent) == HARMLESS


def test_where_nothing_answers_no_port_is_taken(machine, open_descriptors):
    machine({})
    before = open_descriptors()
    with pytest.raises(DriverError) as refused:
        open_driver("serial_rfid", {})
    assert str(refused.value) == (
        "No RFID reader answers on a serial port. Expected one that speaks UHFReader18, M100, 53 57, PN532. "
        'Plug it in; one that speaks only by itself (ID-12, RDM6300) must be named: path = "/dev/serial/by-id/...".'
    )
    assert open_descriptors() == before
