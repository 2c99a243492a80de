"""Scanners of each kind, recorded and played: the same scans, in the same order, and what is no scan beside them."""

import os
import threading
import time

import pytest
from waiting import until

from drivers import Dropped, ProfileLearned, Read
from drivers.keyboard import EVENT, Keyboard, KeyboardDevice
from drivers.platform.serial_ports import open_port
from drivers.serial_line import SerialLine
from tests.drivers.fixtures.captures import bare, notes, play, raws, record, spans
from tests.drivers.fixtures.hid_devices import MAKERS, PosScanner
from tests.drivers.fixtures.simulated_readers import Cable
from tests.drivers.fixtures.typing_scanners import SQUARE

NS = 1_000_000_000


@pytest.fixture
def file(tmp_path):
    return tmp_path / "case.rec"


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
    driver = Keyboard(KeyboardDevice(read_end, "n", lambda: os.close(read_end), stamped=True), "r")

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
    device = KeyboardDevice(read_end, "n", lambda: os.close(read_end), stamped=True, opened_ns=now_ns)
    driver = Keyboard(device, "r")

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
    device = KeyboardDevice(read_end, "n", lambda: os.close(read_end), caps_lock=True)
    driver = Keyboard(device, "r", fixed_layout="de")
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
    driver = Keyboard(KeyboardDevice(read_end, "n", lambda: os.close(read_end)), "r")
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
    assert [type(each) for each in again] == [ProfileLearned, Read, Read]
    assert again[0].profile is None  # nobody keeps what a recording was taught
    assert again[2].raw == b"wo-1042"


def test_a_serial_scanner_says_the_same_again(file):
    cable = Cable()
    driver = SerialLine(open_port(cable.port, {}))
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
