"""What a scan says: canonical text, cards, badges, the shop's own patterns, and everything else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.core.codes import Card, CodeType, Pattern, Scheme, canonical, read_code, written_code
from station.core.event import Event, decode, encode

ORDER = Pattern("order", r"WO-(?P<id>\d+)(-\d\d)?", "item")
PATTERNS = (ORDER, Pattern("person", r"P(?P<id>\d{3})", "badge"), Pattern("scrap", "X-(?P<id>SCRAP)", "command"))


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"WO-1042", "WO-1042"),
        (b"a\x1db\x1ec\x04d", "a{GS}b{RS}c{EOT}d"),
        (b"\x00\x1b\x7f\x0a", "{00}{1B}{7F}{0A}"),
        ("\u0085".encode(), "{85}"),
        (b"{GS}", "{7B}GS}"),
        (b"caf\xe9", "café"),
        ("cafe\u0301".encode(), "café"),
        ("Größe".encode(), "Größe"),
        (b"\x85\xff", "{85}ÿ"),
    ],
)
def test_canonical_text_shows_every_byte(raw: bytes, text: str) -> None:
    assert canonical(raw) == text


@pytest.mark.parametrize(
    ("raw", "code", "card", "argument", "qty_milli"),
    [
        (b"WIP:IN", "WIP:IN", Card.IN, None, None),
        (b"wip:in", "WIP:IN", Card.IN, None, None),
        (b"Wip:Rework", "WIP:REWORK", Card.REWORK, None, None),
        (b"wip:rework:Deburr", "WIP:REWORK:Deburr", Card.REWORK, "Deburr", None),
        (b"wip:reason:Burr:left", "WIP:REASON:Burr:left", Card.REASON, "Burr:left", None),
        (b"WIP:QTY:40", "WIP:QTY:40", Card.QTY, "40", 40_000),
        (b"WIP:QTY:0.001", "WIP:QTY:0.001", Card.QTY, "0.001", 1),
        (b"WIP:QTY:1000000000", "WIP:QTY:1000000000", Card.QTY, "1000000000", 10**12),
        (b"]C0WIP:ALL", "WIP:ALL", Card.ALL, None, None),
    ],
)
def test_a_card_is_read_in_any_case_up_to_its_argument(
    raw: bytes, code: str, card: Card, argument: str | None, qty_milli: int | None
) -> None:
    read = read_code(raw, None, PATTERNS)
    assert (read.scheme, read.code, read.card, read.argument, read.qty_milli) == (
        Scheme.COMMAND, code, card, argument, qty_milli,
    )  # fmt: skip
    assert read.item is None


@pytest.mark.parametrize(
    ("raw", "unread"),
    [
        (b"WIP:QTY:0", "no quantity: expected 0.001 to 1000000000, at most three digits behind a point"),
        (b"WIP:QTY:1,5", "no quantity: expected 0.001 to 1000000000, at most three digits behind a point"),
        (b"WIP:QTY:1.0005", "no quantity: expected 0.001 to 1000000000, at most three digits behind a point"),
        (b"WIP:QTY:-1", "no quantity: expected 0.001 to 1000000000, at most three digits behind a point"),
        (b"WIP:QTY:1000000000.001", "no quantity: expected 0.001 to 1000000000, at most three digits behind a point"),
        ("WIP:QTY:\u0664".encode(), "no quantity: expected 0.001 to 1000000000, at most three digits behind a point"),
        (b"WIP:QTY", "the QTY card lacks a quantity"),
        (b"WIP:QTY:", "what stands behind QTY has 0 characters, not 1 to 120"),
        (b"WIP:IN:now", "the IN card takes nothing behind it"),
        (b"WIP:PAUSE", "no such card"),
        (b"wip:", "no such card"),
        (b"WIP:BADGE", "the BADGE card lacks a person's id"),
        (b"WIP:REASON:" + b"x" * 121, "what stands behind REASON has 121 characters, not 1 to 120"),
        (b"]C1", "nothing behind the AIM identifier"),
        (b"x" * 4297, "too long"),
    ],
)
def test_what_cannot_be_read_says_why_and_has_no_scheme(raw: bytes, unread: str) -> None:
    read = read_code(raw, None, PATTERNS)
    assert (read.scheme, read.unread, read.card, read.item) == (None, unread, None, None)


def test_a_badge_names_a_person() -> None:
    read = read_code(b"wip:badge:K. Lee", None, ())
    assert (read.scheme, read.code, read.badge, read.as_) == (
        Scheme.BADGE,
        "WIP:BADGE:K. Lee",
        "K. Lee",
        CodeType.BADGE,
    )


@pytest.mark.parametrize(
    ("raw", "scheme", "item", "fields"),
    [
        (b"WO-1042", Scheme.OWN, "1042", {"id": "1042"}),
        (b"WO-1042-20", Scheme.OWN, "1042", {"id": "1042"}),
        (b"WO-1042x", Scheme.TEXT, "WO-1042x", {}),
        (b"P007", Scheme.BADGE, None, {"id": "007"}),
        (b"anything", Scheme.TEXT, "anything", {}),
    ],
)
def test_the_shops_patterns_say_what_a_code_names(
    raw: bytes, scheme: Scheme, item: str | None, fields: dict[str, str]
) -> None:
    read = read_code(raw, None, PATTERNS)
    assert (read.scheme, read.item, dict(read.fields), read.code) == (scheme, item, fields, raw.decode())


def test_a_shops_own_card_keeps_its_own_text() -> None:
    read = read_code(b"X-SCRAP", None, PATTERNS)
    assert (read.scheme, read.code, read.card) == (Scheme.COMMAND, "X-SCRAP", Card.SCRAP)


def test_two_patterns_that_disagree_make_a_code_ambiguous() -> None:
    lot = Pattern("lot", r"WO-\d+", "item")
    read = read_code(b"WO-7", None, (ORDER, lot))
    assert (read.scheme, read.item, dict(read.fields)) == (Scheme.AMBIGUOUS, "WO-7", {"order": "7", "lot": "WO-7"})
    twin = Pattern("twin", r"WO-(?P<id>[0-9]+)", "item")
    assert read_code(b"WO-7", None, (ORDER, twin)).scheme is Scheme.OWN


def test_the_aim_identifier_is_no_part_of_the_code() -> None:
    told = read_code(b"]C1WO-7", "]C1", PATTERNS)
    seen = read_code(b"]C1WO-7", None, PATTERNS)
    assert told == seen
    assert (seen.sym, seen.code, seen.item) == ("]C1", "WO-7", "7")
    assert written_code(seen.code, seen.raw) == "WO-7"
    assert written_code("WO-7", b"WO-7") is None


@given(st.binary(max_size=5000), st.none() | st.text(max_size=5))
def test_any_bytes_are_read_without_an_exception_and_fit_an_event(raw: bytes, sym: str | None) -> None:
    read = read_code(raw, sym, PATTERNS)
    assert (read.scheme is None) == (read.unread is not None)
    assert read.code.isprintable() or not read.code.isascii()
    event = Event(
        kind="scan", station="s", sw="1", raw=raw[:4296] or None, scheme=read.scheme,
        code=(written_code(read.code, raw) or None) if read.unread is None else None, unread=read.unread,
    )  # fmt: skip
    assert decode(encode(event)) == event


@given(st.text(alphabet="WIPwip:QTYBADGE0123456789.", max_size=24))
def test_texts_like_cards_are_read_without_an_exception(text: str) -> None:
    read = read_code(text.encode(), None, PATTERNS)
    assert read.code.upper() == text.upper() or read.sym or not text
