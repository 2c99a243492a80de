"""What a tag is to a station: a text that it knows, a badge, or its number."""

import pytest

from station.scan.interpret import interpret
from tests.station.fixtures.scan_pipeline import Bench, a_read
from tests.station.fixtures.tag_reads import EPC, OTHER_STANDARD, PATTERNS, UID, a_tag, its_end, left


@pytest.mark.parametrize(
    ("raw", "texts", "scheme", "code", "item"),
    [
        (UID, (), "uid", "04A1B2C3", "04A1B2C3"),
        (EPC, (), "epc", EPC.decode(), "0180614141123458216789"),
        (b"3A76340030751FEB705C5904E3D50D70", (), "epc", "30751FEB705C5904E3D50D70", "01047172769456402121002259824"),
        (OTHER_STANDARD, (), "uid", EPC.decode(), EPC.decode()),  # the PC word says that it is none of GS1
        (b"3000" + EPC, (), "epc", EPC.decode(), "0180614141123458216789"),
        (b"04FFFFFF", (), "badge", "04FFFFFF", None),
        (b"00000000", (), None, "00000000", None),
        (UID, (b"https://example.com/", b"hello"), "uid", "04A1B2C3", "04A1B2C3"),
        (UID, (b"https://example.com/", b"WO-1042"), "own", "WO-1042", "1042"),
        (UID, (b"wip:scrap",), "command", "WIP:SCRAP", None),
        (UID, (b"WIP:BADGE:kim",), "badge", "WIP:BADGE:kim", None),
        (UID, (b"WIP:QTY:x", b"x" * 900), "uid", "04A1B2C3", "04A1B2C3"),
        (UID, (EPC,), "epc", EPC.decode(), "0180614141123458216789"),
        (UID, (b"010950600013435210A21B",), "uid", "04A1B2C3", "04A1B2C3"),  # two readings: nobody guesses
        (
            UID, (b"https://id.gs1.org/01/09506000134352/21/7",), "gs1",
            "https://id.gs1.org/01/09506000134352/21/7", "0109506000134352217",
        ),
    ],
)  # fmt: skip
def test_a_tag_is_the_text_that_the_station_knows_else_its_number(
    raw: bytes, texts: tuple[bytes, ...], scheme: str | None, code: str, item: str | None
) -> None:
    _, found = interpret(a_tag(raw, texts=texts), PATTERNS)
    assert (found.scheme, found.code, found.item) == (scheme, code, item)


def test_the_text_of_a_tag_is_what_is_recorded_and_its_end_says_the_same() -> None:
    bench = Bench(patterns=PATTERNS)
    tag = a_tag(texts=(b"WO-1042",))
    (answer,) = bench.take(tag)
    left(bench, its_end(tag, 12, seen=3))
    assert [(each.raw, each.scheme, each.code, each.seen) for each in bench.journal.decoded()] == [
        (b"WO-1042", "own", None, None), (b"WO-1042", "own", None, 3),
    ]  # fmt: skip
    assert answer.code == "WO-1042"


def test_a_badge_that_is_a_tag_signs_on_and_its_leaving_does_not_sign_off() -> None:
    bench = Bench(patterns=PATTERNS)
    badge = a_tag(b"3C00CE754C")
    bench.take(badge)
    left(bench, its_end(badge, 12))
    bench.take(a_read(b"WO-1", 13))
    assert [each.operator for each in bench.journal.decoded()] == ["3C00CE754C", None, "3C00CE754C"]


def test_more_of_the_memory_than_the_number_is_kept_and_names_the_same_tag() -> None:
    bench = Bench()
    bench.take(a_tag(b"3000" + EPC, 10, reader="a"), a_tag(EPC, 11, reader="b"))
    with_word, alone = bench.journal.decoded()
    assert (with_word.raw, with_word.code, alone.raw, alone.code) == (b"3000" + EPC, EPC.decode(), EPC, None)
