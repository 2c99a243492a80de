"""Salvage: order the events that were recovered from a damaged log, and encode them for a new log.

The hash chain is redundant: each hash is stored twice, as an event's own and as `prev` of the next. So an event whose row
id or hash is damaged is still identified by its neighbours.

>>> from station.core.hash_chain import genesis, link
>>> first = genesis(bytes(16))
>>> in_order([RecoveredRow(1, b"{}", first, link(first, b"{}"), whole=True)])[0].encoded
b'{}'
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from station.core.event import Event, EventError, EventIdentity, decode, encode
from station.core.hash_chain import HASH_BYTES, LOG_ID_BYTES, link
from station.journal.page_recovery import RecoveredRow
from station.journal.records import Tip

UNKNOWN_HASH = bytes(HASH_BYTES)
UNKNOWN_LOG = bytes(LOG_ID_BYTES)
MOST_DAMAGED_BITS = 8  # of 256: two hashes with so few different bits are the same hash, one of them damaged


class SalvagedEvent(NamedTuple):
    """One event of a damaged log: its sequence number, its claimed hash, and its bytes where the hash proves them."""

    seq: int
    hash: bytes
    encoded: bytes | None


def in_order(rows: Iterable[RecoveredRow], after: int = 0, start: Tip | None = None) -> list[SalvagedEvent]:
    """The events behind `after` in the order of their log; one that cannot be read has no bytes.

    `start`, where it is known, is the position before the first event: the genesis or the prune point.

    1. Rows with a correct hash are numbered by their chain (`_numbered`).
    2. A row with a wrong hash is accepted if its neighbours prove its bytes, else it keeps its number without bytes.
    3. Numbers without any row become events without bytes.
    """
    unique = list(dict.fromkeys(rows))
    whole = _numbered([row for row in unique if row.whole])
    hashes = {seq: row.hash for seq, row in whole.items()}
    if start:
        hashes.setdefault(*start)
    for seq, row in whole.items():
        hashes.setdefault(seq - 1, row.prev)
    events = {seq: SalvagedEvent(seq, row.hash, row.encoded) for seq, row in whole.items()}
    last = max(hashes, default=0) + 1  # a row with a higher number has no neighbour that could prove it
    for row in unique:
        if not row.whole:
            for seq in [row.seq] if row.seq else [seq for seq in hashes if seq and seq not in events]:
                if seq <= last and (seq not in events or events[seq].encoded is None):
                    _add_damaged(events, hashes, seq, row)
    first = min(events, default=1)
    end = max(events, default=0)
    return [
        events.get(seq, SalvagedEvent(seq, hashes.get(seq, UNKNOWN_HASH), None))
        for seq in range(max(first, after + 1), end + 1)
    ]


def _add_damaged(events: dict[int, SalvagedEvent], hashes: dict[int, bytes], seq: int, row: RecoveredRow) -> None:
    """Add a row with a wrong hash, with its bytes if its neighbours prove them."""
    claims = [hashes[seq]] if seq in hashes else [row.hash]
    for prev in {hashes.get(seq - 1, row.prev), row.prev}:
        digest = link(prev, row.encoded)
        if any(alike(digest, claim) for claim in (*claims, row.hash)):
            events[seq] = SalvagedEvent(seq, digest, row.encoded)
            return
    if row.seq is not None:
        events.setdefault(seq, SalvagedEvent(seq, claims[0], None))


def alike(first: bytes, second: bytes) -> bool:
    """Whether two hashes are the same except for a few damaged bits."""
    return (int.from_bytes(first) ^ int.from_bytes(second)).bit_count() <= MOST_DAMAGED_BITS


def _numbered(rows: Sequence[RecoveredRow]) -> dict[int, RecoveredRow]:
    """Each whole row under its sequence number: rows are linked to runs by their hashes, and their row ids vote."""
    runs = sorted(_runs(rows), key=len, reverse=True)
    numbered: dict[int, RecoveredRow] = {}
    unplaced: list[list[RecoveredRow]] = []
    for run in runs:
        votes = Counter(row.seq - offset for offset, row in enumerate(run) if row.seq is not None)
        start = votes.most_common(1)[0][0] if votes else 0
        if start < 1 or start in numbered:
            unplaced += [] if start in numbered else [run]
            continue
        numbered.update((start + offset, row) for offset, row in enumerate(run) if start + offset not in numbered)
    for run in unplaced:  # without a known number a run goes to the end, because its events must not be lost
        begin = max(numbered, default=0) + 1
        numbered.update((begin + offset, row) for offset, row in enumerate(run))
    return numbered


def _runs(rows: Sequence[RecoveredRow]) -> Iterator[list[RecoveredRow]]:
    """Runs of rows in which each follows the one before it by its hash."""
    by_hash: dict[bytes, RecoveredRow] = {}
    for row in rows:
        if row.hash not in by_hash or by_hash[row.hash].seq is None:
            by_hash[row.hash] = row
    behind: dict[bytes, list[RecoveredRow]] = {}
    for row in by_hash.values():
        behind.setdefault(row.prev, []).append(row)
    for row in by_hash.values():
        if row.prev in by_hash:
            continue
        run = [row]
        while following := behind.get(run[-1].hash):
            # A failed commit may leave a row beside the event that got its number later: no row follows the failed one.
            run.append(max(following, key=lambda candidate: candidate.hash in behind))
        yield run


def salvage_event(old: SalvagedEvent, log: str, template: Event) -> bytes:
    """The bytes of a `salvage` event. Salvaging a `salvage` event keeps the identity and the body inside it."""
    identity = EventIdentity(log=log, seq=old.seq, hash=old.hash.hex())
    body = old.encoded
    inner = _decoded(old.encoded)
    if inner is not None and inner.kind == "salvage" and inner.from_ is not None:
        identity, body = inner.from_, inner.body
    return encode(msgspec.structs.replace(template, kind="salvage", from_=identity, body=body))


def resent_event(old: SalvagedEvent, log: str, template: Event) -> bytes:
    """The bytes of an event that is sent again in a new log: the same event, whose `origin` is its first identity.

    An event that would lose a byte by this (fields of later software, an event at its size limit) becomes a `salvage` event.
    """
    event = _decoded(old.encoded)
    if event is None or old.encoded is None:
        return salvage_event(old, log, template)
    if event.kind == "salvage" or event.origin is not None:
        return old.encoded  # it already carries its first identity
    try:
        again = encode(msgspec.structs.replace(event, origin=EventIdentity(log=log, seq=old.seq, hash=old.hash.hex())))
        same = encode(event) == old.encoded
    except EventError:
        same = False
    return again if same else salvage_event(old, log, template)


def _decoded(encoded: bytes | None) -> Event | None:
    try:
        return decode(encoded) if encoded is not None else None
    except EventError:
        return None
