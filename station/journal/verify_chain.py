"""Verify a hash chain: each event must follow the one before it, and its hash must be correct."""

from collections.abc import Iterable

from station.core.hash_chain import link
from station.journal.records import ChainBreak, StoredEvent, Tip

MOST_BREAKS = 100  # a longer list gives no more information


def walk(events: Iterable[StoredEvent], start: Tip) -> tuple[list[ChainBreak], Tip]:
    """The breaks in these events behind `start`, and the position of the last event.

    >>> walk([StoredEvent(2, b"{}", bytes(32), bytes(32))], Tip(0, bytes(32)))[0][0].sentence
    'Event 1 is missing: the next one here is 2.'
    """
    breaks: list[ChainBreak] = []
    seq, digest = start
    for event in events:
        if len(breaks) >= MOST_BREAKS:
            break
        if event.seq != seq + 1:
            missing = f"Event {seq + 1} is" if event.seq == seq + 2 else f"Events {seq + 1} to {event.seq - 1} are"
            breaks.append(ChainBreak(seq + 1, f"{missing} missing: the next one here is {event.seq}."))
        elif event.prev != digest:
            breaks.append(ChainBreak(event.seq, f"Event {event.seq} does not follow event {seq} as it is now."))
        if link(event.prev, event.encoded) != event.hash:
            breaks.append(ChainBreak(event.seq, f"Event {event.seq} is not as it was recorded: its hash differs."))
        seq, digest = event.seq, event.hash
    return breaks, Tip(seq, digest)
