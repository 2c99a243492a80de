"""Electronic product codes in tag memory: what is one, what only looks like one, and the words before the number."""

import binascii
import random

import pytest
from epcpy import ConvertException, hex_to_tag_encodable
from hypothesis import given
from hypothesis import strategies as st

from station.core.codes import Scheme, read_code
from station.core.codes.gs1.epc import read_epc
from station.core.codes.tag_memory import read_tag

SGTIN = "3034257BF7194E4000001A85"
# The example of the Tag Data Standard: serial 32a/b.
SGTIN_198 = "3674257BF6B7A659B2C2BF100000000000000000000000000000"


@pytest.mark.parametrize(
    ("memory", "fields"),
    [
        (SGTIN, {
            "epc": "sgtin-96", "filter": "1", "uri": "urn:epc:id:sgtin:0614141.812345.6789", "company_prefix": "0614141",
            "item_reference": "812345", "serial": "6789", "01": "80614141123458", "21": "6789",
        }),
        ("3114257BF4499602D2000000", {
            "epc": "sscc-96", "filter": "0", "uri": "urn:epc:id:sscc:0614141.1234567890", "company_prefix": "0614141",
            "serial_reference": "1234567890", "00": "106141412345678908",
        }),
        ("3214257BF460720000000190", {
            "epc": "sgln-96", "filter": "0", "uri": "urn:epc:id:sgln:0614141.12345.400", "company_prefix": "0614141",
            "location_reference": "12345", "extension": "400", "414": "0614141123452", "254": "400",
        }),
        ("3314257BF40C0E400000162E", {
            "epc": "grai-96", "filter": "0", "uri": "urn:epc:id:grai:0614141.12345.5678", "company_prefix": "0614141",
            "asset_type": "12345", "serial": "5678", "8003": "006141411234525678",
        }),
        ("3414257BF40000000000162E", {
            "epc": "giai-96", "filter": "0", "uri": "urn:epc:id:giai:0614141.5678", "company_prefix": "0614141",
            "asset_reference": "5678", "8004": "06141415678",
        }),
        (SGTIN_198, {
            "epc": "sgtin-198", "filter": "3", "uri": "urn:epc:id:sgtin:0614141.712345.32a%2Fb",
            "company_prefix": "0614141", "item_reference": "712345", "serial": "32a/b", "01": "70614141123451",
            "21": "32a/b",
        }),
    ],
)  # fmt: skip
def test_an_epc_is_read_into_its_parts(memory: str, fields: dict[str, str]) -> None:
    code = read_tag(bytes.fromhex(memory))
    key = "".join(ai + value for ai, value in fields.items() if ai.isdigit())
    assert (code.scheme, code.code, code.item, code.fields) == (Scheme.EPC, memory, key, fields)


@pytest.mark.parametrize(
    ("memory", "why"),
    [
        ("303C257BF7194E4000001A85", "partition 7"),
        ("3017FFFFFFD94E4000001A85", "a company prefix of 8 digits where 7 belong"),
        ("3034257BF7FFFFC000001A85", "an item reference of 7 digits where 6 belong"),
        ("3114257BF4499602D2000001", "a bit set in the padding"),
        ("3674257BF6B7A659B2C2BF100000000000000000000000000001", "a bit set behind the serial"),
        ("3674257BF6B7A659B2C2BF000000000000000400000000000000", "a character behind the end of the serial"),
        ("3674257BF6B7A6400000000000000000000000000000000000", "no serial"),
        ("303030303030303030303030", "a text of digits"),
        ("2F34257BF7194E4000001A85", "another header"),
        ("3034257BF7194E4000001A", "too short"),
        (SGTIN + "00", "too long"),
        ("E2801160600002054CC8A1B2", "a chip's own number"),
    ],
)
def test_what_only_looks_like_an_epc_is_a_number_of_its_own(memory: str, why: str) -> None:
    code = read_tag(bytes.fromhex(memory))
    assert (code.scheme, code.code, code.fields) == (Scheme.UID, memory, {"uid": memory}), why


def banked(number: str, pc: int) -> bytes:
    """A number's bank as it stands on the tag: checksum, PC word, number."""
    words = pc.to_bytes(2, "big") + bytes.fromhex(number)
    return (binascii.crc_hqx(words, 0xFFFF) ^ 0xFFFF).to_bytes(2, "big") + words


@pytest.mark.parametrize(
    ("memory", "scheme", "code"),
    [
        (bytes.fromhex("3000" + SGTIN), Scheme.EPC, SGTIN),
        (bytes.fromhex("3400" + SGTIN), Scheme.EPC, SGTIN),  # user memory is there
        (banked(SGTIN, 0x3000), Scheme.EPC, SGTIN),
        (banked(SGTIN_198, 0x6800), Scheme.EPC, SGTIN_198),
        (bytes.fromhex("3000" + SGTIN + "00000000"), Scheme.EPC, SGTIN),  # more was read than the number
        (bytes.fromhex("3100" + SGTIN), Scheme.UID, SGTIN),  # the number of another standard
        (bytes.fromhex("2801" + SGTIN[4:]), Scheme.UID, "2801" + SGTIN[4:]),  # 96 bits are a number, not a word and 80
        (bytes.fromhex("08A1B2C3"), Scheme.UID, "08A1B2C3"),  # a card
        (bytes.fromhex("3012" + SGTIN[::-1] + "0101"), Scheme.UID, "3012" + SGTIN[::-1] + "0101"),
        (bytes.fromhex("2000" + SGTIN), Scheme.UID, "2000" + SGTIN),  # four words do not end here
        (banked(SGTIN[:16], 0x2000), Scheme.UID, SGTIN[:16]),
        (banked(SGTIN + "00000000", 0x4000), Scheme.UID, SGTIN + "00000000"),  # eight words are no EPC of 96 bits
    ],
)
def test_the_pc_word_says_how_long_the_number_is(memory: bytes, scheme: Scheme, code: str) -> None:
    read = read_tag(memory)
    assert (read.scheme, read.code, read.raw) == (scheme, code, memory)


