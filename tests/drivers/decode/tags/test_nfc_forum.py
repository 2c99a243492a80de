"""NDEF messages on NFC tags: the content of valid cards; a hostile card yields nothing, at bounded cost."""

import random

import pytest

from drivers.decode.tags.nfc_forum import (
    MAX_AREA_BYTES,
    MAX_COMMANDS,
    MAX_MESSAGE_BYTES,
    MAX_RESERVED,
    conversation,
    ndef_of,
)
from drivers.decode.tags.nfc_forum import type2 as read_type2
from drivers.decode.tags.nfc_forum import type4 as read_type4
from tests.drivers.fixtures.nfc_cards import CLASSIC_ATR, GOOD, ULTRALIGHT_ATR, Type2, Type4, text_message

SEED = 20260214
WO = text_message(b"WO-1042")


def spoken(talk, card):
    """The result of an exchange with a card, and its commands."""
    commands = [next(talk)]
    try:
        while True:
            assert len(commands) <= 300, "no end"
            commands.append(talk.send(card(commands[-1])))
    except StopIteration as end:
        return end.value, commands


def read(talk, card):
    return spoken(talk, card)[0]


@pytest.mark.parametrize(
    ("atr", "name"),
    [
        (ULTRALIGHT_ATR, "type2"),
        (ULTRALIGHT_ATR[:14] + b"\x3a" + ULTRALIGHT_ATR[15:], "type2"),  # Ultralight C
        (CLASSIC_ATR, None),
        (bytes.fromhex("3B8180018080"), "type4"),
        (bytes.fromhex("3B8880010073C84013009000 71"), "type4"),
        (bytes.fromhex("3B6E000080318066B084"), None),  # a card with contacts
        (bytes.fromhex("3B"), None),
        (ULTRALIGHT_ATR[:12], None),
        (b"", None),
    ],
)
def test_the_exchange_follows_the_atr_of_the_card(atr, name):
    talk = conversation(atr)
    assert (None if talk is None else talk.__name__) == name


@pytest.mark.parametrize("length", [0, 7, 200, 251, 252, 600])
def test_a_message_on_a_type_2_tag_is_read_whole(length):
    message = text_message(b"x" * length)
    message_read, commands = spoken(read_type2(), Type2(message))
    assert message_read == message
    assert len(commands) <= 2 + len(message) // 16 + 1
    assert {command[:3] for command in commands} == {b"\xff\xb0\x00"}


def test_a_reader_that_gives_one_page_at_a_time_is_read_too():
    tag = Type2(WO)
    assert read(read_type2(), lambda command: tag(command[:4] + b"\x04")) == WO


def test_bytes_that_a_tag_reserves_are_no_part_of_its_message():
    # Memory control: 4 bytes from byte 24 on (page 6 of 4 bytes), which lie inside the message.
    before = bytes.fromhex("0203 60 04 02".replace(" ", ""))
    area = before + bytes((3, len(WO))) + WO + b"\xfe"
    torn = area[:8] + b"\xaa" * 4 + area[8:]
    assert ndef_of(torn) == WO
    assert ndef_of(area) != WO
    # Lock control: 16 bits, two bytes.
    locked = bytes.fromhex("0103601002") + bytes((3, len(WO))) + WO + b"\xfe"
    assert ndef_of(locked[:8] + b"\xaa" * 2 + locked[8:]) == WO


@pytest.mark.parametrize(
    ("area", "message"),
    [
        ("", None),
        ("0000", None),
        ("FE", b""),
        ("0300FE", b""),
        ("03", None),
        ("03FF04", None),
        ("03FF0401", b""),  # longer than the limit
        ("03FF0400", None),
        ("0303D000", None),
        ("0303D00000", b"\xd0\x00\x00"),
        ("FD0201020303D00000", b"\xd0\x00\x00"),  # a vendor TLV before it
        ("FDFF", None),
    ],
)
def test_tlvs_are_followed_to_the_message_or_to_the_end(area, message):
    assert ndef_of(bytes.fromhex(area)) == message


def test_a_tag_that_reserves_more_than_a_tag_does_has_no_message():
    control = bytes.fromhex("0203F0010F")
    tlv = bytes((3, len(WO))) + WO
    assert ndef_of(control * MAX_RESERVED + tlv) == WO
    assert ndef_of(control * (MAX_RESERVED + 1) + tlv) == b""


