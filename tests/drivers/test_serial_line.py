"""Scanners on serial lines: the end of a scan, the opening of the port, and the stable id."""

import os
import termios
import time

import pytest
import serial
from waiting import until

from drivers import DeviceLost, DriverError, Dropped, Read, open_driver
from drivers.decode.keyboard.keys import JOINED_S
from drivers.decode.scan import MAX_RAW_BYTES
from drivers.decode.serial.serial_lines import GAP_S, PULLED_S, SerialLineDecoder
from drivers.platform import serial_ports
from drivers.serial_line import BYTES_LOST, HEAD_LOST, SerialLine, open_first
from tests.drivers.fixtures.captures import StandingClock, lines_of, raws, record

MS = 1_000_000
SPEEDS = "1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600"


@pytest.mark.parametrize(
    ("sent", "scans"),
    [
        (b"WO-1042\r", [b"WO-1042"]),
        (b"WO-1042\n", [b"WO-1042"]),
        (b"WO-1042\r\n", [b"WO-1042"]),
        (b"WO-1042\t", [b"WO-1042"]),
        (b"\x02WO-1042\x03", [b"WO-1042"]),
        (b"\x02WO-1042\r\n\x03", [b"WO-1042"]),
        (b"]C10104012345678901\x1d10A7\r\n", [b"]C10104012345678901\x1d10A7"]),
        (b"[)>\x1e06\x1dP1\x1e\x04\r", [b"[)>\x1e06\x1dP1\x1e\x04"]),
        (b"a\rb\r\nc\td\n", [b"a", b"b", b"c", b"d"]),
        (b"\r\n\r\n\t\x02\x03", []),
        (b"\xff\x00\xe4\r", [b"\xff\x00\xe4"]),
    ],
)
def test_a_scan_ends_at_its_terminator_however_the_bytes_are_split(sent, scans):
    for size in (len(sent), 1, 2, 3):
        text = SerialLineDecoder()
        pieces = [sent[at : at + size] for at in range(0, len(sent), size)]
        assert [scan.scan.raw for piece in pieces for scan in text.feed(piece, 0)] == scans
        assert text.begun == 0


def test_a_scan_without_an_end_is_complete_after_silence():
    text = SerialLineDecoder()
    assert list(text.feed(b"WO-", 0)) == []
    assert list(text.feed(b"10", 400 * MS)) == []
    assert text.due_ns == int((0.4 + GAP_S) * 1000) * MS
    assert list(text.quiet(899 * MS)) == []
    (sent,) = text.quiet(900 * MS)
    assert (sent.scan.raw, sent.time_ns, text.due_ns) == (b"WO-10", 900 * MS, None)


def test_a_scan_of_a_scanner_that_sends_terminators_does_not_end_with_short_silence():
    """It was unplugged, and the kernel reports that late: the scan that has begun is half a scan."""
    text = SerialLineDecoder()
    assert [scan.scan.raw for scan in text.feed(b"WO-1\rWO", 0)] == [b"WO-1"]
    assert text.due_ns == int(PULLED_S * 1000) * MS
    assert list(text.quiet(4999 * MS)) == []
    assert text.begun == 2
    (sent,) = text.quiet(5000 * MS)
    assert (sent.scan.raw, sent.time_ns) == (b"WO", 500 * MS)
    assert list(text.feed(b"WO-7", 9000 * MS)) == []
    assert text.due_ns == 9500 * MS  # from now on short silence ends a scan
    list(text.feed(b"\r", 9100 * MS))
    assert [scan.scan.raw for data, ms in ((b"WO-8", 9900), (b"WO-9\r", 10_400)) for scan in text.feed(data, ms * MS)] == [
        b"WO-8", b"WO-9",
    ]  # fmt: skip


def test_bytes_after_silence_begin_another_scan_even_after_a_late_read():
    text = SerialLineDecoder()
    list(text.feed(b"WO-1", 0))
    assert [scan.scan.raw for scan in text.feed(b"WO-2\r", 900 * MS)] == [b"WO-1", b"WO-2"]


def test_a_stuck_scanner_costs_bounded_memory():
    text = SerialLineDecoder()
    for _ in range(1000):
        list(text.feed(b"x" * 4096, 0))
    (sent,) = text.feed(b"\r", 0)
    assert (len(sent.scan.raw), sent.scan.raw_len) == (MAX_RAW_BYTES, 4_096_000)


def test_a_scanner_without_terminator_is_read(cable, listen):
    driver = open_driver("serial_line", {"path": cable.port})
    time.sleep(2 * JOINED_S)
    outcomes = listen(driver)
    cable.send(b"WO-10")
    cable.send(b"42")
    read = outcomes.read()
    assert read == Read(b"WO-1042", None, "serial_line", f"serial-{cable.port}", read.boot_ns, 7)
    outcomes.end()


@pytest.fixture
def just_opened(cable):
    """A scanner at a port that was opened at this moment, by a clock that stands still."""
    clock = StandingClock()
    return SerialLine(serial_ports.open_port(cable.port, {}), opened_ns=clock.now_ns(), hold=clock.hold)


