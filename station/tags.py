"""Tags at a station: which of its texts a tag is, and which arrival the end of a presence belongs to.

A tag may carry texts and addresses (NDEF) beside its number. One that the shop or a published system knows is the read; any
other, a web address or a note, says nothing here, and the tag is its number.

>>> from drivers import Read
>>> tag = Read(b"04A1B2C3", None, "pcsc", "pcsc-1", 0, 8, tag=True, texts=(b"https://example.com", b"WIP:BADGE:kim"))
>>> read, code = meant(tag, ())
>>> read.raw, code.badge
(b'WIP:BADGE:kim', 'kim')
>>> meant(replace(tag, texts=tag.texts[:1]), ())[1].code
'04A1B2C3'
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from drivers import Gone, Read
from station.core.codes import Code, Pattern, read_code, read_tag_code
from station.core.codes.code import Scheme
from station.core.codes.reading import TOO_LONG
from station.core.event import Event
from station.core.event import Place as LogPlace
from station.journal.records import Receipt

MAX_PRESENT = 4096  # tags at all readers whose arrival is remembered; of those beyond, the end is not recorded
KNOWN = frozenset({Scheme.OWN, Scheme.COMMAND, Scheme.BADGE, Scheme.GS1, Scheme.EPC, Scheme.ISO15434})


def meant(read: Read, patterns: Sequence[Pattern]) -> tuple[Read, Code]:
    """What a reader's word is: the read as it is recorded, and what it says."""
    for text in read.texts:
        code = read_code(text, None, patterns)
        if code.scheme in KNOWN:
            return replace(read, raw=text, raw_len=len(text), tag=False, texts=()), code
    if read.tag:
        return read, read_tag_code(read.raw, patterns)
    code = read_code(read.raw, read.sym, patterns)
    if read.raw_len > len(read.raw):
        code = Code(code.raw, code.sym, None, code.code, unread=TOO_LONG)
    return read, code


@dataclass(frozen=True, slots=True)
class Arrival:
    """The event of a tag that came into a reader's field, and where it stands."""

    place: LogPlace
    event: Event


def receipt_place(receipt: Receipt) -> LogPlace:
    """Where the event behind a receipt stands."""
    return LogPlace(receipt.log_id.hex(), receipt.seq)


class Present:
    """The tags that lie on readers now and whose arrival was recorded since the daemon's start."""

    def __init__(self) -> None:
        self._arrivals: OrderedDict[tuple[str, bytes, int], Arrival] = OrderedDict()

    def __len__(self) -> int:
        return len(self._arrivals)

    def arrived(self, read: Read, arrival: Arrival) -> None:
        """A tag's arrival was recorded; `read` as its reader gave it."""
        self._arrivals[read.reader, read.raw, read.boot_ns] = arrival
        if len(self._arrivals) > MAX_PRESENT:
            self._arrivals.popitem(last=False)

    def recorded_again(self, old: LogPlace, arrival: Arrival) -> None:
        """What was recorded at `old` is void, and stands anew as this arrival."""
        for key, each in self._arrivals.items():
            if each.place == old:
                self._arrivals[key] = arrival
                return

    def left(self, gone: Gone) -> Arrival | None:
        """The arrival of a tag that has left; None where it was not recorded, or by an earlier daemon."""
        return self._arrivals.pop((gone.reader, gone.raw, gone.since_ns), None)