def test_a_broken_checksum_is_none() -> None:
    memory = bytes(2) + banked(SGTIN, 0x3000)[2:]
    assert (read_tag(memory).scheme, read_tag(memory).code) == (Scheme.UID, memory.hex().upper())


@pytest.mark.parametrize(
    ("memory", "unread"),
    [
        (b"", "0 bytes of tag memory, expected 4 to 68"),
        (bytes(3), "3 bytes of tag memory, expected 4 to 68"),
        (bytes(69), "69 bytes of tag memory, expected 4 to 68"),
        (bytes(12), "an empty tag: its number is all zeros"),
    ],
)
def test_a_tag_without_a_number_is_not_understood(memory: bytes, unread: str) -> None:
    assert (read_tag(memory).scheme, read_tag(memory).unread, read_tag(memory).item) == (None, unread, None)


def test_a_tag_that_is_typed_has_the_same_code_in_any_case() -> None:
    typed = [read_code(text.encode(), None, ()) for text in (SGTIN, SGTIN.lower(), "3000" + SGTIN)]
    assert [(code.scheme, code.item) for code in typed] == [(Scheme.EPC, "0180614141123458216789")] * 3
    assert typed[1].raw == SGTIN.lower().encode()
    assert read_code(b"E2801160600002054CC8A1B2", None, ()).scheme is Scheme.TEXT


def test_a_number_whose_bytes_are_all_printable_is_no_text() -> None:
    memory = b"0&~!+{@`\\^}|"
    assert (read_tag(memory).scheme, read_tag(b"0612-A.7/B:_").scheme) == (Scheme.EPC, Scheme.UID)


_COMPANY_BITS = (40, 37, 34, 30, 27, 24, 20)
# Header, bits and digits behind the company's prefix, by its digits; bits of what follows.
_LAYOUTS = {0x30: (44, 13, 38), 0x31: (58, 17, 24), 0x32: (41, 12, 41), 0x33: (44, 12, 38)}


@pytest.mark.parametrize("partition", range(7))
@pytest.mark.parametrize("header", sorted(_LAYOUTS))
def test_each_partition_holds_so_many_digits_and_no_more(header: int, partition: int) -> None:
    bits, digits, tail = _LAYOUTS[header]
    company_bits, company_digits = _COMPANY_BITS[partition], 12 - partition
    bits, digits = bits - company_bits, digits - company_digits

    def memory(company: int, reference: int) -> bytes:
        number = f"{header:08b}001{partition:03b}{company:0{company_bits}b}{reference:0{bits}b}" + "0" * tail
        return int(number, 2).to_bytes(12, "big")

    highest = memory(10**company_digits - 1, 10**digits - 1)
    fields = read_epc(highest)
    assert fields is not None
    assert fields["uri"].split(":")[-1].split(".")[:2] == ["9" * company_digits, "9" * digits]
    assert read_epc(memory(0, 0)) is not None
    if 10**company_digits < 1 << company_bits:
        assert read_epc(memory(10**company_digits, 0)) is None
    if 10**digits < 1 << bits:
        assert read_epc(memory(0, 10**digits)) is None


def test_epcpy_reads_the_same() -> None:
    rng, agreed = random.Random(3), 0
    for _ in range(4_000):
        header = rng.choice((0x30, 0x31, 0x32, 0x33, 0x34))
        epc = bytes([header]) + rng.randbytes(8) + (bytes(3) if header == 0x31 else rng.randbytes(3))
        ours = read_epc(epc)
        try:
            theirs = hex_to_tag_encodable(epc.hex()).epc_uri
        except (ConvertException, ValueError):
            theirs = None
        if ours is not None:
            assert ours["uri"] == theirs, epc.hex()
            agreed += 1
        elif theirs is not None:  # it passes over bits that stand where no digit of an asset's type is left
            assert theirs.startswith(("urn:epc:id:grai:", "urn:epc:id:sgln:"))
            assert ".." in theirs
    assert agreed > 500


def test_epcpy_reads_the_same_long_serials() -> None:
    rng = random.Random(4)
    for _ in range(300):
        serial = "".join(rng.choices("AZaz09-_*+:;=.,'()!", k=rng.randint(1, 20)))
        letters = "".join(f"{ord(character):07b}" for character in serial).ljust(140, "0")
        number = f"{0x36:08b}011101{614141:024b}{712345:020b}{letters}00"
        memory = int(number, 2).to_bytes(25, "big")
        fields = read_epc(memory)
        assert fields is not None
        assert (fields["21"], fields["uri"]) == (serial, hex_to_tag_encodable(memory.hex()).epc_uri)
        assert read_epc(memory + b"\0") == fields


@given(st.binary(max_size=80))
def test_any_memory_is_a_code(memory: bytes) -> None:
    code = read_tag(memory)
    assert code.raw == memory
    assert (code.scheme is None) is (code.unread is not None)


@given(st.binary(min_size=12, max_size=12))
def test_what_a_random_number_gives_is_whole(memory: bytes) -> None:
    fields = read_epc(b"\x30" + memory[1:])
    if fields is not None:
        assert len(fields["company_prefix"] + fields["item_reference"]) == 13
        assert len(fields["01"]) == 14
