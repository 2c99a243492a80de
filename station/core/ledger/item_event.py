"""Item event: one event as the fold of one item reads it, with its order key and all corrections applied.

The event says what was recorded; the fact says what holds: the time from the anchors, the item from the bindings, the
stage or quantity that a correction put in place of the scanned one. Voided events, forks and second copies make no fact.
"""

from typing import Any

import msgspec

BARE = ""  # the verb of a scan without a card


class ItemEvent(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One thing that happened to one item.

    `verb`: BARE, an action (`in`, `scrap` …) or an entry's word (`order.release` …). `key_us`, `lo_us`, `hi_us`: UTC in us;
    the true time lies in [lo_us, hi_us]. (key_us, log, seq) is its place in the order. `data`: an entry's fields.
    """

    key_us: int
    log: str
    seq: int
    verb: str = BARE
    lo_us: int = 0
    hi_us: int = 0
    station: str = ""
    stage: str | None = None
    operator: str | None = None
    qty_milli: int | None = None
    all: bool = False
    reason: str | None = None
    to: str | None = None
    caused_at: str | None = None
    carrier: str | None = None
    work_centre: str | None = None
    repeat: bool = False
    seen: bool = False
    unread: str | None = None
    unknown: bool = False  # the hub had definitions and no pattern, binding or order knew this code
    data: dict[str, Any] | None = None

    @property
    def place(self) -> tuple[int, str, int]:
        """Where it stands in the order of all facts: total, and the same in whatever order events arrived."""
        return (self.key_us, self.log, self.seq)


def uncertain_against(fact: ItemEvent, log: str, lo_us: int, hi_us: int) -> bool:
    """Whether nobody can say which came first: intervals of two different logs overlap.

    >>> uncertain_against(ItemEvent(key_us=5, lo_us=3, hi_us=7, log="a", seq=1), "b", 6, 9)
    True
    """
    return fact.log != log and fact.lo_us <= hi_us and lo_us <= fact.hi_us
