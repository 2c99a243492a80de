"""Streams of garbage: no decoder raises, exceeds its memory limit, or spoils the next scan."""

import os
import random

import pytest

from drivers.decode.keyboard.keys import EV_KEY, KeyEvent, TypedScan, WedgeDecoder
from drivers.decode.scan import MAX_RAW_BYTES
from drivers.decode.scan_text import ScanTextReader
from drivers.decode.serial.serial_lines import SerialLineDecoder

SEED = int(os.environ.get("WIPLINE_SEED", "20260102"))
ROUNDS = [20_000, pytest.param(1_000_000, marks=pytest.mark.nightly)]
MODIFIERS = (29, 42, 54, 56, 97, 100)
GOOD = "0123456789"
GOOD_CODES = [(11, *range(2, 11))[int(digit)] for digit in GOOD]
PIECES = [b"{", b"}", b"{GS}", b"{FNC1", b"{4", b"\r", b"\n", b"]C1", b"\x00\xff", b"WO-1042", b"{7B}", "ä".encode()]


@pytest.mark.parametrize("rounds", ROUNDS)
def test_no_stream_of_keys_spoils_the_scan_after(rounds):
    print(f"seed {SEED}, {rounds} streams of keys")
    rng = random.Random(SEED)
    keys, now_ns = WedgeDecoder(), 0
    for _ in range(rounds):
        for _ in range(rng.randrange(12)):
            now_ns += rng.choice((1, 1_000_000, 100_000_000, 600_000_000))
            event = KeyEvent(rng.choice((0, 1, 1, 1, 4)), rng.randrange(130), rng.choice((0, 1, 1, 2)), now_ns)
            scans = [outcome.scan for outcome in keys.feed(event) if isinstance(outcome, TypedScan)]
            assert all(1 <= len(scan.raw) <= MAX_RAW_BYTES for scan in scans)
        now_ns += 6_000_000_000  # silence, and all keys are released
        for code in MODIFIERS:
            list(keys.feed(KeyEvent(EV_KEY, code, 0, now_ns)))
        list(keys.feed(KeyEvent(EV_KEY, 28, 1, now_ns)))
        typed = [done for code in (*GOOD_CODES, 28) for done in keys.feed(KeyEvent(EV_KEY, code, 1, now_ns))]
        assert [done.scan.raw for done in typed] == [GOOD.encode()]


@pytest.mark.parametrize("rounds", ROUNDS)
def test_no_stream_of_lines_spoils_the_scan_after(rounds):
    print(f"seed {SEED}, {rounds} streams of lines")
    rng = random.Random(SEED)
    lines = ScanTextReader()
    for _ in range(rounds):
        for _ in range(rng.randrange(12)):
            piece = rng.choice(PIECES) if rng.random() < 0.8 else rng.randbytes(rng.randrange(9))
            assert all(len(scan.raw) <= MAX_RAW_BYTES for scan in lines.feed(piece))
        list(lines.feed(b"\n"))
        assert [scan.raw for scan in lines.feed(b"good\n")] == [b"good"]


@pytest.mark.parametrize("rounds", ROUNDS)
def test_no_stream_of_a_serial_line_spoils_the_scan_after(rounds):
    print(f"seed {SEED}, {rounds} streams of a serial line")
    rng = random.Random(SEED)
    text, now_ns = SerialLineDecoder(), 0
    for _ in range(rounds):
        for _ in range(rng.randrange(12)):
            now_ns += rng.choice((1, 1_000_000, 600_000_000))
            assert all(
                len(sent.scan.raw) <= MAX_RAW_BYTES for sent in text.feed(rng.randbytes(rng.randrange(9)), now_ns)
            )
        list(text.feed(b"\r", now_ns))
        assert [sent.scan.raw for sent in text.feed(b"good\r\n", now_ns)] == [b"good"]
