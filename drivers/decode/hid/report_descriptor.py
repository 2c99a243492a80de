"""Parser for HID report descriptors, which define the meaning of each bit of a device's reports.

A descriptor is a list of items. Global items (page, size, count, report id) hold until they are changed; local items
(usages) hold for the next main item. A main item adds a field to a report, or opens or closes a collection. A usage is
written as its page and its number: 008C00FE. Time and memory are bounded for any input; a descriptor that is malformed
raises `DescriptorError`. Source: Device Class Definition for HID 1.11, section 6.2.2.

>>> scale = parsed(bytes.fromhex("058D 0920 A101  8504 7508 9502 0940 8102  C0"))
>>> scale.numbered, scale.reports[0].id, scale.reports[0].places(0x8D0040)
(True, 4, (FieldSlice(bit=0, bits=8, count=2),))
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

MAX_DESCRIPTOR_BYTES = 4096
"""The longest descriptor that Linux accepts."""
MAX_REPORT_BYTES = 16_384
"""The longest report that Linux accepts."""
MAX_DEPTH = 32
"""The deepest nesting of collections."""
MAX_PUSHED = 16
"""The most global states on the stack of Push and Pop."""

_MAIN, _GLOBAL, _LOCAL = 0, 1, 2
_LONG_ITEM = 0xFE
_INPUT, _OUTPUT, _COLLECTION, _FEATURE, _END_COLLECTION = 0x8, 0x9, 0xA, 0xB, 0xC
_PAGE, _MINIMUM, _SIZE, _REPORT_ID, _COUNT, _PUSH, _POP = 0x0, 0x1, 0x7, 0x8, 0x9, 0xA, 0xB
_USAGE, _USAGE_MINIMUM, _USAGE_MAXIMUM, _DELIMITER = 0x0, 0x1, 0x2, 0xA
_CONSTANT, _VARIABLE = 0x01, 0x02


class DescriptorError(ValueError):
    """A malformed report descriptor; the message is a sentence."""


class ReportType(StrEnum):
    """The type of a report: from the device, to the device, or both ways on request."""

    INPUT = "input"
    OUTPUT = "output"
    FEATURE = "feature"


_SORTS = {_INPUT: ReportType.INPUT, _OUTPUT: ReportType.OUTPUT, _FEATURE: ReportType.FEATURE}


@dataclass(frozen=True, slots=True)
class FieldSlice:
    """`count` adjacent values of `bits` each, starting at bit `bit` of a report without its id."""

    bit: int
    bits: int
    count: int


@dataclass(frozen=True, slots=True)
class ReportField:
    """A field of `count` values of `bits` each. `usages` are ranges that are never expanded: one may have thousands.

    In a variable field each value has its own usage, and the last usage applies to all further values. In an `array` each
    value is the index of a usage, counted from `minimum`. A `constant` field is padding.
    """

    usages: tuple[range, ...]
    bit: int
    bits: int
    count: int
    constant: bool
    array: bool
    minimum: int

    def positions(self, usage: int) -> Iterator[tuple[int, bool]]:
        """Each index of the usage among those of this field, and whether it is the last index."""
        before = 0
        for number, usages in enumerate(self.usages, 1):
            if usages.start <= usage < usages.stop:
                yield before + usage - usages.start, number == len(self.usages) and usage == usages.stop - 1
            before += usages.stop - usages.start

    def places(self, usage: int) -> Iterator[FieldSlice]:
        """The slices with values of this usage. An array of a single usage counts as a variable field of it.

        Some makers describe their data bytes that way.
        """
        for position, last in () if self.constant else self.positions(usage):
            if position < self.count:
                yield FieldSlice(self.bit + position * self.bits, self.bits, self.count - position if last else 1)


@dataclass(frozen=True, slots=True)
class Report:
    """One report of `bits` without its id. `id` is 0 if the device's reports have none."""

    sort: ReportType
    id: int
    bits: int
    fields: tuple[ReportField, ...]

    @property
    def size_bytes(self) -> int:
        """The length without the id."""
        return (self.bits + 7) // 8

    def places(self, usage: int) -> tuple[FieldSlice, ...]:
        """The slices with values of this usage; adjacent slices are merged."""
        merged: list[FieldSlice] = []
        for part in (part for field in self.fields for part in field.places(usage)):
            before = merged[-1] if merged else None
            if before and before.bits == part.bits and before.bit + before.bits * before.count == part.bit:
                merged[-1] = replace(before, count=before.count + part.count)
            else:
                merged.append(part)
        return tuple(merged)


