"""A HID POS scanner that was sending when it was opened: the rest of that scan is dropped, and the next scan is read."""

import pytest
from waiting import until

from drivers import Dropped, Read, boot_ns
from drivers.decode.capture_file import CaptureEvent, CaptureHeader, event_line, head_line
from drivers.decode.hid.report_descriptor import parsed
from drivers.decode.hid.scanned_data import HEAD_LOST, ScannedDataDecoder
from drivers.decode.keyboard.keys import JOINED_S, LostScan
from drivers.decode.serial.serial_lines import SerialScan
from tests.drivers.fixtures.captures import StandingClock, bare, play, record
from tests.drivers.fixtures.hid_descriptors import HONEYWELL
from tests.drivers.fixtures.hid_devices import MAKERS, PosScanner

MS = 1_000_000
JOINED_NS = int(JOINED_S * 1000) * MS
OPENED_NS = 7_000 * MS
LOST = "lost"


def said(scans, *reports, at_ns):
    """The outcomes of each report, a millisecond after the one before."""
    told = [scan for n, report in enumerate(reports) for scan in scans.feed(report, at_ns + n * MS)]
    return [
        LOST
        if outcome == LostScan(HEAD_LOST, at_ns)
        else outcome.scan.raw
        if isinstance(outcome, SerialScan)
        else outcome
        for outcome in told
    ]


@pytest.fixture(params=MAKERS)
def maker(request):
    return MAKERS[request.param]


def joined(maker):
    return ScannedDataDecoder(parsed(maker.descriptor), opened_ns=OPENED_NS)


@pytest.mark.parametrize("missed", [1, 2, 5])
def test_the_rest_of_an_earlier_scan_is_reported_once_and_dropped(maker, missed):
    rest = maker.scan(b"X" * (6 * maker.room), b"]d2")[missed:]
    told = said(joined(maker), *rest, *maker.scan(b"WO-1042"), at_ns=OPENED_NS + MS)
    assert told == [LOST, b"]C1WO-1042"]


def test_the_rest_ends_where_the_scanner_rests_too(maker):
    scans = joined(maker)
    _head, *rest = maker.scan(b"X" * (3 * maker.room))
    assert said(scans, rest[0], at_ns=OPENED_NS) == [LOST]
    assert said(scans, *maker.scan(b"WO-1042"), at_ns=OPENED_NS + 600 * MS) == [b"]C1WO-1042"]


@pytest.mark.parametrize(("after_ns", "told"), [(JOINED_NS - 1, [LOST]), (JOINED_NS, [b"]C1WO-1042"])])
def test_a_first_report_that_comes_later_is_the_first_of_its_scan(maker, after_ns, told):
    scans = joined(maker)
    assert said(scans, *maker.scan(b"WO-1042"), at_ns=OPENED_NS + after_ns) == told
    assert said(scans, *maker.scan(b"WO-7"), at_ns=OPENED_NS + after_ns + MS) == [b"]C1WO-7"]


def test_a_report_without_scanned_data_does_not_begin_a_scan():
    honeywell = MAKERS["honeywell"]
    _head, tail = honeywell.scan(b"X" * 60)
    assert said(joined(honeywell), b"\x09what", tail, at_ns=OPENED_NS) == [LostScan(HEAD_LOST, OPENED_NS + MS)]


def test_a_scanner_whose_scans_are_one_report_each_loses_none():
    whole = parsed(bytes.fromhex("058C 0902 A101  8502 7508 9503 19FB 29FD 8102  9504 09FE 8102 C0"))
    assert said(ScannedDataDecoder(whole, opened_ns=OPENED_NS), b"\x02]C1WO-7", at_ns=OPENED_NS) == [b"]C1WO-7"]


def test_at_the_bench_it_is_red_and_in_its_recording_as_well(tmp_path):
    clock = StandingClock()
    scanner = PosScanner(tmp_path, opened_ns=clock.now_ns(), hold=clock.hold)

    def hand(told):
        scanner.send(scanner.maker.scan(b"X" * 60)[1])
        until(lambda: len(told) == 1)
        scanner.scan("WO-1042")
        until(lambda: len(told) == 2)

    take = record(scanner.driver, tmp_path / "case.rec", hand, clock.now_ns)
    replayed = play((tmp_path / "case.rec").read_bytes(), begun_ns=boot_ns())
    assert [type(outcome) for outcome in take.outcomes] == [Dropped, Read]
    assert take.outcomes[0].why == HEAD_LOST
    assert bare(replayed) == bare(take.outcomes)
    scanner.unplug()


def test_a_recording_that_does_not_say_when_its_scanner_was_opened_is_played_as_ever():
    head = head_line(CaptureHeader("hidpos", "r", {"descriptor": HONEYWELL}))
    (report,) = MAKERS["honeywell"].scan(b"WO-7")
    assert [outcome.raw for outcome in play(head + event_line(CaptureEvent(MS, "report", report)))[:1]] == [b"]C1WO-7"]
