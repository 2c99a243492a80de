"""Composing: the event of a read, field by field as CONTRACT names them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from drivers import Read, TagRemoved
from station.core.codes import Code, written_code
from station.core.codes.parser import TOO_LONG
from station.core.event import Event, EventError, Reader, encode
from station.core.event import LogPosition as LogPlace
from station.scan.bench_state import ScanFields
from station.scan.deduplication import MAX_READERS, ScanSignature


@dataclass(slots=True)
class EventBuilder:
    """Who records: the station's name, software and boot, and its clocks (`now_ns` CLOCK_BOOTTIME, `wall_us` UTC).

    `clk` is the wall clock's state (`never`, `holdover`, `synced`), refreshed from outside now and then.
    """

    station: str
    sw: str
    boot: str
    now_ns: Callable[[], int]
    wall_us: Callable[[], int]
    clk: str = "never"
    _readers: dict[tuple[str, str], Reader] = field(default_factory=dict)

    def wall_at(self, boot_ns: int) -> int:
        """Wall time of a moment of this boot, as the wall clock stands now."""
        return self.wall_us() - (self.now_ns() - boot_ns) // 1000

    def event(self, kind: str) -> Event:
        """An event of this kind, recorded here and now."""
        return Event(kind=kind, station=self.station, sw=self.sw, boot=self.boot, mono_ns=self.now_ns())

    def reader(self, kind: str, name: str) -> Reader:
        """The `reader` field; one object a device, for the devices heard last."""
        known = self._readers.pop((kind, name), None) or Reader(kind, name)
        self._readers[(kind, name)] = known
        if len(self._readers) > MAX_READERS:
            del self._readers[next(iter(self._readers))]  # heard longest ago
        return known

    def void(self, place: LogPlace, mono_ns: int, like: Event, late: Sequence[int]) -> Event:
        """An event that takes back the one at `place`, by the operator and at the stage of the event `like`."""
        return Event(
            kind="scan", station=self.station, sw=self.sw, boot=self.boot, mono_ns=mono_ns, wall_us=like.wall_us,
            clk=self.clk, late=list(late) or None, reader=like.reader, stage=like.stage, bench=like.bench,
            action="void", operator=like.operator, ref=place,
        )  # fmt: skip


def event_of(
    recorder: EventBuilder, read: Read, code: Code, fields: ScanFields, bench: str | None, late: Sequence[int]
) -> Event:
    """The event of a read, as its code was understood and its bench placed it."""
    cut = read.raw_len > len(read.raw)
    return Event(
        kind="scan", station=recorder.station, sw=recorder.sw, boot=recorder.boot,
        mono_ns=read.boot_ns, wall_us=recorder.wall_at(read.boot_ns), clk=recorder.clk,
        late=list(late) or None, raw=read.raw, sym=code.sym or None,
        raw_len=read.raw_len if cut else None, raw_sha256=read.sha256 if cut else None,
        reader=recorder.reader(read.kind, read.reader),
        scheme=code.scheme, code=None if cut or not code.code else written_code(code.code, read.raw), unread=code.unread,
        stage=fields.stage, bench=bench, action=fields.action, qty_milli=fields.qty_milli, all=fields.all,
        reason=fields.reason, to=fields.to, load=fields.load, operator=fields.operator, repeat=fields.repeat,
        since_ns=read.since_ns, ref=fields.void,
    )  # fmt: skip


def seen_of(recorder: EventBuilder, gone: TagRemoved, arrival: Event, place: LogPlace) -> Event:
    """The end of a tag's presence, as an event of its own: what arrived at `place`, and how often it was seen since.

    Nobody scanned: it has no operator, and what the cards said at the arrival is said once.
    """
    return Event(
        kind="scan", station=recorder.station, sw=recorder.sw, boot=recorder.boot,
        mono_ns=gone.boot_ns, wall_us=recorder.wall_at(gone.boot_ns), clk=recorder.clk,
        raw=arrival.raw, sym=arrival.sym, reader=arrival.reader,
        scheme=arrival.scheme, code=arrival.code, unread=arrival.unread, stage=arrival.stage, bench=arrival.bench,
        seen=gone.seen, rssi_dbm=gone.signal_dbm, ref=place,
    )  # fmt: skip


def said_of(code: Code, fields: ScanFields) -> ScanSignature:
    """What a scan said, for telling repeats."""
    return ScanSignature(code.code, fields.action, fields.qty_milli, fields.reason, fields.operator)


def said_by(event: Event) -> ScanSignature:
    """What a recorded scan said: a code absent from the event is its raw bytes."""
    code = event.code if event.code is not None else (event.raw or b"").decode("ascii", "replace")
    return ScanSignature(code, event.action, event.qty_milli, event.reason, event.operator)


def encoded_or_shortened(event: Event) -> bytes:
    """The bytes of a scan's event; one that would be longer than a scan may be is recorded as too long to read."""
    try:
        return encode(event)
    except EventError:
        return encode(msgspec.structs.replace(event, code=None, scheme=None, unread=TOO_LONG))
