"""Deduplication: tell a scanner that fired twice from an operator who scanned twice.

The same scan signature at the same reader, within a few seconds and without another read between, is a repeat. A repeat is
recorded, marked as one, answered "already saved" and not counted. Three more cases are repeats:

- the first scan after a restart that equals the reader's last one before it: the power may have failed between the commit
  and its answer;
- a tag that lay on its reader at the restart and arrives again;
- the scan that follows a red answer whose commit succeeded later.

>>> signature = ScanSignature("WO-1042")
>>> memory = record_read(RepeatFilter(), signature, 0)
>>> is_repeat(memory, signature, 2 * 10**9, 3 * 10**9), is_repeat(memory, signature, 4 * 10**9, 3 * 10**9)
(True, False)
>>> is_repeat(record_read(memory, ScanSignature("WIP:IN"), 10**9), signature, 2 * 10**9, 3 * 10**9)
False
"""

from dataclasses import dataclass, replace

UNCONFIRMED_NS = 120 * 10**9  # after a red answer and after a restart
CARD_AGAIN_NS = 10**9  # shorter than any deliberate second scan of a card
MAX_UNCONFIRMED = 64
MAX_READERS = 64
"""Readers whose state is kept: a device may return under a new serial number each time."""


@dataclass(frozen=True, slots=True)
class ScanSignature:
    """The fields that two scans must share to be a repeat: canonical code, action, quantity, reason, operator."""

    code: str
    action: str | None = None
    qty_milli: int | None = None
    reason: str | None = None
    operator: str | None = None


@dataclass(frozen=True, slots=True)
class RepeatFilter:
    """The state of one reader: its last scan since the daemon's start (`last`, `at_ns`) and before it (`before_start`).

    `present_tags`: tags that arrived before the start and did not leave. `unconfirmed`: scans answered red whose commit
    succeeded later, each with the time until which an equal scan is its repeat.
    """

    last: ScanSignature | None = None
    at_ns: int = 0
    before_start: ScanSignature | None = None
    present_tags: tuple[ScanSignature, ...] = ()
    before_start_until_ns: int = 0
    unconfirmed: tuple[tuple[ScanSignature, int], ...] = ()


def is_repeat(memory: RepeatFilter, signature: ScanSignature, now_ns: int, repeat_ns: int) -> bool:
    """Whether this scan repeats an earlier one of its reader."""
    if memory.last is not None and memory.last == signature and now_ns - memory.at_ns < repeat_ns:
        return True
    # A restart signs every operator off: the repeated scan then has no operator.
    before = memory.before_start
    after_start = now_ns < memory.before_start_until_ns
    if before is not None and after_start and before == replace(signature, operator=before.operator):
        return True
    if after_start and any(_is_present(tag, signature) for tag in memory.present_tags):
        return True
    return any(scan == signature and now_ns < until_ns for scan, until_ns in memory.unconfirmed)


def is_card_again(memory: RepeatFilter, code: str, now_ns: int) -> bool:
    """Whether the last read of this reader had this code, less than `CARD_AGAIN_NS` ago.

    A scanner that fires twice must not sign an operator on and off, hold an action or void two scans. The other fields of
    the signature do not count, because the first of the two has changed them.
    """
    return memory.last is not None and memory.last.code == code and now_ns - memory.at_ns < CARD_AGAIN_NS


def _is_present(tag: ScanSignature, signature: ScanSignature) -> bool:
    """Whether this arrival is that of a tag already present. A restart clears the armed card; another card is a new scan."""
    return tag.code == signature.code and signature.action in (None, tag.action)


def record_read(memory: RepeatFilter, signature: ScanSignature, now_ns: int) -> RepeatFilter:
    """The state after a read: it becomes the reader's last scan, and each unconfirmed scan is repeated once at most."""
    unconfirmed = memory.unconfirmed
    if unconfirmed:
        unconfirmed = tuple(entry for entry in unconfirmed if entry[0] != signature and now_ns < entry[1])
    present = tuple(tag for tag in memory.present_tags if tag.code != signature.code)
    return RepeatFilter(signature, now_ns, None, present, memory.before_start_until_ns, unconfirmed)


def store_filter(filters: dict[str, RepeatFilter], reader: str, memory: RepeatFilter) -> None:
    """Store the state of this reader as the newest; beyond `MAX_READERS` the oldest entry is removed."""
    filters.pop(reader, None)
    filters[reader] = memory
    if len(filters) > MAX_READERS:
        del filters[next(iter(filters))]


def mark_unconfirmed(memory: RepeatFilter, signature: ScanSignature, now_ns: int) -> RepeatFilter:
    """The state after a commit that succeeded behind a red answer."""
    return replace(memory, unconfirmed=(*memory.unconfirmed, (signature, now_ns + UNCONFIRMED_NS))[-MAX_UNCONFIRMED:])


def clear_unconfirmed(memory: RepeatFilter) -> RepeatFilter:
    """The state after an UNDO: the same scan again is a new scan."""
    return replace(memory, last=None, before_start=None, present_tags=(), unconfirmed=())
