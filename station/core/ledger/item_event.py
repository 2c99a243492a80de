"""Item event: one event as the fold of one item reads it, with its order key and all corrections applied.

A recorded event has the values of its scan. The item event has the valid ones: the time from the anchors, the item from
the bindings, and the stage or quantity of a correction. Voided events, forks and second copies have no item event.
"""

from typing import Any

import msgspec

BARE = ""  # the verb of a scan without a card
START = "start"


class ItemEvent(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One event of one item.

    `verb`: BARE, an action (`in`, `scrap` …) or an entry's type (`order.release` …). `key_us`, `lo_us`, `hi_us`: UTC in us;
    the true time is within [lo_us, hi_us]. (key_us, log, seq) is the order key. `data`: an entry's fields.
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
    unknown: bool = False  # the shop has definitions, and none of them names this code (`unknown_code`)
    data: dict[str, Any] | None = None

    @property
    def place(self) -> tuple[int, str, int]:
        """The position in the order of all item events. The order is total and does not depend on the order of arrival."""
        return (self.key_us, self.log, self.seq)


def uncertain_against(event: ItemEvent, log: str, lo_us: int, hi_us: int) -> bool:
    """Whether the order of two events of different logs is unknown, because their intervals overlap.

    >>> uncertain_against(ItemEvent(key_us=5, lo_us=3, hi_us=7, log="a", seq=1), "b", 6, 9)
    True
    """
    return event.log != log and event.lo_us <= hi_us and lo_us <= event.hi_us
