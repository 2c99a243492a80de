"""Duration buckets: whole numbers for durations, so that a distribution of any size has at most some thousands of counts.

A bucket is at most 1 % of its lower bound wide, so two durations of one bucket differ by less than 1 %. Below 200 us
each duration has a bucket of its own. The bounds are a recurrence of whole numbers, b(n + 1) = b(n) + max(1, b(n) // 100).
No logarithm and no float is computed, so a duration has the same bucket on every machine.

>>> bucket_of(0), bucket_of(199), bucket_of(3_600_000_000)
(0, 199, 1905)
>>> bucket_bounds(1905)
(3577453315, 3613227848)
>>> bucket_of(3_613_227_847), bucket_of(3_613_227_848)
(1905, 1906)
"""

from bisect import bisect_right
from collections.abc import Iterator

PER_CENT = 100  # a bucket is at most one part in so many of its lower bound wide
LONGEST_US = 2**63 - 1  # the longest duration, some 292,000 years


def _lower_bounds() -> Iterator[int]:
    bound = 0
    while bound <= LONGEST_US:
        yield bound
        bound += max(1, bound // PER_CENT)


_BOUNDS = tuple(_lower_bounds())
BUCKETS = len(_BOUNDS)  # they are numbered from 0


def bucket_of(duration_us: int) -> int:
    """The bucket of a duration. Raises `ValueError` for one below 0 or above LONGEST_US."""
    if not 0 <= duration_us <= LONGEST_US:
        msg = (
            f"a duration of {duration_us} us; expected 0 to {LONGEST_US}. Subtract the earlier time from the later one."
        )
        raise ValueError(msg)
    return bisect_right(_BOUNDS, duration_us) - 1


def bucket_bounds(bucket: int) -> tuple[int, int]:
    """The shortest duration of a bucket, and the shortest of the next one (us). Raises `ValueError` for no bucket."""
    if not 0 <= bucket < BUCKETS:
        msg = f"bucket {bucket}; expected 0 to {BUCKETS - 1}. Take it from `bucket_of`."
        raise ValueError(msg)
    return _BOUNDS[bucket], _BOUNDS[bucket + 1] if bucket + 1 < BUCKETS else LONGEST_US + 1
