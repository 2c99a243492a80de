"""Clock audit: find the anchors that were issued with a wrong time of the hub's clock.

An anchor is appended at once, so the hub's own anchors are in the ledger in the order of their true times, and none is
later than now. An own anchor is suspicious if it does not belong to the longest such order. A station's anchor is
suspicious if it is more than 1 h later than a good own anchor after it, or differs by more than 1 h from the good anchors
of its boot, because boottime never steps.

>>> good = IssuedAnchor(pos=1, log="h", seq=1, boot="b", boot_ns=0, utc_us=0, own=True)
>>> wrong = good._replace(pos=2, seq=2, boot="c", utc_us=10**15)
>>> [anchor.pos for anchor in suspicious([good, wrong], now_us=7_200_000_000)]
[2]
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sqlalchemy import Connection, select

from server.clock.readings import DOUBT_US
from server.db import schema
from server.ledger.entries import Entry
from server.projection.internal_tables import anchor
from server.projection.worker import projected_pos
from station.core.event import Event, EventError, decode

WHY = "given while the hub's clock was wrong"
AT_ONCE = 2_000  # rows


class IssuedAnchor(NamedTuple):
    """An anchor with effect: its place, and the UTC (us) that it assigns to a boottime (ns). `own`: the hub's own."""

    pos: int
    log: str
    seq: int
    boot: str
    boot_ns: int
    utc_us: int
    own: bool

    @property
    def zero_us(self) -> int:
        """UTC at boottime 0: equal for all anchors of a boot, except for drift and clock steps."""
        return self.utc_us - self.boot_ns // 1000


def suspicious(anchors: Iterable[IssuedAnchor], now_us: int) -> list[IssuedAnchor]:
    """The anchors that are wrong if `now_us` is right, by position in the ledger.

    1. Own anchors outside the longest ascending order.
    2. Stations' anchors that are later than a good own anchor after them.
    3. Anchors that differ from the good anchors of their boot.
    """
    issued = sorted(anchors)
    own = [candidate for candidate in issued if candidate.own]
    good_own = _longest_order([candidate for candidate in own if candidate.utc_us <= now_us + DOUBT_US])
    bad = set(own) - set(good_own)
    limits = _limits(good_own, now_us)
    places = [good.pos for good in good_own]
    bad |= {
        candidate
        for candidate in issued
        if not candidate.own and candidate.utc_us > limits[bisect_right(places, candidate.pos)] + DOUBT_US
    }
    boots: dict[str, list[IssuedAnchor]] = {}
    for candidate in issued:
        boots.setdefault(candidate.boot, []).append(candidate)
    for in_boot in boots.values():
        bad |= set(_against_boottime(in_boot, bad))
    return sorted(bad)


def _longest_order(own: list[IssuedAnchor]) -> list[IssuedAnchor]:
    """The longest subsequence whose times never fall by more than an hour, in O(n log n) by patience sorting."""
    tails: list[IssuedAnchor] = []
    before: dict[IssuedAnchor, IssuedAnchor | None] = {}
    for candidate in own:
        at = bisect_right(tails, candidate.utc_us, key=lambda tail: tail.utc_us)
        before[candidate] = tails[at - 1] if at else None
        tails[at : at + 1] = [candidate]
    order: list[IssuedAnchor] = []
    last = tails[-1] if tails else None
    while last is not None:
        order.append(last)
        last = before[last]
    longest = set(order)
    # A step back of less than an hour is accepted: an anchor within an hour of its neighbours in the order is good too.
    return [candidate for candidate in own if candidate in longest or _fits(candidate, order)]


def _fits(candidate: IssuedAnchor, order: list[IssuedAnchor]) -> bool:
    at_us = candidate.utc_us
    earlier = [other.utc_us for other in order if other.pos < candidate.pos]
    later = [other.utc_us for other in order if other.pos > candidate.pos]
    return max(earlier, default=at_us) - DOUBT_US <= at_us <= min(later, default=at_us) + DOUBT_US


def _limits(good_own: list[IssuedAnchor], now_us: int) -> list[int]:
    """For each index: the earliest time among the good anchors from that index on, and now."""
    limits = [now_us]
    for good in reversed(good_own):
        limits.append(min(limits[-1], good.utc_us))
    return limits[::-1]


def _against_boottime(in_boot: list[IssuedAnchor], bad: set[IssuedAnchor]) -> Iterator[IssuedAnchor]:
    """The anchors of one boot outside its largest group of agreeing anchors; of equal groups the first one is right."""
    rest = sorted((candidate for candidate in in_boot if candidate not in bad), key=lambda candidate: candidate.zero_us)
    groups: list[list[IssuedAnchor]] = []
    for candidate in rest:
        if groups and candidate.zero_us - groups[-1][-1].zero_us <= DOUBT_US:
            groups[-1].append(candidate)
        else:
            groups.append([candidate])
    if len(groups) > 1:
        right = max(groups, key=lambda group: (len(group), -min(member.pos for member in group)))
        yield from (member for group in groups if group is not right for member in group)


def find(connection: Connection, now_us: int) -> list[IssuedAnchor]:
    """The suspicious anchors in the ledger that are not voided, also those that are not projected yet."""
    folded = projected_pos(connection)
    own_logs = set(connection.execute(select(schema.log.c.log_id).where(schema.log.c.device.is_(None))).scalars())
    rows = connection.execute(select(anchor).where(anchor.c.pos <= folded))
    issued = [
        IssuedAnchor(
            row.pos, row.log_id.hex(), row.seq, row.boot, (row.t1_ns + row.t4_ns) // 2, (row.t2_us + row.t3_us) // 2,
            row.log_id in own_logs,
        )
        for row in rows
    ]  # fmt: skip
    voided = set()
    for (pos, log_id, seq), event in _not_projected(connection, folded):
        if event.kind == "anchor" and None not in (event.boot, event.t1, event.t2, event.t3, event.t4):
            middle_ns, middle_us = ((event.t1 or 0) + (event.t4 or 0)) // 2, ((event.t2 or 0) + (event.t3 or 0)) // 2
            issued.append(
                IssuedAnchor(pos, log_id.hex(), seq, event.boot or "", middle_ns, middle_us, log_id in own_logs)
            )
        if event.kind == "entry" and event.what == "void" and event.data is not None:
            voided.add((event.data.get("log"), event.data.get("seq")))
    return suspicious([candidate for candidate in issued if (candidate.log, candidate.seq) not in voided], now_us)


def void_entries(anchors: Iterable[IssuedAnchor], by: str) -> list[Entry]:
    """The entries that void these anchors."""
    return [Entry("void", {"log": issued.log, "seq": issued.seq, "why": WHY}, by) for issued in anchors]


def _not_projected(connection: Connection, folded: int) -> Iterator[tuple[tuple[int, bytes, int], Event]]:
    """The decodable events that the projection does not include yet."""
    ledger = schema.ledger.c
    rows = select(ledger.pos, ledger.log_id, ledger.seq, ledger.bytes).where(ledger.pos > folded).order_by(ledger.pos)
    for row in connection.execution_options(yield_per=AT_ONCE).execute(rows):
        try:
            yield (row.pos, row.log_id, row.seq), decode(row.bytes)
        except EventError:
            continue