def test_the_tail_of_a_scan_that_had_begun_before_the_port_was_open_is_no_scan(cable, listen, just_opened):
    cable.send(b"42\r\n")  # WO-10 came before the port was opened
    outcomes = listen(just_opened)
    dropped = outcomes.next()
    assert dropped == Dropped("serial_line", just_opened.reader, dropped.boot_ns, HEAD_LOST)
    cable.send(b"WO-7\r\n")
    assert outcomes.read().raw == b"WO-7"


@pytest.mark.parametrize("begun", [b"\r\n", b"\n", b"\x03"])
def test_the_end_alone_of_a_scan_that_had_begun_before_is_nothing(cable, listen, just_opened, begun):
    cable.send(begun)
    outcomes = listen(just_opened)
    assert outcomes.nothing(0.1)
    cable.send(b"WO-7\r\n")
    assert outcomes.read().raw == b"WO-7"


def test_a_scanner_with_flow_control_kept_its_scan_until_the_port_was_open(cable, tmp_path):
    driver = open_driver("serial_line", {"path": cable.port, "flow": "rtscts"})
    cable.send(b"WO-1042\r\n")
    take = record(driver, tmp_path / "case.rec", lambda outcomes: until(lambda: outcomes))
    assert raws(take.outcomes) == [b"WO-1042"]
    assert "opened_ns" not in lines_of((tmp_path / "case.rec").read_bytes())[0].settings


def test_a_tail_is_passed_over_to_its_end_or_to_silence():
    text = SerialLineDecoder()
    text.pass_over()
    assert list(text.feed(b"42", 0)) == []
    assert [scan.scan.raw for scan in text.feed(b"x\r\nWO-7\r", 100 * MS)] == [b"WO-7"]
    text.pass_over()
    assert list(text.feed(b"42", 0)) == []
    assert [scan.scan.raw for scan in text.feed(b"WO-8\r", 600 * MS)] == [b"WO-8"]


def test_half_a_scan_at_an_unplugging_is_dropped_and_reported(cable, listen):
    outcomes = listen(open_driver("serial_line", {"path": cable.port}))
    time.sleep(2 * JOINED_S)
    cable.hand_over()
    cable.send(b"WO-10")
    assert outcomes.nothing()
    cable.unplug()
    lost = outcomes.next()
    assert isinstance(lost, DeviceLost)
    assert lost.came == (
        f"serial-{cable.port} ({cable.port}) was unplugged in mid-scan, and half a scan was dropped (bytes: 5)."
    )


def test_the_port_is_set_as_configured(cable):
    driver = open_driver("serial_line", {"path": cable.port, "baud": "115200"})
    speeds = termios.tcgetattr(cable.port_end)[4:6]
    assert speeds == [termios.B115200, termios.B115200]
    driver.close()


def test_an_open_port_cannot_be_opened_again(cable, open_descriptors):
    driver = open_driver("serial_line", {"path": cable.port})
    before = open_descriptors()
    with pytest.raises(DriverError) as refused:
        open_driver("serial_line", {"path": cable.port})
    assert refused.value.came == f"{cable.port} is held by another program."
    assert open_descriptors() == before
    driver.close()
    serial.Serial(cable.port, exclusive=True).close()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"baud": "9601"}, f"No serial port runs at '9601' baud. Expected one of {SPEEDS}. Correct the reader's baud."),
        ({"parity": "mark"}, "There is no parity 'mark'. Expected one of none, even, odd. Correct the reader's parity."),
    ],
)  # fmt: skip
def test_a_speed_or_parity_that_cannot_be_is_refused(cable, settings, message):
    with pytest.raises(DriverError) as refused:
        open_driver("serial_line", {"path": cable.port, **settings})
    assert str(refused.value) == message


@pytest.mark.parametrize("kind", ["serial_line", "serial_rfid"])
def test_a_missing_port_is_reported(kind, tmp_path):
    path = f"{tmp_path}/ttyUSB7"
    with pytest.raises(DriverError) as refused:
        open_driver(kind, {"path": path})
    assert str(refused.value) == (
        f"{path} cannot be opened: No such file or directory. Expected a serial port. "
        "Plug it in, or correct the path; its lasting names are in /dev/serial/by-id."
    )


@pytest.fixture
def machine(tmp_path):
    """A machine with given serial ports: node, ids, serial number, place, name. `present` lists them."""
    sysfs, dev = tmp_path / "sys" / "class" / "tty", tmp_path / "dev"
    sysfs.mkdir(parents=True)
    (dev / "serial" / "by-id").mkdir(parents=True)

    def plug(node, ids, number, place, name):
        device = tmp_path / "sys" / "devices" / place
        interface = device / f"{place}:1.0"
        interface.mkdir(parents=True)
        vendor, product = ids.split(":")
        said = {"idVendor": vendor, "idProduct": product, "product": name} | ({"serial": number} if number else {})
        for key, value in said.items():
            (device / key).write_text(value + "\n")
        (sysfs / node).mkdir()
        (sysfs / node / "device").symlink_to(interface)
        link = dev / "serial" / "by-id" / f"usb-{name}-{number or place}"
        link.unlink(missing_ok=True)  # of two devices with one name, udev links the later
        link.symlink_to(f"../../{node}")

    plug.sysfs, plug.dev = sysfs, dev
    plug.present = lambda: serial_ports.present(tmp_path)
    plug.read_device_info = lambda node: serial_ports.read_device_info(str(dev / node), tmp_path)
    return plug


