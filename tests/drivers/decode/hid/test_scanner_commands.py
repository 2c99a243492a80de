"""What a HID POS scanner can be told, in the bytes of each maker's own reports."""

from hypothesis import given, settings

from drivers.decode.hid.report_descriptor import DescriptorError, parsed
from drivers.decode.hid.scanner_commands import CommandReport, ScannerUsage, command_reports, enabling
from tests.drivers.fixtures.hid_cases import DESCRIPTORS
from tests.drivers.fixtures.hid_descriptors import COUNTLESS, EXTRA_BYTE, HONEYWELL, SMALL, written

HONEYWELL_VENDOR = 0x0C2E


def test_commands_are_single_bits_of_a_trigger_report():
    assert command_reports(parsed(HONEYWELL)) == {
        ScannerUsage.PREVENT_READ: CommandReport(b"\x04\x01", feature=False),
        ScannerUsage.INITIATE_READ: CommandReport(b"\x04\x02", feature=False),
        ScannerUsage.ERROR_BEEP: CommandReport(b"\x04\x04", feature=False),
        ScannerUsage.GOOD_READ_BEEP: CommandReport(b"\x04\x08", feature=False),
        ScannerUsage.NOT_ON_FILE_BEEP: CommandReport(b"\x04\x10", feature=False),
    }


def test_commands_are_numbers_where_the_report_is_an_array():
    assert command_reports(parsed(EXTRA_BYTE)) == {
        ScannerUsage.GOOD_READ_BEEP: CommandReport(b"\x05\x01", feature=True),
        ScannerUsage.ERROR_BEEP: CommandReport(b"\x05\x02", feature=True),
    }


def test_reports_without_id_are_led_by_a_zero():
    assert command_reports(parsed(SMALL)) == {ScannerUsage.GOOD_READ_BEEP: CommandReport(b"\x00\x01", feature=False)}


def test_a_scanner_that_takes_no_orders_gets_none():
    assert command_reports(parsed(COUNTLESS)) == {}


def test_a_command_deep_in_a_long_report_leaves_the_rest_zero():
    long = parsed(written("05 8C 85 09 75 08 95 03 91 03 75 01 95 0B 91 03 95 01 09 86 91 02 75 08 95 02 91 03"))
    assert command_reports(long)[ScannerUsage.GOOD_READ_BEEP] == CommandReport(
        b"\x09" + bytes(4) + b"\x08" + bytes(2), feature=False
    )


def test_an_output_report_is_preferred_to_a_feature_report():
    both = parsed(written("05 8C 75 01 95 08 85 01 09 86 B1 02 85 02 09 86 91 02 85 03 09 85 B1 02"))
    assert command_reports(both) == {
        ScannerUsage.GOOD_READ_BEEP: CommandReport(b"\x02\x01", feature=False),
        ScannerUsage.ERROR_BEEP: CommandReport(b"\x03\x01", feature=True),
    }


def test_a_command_in_an_input_report_or_in_padding_or_beyond_the_values_is_none():
    assert command_reports(parsed(written("05 8C 75 08 95 01 09 86 81 02 09 86 91 03 09 00 09 86 91 02"))) == {}


def test_a_report_without_id_in_a_device_with_ids_takes_no_orders():
    mixed = parsed(written("05 8C 75 01 95 08 09 86 91 02 85 02 09 85 91 02"))
    assert command_reports(mixed) == {ScannerUsage.ERROR_BEEP: CommandReport(b"\x02\x01", feature=False)}


def test_a_command_that_has_no_room_in_one_field_is_found_in_the_next():
    twice = parsed(written("05 8C 75 08 95 01 09 00 09 86 91 02 09 86 91 02"))
    assert command_reports(twice) == {ScannerUsage.GOOD_READ_BEEP: CommandReport(b"\x00\x00\x01", feature=False)}


def test_a_command_at_the_end_of_a_wide_range_is_found_at_once():
    wide = parsed(written("05 8C 1B 00 00 8C 00 2B FF FF 8C 00 76 10 00 95 01 91 00") * 200)
    assert command_reports(wide)[ScannerUsage.ERROR_BEEP].report == b"\x00\x85" + bytes(399)


def test_a_honeywell_scanner_is_told_to_send_scanned_data():
    assert enabling(parsed(HONEYWELL), HONEYWELL_VENDOR) == CommandReport(b"\xfe\x01", feature=True)


def test_no_other_makers_scanner_is_told_so_and_none_that_lacks_the_report():
    assert enabling(parsed(HONEYWELL), 0x05E0) is None
    assert enabling(parsed(EXTRA_BYTE), HONEYWELL_VENDOR) is None
    no_feature = HONEYWELL.replace(bytes.fromhex("B102"), bytes.fromhex("9102"))
    assert enabling(parsed(no_feature), HONEYWELL_VENDOR) is None
    other_id = HONEYWELL.replace(bytes.fromhex("85FE"), bytes.fromhex("85FC"))
    assert enabling(parsed(other_id), HONEYWELL_VENDOR) is None


@settings(max_examples=400, deadline=None)
@given(DESCRIPTORS)
def test_every_order_is_as_long_as_its_report(descriptor):
    try:
        found = parsed(descriptor)
    except DescriptorError:
        return
    sizes = {
        (report.id, report.sort == "feature"): report.size_bytes for report in found.reports if report.sort != "input"
    }
    told = [*command_reports(found).values(), *filter(None, [enabling(found, HONEYWELL_VENDOR)])]
    assert all(len(order.report) == 1 + sizes[order.report[0], order.feature] for order in told)
