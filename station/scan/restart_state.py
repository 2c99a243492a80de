"""What the log says of the time before the daemon's start, for a station that goes on where the last one ended.

A reader's last scan may come again because the power failed between the commit and the beep. Tags that lay on a reader when
the daemon ended arrive anew though nobody moved them; by the log they came and never left. A memory scanner that is
emptied has collected since its last contact.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from station.core.codes.tag_numbers import TAG_READERS
from station.core.event import Event, EventError, decode
from station.journal import Journal
from station.scan.deduplication import ScanSignature
from station.scan.event_builder import said_by

REMEMBERED = 500  # events looked at, the newest of the log


@dataclass(frozen=True, slots=True)
class RestartState:
    """By reader: what it said last (`said`), what lies on it by the log (`lying`), when it was heard last (`heard_ns`).

    `heard_ns` is CLOCK_BOOTTIME in ns and knows only of this boot.
    """

    said: Mapping[str, ScanSignature] = field(default_factory=dict)
    lying: Mapping[str, tuple[ScanSignature, ...]] = field(default_factory=dict)
    heard_ns: Mapping[str, int] = field(default_factory=dict)


def earlier(journal: Journal, boot: str) -> RestartState:
    """What the newest events of this log say of its readers; `boot` is the kernel's present boot_id."""
    said: dict[str, ScanSignature] = {}
    tags: dict[tuple[str, str], ScanSignature | None] = {}  # by reader and code, as the newest arrival says
    heard: dict[str, int] = {}
    log = journal.log_id.hex()
    over: set[int] = set()  # arrivals that an end or a void speaks of
    for seq, event in _newest_scans(journal):
        if event.ref is not None and event.ref.log == log and (event.seen is not None or event.action == "void"):
            over.add(event.ref.seq)
        if event.reader is None or event.raw is None or event.seen is not None:
            continue  # the end of a presence is nothing that was said: nobody scanned
        reader, this = event.reader.id, said_by(event)
        said.setdefault(reader, this)
        if event.reader.kind in TAG_READERS and event.action != "void":
            tags.setdefault((reader, this.code), None if seq in over else this)
        if event.boot == boot and event.mono_ns:
            heard[reader] = max(heard.get(reader, 0), event.mono_ns)
    lying = {reader: tuple(tag for (on, _), tag in tags.items() if on == reader and tag) for reader in said}
    return RestartState(said, {reader: here for reader, here in lying.items() if here}, heard)


def _newest_scans(journal: Journal) -> Iterator[tuple[int, Event]]:
    for stored in journal.newest(REMEMBERED):
        try:
            event = decode(stored.encoded)
        except EventError:
            continue
        if event.kind == "scan":
            yield stored.seq, event