def test_a_port_is_known_by_its_device_and_never_by_its_number(machine):
    machine("ttyUSB0", "0403:6001", "RFID0001", "1-1.2", "Serial")
    machine("ttyACM0", "05e0:1701", "", "1-1.3", "Symbol Scanner")
    (machine.sysfs / "ttyS0" / "device").mkdir(parents=True)
    assert [(info.node, serial_ports.reader_id(info), info.name) for info in machine.present()] == [
        (f"{machine.dev}/ttyACM0", "usb-05e0-1701-at-usb-1-1.3", "Symbol Scanner"),
        (f"{machine.dev}/ttyUSB0", "usb-0403-6001-RFID0001", "Serial"),
    ]
    assert machine.read_device_info("ttyUSB0").links == (f"{machine.dev}/serial/by-id/usb-Serial-RFID0001",)
    assert machine.read_device_info("ttyS0") is None


def test_two_devices_with_one_serial_number_are_distinguished(machine):
    machine("ttyUSB0", "0403:6001", "0001", "1-1.2", "Serial")
    machine("ttyUSB1", "0403:6001", "0001", "1-1.3", "Serial")
    there = machine.present()
    assert [serial_ports.reader_id(info, there) for info in there] == [
        "usb-0403-6001-at-usb-1-1.2", "usb-0403-6001-at-usb-1-1.3",
    ]  # fmt: skip


def test_the_ports_of_one_interface_are_readers_of_their_own(machine):
    machine("ttyUSB0", "110a:1450", "SN1", "1-1.2", "UPort 1450")
    interface = (machine.sysfs / "ttyUSB0" / "device").resolve()
    (machine.sysfs / "ttyUSB0" / "device").unlink()
    for number in range(2):
        port = interface / f"ttyUSB{number}"
        port.mkdir()
        (port / "port_number").write_text(f"{number}\n")
        (machine.sysfs / port.name).mkdir(exist_ok=True)
        (machine.sysfs / port.name / "device").symlink_to(port)
    assert [(serial_ports.reader_id(info), info.place) for info in machine.present()] == [
        ("usb-110a-1450-SN1", "usb-1-1.2"), ("usb-110a-1450-SN1-port1", "usb-1-1.2-port1"),
    ]  # fmt: skip


def test_without_a_path_a_makers_scanner_is_opened_and_no_other_device(machine):
    asked = []
    machine("ttyUSB0", "0403:6001", "A", "1-1.2", "Milling machine")
    machine("ttyACM0", "05e0:1701", "B", "1-1.3", "Symbol Scanner")
    for settings in ({}, {"match": "milling"}, {"match": "0403:6001:A"}, {"match": "ffff:0035"}):
        with pytest.raises(DriverError):
            open_first(machine.present(), settings, lambda path, _settings: asked.append(path) or _refuse(path))
    assert asked == [f"{machine.dev}/{node}" for node in ("ttyACM0", "ttyUSB0", "ttyUSB0")]


def _refuse(path):
    raise DriverError(came=f"{path} is busy.", expected="Expected a port.", do="Wait.")


def test_a_read_of_a_port_that_died_closes_it_at_once(cable, listen, open_descriptors):
    driver = open_driver("serial_line", {"path": cable.port})
    cable.hand_over()
    before = open_descriptors()
    outcomes = listen(driver)
    os.close(cable.end)
    assert isinstance(outcomes.next(), DeviceLost)
    assert outcomes.next() is None
    assert open_descriptors() < before


def test_bytes_that_the_port_lost_are_one_red_and_no_two_halves_become_a_scan(cable, listen):
    lost = [3]  # counted before this reader was opened
    line = serial_ports.open_port(cable.port, {})
    driver = SerialLine(line, overruns=lambda: lost[0])
    outcomes = listen(driver)
    cable.send(b"WO-1\r")
    assert outcomes.read().raw == b"WO-1"
    lost[0] = 4
    cable.send(b"WO-2\rWO")
    dropped = outcomes.next()
    assert dropped == Dropped("serial_line", driver.reader, dropped.boot_ns, BYTES_LOST)
    assert dropped.many
    lost[0] = 5
    cable.send(b"-3\rWO-4\r")
    after = None
    for silence_s in (GAP_S + 0.1, 2 * GAP_S, 8 * GAP_S):  # after a late read the silence begins late
        time.sleep(silence_s)
        cable.send(b"WO-5\r")
        if (after := outcomes.next(within_s=2 * GAP_S)) is not None:
            break
    assert isinstance(after, Read)
    assert after.raw == b"WO-5"


def test_a_port_that_counts_no_overruns_has_none(cable):
    line = serial_ports.open_port(cable.port, {})
    assert line.overruns() == 0
    line.close()
