"""Salvage: what a damaged log still says, put in order and told again in a new log.

The chain gives back what a page lost: each hash stands twice, as an event's own and as `prev` of the next, so an event
whose row id or hash was hit is still known by its neighbours.

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
MOST_DAMAGED_BITS = 8  # two sums that agree but for so few of 256 bits agree: the damage is in the sum


class SalvagedEvent(NamedTuple):
    """One event of a damaged log: its place, its hash as claimed, and its bytes where they are proven."""

    seq: int
    hash: bytes
    encoded: bytes | None


def in_order(rows: Iterable[RecoveredRow], after: int = 0, start: Tip | None = None) -> list[SalvagedEvent]:
    """The events behind `after` in the order of their log; an event that cannot be read stands there without bytes.

    `start`, where it is known, is what the first event stands behind: the genesis or the prune point.
    """
    found = list(dict.fromkeys(rows))
    whole = _numbered([row for row in found if row.whole])
    hashes = {seq: row.hash for seq, row in whole.items()}
    if start:
        hashes.setdefault(*start)
    for seq, row in whole.items():
        hashes.setdefault(seq - 1, row.prev)
    told = {seq: SalvagedEvent(seq, row.hash, row.encoded) for seq, row in whole.items()}
    last = max(hashes, default=0) + 1  # what claims to stand further on has no neighbour to vouch for it
    for row in found:
        if not row.whole:
            for seq in [row.seq] if row.seq else [seq for seq in hashes if seq and seq not in told]:
                if seq <= last and (seq not in told or told[seq].encoded is None):
                    _tell(told, hashes, seq, row)
    first = min(told, default=1)
    end = max(told, default=0)
    return [
        told.get(seq, SalvagedEvent(seq, hashes.get(seq, UNKNOWN_HASH), None))
        for seq in range(max(first, after + 1), end + 1)
    ]


def _tell(told: dict[int, SalvagedEvent], hashes: dict[int, bytes], seq: int, row: RecoveredRow) -> None:
    """Settle a row whose sum is wrong: its neighbours may still prove its bytes."""
    claims = [hashes[seq]] if seq in hashes else [row.hash]
    for prev in {hashes.get(seq - 1, row.prev), row.prev}:
        digest = link(prev, row.encoded)
        if any(alike(digest, claim) for claim in (*claims, row.hash)):
            told[seq] = SalvagedEvent(seq, digest, row.encoded)
            return
    if row.seq is not None:
        told.setdefault(seq, SalvagedEvent(seq, claims[0], None))


def alike(one: bytes, other: bytes) -> bool:
    """Whether two hashes are the same but for a few damaged bits."""
    return (int.from_bytes(one) ^ int.from_bytes(other)).bit_count() <= MOST_DAMAGED_BITS


def _numbered(rows: Sequence[RecoveredRow]) -> dict[int, RecoveredRow]:
    """Each whole row under its sequence number: rows are strung along the chain, and their row ids vote."""
    strings = sorted(_strings(rows), key=len, reverse=True)
    placed: dict[int, RecoveredRow] = {}
    homeless: list[list[RecoveredRow]] = []
    for string in strings:
        votes = Counter(row.seq - place for place, row in enumerate(string) if row.seq is not None)
        start = votes.most_common(1)[0][0] if votes else 0
        if start < 1 or start in placed:
            homeless += [] if start in placed else [string]
            continue
        placed.update((start + place, row) for place, row in enumerate(string) if start + place not in placed)
    for string in homeless:  # nothing says where it stood; it is not dropped for that
        begin = max(placed, default=0) + 1
        placed.update((begin + place, row) for place, row in enumerate(string))
    return placed


def _strings(rows: Sequence[RecoveredRow]) -> Iterator[list[RecoveredRow]]:
    """Runs of rows in which each stands behind the one before it."""
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
        string = [row]
        while following := behind.get(string[-1].hash):
            # A commit that failed leaves a row beside the one that took its number: it is the one nothing follows.
            string.append(max(following, key=lambda candidate: candidate.hash in behind))
        yield string


def salvage_event(old: SalvagedEvent, log: str, template: Event) -> bytes:
    """The bytes of a `salvage` event; a salvaged salvage repeats what the inner one named and held."""
    place = EventIdentity(log=log, seq=old.seq, hash=old.hash.hex())
    body = old.encoded
    inner = _understood(old.encoded)
    if inner is not None and inner.kind == "salvage" and inner.from_ is not None:
        place, body = inner.from_, inner.body
    return encode(msgspec.structs.replace(template, kind="salvage", from_=place, body=body))


def resent_event(old: SalvagedEvent, log: str, template: Event) -> bytes:
    """The bytes of an event that is sent again in a new log: the same fact, with `origin` naming where it stood first.

    What cannot be told that way without losing a byte (fields of later software, an event at its size limit) is told as a
    salvage.
    """
    event = _understood(old.encoded)
    if event is None or old.encoded is None:
        return salvage_event(old, log, template)
    if event.kind == "salvage" or event.origin is not None:
        return old.encoded  # it already carries the identity that counts
    try:
        again = encode(msgspec.structs.replace(event, origin=EventIdentity(log=log, seq=old.seq, hash=old.hash.hex())))
        same = encode(event) == old.encoded
    except EventError:
        same = False
    return again if same else salvage_event(old, log, template)


def _understood(encoded: bytes | None) -> Event | None:
    try:
        return decode(encoded) if encoded is not None else None
    except EventError:
        return None
