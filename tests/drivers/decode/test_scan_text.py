"""The text notation of scans, and lines split anywhere."""

import hashlib
import itertools
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.decode.scan import MAX_RAW_BYTES, Scan, aim_identifier
from drivers.decode.scan_text import ScanTextReader, plain


def read(*pieces, ended=True):
    lines = ScanTextReader()
    scans = [scan for piece in pieces for scan in lines.feed(piece)]
    return [scan.raw for scan in (*scans, *(lines.end() if ended else ()))]


@pytest.mark.parametrize(
    ("written", "raw"),
    [
        (b"WO-1042", b"WO-1042"),
        (b"{GS}{RS}{EOT}{FNC1}", b"\x1d\x1e\x04\x1d"),
        (b"{00}{1D}{7F}{C3}{A4}{FF}", b"\x00\x1d\x7f\xc3\xa4\xff"),
        (b"{7B}GS}", b"{GS}"),
        (b"{0A}{0D}", b"\n\r"),
        ("Größe".encode(), "Größe".encode()),
    ],
)
def test_names_in_braces_stand_for_bytes(written, raw):
    assert plain(written) == raw
    assert read(written + b"\n") == [raw]


@pytest.mark.parametrize(
    "written",
    [b"{", b"{}", b"}", b"{gs}", b"{1d}", b"{FNC2}", b"{GS", b"{ GS}", b"{{7*7}}", b'{"a":1}', b"{FNC11}", b"{1D"],
)
def test_a_brace_without_a_known_name_is_literal(written):
    assert plain(written) == written
    assert read(written + b"\n") == [written]
    assert read(written) == [written]


def test_a_brace_before_a_name_is_literal():
    assert read(b"{{GS}{{1D\n") == [b"{\x1d{{1D"]


def test_line_ends_of_either_kind_are_no_part_of_a_scan_and_empty_lines_are_none():
    assert read(b"a\r\nb\n\n\r\n \nc\rd\r\n") == [b"a", b"b", b" ", b"c\rd"]


def test_the_last_line_counts_without_its_end():
    assert read(b"a\nb") == [b"a", b"b"]
    assert read(b"a\nb", ended=False) == [b"a"]
    assert read(b"a\nb\r") == [b"a", b"b"]


def test_a_stream_is_the_same_whole_and_byte_by_byte():
    stream = b"]C1010401{GS}10A\r\n{7B}{{GS}{FNC1}{FN\n\n{4\r{41}\xff\x00x\n{"
    assert read(*(bytes([byte]) for byte in stream)) == read(stream)
    assert read(stream) == [b"]C1010401\x1d10A", b"{{\x1d\x1d{FN", b"{4\rA\xff\x00x", b"{"]


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=8))
def test_a_stream_is_the_same_however_it_is_cut(stream, cuts):
    edges = sorted({0, len(stream), *(min(cut, len(stream)) for cut in cuts)})
    pieces = [stream[start:end] for start, end in itertools.pairwise(edges)]
    assert read(*pieces) == read(stream)


@given(st.binary(max_size=200))
def test_every_scan_can_be_written_and_is_read_as_it_was(raw):
    written = "".join(chr(byte) if 0x20 <= byte < 0x7F and byte != 0x7B else f"{{{byte:02X}}}" for byte in raw)
    assert read(written.encode() + b"\n") == ([raw] if raw else [])


def test_a_line_without_end_is_held_only_to_the_limit():
    lines, chunk = ScanTextReader(), b"0123456789" * 1000
    tracemalloc.start()
    for _ in range(200):
        assert list(lines.feed(chunk)) == []
    held, _peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 4 * MAX_RAW_BYTES
    whole = b"0123456789" * 200_000
    assert list(lines.end()) == [Scan(whole[:MAX_RAW_BYTES], 2_000_000, hashlib.sha256(whole).hexdigest())]
    assert list(lines.feed(b"next\n")) == [Scan(b"next", 4, None)]


@pytest.mark.parametrize(
    ("raw", "sym"),
    [
        (b"]C1010401", "]C1"),
        (b"]d2\x1d01", "]d2"),
        (b"]zAx", "]zA"),
        (b"]E0\n", "]E0"),
        (b"]C1", None),
        (b"]", None),
        (b"", None),
        (b"]1C0", None),
        (b"]C-0", None),
        (b"x]C1010401", None),
    ],
)
def test_an_aim_identifier_leads_a_scan_or_is_none(raw, sym):
    assert aim_identifier(raw) == sym
