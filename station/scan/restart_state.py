"""Restart state: what the newest events of the log contain about each reader before the daemon's start.

Three facts depend on it. The last scan of a reader may be scanned again, because the power failed between its commit and its
answer. Tags that lay on a reader at the stop arrive again, although no operator moved them. A memory scanner has collected
scans since its last contact.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from station.core.codes.tag_numbers import TAG_READERS
from station.core.event import Event, EventError, decode
from station.journal import Journal
from station.scan.deduplication import ScanSignature
from station.scan.event_builder import recorded_signature

MAX_EVENTS = 500  # the newest events of the log that are read


@dataclass(frozen=True, slots=True)
class RestartState:
    """By reader id: the last scan, the tags present according to the log, and the last contact of this boot.

    `last_contact_ns` is CLOCK_BOOTTIME in ns.
    """

    last_scans: Mapping[str, ScanSignature] = field(default_factory=dict)
    present_tags: Mapping[str, tuple[ScanSignature, ...]] = field(default_factory=dict)
    last_contact_ns: Mapping[str, int] = field(default_factory=dict)


def read_restart_state(journal: Journal, boot: str) -> RestartState:
    """Read the restart state from the journal; `boot` is the kernel's present boot_id."""
    last_scans: dict[str, ScanSignature] = {}
    tags: dict[tuple[str, str], ScanSignature | None] = {}  # by reader and code, from the newest arrival
    last_contact_ns: dict[str, int] = {}
    log = journal.log_id.hex()
    ended: set[int] = set()  # sequence numbers of arrivals that a removal or a void refers to
    for seq, event in _newest_scans(journal):
        if event.ref is not None and event.ref.log == log and (event.seen is not None or event.action == "void"):
            ended.add(event.ref.seq)
        if event.reader is None or event.raw is None or event.seen is not None:
            continue  # a tag's removal is no scan
        reader, signature = event.reader.id, recorded_signature(event)
        last_scans.setdefault(reader, signature)
        if event.reader.kind in TAG_READERS and event.action != "void":
            tags.setdefault((reader, signature.code), None if seq in ended else signature)
        if event.boot == boot and event.mono_ns:
            last_contact_ns[reader] = max(last_contact_ns.get(reader, 0), event.mono_ns)
    present: dict[str, tuple[ScanSignature, ...]] = {}
    for (reader, _code), tag in tags.items():
        if tag is not None:
            present[reader] = (*present.get(reader, ()), tag)
    return RestartState(last_scans, present, last_contact_ns)


def _newest_scans(journal: Journal) -> Iterator[tuple[int, Event]]:
    for stored in journal.newest(MAX_EVENTS):
        try:
            event = decode(stored.encoded)
        except EventError:
            continue
        if event.kind == "scan":
            yield stored.seq, event
