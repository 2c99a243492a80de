"""Report descriptors: fields and their places, and bounded cost for any descriptor."""

import time
import tracemalloc

import pytest
from hypothesis import given, settings

from drivers.decode.hid.report_descriptor import (
    MAX_DEPTH,
    MAX_DESCRIPTOR_BYTES,
    MAX_PUSHED,
    MAX_REPORT_BYTES,
    DescriptorError,
    FieldSlice,
    ReportField,
    ReportType,
    parsed,
)
from tests.drivers.fixtures.hid_cases import DESCRIPTORS
from tests.drivers.fixtures.hid_descriptors import COUNTLESS, EXTRA_BYTE, HONEYWELL, HOSTILE, KEYBOARD, SMALL, written

IN = "81 02"


def fields(text):
    (report,) = parsed(written(text)).reports
    return report.fields


def test_a_keyboard_is_read_as_the_specification_lays_it_out():
    keyboard = parsed(KEYBOARD)
    assert (keyboard.numbered, keyboard.applications) == (False, (0x01_0006,))
    (report,) = keyboard.reports
    assert (report.sort, report.id, report.bits, report.size_bytes) == (ReportType.INPUT, 0, 64, 8)
    modifiers, padding, keys = report.fields
    assert modifiers == ReportField((range(0x07_00E0, 0x07_00E8),), 0, 1, 8, constant=False, array=False, minimum=0)
    assert padding == ReportField((), 8, 8, 1, constant=True, array=False, minimum=0)
    assert keys == ReportField((range(0x07_0000, 0x07_0066),), 16, 8, 6, constant=False, array=True, minimum=0)


def test_each_report_counts_its_own_bits():
    sizes = [(report.sort, report.id, report.bits) for report in parsed(HONEYWELL).reports]
    assert sizes == [(ReportType.INPUT, 2, 63 * 8), (ReportType.OUTPUT, 4, 8), (ReportType.FEATURE, 254, 8)]
    sizes = [(report.sort, report.id, report.size_bytes) for report in parsed(EXTRA_BYTE).reports]
    assert sizes == [(ReportType.INPUT, 2, 63), (ReportType.FEATURE, 5, 1)]
    assert [(report.sort, report.id, report.size_bytes) for report in parsed(SMALL).reports] == [
        (ReportType.INPUT, 0, 16), (ReportType.OUTPUT, 0, 1),
    ]  # fmt: skip
    assert [report.size_bytes for report in parsed(COUNTLESS).reports] == [63]


def test_reports_of_one_id_and_different_sort_are_two():
    both = parsed(written("85 07 75 08 95 01 09 01 81 02 91 02 95 02 09 02 81 02"))
    assert [(report.sort, report.id, report.bits) for report in both.reports] == [
        (ReportType.INPUT, 7, 24),
        (ReportType.OUTPUT, 7, 8),
    ]


def test_a_bit_size_that_fills_no_byte_is_rounded_up():
    assert [report.size_bytes for report in parsed(written("75 03 95 03 81 02")).reports] == [2]


def test_the_last_usage_holds_for_all_values_that_follow():
    (report,) = parsed(written("05 8C 75 08 95 05 09 FB 09 FC 09 FE 81 02")).reports
    assert [report.places(usage) for usage in (0x8C_00FB, 0x8C_00FC, 0x8C_00FE, 0x8C_00FD)] == [
        (FieldSlice(0, 8, 1),), (FieldSlice(8, 8, 1),), (FieldSlice(16, 8, 3),), (),
    ]  # fmt: skip


def test_values_of_one_usage_that_touch_are_one_place():
    (report,) = parsed(written("05 8C 75 08 95 02 09 FE 09 FE 81 02 95 03 09 FE 81 02 95 01 81 03 09 FE 81 02")).reports
    assert report.places(0x8C_00FE) == (FieldSlice(0, 8, 5), FieldSlice(48, 8, 1))


def test_a_usage_beyond_the_values_has_no_place():
    (report,) = parsed(written("05 8C 75 08 95 01 09 02 09 FB 81 02")).reports
    assert (report.places(0x8C_0002), report.places(0x8C_00FB)) == ((FieldSlice(0, 8, 1),), ())


def test_padding_has_no_place():
    (report,) = parsed(written("05 8C 75 08 95 01 09 FE 81 03")).reports
    assert report.places(0x8C_00FE) == ()


@pytest.mark.parametrize(
    ("text", "usages"),
    [
        ("05 8C 09 FB", [0x8C_00FB]),
        ("05 8C 0A 01 01", [0x8C_0101]),
        ("05 8C 0B 3B 00 01 00", [0x01_003B]),
        ("05 01 09 3B 05 8C 09 FB", [0x01_003B, 0x8C_00FB]),  # a field of two pages
        ("05 01 09 FB 05 8C", [0x8C_00FB]),  # the page came after the usage
        ("05 01 0B 3B 00 01 00 09 FB 05 8C", [0x01_003B, 0x8C_00FB]),
        ("05 8C 08", [0x8C_0000]),  # a usage of no bytes
        ("05 8C 1B FB 00 8C 00 29 FC", [0x8C_00FB, 0x8C_00FC]),
        ("05 8C 29 FC", []),  # a maximum without its minimum
        ("05 8C 19 FD 29 FC", []),  # backwards
        ("05 8C 1B 00 00 01 00 29 FC", []),  # from one page into another
        ("05 8C A9 01 09 FB 09 01 A9 00 09 FC", [0x8C_00FB, 0x8C_00FC]),  # of a delimited set the first
    ],
)
def test_usages_are_read_with_their_page(text, usages):
    (field,) = fields(f"75 08 95 02 {text} {IN}")
    assert [usage for span in field.usages for usage in span] == usages


