"""Character sets of scans: a label with ECI designators, a byte order mark, UTF-16 or a final NUL has the plain code."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.core.codes import Card, Pattern, Scheme, read_code, written_code
from station.core.codes.charset import ECI_SYMBOLS, plain_content
from station.core.codes.parser import NO_TEXT

ORDER = Pattern("order", r"WO-(?P<id>\d+)", "item")
ENVELOPE = b"[)>\x1e06\x1dPAZ1117EH-3.3TRG1DICT-ND\x1d1PAZ1117EH-3.3TRG1\x1d9D1719\x1dQ000000001"


@pytest.mark.parametrize(
    "raw",
    [
        b"\\000026WO-1042",
        b"]Q2\\000026WO-1042",
        b"]d4\\000026WO-1042",
        b"]z3\\000003WO-1042",
        b"]L1\\000027WO-1042",
        b"]Q2WO-1042",  # the protocol is on, and the label has the default character set
        b"]Q2WO\\000003-10\\00002642",
        b"\\000025\x00W\x00O\x00-\x001\x000\x004\x002",
        b"\\999999WO-1042",  # an ECI without a codec: the bytes as they are
        b"\xef\xbb\xbfWO-1042",
        b"]Q1\xef\xbb\xbfWO-1042",
        b"WO-1042\x00",
        b"WO-1042\x00\x00\x00",
        codecs.BOM_UTF16_LE + "WO-1042".encode("utf-16-le"),
        codecs.BOM_UTF16_BE + "WO-1042".encode("utf-16-be"),
        codecs.BOM_UTF32_LE + "WO-1042".encode("utf-32-le"),
        "WO-1042".encode("utf-16-le"),
        "WO-1042".encode("utf-16-be"),
        "WO-1042\0".encode("utf-16-le"),
    ],
)
def test_the_marks_of_a_character_set_are_no_part_of_the_code(raw: bytes) -> None:
    code = read_code(raw, None, (ORDER,))
    assert (code.code, code.item, code.scheme, code.raw) == ("WO-1042", "1042", Scheme.OWN, raw)
    assert written_code(code.code, raw) == "WO-1042", "the event has the text beside the bytes"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"]Q2\\000026A\\\\B", "A\\B"),
        (b"]Q2A\\\\000026B", "A\\000026B"),  # a doubled backslash begins no designator
        (b"]Q2\\000005\xb1", "ħ"),
        (b"]Q2\\000004\xb1", "ą"),
        (b"]Q2\\000020\x83e\x83X\x83g", "テスト"),
        (b"]Q2\\000026\xff", "ÿ"),  # invalid UTF-8: read as every other scan
        (b"A\\B", "A\\B"),
        (b"]Q1A\\\\B", "A\\\\B"),  # without the protocol a backslash is itself
        (b"C:\\000026", "C:\\000026"),
        (b"A\x00B", "A{00}B"),
        (b"A\x00", "A"),
        (b"7\xef\xbb\xbf", "7\ufeff"),
    ],
)
def test_only_what_the_protocol_marks_is_changed(raw: bytes, text: str) -> None:
    assert read_code(raw, None, ()).code == text


@pytest.mark.parametrize("raw", [b"\x00\x00", b"\xef\xbb\xbf", b"]Q2\\000026", codecs.BOM_UTF16_LE])
def test_marks_without_a_text_are_not_understood(raw: bytes) -> None:
    code = read_code(raw, None, ())
    assert (code.code, code.unread) == ("", NO_TEXT)


def test_a_reader_that_reports_the_symbology_apart_is_read_alike() -> None:
    assert read_code(b"\\000026WO-1042", "]Q2", (ORDER,)).item == "1042"


@pytest.mark.parametrize("sym", ["]d5", "]Q4"])
def test_a_gs1_symbol_with_the_eci_protocol_is_gs1(sym: str) -> None:
    code = read_code(f"{sym}\\0000260109506000134352\x1d10AB".encode(), None, ())
    assert (code.scheme, dict(code.fields)) == (Scheme.GS1, {"01": "09506000134352", "10": "AB"})


def test_a_card_with_a_mark_acts() -> None:
    assert read_code(b"\xef\xbb\xbfwip:scrap", None, ()).card is Card.SCRAP


@pytest.mark.parametrize(
    ("end", "rest"), [(b"\x1eV", "V"), (b"\x1e^D", "^D"), (b"\x1e\x05", "{05}"), (b"\x1e{4}", "{7B}4}")]
)
def test_an_envelope_that_is_spoiled_at_its_end_is_read_and_the_rest_is_named(end: bytes, rest: str) -> None:
    code = read_code(ENVELOPE + b"\x1d13Z000000" + end, None, ())
    assert code.scheme is Scheme.ISO15434
    assert dict(code.fields) == {
        "P": "AZ1117EH-3.3TRG1DICT-ND", "1P": "AZ1117EH-3.3TRG1", "9D": "1719", "Q": "000000001", "13Z": "000000",
        "recovered": "end", "rest": rest,
    }  # fmt: skip


def test_an_envelope_that_is_spoiled_at_its_begin_is_not_understood() -> None:
    assert read_code(b"[)>\x1eV\x1e06\x1dQ1\x1e\x04", None, ()).unread == "the format 'V', expected 05, 06 or 12"


@given(st.binary(max_size=200), st.sampled_from([None, "]C1", *sorted(ECI_SYMBOLS)]))
def test_any_bytes_have_a_content_and_printable_ascii_stays(content: bytes, sym: str | None) -> None:
    plain_content(content, sym)
    printable = bytes(0x21 + byte % 0x5E for byte in content).replace(b"\\", b"/")
    assert plain_content(printable, sym) == printable


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=60).filter(
        lambda t: t[0] != "\ufeff"
    )
)
def test_a_text_in_the_protocol_comes_back(text: str) -> None:
    sent = b"\\000026" + text.encode().replace(b"\\", b"\\\\")
    assert plain_content(sent, "]Q2") == plain_content(text.encode(), None) or text.startswith("\\")
