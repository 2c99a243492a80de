"""Age statistics: the ages of items at a stage or in production, in three figures.

>>> ages([30_000_000, 0, 10_000_000], now_us=60_000_000)
AgeStats(oldest_since_us=0, p50_s=50, max_s=60)
"""

from collections.abc import Iterable
from typing import NamedTuple

SECOND_US = 1_000_000


class AgeStats(NamedTuple):
    """The begin of the oldest (UTC us), and the median and greatest age in whole seconds; all None without items."""

    oldest_since_us: int | None
    p50_s: int | None
    max_s: int | None


def age_s(since_us: int, now_us: int) -> int:
    """Whole seconds since a time; 0 before it."""
    return max(now_us - since_us, 0) // SECOND_US


def ages(since_us: Iterable[int | None], now_us: int) -> AgeStats:
    """The statistics of all times that are not None; the median of an even number is the lower of the middle two ages."""
    known = sorted(begin_us for begin_us in since_us if begin_us is not None)
    if not known:
        return AgeStats(None, None, None)
    return AgeStats(known[0], age_s(known[len(known) // 2], now_us), age_s(known[0], now_us))
