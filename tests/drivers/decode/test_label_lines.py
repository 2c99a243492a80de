"""A document of several lines is one scan, at a serial line and at a keyboard; codes are never delayed and never joined."""

import pytest

from drivers.decode.keyboard.keys import WedgeDecoder
from drivers.decode.label_lines import DOCUMENT_S, MAX_LINE_BYTES, LabelLines
from drivers.decode.serial.serial_lines import SerialLineDecoder
from tests.drivers.fixtures.key_events import decode, texts, timed

MS = 1_000_000
PAYMENT = b"SPC\r\n0200\r\n1\r\nCH0000000000000000000\r\n"
CONTACT = b"BEGIN:VCARD\nN:X\nEND:VCARD\r\n"
CALENDAR = b"]Q1BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:Saw\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
XML = b'<?xml version="1.0"?>\r\n<wo>\r\nO-35\r\n</wo>\r\n'
CERTIFICATE = b"-----BEGIN CERTIFICATE-----\nWO-1\n\nWO-2\n-----END CERTIFICATE-----\n"
DOCUMENTS = (PAYMENT, CONTACT, CALENDAR, XML, CERTIFICATE, b"BCD\n002\n1\nSCT\n")
CODES = [b"WO-1", b"WO 2", b"WIP:IN", b"9506000134352", b"Bracket M8", b"END:VCARD", b"SPC-7"]


def scans(sent: bytes, size: int, quiet_ms: int = 600) -> list[bytes]:
    """What the decoder makes of these bytes in pieces of this size, a millisecond apart, and of the silence behind them."""
    decoder = SerialLineDecoder()
    pieces = [sent[at : at + size] for at in range(0, len(sent), size)]
    found = [scan for ms, piece in enumerate(pieces) for scan in decoder.feed(piece, ms * MS)]
    return [scan.scan.raw for scan in (*found, *decoder.quiet((len(pieces) + quiet_ms) * MS))]


@pytest.mark.parametrize("sent", DOCUMENTS)
@pytest.mark.parametrize("size", [1, 2, 7, 64])
def test_a_document_is_one_scan_however_its_bytes_are_split(sent: bytes, size: int) -> None:
    assert scans(sent, size) == [sent.rstrip(b"\r\n")]


@pytest.mark.parametrize("size", [1, 7, 64])
def test_the_codes_of_a_burst_are_a_scan_each_at_once(size: int) -> None:
    assert scans(b"".join(code + b"\r\n" for code in CODES), size, quiet_ms=0) == CODES


def test_a_document_with_an_end_is_complete_there_and_another_one_after_silence() -> None:
    assert scans(CONTACT + b"WO-1\r\n", 64, quiet_ms=0) == [CONTACT.rstrip(b"\r\n"), b"WO-1"]
    decoder = SerialLineDecoder()
    assert list(decoder.feed(PAYMENT, 0)) == []
    assert decoder.due_ns == int(DOCUMENT_S * 1000) * MS
    sent = list(decoder.feed(b"WO-1\r\n", 501 * MS))
    assert [(scan.scan.raw, scan.time_ns) for scan in sent] == [(PAYMENT.rstrip(b"\r\n"), 0), (b"WO-1", 501 * MS)]


def test_a_code_of_the_shop_that_opens_a_document_is_complete_after_silence_and_at_once_with_an_etx() -> None:
    decoder = SerialLineDecoder()
    assert list(decoder.feed(b"SPC\r\n", 1000 * MS)) == []
    assert [scan.scan.raw for scan in decoder.quiet(1500 * MS)] == [b"SPC"]
    assert [scan.scan.raw for scan in decoder.feed(b"\x02SPC\x03", 2000 * MS)] == [b"SPC"]


def test_a_document_that_is_dropped_leaves_nothing_to_the_next_scan() -> None:
    decoder = SerialLineDecoder()
    list(decoder.feed(b"BEGIN:VCARD\r\nN:X", 0))
    decoder.drop()
    assert [scan.scan.raw for scan in decoder.feed(b"WO-1\r\n", MS)] == [b"WO-1"]


def test_empty_lines_and_long_lines_of_a_document_cost_bounded_memory() -> None:
    decoder = SerialLineDecoder()
    list(decoder.feed(b"SPC\r\n" + b"\r\n" * 100_000, 0))
    assert decoder.begun == len(b"SPC")
    lines = LabelLines()
    assert not lines.end_line(b"<?xml" + b"x" * 10 * MAX_LINE_BYTES)
    assert lines.end_line(b"<?xml " + b"x" * 10 * MAX_LINE_BYTES)


def test_a_keyboard_types_a_document_as_one_scan(strike) -> None:
    for sent in (PAYMENT, CONTACT, CERTIFICATE, XML):
        typed = sent.decode().replace("\r\n", "\n")
        keys = WedgeDecoder()
        assert texts([*decode(keys, timed(strike(typed))), *keys.quiet(700 * MS)]) == [typed.rstrip("\n")]
        assert texts(decode(keys, timed(strike("WO-1\n"), start_ms=10_000))) == ["WO-1"]


def test_the_keys_of_codes_are_a_scan_each_at_once_and_a_person_types_one_line_at_a_time(strike) -> None:
    typed = [code.decode().lower() for code in CODES]
    assert texts(decode(WedgeDecoder(), timed(strike("\n".join([*typed, ""]))))) == typed
    assert texts(decode(WedgeDecoder(), timed(strike("spc\nSPC\n"), step_ms=200))) == ["spc", "SPC"]
