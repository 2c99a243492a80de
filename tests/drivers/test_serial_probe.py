"""How often a port that nobody knows is asked, how it is found all the same, and what its lines do when it is closed."""

import json
import os
import termios
import time

import pytest

from drivers import ProbeTimeout, ProfileLearned, Read, serial_rfid
from drivers.decode.serial.em4100 import EM4100
from drivers.decode.serial.m100 import M100
from drivers.platform import serial_ports
from drivers.serial_rfid import ASK_ROUNDS, COMMONEST, PROTOCOLS, SHEET_EVIDENCE, UNANSWERED
from tests.drivers.fixtures.serial_rfid_readers import ANSWERS, HARMLESS, TAGS, connections
from tests.drivers.fixtures.simulated_readers import Cable, id12

SHEETS = [["WIP:SETUP:2D:\x1dA"]]


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """Answers are waited for briefly."""
    for name, value in (("ANSWER_S", 0.03), ("FIRST_LISTEN_S", 0.05), ("LONGEST_LISTEN_S", 0.05), ("POLL_S", 0.05)):
        monkeypatch.setattr(serial_rfid, name, value)


@pytest.fixture
def port(listen):
    """A port that nobody knows, open, and somebody at its far end; what listens to it ends before it."""
    with connections() as connect:
        yield connect


def rounds(simulator):
    """How often each question came; the one that is asked first of all comes twice a round."""
    return {simulator.sent.count(each) / (2 if each == COMMONEST.query else 1) for each in HARMLESS}


def unanswered(heard, driver):
    said = heard.next()
    assert said == ProbeTimeout("serial_rfid", driver.reader, said.boot_ns, UNANSWERED)


def test_a_port_that_nobody_knows_is_asked_so_often_and_then_only_heard(port, listen):
    driver, simulator, cable = port({}, listen="yes")
    heard = listen(driver)
    unanswered(heard, driver)
    assert rounds(simulator) == {ASK_ROUNDS}
    assert heard.nothing(for_s=1.0)
    assert rounds(simulator) == {ASK_ROUNDS}
    cable.send(b"OK\r\n" + id12("0C000621A5"))  # one that speaks by itself is found whenever it has its power
    assert heard.read().raw == b"0C000621A5"
    assert driver.protocol is EM4100
    assert rounds(simulator) == {ASK_ROUNDS}
    heard.end()


def test_a_scanner_is_found_by_the_sheet_after_the_last_question(port, listen):
    driver, _, cable = port({}, listen="yes")
    driver.teach(SHEETS, None)
    heard = listen(driver)
    unanswered(heard, driver)
    cable.send(SHEETS[0][0].encode() + b"\r\n")
    assert heard.next().kind == "serial_line"
    heard.end()


def test_a_port_that_is_named_is_asked_for_ever(port, listen):
    driver, simulator, _ = port({})
    heard = listen(driver)
    end = time.monotonic() + 20
    while min(rounds(simulator)) < ASK_ROUNDS + 2:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert heard.nothing(for_s=0)
    simulator.answers = ANSWERS[M100.name]
    assert heard.read().raw == TAGS[M100.name]
    heard.end()


def test_a_reader_that_answered_and_lost_its_power_is_looked_for_until_it_has_it_again(port, listen, monkeypatch):
    monkeypatch.setattr(serial_rfid, "SILENT_S", 0.1)
    driver, simulator, _ = port(ANSWERS[M100.name], listen="yes")
    heard = listen(driver)
    assert heard.read().raw == TAGS[M100.name]
    simulator.answers = {}
    asked = simulator.sent.count(M100.query)
    end = time.monotonic() + 20
    while simulator.sent.count(M100.query) < asked + 2 * ASK_ROUNDS:
        assert time.monotonic() < end
        time.sleep(0.05)
    simulator.answers = ANSWERS[M100.name]
    assert isinstance(heard.next(), Read)
    heard.end()


def test_a_port_of_which_the_device_was_taught_is_a_scanner_and_is_asked_nothing(port, listen):
    driver, simulator, _ = port({})
    driver.teach(SHEETS, '{"prefix": "S1-"}')
    heard = listen(driver)
    said = heard.next()
    assert said == ProfileLearned("serial_line", driver.reader, said.boot_ns, (SHEET_EVIDENCE,), said.profile)
    assert json.loads(said.profile) == {"prefix": "S1-"}
    heard._driver.close()
    assert simulator.sent == []


def hangs_up(cable):
    """Whether DTR will fall with the last close of the port."""
    return bool(termios.tcgetattr(cable._port_end)[2] & termios.HUPCL)


@pytest.mark.parametrize("before", ["yes", None])
def test_a_port_that_nobody_knows_keeps_its_lines_when_it_is_closed_and_a_readers_lets_them_fall(before):
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
