"""Event builder: the event of a scan, with the fields of docs/reference/event-fields.md."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from drivers import Read, TagRemoved
from station.core.codes import Code, identity_of_recorded, written_code
from station.core.codes.parser import TOO_LONG
from station.core.event import Event, EventError, LogPosition, Reader, encode
from station.scan.bench_state import ScanFields
from station.scan.deduplication import MAX_READERS, ScanSignature


@dataclass(slots=True)
class EventBuilder:
    """The event fields that are constant for a station: its name, software and boot; and its clocks.

    `now_ns` is CLOCK_BOOTTIME, `wall_us` UTC. `clk` is the state of the wall clock (`never`, `holdover`, `synced`); the
    daemon updates it by `set_clock_state`.
    """

    station: str
    sw: str
    boot: str
    now_ns: Callable[[], int]
    wall_us: Callable[[], int]
    clk: str = "never"
    _readers: dict[tuple[str, str], Reader] = field(default_factory=dict)

    def set_clock_state(self, state: str) -> None:
        """Set the wall clock's state for the events that follow; any thread."""
        self.clk = state

    def wall_at(self, boot_ns: int) -> int:
        """Wall time in us of a moment of this boot, by the present offset of the wall clock."""
        return self.wall_us() - (self.now_ns() - boot_ns) // 1000

    def event(self, kind: str) -> Event:
        """An event of this kind, recorded now."""
        return Event(kind=kind, station=self.station, sw=self.sw, boot=self.boot, mono_ns=self.now_ns())

    def reader(self, kind: str, name: str) -> Reader:
        """The `reader` field. One object is kept for each of the `MAX_READERS` readers that scanned last."""
        reader = self._readers.pop((kind, name), None) or Reader(kind, name)
        self._readers[(kind, name)] = reader
        if len(self._readers) > MAX_READERS:
            del self._readers[next(iter(self._readers))]  # the one whose last scan is oldest
        return reader

    def void(self, position: LogPosition, mono_ns: int, like: Event, late: Sequence[int]) -> Event:
        """An event that voids the one at `position`, with the operator and the stage of the event `like`."""
        return Event(
            kind="scan", station=self.station, sw=self.sw, boot=self.boot, mono_ns=mono_ns, wall_us=like.wall_us,
            clk=self.clk, late=list(late) or None, reader=like.reader, stage=like.stage, bench=like.bench,
            action="void", operator=like.operator, ref=position,
        )  # fmt: skip


def scan_event(
    events: EventBuilder, read: Read, code: Code, fields: ScanFields, bench: str | None, late: Sequence[int]
) -> Event:
    """The event of a read, with its interpreted code and the fields that its bench added."""
    cut = read.raw_len > len(read.raw)
    return Event(
        kind="scan", station=events.station, sw=events.sw, boot=events.boot,
        mono_ns=read.boot_ns, wall_us=events.wall_at(read.boot_ns), clk=events.clk,
        late=list(late) or None, raw=read.raw, sym=code.sym or None,
        raw_len=read.raw_len if cut else None, raw_sha256=read.sha256 if cut else None,
        reader=events.reader(read.kind, read.reader),
        scheme=code.scheme, code=None if cut or not code.code else written_code(code.code, read.raw), unread=code.unread,
        stage=fields.stage, bench=bench, action=fields.action, qty_milli=fields.qty_milli, all=fields.all,
        reason=fields.reason, to=fields.to, load=fields.load, operator=fields.operator, repeat=fields.repeat,
        since_ns=read.since_ns, ref=fields.void,
    )  # fmt: skip


def tag_removed_event(events: EventBuilder, removed: TagRemoved, arrival: Event, position: LogPosition) -> Event:
    """The end of a tag session: the arrival at `position`, and how often the tag was read since.

    It has no operator, because no scan caused it. The fields of cards are in the arrival alone.
    """
    return Event(
        kind="scan", station=events.station, sw=events.sw, boot=events.boot,
        mono_ns=removed.boot_ns, wall_us=events.wall_at(removed.boot_ns), clk=events.clk,
        raw=arrival.raw, sym=arrival.sym, reader=arrival.reader,
        scheme=arrival.scheme, code=arrival.code, unread=arrival.unread, stage=arrival.stage, bench=arrival.bench,
        seen=removed.seen, rssi_dbm=removed.signal_dbm, ref=position,
    )  # fmt: skip


def signature_of(code: Code, fields: ScanFields) -> ScanSignature:
    """The signature of a scan, for deduplication."""
    return ScanSignature(code.identity, fields.action, fields.qty_milli, fields.reason, fields.operator)


def recorded_signature(event: Event) -> ScanSignature:
    """The signature of a recorded scan; an event without a code has its raw bytes as the code."""
    code = event.code if event.code is not None else (event.raw or b"").decode("ascii", "replace")
    identity = identity_of_recorded(code, event.scheme, event.sym)
    return ScanSignature(identity, event.action, event.qty_milli, event.reason, event.operator)


def encode_or_shorten(event: Event) -> bytes:
    """Encode the event of a scan; one above the size limit is recorded without its code, as too long."""
    try:
        return encode(event)
    except EventError:
        return encode(msgspec.structs.replace(event, code=None, scheme=None, unread=TOO_LONG))