@pytest.mark.parametrize(
    "container", ["00000000", "E0101200", "E1201200", "E1101280", "E1100000", "E110"], ids=lambda each: each
)
def test_a_type_2_tag_that_is_not_for_us_is_left_alone(container):
    message_read, commands = spoken(
        read_type2(), lambda _: bytes.fromhex(container) + b"\x03\x00" * 6 * (len(container) == 8) + GOOD
    )
    assert (message_read, len(commands)) == (b"", 1)


def test_a_tag_that_claims_more_than_it_has_is_not_read_round_its_end():
    tag = Type2(b"", size=48, before=b"\x00" * 40)
    assert read(read_type2(), tag) == b""
    endless = Type2(b"", size=MAX_AREA_BYTES, before=b"\x00" * (MAX_AREA_BYTES - 4))
    endless.memory = endless.memory[:14] + b"\xff" + endless.memory[15:-4] + bytes(4)
    message_read, commands = spoken(read_type2(), endless)
    assert (message_read, len(commands), commands[-1][3]) == (b"", 64, 255)
    assert len(commands) <= MAX_COMMANDS


@pytest.mark.parametrize("length", [0, 7, 300, MAX_MESSAGE_BYTES - 14])
@pytest.mark.parametrize("most", [15, 59, 255])
def test_a_message_on_a_type_4_tag_is_read_whole(length, most):
    message = text_message(b"x" * length)
    message_read, commands = spoken(read_type4(), Type4(message, most))
    assert message_read == message
    assert len(commands) <= MAX_COMMANDS
    assert {command[1] for command in commands} == {0xA4, 0xB0}


CONTAINER = bytes.fromhex("000F20003B00340406E104040000 00")


@pytest.mark.parametrize(
    "files",
    [
        {"fE103": b""},
        {"fE103": CONTAINER[:14]},
        {"fE103": CONTAINER[:7] + b"\x05" + CONTAINER[8:]},
        {"fE103": CONTAINER[:3] + b"\x00\x0e" + CONTAINER[5:]},  # reads of 14 bytes
        {"fE103": CONTAINER[:3] + b"\x00\x00" + CONTAINER[5:]},
        {"fE103": CONTAINER[:9] + b"\xe1\x03" + CONTAINER[11:]},  # the capability container itself
        {"fE103": CONTAINER[:9] + b"\xe1\x05" + CONTAINER[11:]},  # a missing file
        {"fE103": CONTAINER[:11] + b"\x00\x05" + CONTAINER[13:]},  # a file shorter than its message
        {"fE103": CONTAINER[:11] + b"\x00\x00" + CONTAINER[13:]},
        {"fE103": CONTAINER[:13] + b"\x80" + CONTAINER[14:]},  # protected against reading
        {"fE104": b""},
        {"fE104": b"\x00"},
        {"fE104": b"\xff\xff" + WO},
        {"fE104": (MAX_MESSAGE_BYTES + 1).to_bytes(2, "big") + bytes(MAX_MESSAGE_BYTES + 1)},
        {"fE104": b"\x00\x20" + WO},  # ends early
    ],
)
def test_a_type_4_tag_with_inconsistent_data_has_no_message(files):
    assert read(read_type4(), Type4(WO, 59, **files)) == b""


def test_no_stream_of_garbage_makes_a_reading_without_an_end():
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    for talk, card in [(read_type2, Type2(WO)), (read_type4, Type4(WO))] * 1500:

        def answer(command, card=card):
            response = bytearray(card(command))
            chance = rng.random()
            if chance < 0.2:
                return rng.randbytes(rng.randrange(20))
            if chance < 0.3:
                response = response[: rng.randrange(len(response) + 1)]
            elif chance < 0.6 and len(response) > 2:
                response[rng.randrange(len(response) - 2)] = rng.choice(
                    (0, 1, 2, 3, 0xFD, 0xFE, 0xFF, rng.randrange(256))
                )
            return bytes(response)

        message_read, commands = spoken(talk(), answer)
        assert len(message_read) <= MAX_MESSAGE_BYTES
        assert len(commands) <= 260  # for a reader that returns one page at a time; the driver stops sooner
        assert {(command[0], command[1]) for command in commands} <= {(0xFF, 0xB0), (0, 0xA4), (0, 0xB0)}
