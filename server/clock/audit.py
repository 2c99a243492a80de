"""Clock audit: which anchors were given while the hub's clock was wrong.

An anchor is appended at once, so the hub's own anchors are in the ledger in the order of their true times, and none is later
than now. The hub's anchors that do not fit the longest such order are suspicious. Of a station's, those that claim more than
1 h past a later good anchor of the hub, or that disagree by more than 1 h with the good anchors of the same boot: boottime
never steps.

>>> good = IssuedAnchor(pos=1, log="h", seq=1, boot="b", boot_ns=0, utc_us=0, own=True)
>>> wrong = good._replace(pos=2, seq=2, boot="c", utc_us=10**15)
>>> [each.pos for each in suspicious([good, wrong], now_us=7_200_000_000)]
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
    """An anchor that counts: where it is, and which UTC (us) it gives to which boottime (ns). `own`: the hub's."""

    pos: int
    log: str
    seq: int
    boot: str
    boot_ns: int
    utc_us: int
    own: bool

    @property
    def zero_us(self) -> int:
        """UTC at boottime 0: the same for all anchors of a boot, but for drift and steps."""
        return self.utc_us - self.boot_ns // 1000


def suspicious(anchors: Iterable[IssuedAnchor], now_us: int) -> list[IssuedAnchor]:
    """Those that cannot be right where `now_us` is, by position in the ledger."""
    given = sorted(anchors)
    own = [each for each in given if each.own]
    good_own = _longest_order([each for each in own if each.utc_us <= now_us + DOUBT_US])
    bad = set(own) - set(good_own)
    limits = _limits(good_own, now_us)
    places = [each.pos for each in good_own]
    bad |= {each for each in given if not each.own and each.utc_us > limits[bisect_right(places, each.pos)] + DOUBT_US}
    boots: dict[str, list[IssuedAnchor]] = {}
    for each in given:
        boots.setdefault(each.boot, []).append(each)
    for in_boot in boots.values():
        bad |= set(_against_boottime(in_boot, bad))
    return sorted(bad)


def _longest_order(own: list[IssuedAnchor]) -> list[IssuedAnchor]:
    """The longest run of anchors whose times never fall by more than an hour, in O(n log n) by patience sorting."""
    tails: list[IssuedAnchor] = []
    before: dict[IssuedAnchor, IssuedAnchor | None] = {}
    for each in own:
        at = bisect_right(tails, each.utc_us, key=lambda tail: tail.utc_us)
        before[each] = tails[at - 1] if at else None
        tails[at : at + 1] = [each]
    order: list[IssuedAnchor] = []
    last = tails[-1] if tails else None
    while last is not None:
        order.append(last)
        last = before[last]
    kept = set(order)
    # A step back of less than an hour is no doubt: what fits its neighbours within one stays.
    return [each for each in own if each in kept or _fits(each, order)]


def _fits(each: IssuedAnchor, order: list[IssuedAnchor]) -> bool:
    earlier = [other.utc_us for other in order if other.pos < each.pos]
    later = [other.utc_us for other in order if other.pos > each.pos]
    return max(earlier, default=each.utc_us) - DOUBT_US <= each.utc_us <= min(later, default=each.utc_us) + DOUBT_US


def _limits(good_own: list[IssuedAnchor], now_us: int) -> list[int]:
    """For each number of good anchors in front: the earliest time that a good anchor behind it, or now, has."""
    limits = [now_us]
    for each in reversed(good_own):
        limits.append(min(limits[-1], each.utc_us))
    return limits[::-1]


def _against_boottime(in_boot: list[IssuedAnchor], bad: set[IssuedAnchor]) -> Iterator[IssuedAnchor]:
    """Anchors of one boot away from the largest group of those that are not suspicious; of equal groups the first."""
    rest = sorted((each for each in in_boot if each not in bad), key=lambda each: each.zero_us)
    groups: list[list[IssuedAnchor]] = []
    for each in rest:
        if groups and each.zero_us - groups[-1][-1].zero_us <= DOUBT_US:
            groups[-1].append(each)
        else:
            groups.append([each])
    if len(groups) > 1:
        right = max(groups, key=lambda group: (len(group), -min(each.pos for each in group)))
        yield from (each for group in groups if group is not right for each in group)


def find(connection: Connection, now_us: int) -> list[IssuedAnchor]:
    """The suspicious anchors of this hub that are not voided."""
    folded = projected_pos(connection)
    own_logs = set(connection.execute(select(schema.log.c.log_id).where(schema.log.c.device.is_(None))).scalars())
    rows = connection.execute(select(anchor).where(anchor.c.pos <= folded))
    known = [
        IssuedAnchor(
            row.pos, row.log_id.hex(), row.seq, row.boot, (row.t1_ns + row.t4_ns) // 2, (row.t2_us + row.t3_us) // 2,
            row.log_id in own_logs,
        )
        for row in rows
    ]  # fmt: skip
    voided = set()
    for row, event in _tail(connection, folded):
        if event.kind == "anchor" and None not in (event.boot, event.t1, event.t2, event.t3, event.t4):
            middle_ns, middle_us = ((event.t1 or 0) + (event.t4 or 0)) // 2, ((event.t2 or 0) + (event.t3 or 0)) // 2
            known.append(
                IssuedAnchor(row[0], row[1].hex(), row[2], event.boot or "", middle_ns, middle_us, row[1] in own_logs)
            )
        if event.kind == "entry" and event.what == "void" and event.data is not None:
            voided.add((event.data.get("log"), event.data.get("seq")))
    return suspicious([each for each in known if (each.log, each.seq) not in voided], now_us)


def void_entries(found: Iterable[IssuedAnchor], by: str) -> list[Entry]:
    """The entries that void these anchors."""
    return [Entry("void", {"log": each.log, "seq": each.seq, "why": WHY}, by) for each in found]


def _tail(connection: Connection, folded: int) -> Iterator[tuple[tuple[int, bytes, int], Event]]:
    """What the projection has not folded yet."""
    ledger = schema.ledger.c
    rows = select(ledger.pos, ledger.log_id, ledger.seq, ledger.bytes).where(ledger.pos > folded).order_by(ledger.pos)
    for row in connection.execution_options(yield_per=AT_ONCE).execute(rows):
        try:
            yield (row.pos, row.log_id, row.seq), decode(row.bytes)
        except EventError:
            continue
