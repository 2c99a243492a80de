"""Tag readers on serial lines: probes, identification, and the choice of a port."""

from dataclasses import replace

import pytest

from drivers import DeviceLost, DriverError
from drivers.decode.detect.device_info import DeviceInfo
from drivers.decode.serial.em4100 import EM4100
from drivers.decode.serial.framing import TagProtocol
from drivers.decode.serial.m100 import M100
from drivers.decode.serial.swnet import SWNET
from drivers.decode.serial.uhfreader18 import UHFREADER18
from drivers.platform.serial_ports import open_port
from drivers.serial_rfid import PROTOCOLS, SerialRfid, open_answering
from tests.drivers.fixtures.serial_rfid_readers import (
    ANSWERS,
    HARMLESS,
    M100_NONE,
    M100_TAG,
    SHORT,
    TAGS,
    Simulator,
    active,
)
from tests.drivers.fixtures.simulated_readers import Cable, id12


@active
def test_a_reader_is_found_by_its_answer_and_its_tag_arrives_once(line, listen, protocol: TagProtocol):
    driver, simulator, _ = line(ANSWERS[protocol.name])
    outcomes = listen(driver)
    read = outcomes.read()
    assert (read.raw, read.sym, read.kind, driver.protocol) == (TAGS[protocol.name], None, "serial_rfid", protocol)
    assert outcomes.nothing(for_s=0.4)
    assert simulator.sent.count(protocol.poll) >= 2
    asked = simulator.sent[: simulator.sent.index(protocol.query) + 1]
    assert set(asked) <= HARMLESS
    assert set(simulator.sent) - set(asked) <= {protocol.query, protocol.begin, protocol.poll}
    outcomes.end()


@active
def test_a_late_answer_still_counts(line, listen, protocol: TagProtocol):
    driver, simulator, _ = line(ANSWERS[protocol.name], late_s=0.13)
    outcomes = listen(driver)
    assert outcomes.read().raw == TAGS[protocol.name]
    assert driver.protocol == protocol
    assert set(simulator.sent) <= HARMLESS | {protocol.begin, protocol.poll}
    outcomes.end()


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
def test_a_port_on_which_no_reader_answers_gets_only_harmless_probes(line, listen, answer):
    driver, simulator, _ = line(dict.fromkeys(HARMLESS, answer) if answer else {})
    outcomes = listen(driver)
    assert outcomes.nothing(for_s=1.6)
    assert driver.protocol is None
    assert set(simulator.sent) == HARMLESS
    assert len(simulator.sent) > len(HARMLESS)  # probed again: the reader may have been without power
    outcomes.end()


@active
def test_an_echo_of_the_questions_is_no_reader(line, listen, protocol: TagProtocol):
    driver, _, _ = line({protocol.query: protocol.query for protocol in PROTOCOLS if protocol.query})
    outcomes = listen(driver)
    assert outcomes.nothing(for_s=0.7)
    assert driver.protocol is None
    outcomes.end()


def test_an_answer_of_another_protocol_identifies_that_protocol(line, listen):
    driver, _, _ = line({UHFREADER18.query: M100_NONE, M100.poll: M100_TAG})
    outcomes = listen(driver)
    assert outcomes.read().raw == TAGS[M100.name]
    assert driver.protocol == M100
    outcomes.end()


def test_a_reader_that_sends_unprompted_is_read_and_not_probed_again(line, listen):
    driver, simulator, cable = line({})
    outcomes = listen(driver)
    cable.send(b"\x00" + id12("0C000621A5"))
    assert outcomes.read().raw == b"0C000621A5"
    asked = len(simulator.sent)
    assert outcomes.nothing(for_s=0.5)
    assert (driver.protocol, len(simulator.sent)) == (EM4100, asked)
    assert driver.dropped == 1
    outcomes.end()


def test_a_reader_that_lost_its_power_is_looked_for_again(line, listen):
    driver, simulator, _ = line(ANSWERS[M100.name], timings=replace(SHORT, silent_s=0.3))
    outcomes = listen(driver)
    assert outcomes.read().raw == TAGS[M100.name]
    simulator.answers = ANSWERS[SWNET.name]
    assert outcomes.read().raw == TAGS[SWNET.name]
    assert outcomes.gone.get(timeout=1).raw == TAGS[M100.name]  # the presence of its tag ends
    assert driver.protocol == SWNET
    outcomes.end()


def test_a_reader_that_is_unplugged_while_it_is_polled_is_lost(line, listen, open_descriptors):
    before = open_descriptors()
    cable = Cable()
    driver = SerialRfid(open_port(cable.port, {}))
    cable.hand_over()
    outcomes = listen(driver)
    cable.unplug()
    lost = outcomes.next()
    assert isinstance(lost, DeviceLost)
    assert lost.came == f"serial-{cable.port} ({cable.port}) was unplugged."
    assert open_descriptors() == before


@pytest.fixture
def machine():
    """Unconfigured ports by name, each with the device at its other end; `ports` lists them."""
    cables = {}

    def plug(answers):
        cable = Cable()
        simulator = Simulator(cable, answers)
        cables[cable.port] = cable, simulator
        return cable, simulator

    def info(port):
        return DeviceInfo(port, "Serial", 3, 0x0403, 0x6001, port[-1], "usb-1", types=False, points=False)

    plug.ports = lambda: map(info, cables)
    yield plug
    for cable, simulator in cables.values():
        simulator.stop.set()
        simulator.join(5)
        cable.unplug()
        cable.hand_over()


def test_of_unconfigured_ports_the_one_with_an_answering_reader_is_opened(machine):
    _, silent = machine({})
    answering, _ = machine(ANSWERS[M100.name])
    driver = open_answering(machine.ports(), {}, timings=SHORT)
    assert (driver.reader, driver.protocol) == (f"serial-{answering.port}", M100)
    driver.close()
    assert set(silent.sent) == HARMLESS


def test_without_an_answer_no_port_is_opened(machine, open_descriptors):
    machine({})
    before = open_descriptors()
    with pytest.raises(DriverError) as refused:
        open_answering(machine.ports(), {}, timings=SHORT)
    assert str(refused.value) == (
        "No RFID reader answers on a serial port. Expected one that speaks UHFReader18, M100, 53 57, PN532. "
        'Plug it in; one that speaks only by itself (ID-12, RDM6300) must be named: path = "/dev/serial/by-id/...".'
    )
    assert open_descriptors() == before
