"""What a HID POS scanner can be told: to beep for good, for wrong, for unknown; to stop reading and to read.

Each order is one bit or one number of a Trigger Report, wherever the scanner's descriptor has it; a scanner that lacks an
order is not sent another one instead. Source: USB-IF, HID Point of Sale Usage Tables 1.02, sections 3.6 and 3.9.

>>> from drivers.decode.hid.report_descriptor import parsed
>>> orders(parsed(bytes.fromhex("058C 0902 A101  8504 2501 7501 9508 0985 0986 9102  C0")))[ScannerUsage.GOOD_READ_BEEP]
CommandReport(report=b'\\x04\\x02', feature=False)
"""

from dataclasses import dataclass
from enum import IntEnum

from drivers.decode.hid.report_descriptor import Report, ReportDescriptor, ReportType


class ScannerUsage(IntEnum):
    """The usages that tell a scanner to do something."""

    PREVENT_READ = 0x8C_005F
    INITIATE_READ = 0x8C_0060
    ERROR_BEEP = 0x8C_0085
    GOOD_READ_BEEP = 0x8C_0086
    NOT_ON_FILE_BEEP = 0x8C_0087


HONEYWELL = 0x0C2E
"""Metrologic, whose scanners Honeywell makes."""
_POS_REPORT = 0xFE
_POS_OUTPUT = 0x01


@dataclass(frozen=True, slots=True)
class CommandReport:
    """A report to be sent: led by its id, 0 where the device's reports have none; written, or set as a `feature`."""

    report: bytes
    feature: bool


def orders(descriptor: ReportDescriptor) -> dict[ScannerUsage, CommandReport]:
    """Every order that this device takes; an output report is preferred to a feature report."""
    found: dict[ScannerUsage, CommandReport] = {}
    for sort in (ReportType.FEATURE, ReportType.OUTPUT):
        for report in descriptor.reports:
            if report.sort is sort and descriptor.numbered == bool(report.id):
                said = ((command, _bits(report, command)) for command in ScannerUsage)
                found |= {command: _order(report, bits) for command, bits in said if bits is not None}
    return found


def _bits(report: Report, command: ScannerUsage) -> int | None:
    """The report with this command in it and nothing else, as a number; None where it has no such command."""
    for field in report.fields:
        for position, _ in () if field.constant else field.positions(command):
            if field.array:  # the command's number, in the first value of the row
                return ((field.minimum + position) & (1 << field.bits) - 1) << field.bit
            if position < field.count:
                return 1 << field.bit + position * field.bits
    return None


def _order(report: Report, bits: int) -> CommandReport:
    return CommandReport(
        bytes([report.id]) + bits.to_bytes(report.size_bytes, "little"), report.sort is ReportType.FEATURE
    )


def enabling(descriptor: ReportDescriptor, vendor: int) -> CommandReport | None:
    """What makes a Honeywell scanner send Scanned Data Reports: 01 in feature report FE; None for any other device.

    Some of these scanners send none before a program has said so, each time they were plugged in. The report is the maker's
    own, so it goes to no other maker's scanner, nor to one whose descriptor lacks it. Source: the library
    WebHidBarcodeScanner, which sends it whenever it opens one.
    """
    if vendor != HONEYWELL:
        return None
    for report in descriptor.reports:
        if report.sort is ReportType.FEATURE and report.id == _POS_REPORT and report.bits >= 8:
            return _order(report, _POS_OUTPUT)
    return None
