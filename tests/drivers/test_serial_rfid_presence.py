"""Tags at a reader on a serial line: one arrival and one departure for a tag in the field."""

import time

from drivers import DeviceLost, Dropped, TagRemoved
from drivers.decode.serial.em4100 import EM4100
from drivers.decode.serial.m100 import M100
from drivers.decode.serial.pn532 import ACK, PN532
from drivers.platform.serial_ports import open_port
from drivers.serial_rfid import SerialRfid
from tests.drivers.fixtures.serial_rfid_readers import ANSWERS, M100_NONE, TAGS
from tests.drivers.fixtures.simulated_readers import Cable, id12


def test_a_tag_that_leaves_and_comes_back_arrives_again(line, listen):
    driver, _, cable = line({})
    outcomes = listen(driver)
    for _ in range(5):
        cable.send(id12("0C000621A5"))
        time.sleep(0.05)
    assert outcomes.read().raw == b"0C000621A5"
    assert outcomes.nothing(for_s=EM4100.leave_s + 0.1)
    cable.send(id12("0C000621A5"))
    assert outcomes.read().raw == b"0C000621A5"
    outcomes.end()


def test_a_quiet_field_ends_a_presence_that_tells_how_often_the_tag_was_seen(line, listen):
    driver, _, cable = line({})
    outcomes = listen(driver)
    for _ in range(5):
        cable.send(id12("0C000621A5"))
        time.sleep(0.05)
    read = outcomes.read()
    gone = outcomes.gone.get(timeout=EM4100.leave_s + 2)  # without further data the timeout ends it
    assert gone == TagRemoved("serial_rfid", driver.reader, gone.boot_ns, read.boot_ns, b"0C000621A5", 5)
    assert 0.15e9 < gone.boot_ns - read.boot_ns < 0.9e9  # the last detection, not the timeout
    assert outcomes.gone.empty()
    outcomes.end()


def test_a_frame_that_has_begun_is_not_cut_by_a_tag_that_leaves(line, listen):
    driver, _, cable = line({})
    outcomes = listen(driver)
    cable.send(id12("0C000621A5"))
    outcomes.read()
    time.sleep(EM4100.leave_s - 0.05)
    frame = id12("0C000621A6")
    cable.send(frame[:9])
    time.sleep(0.08)  # the first tag has left meanwhile
    cable.send(frame[9:])
    assert outcomes.read().raw == b"0C000621A6"
    assert outcomes.gone.get(timeout=2).raw == b"0C000621A5"
    assert driver.dropped == 0
    outcomes.end()


def test_a_tag_leaves_a_polled_reader_with_its_best_signal(line, listen):
    driver, simulator, _ = line(ANSWERS[M100.name])
    outcomes = listen(driver)
    read = outcomes.read()
    time.sleep(0.3)
    simulator.answers = {M100.poll: M100_NONE}
    gone = outcomes.gone.get(timeout=M100.leave_s + 2)
    assert (gone.raw, gone.since_ns, gone.signal_dbm) == (TAGS[M100.name], read.boot_ns, -55)
    assert gone.seen >= 2
    outcomes.end()


def test_a_lost_reader_has_lost_its_tags_and_a_closed_one_has_not(line, listen):
    for pulled in (True, False):
        cable = Cable()
        driver = SerialRfid(open_port(cable.port, {}), EM4100)
        cable.hand_over()
        outcomes = listen(driver)
        cable.send(id12("0C000621A5"))
        outcomes.read()
        if pulled:
            cable.unplug()
            assert isinstance(outcomes.next(), DeviceLost)
            assert outcomes.gone.get(timeout=1).raw == b"0C000621A5"
        else:
            outcomes.end()
            assert outcomes.gone.empty()
            cable.unplug()


def test_a_refused_number_has_no_departure(line, listen):
    card = bytes.fromhex("0000FF0CF4D54B01010004080408A1B2C300")
    card = card[:-1] + bytes([-sum(card[5:-1]) & 0xFF, 0])
    driver, simulator, _ = line(ANSWERS[PN532.name] | {PN532.poll: ACK + card})
    outcomes = listen(driver)
    assert isinstance(outcomes.next(), Dropped)
    simulator.answers = ANSWERS[PN532.name]
    assert outcomes.read().raw == TAGS[PN532.name]
    simulator.answers = ANSWERS[PN532.name] | {PN532.poll: ACK + bytes.fromhex("0000FF03FDD54B00E000")}
    assert outcomes.gone.get(timeout=5).raw == TAGS[PN532.name]
    assert outcomes.gone.empty()
    outcomes.end()


def test_a_random_number_is_refused_with_the_reason_once(line, listen):
    card = bytes.fromhex("0000FF0CF4D54B01010004080408A1B2C300")
    card = card[:-1] + bytes([-sum(card[5:-1]) & 0xFF, 0])
    driver, _, _ = line(ANSWERS[PN532.name] | {PN532.poll: ACK + card})
    outcomes = listen(driver)
    dropped = outcomes.next()
    assert isinstance(dropped, Dropped)
    assert dropped.why == "The card shows a random number, another one each time (08A1B2C3)."
    outcomes.end()
