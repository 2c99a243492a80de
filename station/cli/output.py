"""Command output: a station's status, its readers, its events, and decoded scans.

Text from a device, a label or the hub is escaped before it is written to the terminal, so that control characters have no
effect.
"""

from collections.abc import Iterable, Iterator
from typing import BinaryIO

import msgspec

from drivers import Dropped, Outcome, ProfileLearned, Read, TagRemoved
from drivers.decode.scan_text import ScanTextReader
from station.core.codes import Code, apply_binding, canonical, read_code
from station.core.codes.tag_memory import read_tag
from station.feedback.idle_screen import HUB_TEXTS
from station.feedback.outputs.screen import escaped
from station.journal.records import StoredEvent
from station.rules.snapshot import StationDefinitions, read_shop
from station.scan.interpret import interpret
from station.status import ReaderStatus, StationStatus, lives

NO_HEX = "no tag memory: expected pairs of hex digits"


class Decoded(msgspec.Struct, frozen=True):
    """One scan as `decode` prints it; `raw` is base64, `error` the reason why it could not be read."""

    raw: bytes
    sym: str | None
    scheme: str | None
    code: str
    fields: dict[str, str]
    error: str | None


class DecodedNonScan(msgspec.Struct, frozen=True, omit_defaults=True):
    """An outcome that is no scan: a lost one, a removed tag and how often it was seen, or a sentence."""

    dropped: str | None = None
    gone: str | None = None
    seen: int | None = None
    note: str | None = None


class EventLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """One event as `events` prints it: its position, its hash, the recorded JSON (`bytes` where it is no JSON)."""

    log: str
    seq: int
    hash: str
    event: msgspec.Raw | None = None
    body: bytes | None = msgspec.field(default=None, name="bytes")


def decoded_lines(source: Iterable[bytes], snapshot: bytes | None) -> Iterator[str]:
    """Decode each written scan, a line of JSON each, by the patterns and bindings of a snapshot's body."""
    shop, lines = read_shop(snapshot), ScanTextReader()
    for piece in source:
        for scan in lines.feed(piece):
            yield _decoded(apply_binding(read_code(scan.raw, None, shop.patterns), shop.bound))
    for scan in lines.end():
        yield _decoded(apply_binding(read_code(scan.raw, None, shop.patterns), shop.bound))


def decoded_recording(source: BinaryIO, snapshot: bytes | None) -> Iterator[str]:
    """Play a recording and decode the reader's outcomes, a line of JSON each. Raises `DriverError`."""
    from drivers.capture.playback_reader import PlaybackReader
    from station.readers.enrolment import SHEETS

    shop, reader = read_shop(snapshot), PlaybackReader(source, "replay", stays=False)
    reader.teach(SHEETS)
    for outcome in reader.reads():
        yield outcome_text(outcome, shop)


def outcome_text(outcome: Outcome, shop: StationDefinitions) -> str:
    """One outcome of a reader as a line of JSON."""
    if isinstance(outcome, Read):
        return _decoded(interpret(outcome, shop.patterns, shop.bound)[1])
    if isinstance(outcome, Dropped):
        non_scan = DecodedNonScan(dropped=outcome.why)
    elif isinstance(outcome, TagRemoved):
        non_scan = DecodedNonScan(gone=canonical(outcome.raw), seen=outcome.seen)
    else:
        note = " ".join(outcome.evidence) if isinstance(outcome, ProfileLearned) else outcome.text
        non_scan = DecodedNonScan(note=note)
    return msgspec.json.encode(non_scan).decode()


def decoded_tags(source: Iterable[bytes]) -> Iterator[str]:
    """Decode tag memories, a line of JSON each, from lines of hex digits (in pairs, words or all together)."""
    for line in source:
        written = line.strip()
        if not written:
            continue
        try:
            memory = bytes.fromhex(written.decode("ascii").replace(":", " ").replace("-", " "))
        except ValueError:
            yield _decoded(Code(written, None, None, canonical(written), unread=NO_HEX))
        else:
            yield _decoded(read_tag(memory))


def _decoded(code: Code) -> str:
    decoded = Decoded(code.raw, code.sym, code.scheme, code.code, dict(code.fields), code.unread)
    return msgspec.json.encode(decoded).decode()


def event_line(log_id: bytes, stored: StoredEvent) -> str:
    """A stored event as a line of JSON."""
    log, digest = log_id.hex(), stored.hash.hex()
    try:
        msgspec.json.decode(stored.encoded)
    except msgspec.MsgspecError:
        return msgspec.json.encode(EventLine(log, stored.seq, digest, body=stored.encoded)).decode()
    return msgspec.json.encode(EventLine(log, stored.seq, digest, event=msgspec.Raw(stored.encoded))).decode()


def age(age_s: float, pid: int) -> str:
    """The age of a status, and whether the station that wrote it still runs."""
    return f"{age_s:.0f} s old" + ("" if lives(pid) else f"; the station (process {pid}) is not running")


def as_text(status: StationStatus, age_s: float) -> str:
    """A status as text."""
    hub = "no hub is configured" if status.hub.state == "none" else HUB_TEXTS[status.hub.state]
    days = f", {status.days_left:.0f} days offline" if status.days_left is not None else ""
    rows = [
        ("station", f"{status.station} ({status.sw}), {age(age_s, status.pid)}"),
        ("stage", status.stage or "none: STAGE cards select it"),
        ("operator", status.operator or "nobody signed in"),
        ("journal", f"{status.journal}: log {status.log}, {status.tip_seq} events"),
        ("hub", f"{hub}, {status.waiting} waiting" + (f" ({status.hub.error})" if status.hub.error else "")),
        ("disk", f"{status.disk_level}, {status.disk_free_bytes // 2**20} MiB free{days}"),
        ("clock", status.clock),
        ("ready", f"after {status.ready_in_s:.2f} s"),
        *(("note", news) for news in status.news),
    ]
    return "\n".join([*(escaped(f"{name:9} {text}") for name, text in rows), readers_text(status, None)])


def readers_text(status: StationStatus, age_s: float | None) -> str:
    """The readers as text; with `age_s` also the evidence and the remedies."""
    rows = [escaped(row) for reader in status.readers for row in _reader_rows(reader, at_length=age_s is not None)]
    rows = rows or ["reader    none is plugged in"]
    return "\n".join([*rows, *([f"          {age(age_s, status.pid)}"] if age_s is not None else [])])


def _reader_rows(line: ReaderStatus, *, at_length: bool) -> list[str]:
    """One device and its state; at length also the evidence, and how to correct it."""
    read = f", {line.reads} scans" if line.state != "ignored" else ""
    first = f"reader    {line.id} ({line.kind}): {line.state}{read}" + (f". {line.why}" if line.why else "")
    if not at_length:
        return [] if line.state == "ignored" else [first]
    more = [
        ("taught", line.taught),
        ("because", "; ".join(sentence.rstrip(".") for sentence in line.evidence)),
        ("if wrong", line.mend),
    ]
    return [first, *(f"          {name}: {text}" for name, text in more if text)]