def test_local_items_end_with_the_main_item():
    assert [list(map(list, field.usages)) for field in fields("75 08 95 01 05 8C 09 FE 81 02 81 02")] == [
        [[0x8C_00FE]], [],
    ]  # fmt: skip


def test_push_and_pop_put_all_that_is_global_aside():
    first, second, third = fields(
        "05 8C 15 FF 75 08 95 02 09 FE 81 02 A4 05 01 14 75 01 95 03 09 3B 81 02 B4 09 FE 81 02"
    )
    assert (first.bits, first.count, first.minimum, list(first.usages[0])) == (8, 2, -1, [0x8C_00FE])
    assert (second.bits, second.count, second.minimum, list(second.usages[0])) == (1, 3, 0, [0x01_003B])
    assert (third.bits, third.count, third.minimum, list(third.usages[0])) == (8, 2, -1, [0x8C_00FE])


def test_items_that_mean_nothing_here_are_passed_over():
    (decoded,) = (field for field in parsed(HOSTILE).reports[0].fields if field.count == 4)
    assert decoded == ReportField((range(0x8C_00FE, 0x8C_00FF),), 16, 8, 4, constant=False, array=False, minimum=0)
    assert parsed(b"").reports == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("05", "The report descriptor ends in the middle of the item at byte 0."),
        ("05 8C 27 FF 00", "The report descriptor ends in the middle of the item at byte 2."),
        ("FE", "The report descriptor ends in the middle of the item at byte 0."),
        ("FE 05 01 00", "The report descriptor ends in the middle of the item at byte 0."),
        ("85 00", "The report descriptor has the report id 0; expected 1 to 255."),
        ("86 00 01", "The report descriptor has the report id 256; expected 1 to 255."),
        ("B4", "The report descriptor pops a state that it did not push."),
        ("C0", "The report descriptor ends a collection that it did not begin."),
        ("A1 01 A1 02 C0", "The report descriptor ends with collections left open: 1."),
        ("76 FF FF 96 FF FF 81 02", "The report descriptor has a report of 4294836225 bits; expected at most 131072."),
        ("77 FF FF FF FF 96 01 00 81 02", "The report descriptor has a report of 4294967295 bits; expected at most 131072."),
        ("75 08 97 FF FF FF 7F 91 02", "The report descriptor has a report of 17179869176 bits; expected at most 131072."),
    ],
)  # fmt: skip
def test_a_descriptor_that_cannot_be_is_refused_with_the_reason(text, message):
    with pytest.raises(DescriptorError) as refused:
        parsed(written(text))
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("most", "one_more", "message"),
    [
        (b"\xa4" * MAX_PUSHED, b"\xa4", "The report descriptor pushes more than 16 states."),
        (b"\xa1\x02" * MAX_DEPTH, b"\xa1\x02", "The report descriptor has collections more than 32 deep."),
        (written("75 08 96 00 40 81 02"), written("75 01 95 01 81 02"),
         "The report descriptor has a report of 131073 bits; expected at most 131072."),
        (bytes(MAX_DESCRIPTOR_BYTES), b"\0", "A report descriptor of 4097 bytes came; expected at most 4096."),
    ],
    ids=["push", "depth", "report", "descriptor"],
)  # fmt: skip
def test_each_bound_holds_at_its_edge(most, one_more, message):
    ends = b"\xc0" * MAX_DEPTH if most.startswith(b"\xa1") else b""
    assert all(report.size_bytes <= MAX_REPORT_BYTES for report in parsed(most + ends).reports)
    with pytest.raises(DescriptorError) as refused:
        parsed(most + one_more + ends)
    assert str(refused.value) == message


@pytest.mark.parametrize(
    "flood",
    [
        written("75 01 95 01 85 01") + b"\x81" * 2045 + b"\x02",  # a main item in every other byte
        written("1B 00 00 8C 00 2B FF FF 8C 00") * 400 + written("75 08 95 10 81 02"),
        written("0B FE 00 8C 00") * 800 + written("75 08 95 10 81 02"),
        b"\x80" * 4096,
    ],
    ids=["fields", "ranges", "usages", "empty"],
)
def test_a_flood_of_items_costs_little(flood):
    tracemalloc.start()
    before = time.process_time()
    for report in parsed(flood[:MAX_DESCRIPTOR_BYTES]).reports:
        for usage in range(0x8C_00F0, 0x8C_0100):
            report.places(usage)
    assert time.process_time() - before < 2
    assert tracemalloc.get_traced_memory()[1] < 4_000_000
    tracemalloc.stop()


@settings(max_examples=400, deadline=None)
@given(DESCRIPTORS)
def test_any_descriptor_is_parsed_or_refused(descriptor):
    try:
        parsed_descriptor = parsed(descriptor)
    except DescriptorError:
        return
    for report in parsed_descriptor.reports:
        assert report.size_bytes <= MAX_REPORT_BYTES
        assert sum(field.bits * field.count for field in report.fields) == report.bits
