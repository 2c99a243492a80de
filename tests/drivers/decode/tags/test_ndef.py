"""Texts in NDEF messages: the content of valid ones; a hostile message yields nothing and never raises."""

import ndef
import pytest
from hypothesis import example, given, seed, settings
from hypothesis import strategies as st

from drivers.decode.tags.ndef import MAX_RECORDS, SCHEMES, texts
from drivers.decode.tags.nfc_forum import MAX_MESSAGE_BYTES
from tests.drivers.fixtures.nfc_cards import text_record

SEED = 20260215


def encoded(*records):
    return b"".join(ndef.message_encoder(records))


def poster(*inside):
    return ndef.Record("urn:nfc:wkt:Sp", "", encoded(*inside))


@pytest.mark.parametrize(
    ("records", "found"),
    [
        ([ndef.TextRecord("WO-1042")], (b"WO-1042",)),
        ([ndef.TextRecord("Sägeblatt", "de", "UTF-16")], ("Sägeblatt".encode(),)),
        ([ndef.UriRecord("https://id.gs1.org/01/09506000134352")], (b"https://id.gs1.org/01/09506000134352",)),
        ([ndef.UriRecord("WO-1042")], (b"WO-1042",)),
        ([ndef.UriRecord("wip:badge:kim")], (b"wip:badge:kim",)),
        ([ndef.TextRecord("a"), ndef.UriRecord("http://b"), ndef.TextRecord("c")], (b"a", b"http://b", b"c")),
        ([ndef.Record("text/plain", "", b"x"), ndef.TextRecord("a")], (b"a",)),
        ([poster(ndef.UriRecord("http://b"), ndef.TextRecord("title"))], (b"http://b", b"title")),
        ([poster(poster(ndef.TextRecord("too deep")), ndef.TextRecord("title"))], (b"title",)),
        ([ndef.TextRecord("")], ()),
        ([ndef.TextRecord("1\x1d2")], (b"1\x1d2",)),  # escaped for display only
        ([ndef.TextRecord("PO: 7")], (b"PO: 7",)),
        ([ndef.TextRecord("a")] * MAX_RECORDS, (b"a",) * MAX_RECORDS),
        ([ndef.TextRecord("a")] * (MAX_RECORDS + 1), ()),
        ([poster(*[ndef.TextRecord("a")] * (MAX_RECORDS - 1))], (b"a",) * (MAX_RECORDS - 1)),
        ([poster(*[ndef.TextRecord("a")] * MAX_RECORDS)], ()),
    ],
)
def test_the_texts_and_addresses_of_a_message(records, found):
    assert texts(encoded(*records)) == found


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)", "JavaScript:alert(1)", " javascript:x", "java\u00adscript:x", "file:///etc/passwd",
        "data:text/html,x", "vbscript:x", "tel:+49", "\u202ehttp:x", "blob:x", "wip\u200b:x",
    ],
)  # fmt: skip
def test_an_address_that_can_be_no_code_is_left_on_the_tag(address):
    assert texts(encoded(ndef.UriRecord(address))) == ()
    assert {"http", "https", "urn", "wip"} == SCHEMES


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (b"", "nothing"),
        (bytes.fromhex("D1010A54"), "a payload that is not there"),
        (bytes.fromhex("C101FFFFFFFF54"), "a payload of four gigabytes"),
        (bytes.fromhex("D1FF0A5402656E"), "a type that is not there"),
        (bytes.fromhex("D9010A"), "a length of an id that is not there"),
        (bytes.fromhex("D101045402656E41") + b"\x00", "bytes behind its end"),
        (text_record(b"x")[:-1], "a last byte that is missing"),
        (text_record(b"WO-1", 0xB1) + bytes.fromhex("5600023432"), "chunks"),
        (text_record(b"WO-1", 0xB1) + text_record(b"42", 0x51), "a chunk that nothing follows"),
        (bytes.fromhex("D10103543F656E"), "a language longer than the text"),
        (bytes.fromhex("D10103540065 6E"), "a language of nothing"),
        (bytes.fromhex("D1010354 02FFFF"), "a language that is none"),
        (bytes.fromhex("D101055402656EFF"), "a payload of a byte too many"),
        (bytes.fromhex("D101045402656EFF"), "bytes that are no UTF-8"),
        (bytes.fromhex("D101055482656E00 D8"), "half a pair of UTF-16"),
        (bytes.fromhex("D1010255 FF41"), "a prefix that is not defined"),
        (bytes.fromhex("D1010055"), "an address of nothing"),
        (bytes.fromhex("D7010041"), "a kind of type that there is not"),
        (bytes.fromhex("D101004180"), "a type that is no text"),
        (bytes.fromhex("51010A54") + b"\x02en1234567", "no beginning"),
        (bytes.fromhex("91010A54") + b"\x02en1234567", "no end"),
        (text_record(b"x" * MAX_MESSAGE_BYTES), "too long"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_a_message_with_inconsistent_lengths_is_ignored(message, why):
    assert texts(message) == ()


def test_the_longest_message_is_read_and_one_byte_more_is_not():
    whole = text_record(b"x" * (MAX_MESSAGE_BYTES - 10))
    assert (len(whole), len(texts(whole)[0])) == (MAX_MESSAGE_BYTES, MAX_MESSAGE_BYTES - 10)
    assert texts(text_record(b"x" * (MAX_MESSAGE_BYTES - 9))) == ()


def test_posters_in_posters_are_opened_once_however_many_there_are():
    record = ndef.TextRecord("deep")
    while len(encoded(poster(record))) <= MAX_MESSAGE_BYTES:
        record = poster(record)
    assert texts(encoded(record)) == ()


RECORD = st.builds(
    lambda flags, kind, payload, ident, lie: (
        bytes((flags & 0xF7, len(kind), (len(payload) + lie) % 256)) + kind + ident + payload
    ),
    st.integers(0, 255),
    st.sampled_from([b"T", b"U", b"Sp", b"", b"\xff", b"Sig"]),
    st.binary(max_size=40),
    st.binary(max_size=2),
    st.sampled_from([0, 0, 0, 1, -1, 200]),
)


@seed(SEED)
@settings(max_examples=1500, deadline=None)
@given(message=st.one_of(st.binary(max_size=60), st.lists(RECORD, max_size=6).map(b"".join)))
@example(message=bytes.fromhex("D102FE5370") + bytes.fromhex("D102FB5370") * 40)
def test_no_message_raises_and_what_is_found_is_text(message):
    decoded = texts(message)
    assert len(decoded) <= MAX_RECORDS
    for text in decoded:
        assert text.decode("utf-8")
        assert len(text) <= 3 * len(message)


def test_the_search_starts_from_valid_messages():
    print(f"seed {SEED}")
    # The seeds of the search above are valid messages; otherwise it would only test malformed ones.
    assert texts(bytes.fromhex("D1010A5402656E574F2D31303432")) == (b"WO-1042",)
