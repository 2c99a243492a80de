"""What a scan says depends on its reader too: a number pad types quantities, and stored scans are no repeats."""

from dataclasses import replace

import pytest

from station.feedback.messages import Green, Look
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
