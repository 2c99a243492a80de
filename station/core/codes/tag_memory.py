"""Tag memory: parse the part of an RFID tag's memory that a reader returned.

The memory bank begins with a checksum and the PC word, whose first five bits are the length of the number in words. Some
readers return both, some the PC word, some the number alone (EPC Gen2, section 6.3.2.1.2).

>>> number_in(bytes.fromhex("3000 3034257BF7194E4000001A85")).number.hex()
'3034257bf7194e4000001a85'
>>> read_tag(bytes.fromhex("3034257BF7194E4000001A85")).scheme
<Scheme.EPC: 'epc'>
>>> read_tag(bytes.fromhex("E2801160600002054CC8A1B2")).code
'E2801160600002054CC8A1B2'
"""

import binascii
from dataclasses import dataclass

from station.core.codes.code import Code, Scheme
from station.core.codes.gs1.epc import read_epc
from station.core.codes.keys import published_key

WORD = 2
MAX_TAG_BYTES = 64  # the five bits of a PC word name at most 31 words
MIN_UID_BYTES = 4
USUAL_BYTES = frozenset({4, 8, 12, 16})  # of a number alone: cards, and 64, 96 and 128 bits
_OTHER_NUMBERING = 0x01  # the PC word's toggle bit: the number belongs to another standard than GS1


@dataclass(frozen=True, slots=True)
class TagNumber:
    """The number of a tag, and whether it is a GS1 number by its PC word; True where there is no such word."""

    number: bytes
    of_gs1: bool = True


def _behind(memory: bytes) -> TagNumber:
    """The number behind a PC word."""
    words = memory[0] >> 3
    return TagNumber(memory[WORD : WORD + words * WORD], not memory[0] & _OTHER_NUMBERING)


def _length(memory: bytes) -> int:
    """The bytes of PC word and number, by the word's length; 0 where these bytes cannot begin with one."""
    words = memory[0] >> 3 if len(memory) >= WORD else 0
    return WORD + words * WORD if words and WORD + words * WORD <= len(memory) else 0


def _checked(memory: bytes) -> bool:
    """Whether these bytes are a correct checksum followed by PC word and number."""
    length = _length(memory[WORD:])
    if not length:
        return False
    crc = binascii.crc_hqx(memory[WORD : WORD + length], 0xFFFF) ^ 0xFFFF
    return crc == int.from_bytes(memory[:WORD], "big")


def number_in(memory: bytes) -> TagNumber:
    """The number in the memory that was read.

    A PC word is accepted behind a correct checksum; where its length fits exactly and is unusual for a number alone; and
    where the number that it cuts out of a longer memory is an EPC. Else the whole memory is the number.
    """
    if _checked(memory):
        return _behind(memory[WORD:])
    length = _length(memory)
    if length and read_epc(memory) is None:
        exact = length == len(memory) and len(memory) not in USUAL_BYTES
        behind = _behind(memory)
        if exact or read_epc(behind.number) is not None:
            return behind
    return TagNumber(memory)


def read_tag(memory: bytes, raw: bytes | None = None) -> Code:
    """The code of a tag's memory: an EPC, or a number that only identifies the tag. `raw`: as the reader sent it.

    The code is the number in upper-case hex without checksum and PC word, so that a tag has the same code at every reader.
    """
    raw = memory if raw is None else raw
    if not MIN_UID_BYTES <= len(memory) <= MAX_TAG_BYTES + 2 * WORD:
        least = MIN_UID_BYTES
        unread = f"{len(memory)} bytes of tag memory, expected {least} to {MAX_TAG_BYTES + 2 * WORD}"
        return Code(raw, None, None, memory[:MAX_TAG_BYTES].hex().upper(), unread=unread)
    tag = number_in(memory)
    code = tag.number.hex().upper()
    fields = read_epc(tag.number) if tag.of_gs1 else None
    if fields is not None:
        key = published_key(fields)
        return Code(raw, None, Scheme.EPC, code, key, fields, key=key)
    if not any(tag.number):
        return Code(raw, None, None, code, unread="an empty tag: its number is all zeros")
    return Code(raw, None, Scheme.UID, code, code, {"uid": code})
