"""What a scan says depends on its reader too: a number pad types quantities, and stored scans are no repeats."""

from dataclasses import replace

import pytest

from station.core.codes import Pattern
from station.core.protocol import OpenItem
from station.core.snapshot import read_snapshot
from station.feedback.messages import Green, Look
from station.rules.engine import ShopRules
from station.scan.pipeline import ReaderSettings
from tests.station.fixtures.scan_pipeline import Bench, a_read

S = 10**9


def at_keypad(*more: object) -> Bench:
    pads = {"pad": ReaderSettings(stage="saw", keypad=True)}
    return Bench(more={"reader_settings": lambda reader: pads.get(reader, ReaderSettings(stage="saw"))})


def test_digits_of_a_number_pad_are_the_quantity_of_the_next_sheet() -> None:
    bench = at_keypad()
    card, scan = bench.take(a_read(b"12.5", reader="pad"), a_read(b"WO-1", 11))
    assert isinstance(card, Green)
    assert card.text == "12.5: scan the sheet"
    typed, scanned = bench.journal.decoded()
    assert (typed.raw, typed.code, typed.scheme, typed.qty_milli) == (b"12.5", "WIP:QTY:12.5", "command", None)
    assert (scanned.raw, scanned.qty_milli) == (b"WO-1", 12_500)
    assert isinstance(scan, Green)


@pytest.mark.parametrize("typed", [b"WO-7", b"1,5", b"0", b"12345678901", b"1.2345", b"WIP:SCRAP"])
def test_what_is_no_quantity_is_stored_and_asked_for_again(typed: bytes) -> None:
    bench = at_keypad()
    (answer,) = bench.take(a_read(typed, reader="pad"))
    assert isinstance(answer, Look)
    assert answer.why == "not_understood"
    assert [event.raw for event in bench.journal.decoded()] == [typed]


def test_the_same_digits_from_a_scanner_are_a_code() -> None:
    bench = at_keypad()
    bench.take(a_read(b"12"))
    assert [(event.scheme, event.code) for event in bench.journal.decoded()] == [("text", None)]


def test_a_stored_scan_says_since_when_and_is_never_a_repeat() -> None:
    bench = Bench()
    stored = replace(a_read(b"WO-1", 60), since_ns=5 * S)
    first, second = bench.take(stored, replace(stored, boot_ns=stored.boot_ns + S // 10))
    assert [type(first), type(second)] == [Green, Green]
    assert [(event.since_ns, event.repeat) for event in bench.journal.decoded()] == [(5 * S, False), (5 * S, False)]
    (by_hand,) = bench.take(a_read(b"WO-1", 61))
    assert by_hand.why == "repeat"


LINES = (Pattern("order", r"WO-(?P<id>[0-9]+)", "item"), Pattern("digits", r"[0-9]{4}", "item"))


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"SPC\r\n0200\r\n1\r\nCH0000000000000000000", "a payment (Swiss QR), which is no code of the shop"),
        (b"BEGIN:VCARD\nN:X\nEND:VCARD", "a contact (vCard), which is no code of the shop"),
        (b"]Q1BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nEND:VEVENT", "a calendar entry, which is no code of the shop"),
        (b"WIFI:S:shop;T:WPA;P:secret;;", "a wireless network, which is no code of the shop"),
        (b"MECARD:N:X;;", "a contact (vCard), which is no code of the shop"),
        (
            b"@\n\x1e\rANSI 636000090002DL00410278ZV\rDAQ1234\r",
            "an identity card (AAMVA), which is no code of the shop",
        ),
        (b"-----BEGIN X-----\n1234\n-----END X-----", "a certificate, which is no code of the shop"),
        (b"<?xml version='1.0'?>\r\n1234\r\n", "an XML document, which is no code of the shop"),
        (b"tel:+4912345", "an address for a phone, which is no code of the shop"),
        (b"Bracket M8\r\nleft side", "2 lines of text, none of them a code: Bracket M8 / left side"),
    ],
)
def test_a_document_and_a_text_of_several_lines_are_one_amber_answer(raw: bytes, why: str) -> None:
    bench = Bench(patterns=LINES)
    (answer,) = bench.take(a_read(raw))
    assert (answer.state, answer.text) == ("amber", f"not understood: {why}")
    (event,) = bench.journal.decoded()
    assert (event.raw, event.scheme, event.unread) == (raw, None, why)


def test_the_lines_of_a_label_that_are_codes_are_read_and_the_others_are_named() -> None:
    bench = Bench(patterns=LINES)
    answers = bench.take(a_read(b"WO-35\r\nBracket M8\r\n\r\n]C10109506000134352217"))
    assert [(each.state, each.text) for each in answers] == [
        ("green", "saved: 35"),
        ("green", "saved: 0109506000134352217"),
        ("amber", "not understood: 1 of 3 lines are no code: Bracket M8"),
    ]
    assert [each.unread is None for each in bench.journal.decoded()] == [True, True, False]
    assert [each.text for each in bench.take(a_read(b"WO-36\nWO-37", 20))] == ["saved: 36", "saved: 37"]


def test_a_label_of_several_lines_that_a_pattern_reads_as_a_whole_is_one_scan() -> None:
    bench = Bench(patterns=(Pattern("label", r"(?P<id>O-[0-9]+)\r\n[ -~]*", "item"), *LINES))
    assert [each.text for each in bench.take(a_read(b"O-7\r\nWO-35"))] == ["saved: O-7"]


def test_a_line_of_a_label_that_names_a_released_order_is_a_scan_and_a_cut_label_is_not_divided() -> None:
    rules = ShopRules(read_snapshot(b'{"definitions":[]}'))
    rules.know([OpenItem("Job 7", None, None, "released", 1_000, released=True)], complete=True)
    bench = Bench(judge=rules)
    answers = bench.take(a_read(b"Bracket M8\r\nJob 7"))
    assert [each.text for each in answers][1] == "not understood: 1 of 2 lines are no code: Bracket M8"
    assert [event.raw for event in bench.journal.decoded()] == [b"Job 7", b"Bracket M8\r\nJob 7"]
    (answer,) = bench.take(a_read(b"WIP:SCRAP\r\n" + b"x" * 4000, 60, raw_len=9000))
    assert answer.text == "not understood: too long"
