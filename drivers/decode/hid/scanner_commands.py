"""Commands to a HID POS scanner: beep for good, error or not on file; prevent reading, initiate reading.

Each command is one bit or one array value of a Trigger Report; its place is given by the report descriptor. If the
descriptor lacks a command, none is sent in its place. Source: USB-IF, HID Point of Sale Usage Tables 1.02, sections 3.6
and 3.9.

>>> from drivers.decode.hid.report_descriptor import parsed
>>> scanner = parsed(bytes.fromhex("058C 0902 A101  8504 2501 7501 9508 0985 0986 9102  C0"))
>>> command_reports(scanner)[ScannerUsage.GOOD_READ_BEEP]
CommandReport(report=b'\\x04\\x02', feature=False)
"""

from dataclasses import dataclass
from enum import IntEnum

from drivers.decode.hid.report_descriptor import Report, ReportDescriptor, ReportType


class ScannerUsage(IntEnum):
    """The usages of the commands."""

    PREVENT_READ = 0x8C_005F
    INITIATE_READ = 0x8C_0060
    ERROR_BEEP = 0x8C_0085
    GOOD_READ_BEEP = 0x8C_0086
    NOT_ON_FILE_BEEP = 0x8C_0087


HONEYWELL = 0x0C2E
"""USB vendor id of Metrologic; Honeywell scanners use it."""
_POS_REPORT = 0xFE
_POS_OUTPUT = 0x01


@dataclass(frozen=True, slots=True)
class CommandReport:
    """A report to send. Its first byte is the report id, 0 if the device's reports have none.

    A `feature` report is set with an ioctl; any other is written.
    """

    report: bytes
    feature: bool


def command_reports(descriptor: ReportDescriptor) -> dict[ScannerUsage, CommandReport]:
    """The report for each command that this device supports; an output report takes precedence over a feature report."""
    commands: dict[ScannerUsage, CommandReport] = {}
    for sort in (ReportType.FEATURE, ReportType.OUTPUT):  # later entries replace earlier ones
        for report in descriptor.reports:
            if report.sort is sort and descriptor.numbered == bool(report.id):
                bodies = ((usage, _bits(report, usage)) for usage in ScannerUsage)
                commands |= {usage: _command(report, bits) for usage, bits in bodies if bits is not None}
    return commands


def _bits(report: Report, usage: ScannerUsage) -> int | None:
    """The body of a report with this usage set and all else zero, as a number; None if it lacks the usage."""
    for field in report.fields:
        for position, _ in () if field.constant else field.positions(usage):
            if field.array:  # an array holds the usage's index in its first value
                return ((field.minimum + position) & (1 << field.bits) - 1) << field.bit
            if position < field.count:
                return 1 << field.bit + position * field.bits
    return None


def _command(report: Report, bits: int) -> CommandReport:
    return CommandReport(
        bytes([report.id]) + bits.to_bytes(report.size_bytes, "little"), report.sort is ReportType.FEATURE
    )


def enabling(descriptor: ReportDescriptor, vendor: int) -> CommandReport | None:
    """The command that enables Scanned Data Reports on a Honeywell scanner (01 in feature report FE); None for others.

    Some of these scanners send no Scanned Data Report until they receive it, each time they are plugged in. The report is
    vendor-defined: it is sent only to this vendor, and only if the descriptor has it. Source: the library
    WebHidBarcodeScanner, which sends it at each opening.
    """
    if vendor != HONEYWELL:
        return None
    for report in descriptor.reports:
        if report.sort is ReportType.FEATURE and report.id == _POS_REPORT and report.bits >= 8:
            return _command(report, _POS_OUTPUT)
    return None
