"""Prefix and suffix of each scan: removed if present, in any chunks, without a shorter limit for the label."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.decode.keyboard.affixes import AffixStripper, stripped
from drivers.decode.keyboard.keymap import US
from drivers.decode.keyboard.keys import WedgeDecoder
from drivers.decode.keyboard.profile import AFFIX_MAX_CHARS, ScannerProfile
from drivers.decode.scan import MAX_RAW_BYTES, Scan
from tests.drivers.fixtures.key_events import decode, timed

TRIMMED = [
    (b"S1-WO-1-E", b"WO-1"),
    (b"]C1S1-WO-1-E", b"]C1WO-1"),
    (b"S1-]C1WO-1-E", b"]C1WO-1"),
    (b"WO-1", b"WO-1"),
    (b"S1-S1-WO-E-E", b"S1-WO-E"),
    (b"WO-S1--E1", b"WO-S1--E1"),
    (b"S1-", b"S1-"),
    (b"-E", b"-E"),
    (b"S1", b"S1"),
    (b"x", b"x"),
]


@pytest.mark.parametrize(("raw", "rest"), TRIMMED)
def test_prefix_and_suffix_are_stripped_where_they_are_there(raw, rest):
    profile = ScannerProfile(prefix="S1-", suffix="-E")
    assert stripped(raw, profile) == rest
    for cut in range(1, len(raw) + 1):
        text = AffixStripper(b"S1-", b"-E")
        for place in range(0, len(raw), cut):
            text.add(raw[place : place + cut])
        assert text.pop_scan() == Scan(rest, len(rest), None)
        assert text.pop_scan() is None


@given(st.binary(max_size=40), st.sampled_from([b"", b"a", b"ab"]), st.sampled_from([b"", b"b", b"ba"]))
def test_a_stream_is_stripped_as_the_whole_is(raw, prefix, suffix):
    text = AffixStripper(prefix, suffix)
    for byte in raw:
        text.add(bytes([byte]))
    assert len(text) <= len(raw)
    scan = text.pop_scan()
    whole = stripped(raw, ScannerProfile(prefix=prefix.decode(), suffix=suffix.decode()))
    assert (scan.raw if scan else b"") == whole


@pytest.mark.parametrize("over", [0, 1, 3000])
def test_the_longest_label_is_complete_with_any_affixes_and_longer_ones_are_cut(strike, over):
    prefix, suffix = "P" * AFFIX_MAX_CHARS, "S" * AFFIX_MAX_CHARS
    text = "7" * (MAX_RAW_BYTES + over)
    keys = WedgeDecoder(US, ScannerProfile(prefix=prefix, suffix=suffix))
    (scan,) = [outcome.scan for outcome in decode(keys, timed(strike(prefix + text + suffix + "\n"), step_ms=0.1))]
    digest = hashlib.sha256(text.encode()).hexdigest() if over else None
    assert scan == Scan(text[:MAX_RAW_BYTES].encode(), len(text), digest)
