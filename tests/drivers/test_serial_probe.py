"""How often an unknown port is probed, how it is identified later, and its control lines at close."""

import json
import os
import termios
import time
from dataclasses import replace

import pytest

from drivers import ProbeTimeout, ProfileLearned, Read
from drivers.decode.serial.em4100 import EM4100
from drivers.decode.serial.m100 import M100
from drivers.platform import serial_ports
from drivers.serial_rfid import ASK_ROUNDS, COMMONEST, PROTOCOLS, SHEET_EVIDENCE, UNANSWERED, SerialRfidTimings
from tests.drivers.fixtures.serial_rfid_readers import ANSWERS, HARMLESS, TAGS, connections
from tests.drivers.fixtures.simulated_readers import Cable, id12

SHEETS = [["WIP:SETUP:2D:\x1dA"]]
SOON = SerialRfidTimings(answer_s=0.03, first_listen_s=0.05, longest_listen_s=0.05, poll_s=0.05)


@pytest.fixture
def port(listen):
    """An open unknown port with a simulated device at the other end."""
    with connections(SOON) as connect:
        yield connect


def rounds(simulator):
    """The count of each probe; the first one is sent twice a round."""
    return {simulator.sent.count(probe) / (2 if probe == COMMONEST.query else 1) for probe in HARMLESS}


def unanswered(outcomes, driver):
    outcome = outcomes.next()
    assert outcome == ProbeTimeout("serial_rfid", driver.reader, outcome.boot_ns, UNANSWERED)


def test_an_unknown_port_is_probed_a_few_rounds_and_then_only_read(port, listen):
    driver, simulator, cable = port({}, listen="yes")
    outcomes = listen(driver)
    unanswered(outcomes, driver)
    assert rounds(simulator) == {ASK_ROUNDS}
    assert outcomes.nothing(for_s=1.0)
    assert rounds(simulator) == {ASK_ROUNDS}
    cable.send(b"OK\r\n" + id12("0C000621A5"))  # a reader that sends unprompted is identified at any time
    assert outcomes.read().raw == b"0C000621A5"
    assert driver.protocol is EM4100
    assert rounds(simulator) == {ASK_ROUNDS}
    outcomes.end()


def test_a_scanner_is_found_by_the_sheet_after_the_last_question(port, listen):
    driver, _, cable = port({}, listen="yes")
    driver.teach(SHEETS, None)
    outcomes = listen(driver)
    unanswered(outcomes, driver)
    cable.send(SHEETS[0][0].encode() + b"\r\n")
    assert outcomes.next().kind == "serial_line"
    outcomes.end()


def test_a_named_port_is_probed_without_limit(port, listen):
    driver, simulator, _ = port({})
    outcomes = listen(driver)
    end = time.monotonic() + 20
    while min(rounds(simulator)) < ASK_ROUNDS + 2:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert outcomes.nothing(for_s=0)
    simulator.answers = ANSWERS[M100.name]
    assert outcomes.read().raw == TAGS[M100.name]
    outcomes.end()


def test_a_reader_that_answered_and_lost_its_power_is_looked_for_until_it_has_it_again(port, listen):
    driver, simulator, _ = port(ANSWERS[M100.name], timings=replace(SOON, silent_s=0.1), listen="yes")
    outcomes = listen(driver)
    assert outcomes.read().raw == TAGS[M100.name]
    simulator.answers = {}
    asked = simulator.sent.count(M100.query)
    end = time.monotonic() + 20
    while simulator.sent.count(M100.query) < asked + 2 * ASK_ROUNDS:
        assert time.monotonic() < end
        time.sleep(0.05)
    simulator.answers = ANSWERS[M100.name]
    assert isinstance(outcomes.next(), Read)
    outcomes.end()


def test_a_port_with_a_learned_profile_is_a_scanner_and_is_not_probed(port, listen):
    driver, simulator, _ = port({})
    driver.teach(SHEETS, '{"prefix": "S1-"}')
    outcomes = listen(driver)
    outcome = outcomes.next()
    assert outcome == ProfileLearned("serial_line", driver.reader, outcome.boot_ns, (SHEET_EVIDENCE,), outcome.profile)
    assert json.loads(outcome.profile) == {"prefix": "S1-"}
    driver.close()
    assert simulator.sent == []


def hangs_up(cable):
    """Whether DTR falls at the last close of the port."""
    return bool(termios.tcgetattr(cable.port_end)[2] & termios.HUPCL)


@pytest.mark.parametrize("before", ["yes", None])
def test_an_unknown_port_keeps_dtr_at_close_and_a_readers_port_drops_it(before):
    cable = Cable()
    for listens in (before, "yes", None, "yes"):
        serial_ports.open_port(cable.port, {"listen": listens}).close()
        assert hangs_up(cable) is (listens is None)
    cable.hand_over()
    cable.unplug()


def test_the_speeds_of_the_questions_change_nothing_of_that():
    cable = Cable()
    line = serial_ports.open_port(cable.port, {"listen": "yes"})
    for protocol in PROTOCOLS:
        line.set_speed(protocol.baud)
        assert not hangs_up(cable)
    line.close()
    os.close(cable.end)
    cable.hand_over()
