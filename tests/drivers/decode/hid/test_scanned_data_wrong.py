"""Malformed Scanned Data Reports and unusual descriptors: no half scan, no exception."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.decode.hid.report_descriptor import DescriptorError, parsed
from drivers.decode.hid.scanned_data import ScannedDataDecoder, layouts
from drivers.decode.keyboard.keys import LostScan
from drivers.decode.scan import MAX_RAW_BYTES
from drivers.decode.serial.serial_lines import SerialScan
from tests.drivers.fixtures.hid_cases import DESCRIPTORS, REST_NS, fed, raws
from tests.drivers.fixtures.hid_descriptors import HOSTILE, KEYBOARD
from tests.drivers.fixtures.hid_devices import MAKERS


@pytest.mark.parametrize("change", [lambda report: report[:-1], lambda report: report + b"\x01"], ids=["short", "long"])
def test_a_report_of_the_wrong_length_is_lost_and_so_is_the_scan_around_it(maker, change):
    scans = ScannedDataDecoder(parsed(maker.descriptor))
    first, *middle, last = maker.scan(b"W" * 2 * maker.room + b"!")
    bodies = len(last) - (0 if maker is MAKERS["16 bytes"] else 1)
    came = len(change(last)) - len(last) + bodies
    (lost,) = fed(scans, first, change(middle[0]), last)
    assert lost == LostScan(
        f"The scanner sent a report of {came} bytes; its descriptor says {bodies}. "
        f"Half a scan was dropped (bytes: {3 + maker.room}).",
        0,
    )
    assert raws(fed(scans, *maker.scan(b"whole"))) == [b"]C1whole"]


def test_after_a_report_of_the_wrong_length_the_scanner_must_rest_before_it_is_believed(honeywell):
    scans = ScannedDataDecoder(parsed(honeywell.descriptor))
    (lost,) = fed(scans, b"\x02\x04]C1WO-1")
    assert lost.why == "The scanner sent a report of 8 bytes; its descriptor says 63."
    tail = honeywell.report(b"tail", b"]C1", True)
    assert fed(scans, tail, b"\x02", now_ns=REST_NS - 1) == []  # reported once
    assert fed(scans, tail, now_ns=2 * REST_NS - 2) == []
    assert raws(fed(scans, *honeywell.scan(b"whole"), now_ns=3 * REST_NS - 2)) == [b"]C1whole"]


@pytest.mark.parametrize("name", ["honeywell", "extra byte", "16 bytes"])
def test_a_count_beyond_the_room_is_lost(name):
    maker = MAKERS[name]
    scans = ScannedDataDecoder(parsed(maker.descriptor))
    count_at = {"honeywell": 1, "extra byte": 1, "16 bytes": 1}[name]
    for count in (maker.room + 1, 255):
        (report,) = maker.scan(b"W" * maker.room)
        lying = report[:count_at] + bytes([count]) + report[count_at + 1 :]
        (lost,) = fed(scans, lying)
        assert lost == LostScan(f"The scanner spoke of {count} bytes in a report with room for {maker.room}.", 0)
        assert raws(fed(scans, report)) == [b"]C1" + b"W" * maker.room]


def test_a_lie_in_the_middle_takes_the_scan_with_it(honeywell):
    scans = ScannedDataDecoder(parsed(honeywell.descriptor))
    first, second, third, last = honeywell.scan(b"W" * 170)
    (lost,) = fed(scans, first, second[:1] + b"\xff" + second[2:], third, last)
    assert lost.why == (
        "The scanner spoke of 255 bytes in a report with room for 56. Half a scan was dropped (bytes: 59)."
    )
    assert raws(fed(scans, *honeywell.scan(b"whole"))) == [b"]C1whole"]


def test_a_displaced_identifier_means_a_displaced_text(maker):
    scans = ScannedDataDecoder(parsed(maker.descriptor))
    why = "The symbology identifier stands in another place than the scanner's descriptor says."
    assert fed(scans, *maker.scan(b"1WO-1042", b"\0]C")) == [LostScan(why, 0)]
    assert raws(fed(scans, *maker.scan(b"WO-1042"))) == [b"]C1WO-1042"]


def test_what_is_no_scanner_has_no_layout():
    assert layouts(parsed(KEYBOARD)) == {}
    scans = ScannedDataDecoder(parsed(KEYBOARD))
    assert fed(scans, bytes(8)) == []
    assert scans.ignored == 1


def test_a_hostile_descriptor_is_read_for_what_it_is():
    (layout,) = layouts(parsed(HOSTILE)).values()
    assert (layout.length, layout.symbology, layout.continued) == (None, (), None)  # no count has 2048 bits
    scans = ScannedDataDecoder(parsed(HOSTILE))
    assert raws(fed(scans, b"\x02??text" + b"\xff" * 256)) == [b"text"]


def test_decoded_data_that_the_host_would_send_is_no_scan():
    assert layouts(parsed(bytes.fromhex("058C 7508 9504 09FE 9102 09FE B102"))) == {}


def test_reports_without_id_in_a_device_with_ids_never_come():
    unnumbered_first = bytes.fromhex("058C 7508 9504 09FE 8102 8502 9502 09FE 8102")
    assert list(layouts(parsed(unnumbered_first))) == [2]


def test_parts_of_the_text_that_stand_apart_are_joined():
    apart = parsed(bytes.fromhex("058C 7508 9502 09FE 8102 9501 8103 9502 09FE 8102"))
    assert raws(fed(ScannedDataDecoder(apart), b"AB?CD")) == [b"ABCD"]


def test_text_that_begins_inside_a_byte_is_read():
    shifted = parsed(bytes.fromhex("058C 7504 9501 8103 7508 9502 09FE 8102 7504 9501 8103"))
    whole = int.from_bytes(b"OK", "little") << 4
    assert raws(fed(ScannedDataDecoder(shifted), whole.to_bytes(3, "little"))) == [b"OK"]


@settings(max_examples=500, deadline=None)
@given(DESCRIPTORS, st.lists(st.tuples(st.binary(max_size=70), st.integers(0, 2 * REST_NS)), max_size=12))
def test_no_descriptor_and_no_report_raises_or_yields_more_than_came(descriptor, stream):
    try:
        scans = ScannedDataDecoder(parsed(descriptor))
    except DescriptorError:
        return
    check(scans, stream)


@settings(max_examples=500, deadline=None)
@given(
    st.sampled_from(list(MAKERS.values())),
    st.lists(
        st.tuples(
            st.one_of(
                st.binary(max_size=70),
                st.tuples(st.binary(min_size=15, max_size=15), st.booleans()).map(lambda each: (each[0][:11], *each)),
            ),
            st.integers(0, 2 * REST_NS),
        ),
        max_size=12,
    ),
)
def test_no_stream_to_a_makers_scanner_raises_or_yields_more_than_came(maker, stream):
    check(
        ScannedDataDecoder(parsed(maker.descriptor)),
        [
            (part if isinstance(part, bytes) else maker.report(part[0], part[1][11:14], part[2]), pause_ns)
            for part, pause_ns in stream
        ],
    )


def check(scans, stream):
    came = told = now_ns = 0
    for report, pause_ns in stream:
        now_ns += pause_ns
        came += len(report)
        for outcome in scans.feed(report, now_ns):
            if isinstance(outcome, SerialScan):
                told += outcome.scan.raw_len
                assert 1 <= len(outcome.scan.raw) <= min(MAX_RAW_BYTES, outcome.scan.raw_len)
            else:
                assert outcome.why.endswith(".")
        assert told + scans.begun <= came
    list(scans.quiet(now_ns + REST_NS))
    assert scans.due_ns is None
