"""Scanned Data Reports of several vendors: complete scans with the exact data, and never half a scan."""

import hashlib
import random

import pytest

from drivers.decode.hid.report_descriptor import parsed
from drivers.decode.hid.scanned_data import MAX_JOINED_BYTES, ScannedDataDecoder
from drivers.decode.keyboard.keys import LostScan
from drivers.decode.scan import MAX_RAW_BYTES
from tests.drivers.fixtures.hid_cases import LONG, MS, REST_NS, fed, raws
from tests.drivers.fixtures.hid_devices import MAKERS, NO_AIM


def test_a_scan_in_one_report(maker):
    scans = ScannedDataDecoder(parsed(maker.descriptor))
    (sent,) = fed(scans, *maker.scan(b"0104012"), now_ns=7)
    assert (sent.scan.raw, sent.scan.raw_len, sent.scan.sha256, sent.time_ns) == (b"]C10104012", 10, None, 7)
    assert (scans.begun, scans.due_ns) == (0, None)


def test_a_scan_over_many_reports_has_its_identifier_once(maker):
    scans = ScannedDataDecoder(parsed(maker.descriptor))
    reports = maker.scan(LONG, b"]d1")
    assert len(reports) > 5
    assert raws(fed(scans, *reports)) == [b"]d1" + LONG]


def test_every_length_arrives_whole(maker):
    scans = ScannedDataDecoder(parsed(maker.descriptor))
    for length in range(1, 250):
        text = bytes(random.Random(length).randrange(0x20, 0x7F) for _ in range(length))
        assert raws(fed(scans, *maker.scan(text), *maker.scan(text, NO_AIM))) == [b"]C1" + text, text]


def test_a_full_report_that_is_continued_by_an_empty_one_is_a_scan(maker):
    scans = ScannedDataDecoder(parsed(maker.descriptor))
    text = b"A" * maker.room
    assert raws(fed(scans, maker.report(text, b"]C0", True), maker.report(b"", b"]C0", False))) == [b"]C0" + text]


def test_identifiers_that_the_later_reports_lack_break_nothing(maker):
    scans = ScannedDataDecoder(parsed(maker.descriptor))
    text = b"A" * maker.room
    reports = [maker.report(text, b"]Q1", True), maker.report(b"B", NO_AIM, False)]
    assert raws(fed(scans, *reports)) == [b"]Q1" + text + b"B"]
    reports = [maker.report(text, NO_AIM, True), maker.report(b"B", NO_AIM, False)]
    assert raws(fed(scans, *reports)) == [text + b"B"]


def test_what_is_no_aim_identifier_is_not_part_of_the_scan(maker):
    scans = ScannedDataDecoder(parsed(maker.descriptor))
    assert raws(fed(scans, *maker.scan(b"A1", b"] \0"), *maker.scan(b"A2", b"Q10"))) == [b"A1", b"A2"]


def test_a_scanner_that_also_sends_the_identifier_as_text_has_it_once(maker):
    scans = ScannedDataDecoder(parsed(maker.descriptor))
    assert raws(fed(scans, *maker.scan(b"]C1" + LONG, b"]C1"))) == [b"]C1" + LONG]
    assert raws(fed(scans, *maker.scan(b"]C1x", b"]Q1"))) == [b"]Q1]C1x"]  # a QR code of that text
    assert raws(fed(scans, *maker.scan(b"]C", b"]C1"))) == [b"]C1]C"]


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n", b"\t"])
def test_the_terminator_is_no_part_of_the_scan_wherever_it_is_cut(maker, end):
    scans = ScannedDataDecoder(parsed(maker.descriptor))
    for length in range(1, 2 * maker.room + 3):
        text = b"X" * length
        assert raws(fed(scans, *maker.scan(text + end))) == [b"]C1" + text]


def test_a_terminator_that_fills_its_report_to_the_end_is_known_when_nothing_follows(maker):
    scans = ScannedDataDecoder(parsed(maker.descriptor))
    text = b"X" * (maker.room - 2)
    reports = [maker.report(text + b"\r\n", b"]C1", True), maker.report(b"", b"]C1", False)]
    assert raws(fed(scans, *reports)) == [b"]C1" + text]


def test_only_one_terminator_is_removed(maker):
    scans = ScannedDataDecoder(parsed(maker.descriptor))
    assert raws(fed(scans, *maker.scan(b"A\rB\n\r\n"))) == [b"]C1A\rB\n"]


def test_a_scan_of_nothing_is_none(maker):
    scans = ScannedDataDecoder(parsed(maker.descriptor))
    assert fed(scans, *maker.scan(b""), *maker.scan(b"\r")) == []
    assert raws(fed(scans, *maker.scan(b"a"))) == [b"]C1a"]


def test_zeros_in_the_middle_stay_and_at_the_end_too_where_the_scanner_counts(maker):
    scans = ScannedDataDecoder(parsed(maker.descriptor))
    text = b"\0A\0" + bytes(maker.room) + b"B"
    assert raws(fed(scans, *maker.scan(text))) == [b"]C1" + text]
    ends = b"A\0\0"
    counted = maker is not MAKERS["no byte count"]
    assert raws(fed(scans, *maker.scan(ends))) == [b"]C1" + (ends if counted else b"A")]


