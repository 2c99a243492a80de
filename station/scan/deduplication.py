"""Repeats: telling a scanner that fired twice from a person who scanned twice.

The same thing said again at the same reader, within seconds and with nothing else between, is one scan told twice. It is
stored, marked, answered "already saved" and not counted. So is the first scan after a restart, where the power may have
failed between the commit and the beep, each tag that lay on a reader then and arrives anew, and the scan that follows a red
answer whose commit came through after all.

>>> said = ScanSignature("WO-1042")
>>> memory = record_read(RepeatFilter(), said, 0)
>>> is_repeat(memory, said, 2 * 10**9, 3 * 10**9), is_repeat(memory, said, 4 * 10**9, 3 * 10**9)
(True, False)
>>> is_repeat(record_read(memory, ScanSignature("WIP:IN"), 10**9), said, 2 * 10**9, 3 * 10**9)
False
"""

from dataclasses import dataclass, replace

OWED_NS = 120 * 10**9  # after a red answer and after a restart
MAX_OWED = 64
MAX_READERS = 64
"""Readers that are remembered: a device may come back under a new serial number for ever."""


@dataclass(frozen=True, slots=True)
class ScanSignature:
    """What two scans must share to be one: canonical code, action, quantity, reason, operator."""

    code: str
    action: str | None = None
    qty_milli: int | None = None
    reason: str | None = None
    operator: str | None = None


@dataclass(frozen=True, slots=True)
class RepeatFilter:
    """What one reader said last, in this boot (`last`, `at_ns`) and before the daemon's start (`before`).

    `lying`: tags that came before the start and did not leave. `owed`: scans answered red whose commit came through after
    all, each until when its equal is its repeat.
    """

    last: ScanSignature | None = None
    at_ns: int = 0
    before: ScanSignature | None = None
    lying: tuple[ScanSignature, ...] = ()
    before_until_ns: int = 0
    owed: tuple[tuple[ScanSignature, int], ...] = ()


def is_repeat(memory: RepeatFilter, said: ScanSignature, now_ns: int, repeat_ns: int) -> bool:
    """Whether this scan says again what its reader said a moment ago."""
    if memory.last is not None and memory.last == said and now_ns - memory.at_ns < repeat_ns:
        return True
    # Badges are lost at a restart: the same scan then comes without its operator.
    before = memory.before
    if before is not None and now_ns < memory.before_until_ns and before == replace(said, operator=before.operator):
        return True
    if now_ns < memory.before_until_ns and any(_still(tag, said) for tag in memory.lying):
        return True
    return any(owed == said and now_ns < until_ns for owed, until_ns in memory.owed)


def _still(tag: ScanSignature, said: ScanSignature) -> bool:
    """Whether this is the arrival of a tag that lay there already. Its card is lost at a restart; another card is news."""
    return tag.code == said.code and said.action in (None, tag.action)


def record_read(memory: RepeatFilter, said: ScanSignature, now_ns: int) -> RepeatFilter:
    """The memory after any read: it is the reader's last now, and what was owed to it is paid once."""
    owed = tuple(each for each in memory.owed if each[0] != said and now_ns < each[1]) if memory.owed else ()
    lying = tuple(tag for tag in memory.lying if tag.code != said.code)
    return RepeatFilter(said, now_ns, None, lying, memory.before_until_ns, owed)


def store_signature(memories: dict[str, RepeatFilter], reader: str, memory: RepeatFilter) -> None:
    """Keep the memory of this reader, and of those heard last beside it."""
    memories.pop(reader, None)
    memories[reader] = memory
    if len(memories) > MAX_READERS:
        del memories[next(iter(memories))]


def mark_unconfirmed(memory: RepeatFilter, said: ScanSignature, now_ns: int) -> RepeatFilter:
    """The memory after a commit that came through behind a red answer."""
    return replace(memory, owed=(*memory.owed, (said, now_ns + OWED_NS))[-MAX_OWED:])


def clear_unconfirmed(memory: RepeatFilter) -> RepeatFilter:
    """The memory after an undo: the same scan again is meant."""
    return replace(memory, last=None, before=None, lying=(), owed=())