@dataclass(frozen=True, slots=True)
class ReportDescriptor:
    """The reports of a device. `numbered`: every report begins with its id. `applications`: usages of its top collections.

    `raw` is the descriptor itself.
    """

    numbered: bool
    applications: tuple[int, ...]
    reports: tuple[Report, ...]
    raw: bytes = b""


def parsed(descriptor: bytes) -> ReportDescriptor:
    """Parse a report descriptor. Raises `DescriptorError`."""
    if len(descriptor) > MAX_DESCRIPTOR_BYTES:
        msg = f"A report descriptor of {len(descriptor)} bytes came; expected at most {MAX_DESCRIPTOR_BYTES}."
        raise DescriptorError(msg)
    parser = _DescriptorParser()
    for kind, tag, data in _items(descriptor):
        if kind == _MAIN:
            parser.main(tag, data)
        elif kind == _GLOBAL:
            parser.set_global(tag, data)
        elif kind == _LOCAL:
            parser.local(tag, data)
    return replace(parser.end(), raw=descriptor)


def _items(descriptor: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Type, tag and data of each short item. Long items are skipped: none is defined."""
    at = 0
    while at < len(descriptor):
        prefix = descriptor[at]
        if prefix == _LONG_ITEM:  # followed by its length and its tag, a byte each
            head, size = 3, descriptor[at + 1] if at + 1 < len(descriptor) else 0
        else:
            head, size = 1, (0, 1, 2, 4)[prefix & 3]
        data = descriptor[at + head : at + head + size]
        if at + head > len(descriptor) or len(data) < size:
            msg = f"The report descriptor ends in the middle of the item at byte {at}."
            raise DescriptorError(msg)
        if prefix != _LONG_ITEM:
            yield prefix >> 2 & 3, prefix >> 4, data
        at += head + size


@dataclass(frozen=True, slots=True)
class _GlobalItems:
    """The present values of the global items."""

    page: int = 0
    minimum: int = 0
    bits: int = 0
    count: int = 0
    report_id: int = 0


class _DescriptorParser:
    """The state of the parser between items."""

    def __init__(self) -> None:
        self._global = _GlobalItems()
        self._pushed: list[_GlobalItems] = []
        self._open: list[int] = []
        self._applications: list[int] = []
        self._reports: dict[tuple[ReportType, int], tuple[int, list[ReportField]]] = {}
        self._numbered = False
        self._forget()

    def _forget(self) -> None:
        """Clear the local items, after each main item."""
        self._usages: list[tuple[range, bool]] = []  # and whether the item had no page of its own
        self._lowest: tuple[int, bool] | None = None
        self._choosing = self._chosen = False

    def set_global(self, tag: int, data: bytes) -> None:
        """Process a global item."""
        value = int.from_bytes(data, "little")
        if tag == _PAGE:
            self._global = replace(self._global, page=value & 0xFFFF)
        elif tag == _MINIMUM:
            self._global = replace(self._global, minimum=int.from_bytes(data, "little", signed=True))
        elif tag == _SIZE:
            self._global = replace(self._global, bits=value)
        elif tag == _COUNT:
            self._global = replace(self._global, count=value)
        elif tag == _REPORT_ID:
            if not 1 <= value <= 0xFF:
                msg = f"The report descriptor has the report id {value}; expected 1 to 255."
                raise DescriptorError(msg)
            self._numbered = True
            self._global = replace(self._global, report_id=value)
        elif tag == _PUSH:
            if len(self._pushed) == MAX_PUSHED:
                msg = f"The report descriptor pushes more than {MAX_PUSHED} states."
                raise DescriptorError(msg)
            self._pushed.append(self._global)
        elif tag == _POP:
            if not self._pushed:
                msg = "The report descriptor pops a state that it did not push."
                raise DescriptorError(msg)
            self._global = self._pushed.pop()

    def local(self, tag: int, data: bytes) -> None:
        """Process a local item."""
        if tag == _DELIMITER:  # begins or ends a set of alternative usages: the first is preferred
            self._choosing, self._chosen = any(data), False
            return
        if tag not in (_USAGE, _USAGE_MINIMUM, _USAGE_MAXIMUM):
            return
        short = len(data) < 4
        usage = int.from_bytes(data, "little") | (self._global.page << 16 if short else 0)
        if tag == _USAGE_MINIMUM:
            self._lowest = usage, short
        elif tag == _USAGE:
            self._name(range(usage, usage + 1), short)
        elif self._lowest is not None:
            lowest, was_short = self._lowest
            if lowest <= usage and lowest >> 16 == usage >> 16:  # a range lies in one page
                self._name(range(lowest, usage + 1), was_short and short)
            self._lowest = None

    def _name(self, usages: range, short: bool) -> None:
        if not self._chosen:
            self._usages.append((usages, short))
        self._chosen = self._choosing

    def main(self, tag: int, data: bytes) -> None:
        """A main item."""
        if tag in _SORTS:
            self._add(_SORTS[tag], int.from_bytes(data, "little"))
        elif tag == _COLLECTION:
            if len(self._open) == MAX_DEPTH:
                msg = f"The report descriptor has collections more than {MAX_DEPTH} deep."
                raise DescriptorError(msg)
            usages = self._paged()
            self._open.append(usages[0].start if usages else 0)
            if len(self._open) == 1:
                self._applications.append(self._open[0])
        elif tag == _END_COLLECTION:
            if not self._open:
                msg = "The report descriptor ends a collection that it did not begin."
                raise DescriptorError(msg)
            self._open.pop()
        self._forget()

    def _add(self, sort: ReportType, flags: int) -> None:
        held = self._global
        bit, fields = self._reports.get((sort, held.report_id), (0, []))
        after = bit + held.bits * held.count
        if after > MAX_REPORT_BYTES * 8:
            msg = f"The report descriptor has a report of {after} bits; expected at most {MAX_REPORT_BYTES * 8}."
            raise DescriptorError(msg)
        if after > bit:
            constant, array = bool(flags & _CONSTANT), not flags & _VARIABLE
            fields.append(ReportField(self._paged(), bit, held.bits, held.count, constant, array, held.minimum))
        self._reports[sort, held.report_id] = after, fields

    def _paged(self) -> tuple[range, ...]:
        """The usages so far; those named just before the page was changed belong to the new page (6.2.2.8).

        Earlier ones keep theirs, for a field may have usages of several pages; so does Linux read them.
        """
        for index in reversed(range(len(self._usages))):
            usages, short = self._usages[index]
            if not short:
                continue
            if usages.start >> 16 == self._global.page:
                break
            low, high = (self._global.page << 16 | usage & 0xFFFF for usage in (usages.start, usages.stop - 1))
            self._usages[index] = range(low, high + 1), short
        return tuple(usages for usages, _ in self._usages)

    def end(self) -> ReportDescriptor:
        """No more items come."""
        if self._open:
            msg = f"The report descriptor ends with collections left open: {len(self._open)}."
            raise DescriptorError(msg)
        reports = (Report(*key, bits, tuple(fields)) for key, (bits, fields) in self._reports.items())
        return ReportDescriptor(self._numbered, tuple(self._applications), tuple(reports))
