"""Buckets of durations: whole numbers, at most 1 % wide, one after another without a gap."""

import json
import random
from pathlib import Path

import pytest

from station.core.ledger.duration_buckets import BUCKETS, LONGEST_US, bucket_bounds, bucket_of

GOLDEN = json.loads((Path(__file__).parents[3] / "contract" / "v1" / "buckets.json").read_text())["buckets"]


@pytest.mark.parametrize("row", GOLDEN, ids=lambda row: str(row[0]))
def test_a_duration_has_this_bucket_for_ever(row: list[int]) -> None:
    duration_us, bucket, from_us, until_us = row
    assert (bucket_of(duration_us), bucket_bounds(bucket)) == (bucket, (from_us, until_us))


def test_the_buckets_follow_each_other_and_none_is_wider_than_one_per_cent() -> None:
    end_us = 0
    for bucket in range(BUCKETS):
        from_us, until_us = bucket_bounds(bucket)
        assert from_us == end_us
        assert from_us < until_us
        assert until_us - from_us == 1 or (until_us - from_us) * 100 <= from_us
        assert (bucket_of(from_us), bucket_of(until_us - 1)) == (bucket, bucket)
        end_us = until_us
    assert end_us == LONGEST_US + 1
    assert BUCKETS < 5_000


def test_a_longer_duration_has_no_earlier_bucket_and_lies_in_its_bounds() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    durations = sorted(rng.randrange(2 ** rng.randrange(1, 64)) for _ in range(3_000))
    buckets = [bucket_of(duration_us) for duration_us in durations]
    assert buckets == sorted(buckets)
    for duration_us, bucket in zip(durations, buckets, strict=True):
        from_us, until_us = bucket_bounds(bucket)
        assert from_us <= duration_us < until_us


@pytest.mark.parametrize("duration_us", [-1, LONGEST_US + 1])
def test_no_duration_has_no_bucket(duration_us: int) -> None:
    with pytest.raises(ValueError, match=f"a duration of {duration_us} us; expected 0 to {LONGEST_US}"):
        bucket_of(duration_us)


@pytest.mark.parametrize("bucket", [-1, BUCKETS])
def test_no_bucket_has_no_bounds(bucket: int) -> None:
    with pytest.raises(ValueError, match=f"bucket {bucket}; expected 0 to {BUCKETS - 1}"):
        bucket_bounds(bucket)
