"""Scanners of each kind, captured and played back: the same scans and other outcomes, in the same order."""

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


def test_a_keyboard_is_played_back(benches, tmp_path, file):
    wedge = benches["keyboard"](tmp_path)

    def hand(outcomes):
        wedge.scan("WO-1042")
        wedge.scan("]C10104012345678901\x1d10A7")
        wedge.begin("by silence")  # ends with silence
        until(lambda: len(outcomes) == 3)
        wedge.begin("lost")
        wedge.strike((0, 3, 0), (0, 0, 0))
        wedge.scan("tail")
        wedge.scan("0123456789" * 500)
        until(lambda: len(outcomes) == 5)
        wedge.begin("half")
        time.sleep(0.1)

    take = record(wedge.driver, file, hand)
    replayed = play(file.read_bytes())
    assert bare(replayed) == bare(take.outcomes)
    assert [type(outcome) for outcome in replayed] == [Read, Read, Read, Dropped, Read]
    assert {(outcome.kind, outcome.reader) for outcome in replayed} == {("replay", "replay-x")}
    assert spans(replayed) == pytest.approx(spans(take.outcomes), abs=1)
    assert take.lost is None


def test_keys_that_the_kernel_stamps_keep_its_times_to_the_nanosecond(strike, file):
    read_end, write_end = os.pipe2(os.O_NONBLOCK)
    driver = Keyboard(KeyboardDevice(read_end, "n", lambda: os.close(read_end), stamped=True), "r")

    def hand(outcomes):
        for number, event in enumerate(strike("wo 1042\n")):
            at_us = begun_ns // 1000 + 1 + number * 700
            os.write(write_end, EVENT.pack(at_us // 10**6, at_us % 10**6, *event))
        until(lambda: outcomes)

    begun_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    take = record(driver, file, hand, lambda: begun_ns)
    os.close(write_end)
    replayed = play(file.read_bytes(), begun_ns=begun_ns)
    assert [outcome.boot_ns for outcome in replayed] == [outcome.boot_ns for outcome in take.outcomes]
    assert raws(replayed) == [b"wo 1042"]


@pytest.mark.parametrize("after_s", [0.01, 0.2])
def test_a_keyboard_that_was_typing_at_the_opening_loses_the_same_head(strike, file, after_s):
    read_end, write_end = os.pipe2(os.O_NONBLOCK)
    now_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    device = KeyboardDevice(read_end, "n", lambda: os.close(read_end), stamped=True, opened_ns=now_ns)
    driver = Keyboard(device, "r")

    def hand(outcomes):
        at_us = (now_ns + int(after_s * NS)) // 1000
        os.write(write_end, b"".join(EVENT.pack(at_us // 10**6, at_us % 10**6, *event) for event in strike("half\n")))
        until(lambda: outcomes)

    take = record(driver, file, hand)
    os.close(write_end)
    replayed = play(file.read_bytes())
    assert bare(replayed) == bare(take.outcomes)
    assert type(replayed[0]) is (Dropped if after_s < 0.05 else Read)


def test_a_scanner_for_another_layout_is_played_with_layout_profile_and_led(typist, file):
    how = {"layout": "de", "prefix": "S1-", "turned": True}
    read_end, write_end = os.pipe2(os.O_NONBLOCK)
    device = KeyboardDevice(read_end, "n", lambda: os.close(read_end), caps_lock=True)
    driver = Keyboard(device, "r", fixed_layout="de")
    driver.teach((), '{"layout":"de","prefix":"S1-"}')
    events = typist.scan("Zahl/Yard_#7", **how).events

    def hand(outcomes):
        for event in events:
            os.write(write_end, EVENT.pack(0, 0, *event[:3]))
        until(lambda: outcomes)

    take = record(driver, file, hand)
    os.close(write_end)
    assert raws(play(file.read_bytes())) == raws(take.outcomes) == [b"Zahl/Yard_#7"]


def test_a_setup_sheet_is_learned_in_playback(typist, file):
    read_end, write_end = os.pipe2(os.O_NONBLOCK)
    driver = Keyboard(KeyboardDevice(read_end, "n", lambda: os.close(read_end)), "r")
    driver.teach((SQUARE,), None)
    sheet = typist.scan(SQUARE[0], layout="fr")
    code = typist.scan("wo-1042", layout="fr")

    def hand(outcomes):
        for part, count in ((sheet, 2), (code, 3)):
            for event in part.events:
                os.write(write_end, EVENT.pack(0, 0, *event[:3]))
            until(lambda count=count: len(outcomes) == count)

    take = record(driver, file, hand)
    os.close(write_end)
    replayed = play(file.read_bytes(), sheets=(SQUARE,))
    assert bare(replayed) == bare(take.outcomes)
    assert [type(outcome) for outcome in replayed] == [ProfileLearned, Read, Read]
    assert replayed[0].profile is None  # a profile learned in playback is not stored
    assert replayed[2].raw == b"wo-1042"


def test_a_serial_scanner_is_played_back(file):
    cable = Cable()
    driver = SerialLine(open_port(cable.port, {}))
    cable.hand_over()
    driver.teach((), '{"suffix":"!"}')

    def hand(outcomes):
        cable.send(b"WO-1042!\r\nWO-")
        time.sleep(0.02)
        cable.send(b"7\t\x02]C1A\x1dB\x03")
        until(lambda: len(outcomes) == 3)
        cable.send(b"by silence")
        until(lambda: len(outcomes) == 4)
        cable.send(bytes(range(32, 256)) * 40 + b"\r")
        until(lambda: len(outcomes) == 5)
        cable.send(b"half")
        time.sleep(0.05)
        cable.unplug()
        time.sleep(0.1)

    take = record(driver, file, hand)
    replayed = play(file.read_bytes())
    assert bare(replayed[:-1]) == bare(take.outcomes)
    assert raws(replayed)[:2] == [b"WO-1042", b"WO-7"]
    assert spans(replayed[:-1]) == pytest.approx(spans(take.outcomes), abs=5)
    assert take.lost is not None
    half = " was unplugged in mid-scan, and half a scan was dropped (bytes: 4)."
    assert take.lost.came == f"{driver.reader} ({cable.port}){half}"
    assert notes(replayed) == [driver.reader + half]


@pytest.mark.parametrize("maker", sorted(MAKERS))
def test_a_hid_pos_scanner_is_played_back(tmp_path, file, maker):
    scanner = PosScanner(tmp_path, maker)

    def hand(outcomes):
        scanner.scan("]C1WO-1042")
        scanner.scan("]d2" + "0123456789" * 20)
        until(lambda: len(outcomes) == 2)
        scanner.begin("half")
        until(lambda: len(outcomes) == 3)  # given up
        scanner.scan("wo 7")
        time.sleep(0.05)
        scanner.begin("half")
        time.sleep(0.05)
        scanner.unplug()
        time.sleep(0.05)

    take = record(scanner.driver, file, hand)
    replayed = play(file.read_bytes())
    assert bare(replayed[: len(take.outcomes)]) == bare(take.outcomes)
    assert isinstance(replayed[2], Dropped)
    assert take.lost is not None
    assert notes(replayed) == [take.lost.came]


def test_nothing_is_read_otherwise_because_it_is_recorded(benches, tmp_path, file):
    outcomes = []
    for taped in (False, True):
        folder = tmp_path / str(taped)
        folder.mkdir()
        wedge = benches["keyboard"](folder)
        if taped:
            take = record(wedge.driver, file, lambda heard, wedge=wedge: _two(wedge, heard))
            outcomes.append(bare(take.outcomes))
        else:
            heard: list = []
            thread = threading.Thread(target=lambda wedge=wedge, heard=heard: heard.extend(wedge.driver.reads()))
            thread.start()
            wedge.scan("a")
            wedge.scan("b")
            time.sleep(0.1)
            wedge.driver.close()
            thread.join(10)
            outcomes.append(bare(heard))
    assert outcomes[0] == outcomes[1]


def _two(wedge, heard):
    wedge.scan("a")
    wedge.scan("b")
    until(lambda: len(heard) == 2)