@pytest.mark.parametrize("length", [MAX_RAW_BYTES - 3, MAX_RAW_BYTES - 2])
def test_a_scan_beyond_the_limit_is_cut_and_its_whole_is_named(maker, length):
    scans = ScannedDataDecoder(parsed(maker.descriptor))
    whole = b"]L2" + b"0123456789" * 500
    whole = whole[: length + 3]
    (sent,) = fed(scans, *maker.scan(whole[3:], b"]L2"))
    sha256 = hashlib.sha256(whole).hexdigest() if len(whole) > MAX_RAW_BYTES else None
    assert (sent.scan.raw, sent.scan.raw_len, sent.scan.sha256) == (whole[:MAX_RAW_BYTES], len(whole), sha256)


def test_other_reports_between_the_parts_are_passed_over_and_counted(honeywell):
    scans = ScannedDataDecoder(parsed(honeywell.descriptor))
    first, second = honeywell.scan(b"W" * 57)
    assert raws(fed(scans, b"\x09what", first, b"", b"\x00" + bytes(63), b"\x04\x02", second)) == [b"]C1" + b"W" * 57]
    assert scans.ignored == 4


def test_a_report_padded_with_zeros_is_accepted(maker):
    scans = ScannedDataDecoder(parsed(maker.descriptor))
    (report,) = maker.scan(b"WO-1")
    assert raws(fed(scans, report + bytes(9))) == [b"]C1WO-1"]


def test_a_continuation_that_stops_is_dropped_and_reported(maker):
    scans = ScannedDataDecoder(parsed(maker.descriptor))
    first, *_ = maker.scan(LONG)
    assert fed(scans, first, now_ns=5 * MS) == []
    assert (scans.begun, scans.due_ns) == (3 + maker.room, 5 * MS + REST_NS)
    assert list(scans.quiet(5 * MS + REST_NS - 1)) == []
    (lost,) = scans.quiet(9_000 * MS)
    assert lost == LostScan(
        f"The scanner stopped in the middle of a scan. Half a scan was dropped (bytes: {3 + maker.room}).",
        5 * MS + REST_NS,
    )
    assert (scans.begun, scans.due_ns) == (0, None)
    assert raws(fed(scans, *maker.scan(b"whole"), now_ns=9_001 * MS)) == [b"]C1whole"]


def test_a_scan_after_silence_is_another_even_after_a_late_read(maker):
    scans = ScannedDataDecoder(parsed(maker.descriptor))
    first, *_ = maker.scan(LONG)
    lost, sent = fed(scans, first) + fed(scans, *maker.scan(b"whole"), now_ns=REST_NS)
    assert isinstance(lost, LostScan)
    assert sent.scan.raw == b"]C1whole"


def test_a_pause_below_the_rest_joins(maker):
    scans = ScannedDataDecoder(parsed(maker.descriptor))
    outcomes = [fed(scans, report, now_ns=number * (REST_NS - 1)) for number, report in enumerate(maker.scan(LONG))]
    assert [raws(outcome) for outcome in outcomes] == [[]] * (len(outcomes) - 1) + [[b"]C1" + LONG]]


def test_another_symbol_in_the_middle_of_a_scan_is_not_joined_to_it(maker):
    scans = ScannedDataDecoder(parsed(maker.descriptor))
    first, *_ = maker.scan(LONG, b"]d1")
    lost, sent = fed(scans, first, *maker.scan(b"WO-1", b"]C0"))
    half = 3 + maker.room
    assert lost.why == f"Another scan began in the middle of one. Half a scan was dropped (bytes: {half})."
    assert sent.scan.raw == b"]C0WO-1"


def test_another_symbol_is_known_from_the_one_that_began_not_from_the_last_report(maker):
    scans = ScannedDataDecoder(parsed(maker.descriptor))
    room = b"W" * maker.room
    lost, sent = fed(
        scans, maker.report(room, b"]d1", True), maker.report(room, NO_AIM, True), *maker.scan(b"WO-1", b"]C0")
    )
    assert lost.why.startswith("Another scan began in the middle of one.")
    assert sent.scan.raw == b"]C0WO-1"


def test_an_identifier_sent_as_text_is_known_from_the_smallest_pieces():
    two = parsed(bytes.fromhex("058C 7508 9503 19FB 29FD 8102 9502 09FE 8102 9501 09FF 8102"))
    scans = ScannedDataDecoder(two)
    pieces = [b"]C", b"1W", b"O-", b"10", b"42"]
    assert raws(fed(scans, *[b"]C1" + piece + b"\1" for piece in pieces[:-1]], b"]C142\0")) == [b"]C1WO-1042"]


def test_a_continuation_that_never_ends_is_given_up_and_reported_once(maker):
    scans = ScannedDataDecoder(parsed(maker.descriptor))
    report = maker.report(b"x" * maker.room, b"]C1", True)
    fits = (MAX_JOINED_BYTES - 3) // maker.room
    assert fed(scans, *[report] * fits) == []
    assert scans.begun == 3 + fits * maker.room
    (lost,) = fed(scans, *[report] * 1000)
    dropped = 3 + (fits + 1) * maker.room
    assert lost.why == f"The scanner went on and on. Half a scan was dropped (bytes: {dropped})."
    assert scans.begun == 0
    assert fed(scans, maker.report(b"end", b"]C1", False)) == []
    assert raws(fed(scans, *maker.scan(b"whole"))) == [b"]C1whole"]
