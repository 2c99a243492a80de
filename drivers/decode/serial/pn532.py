"""Protocol of the PN532 on a serial line (HSU), for ISO/IEC 14443 A cards.

A frame is `00 00 FF`, length, its two's complement, `D5`, command + 1, data, two's complement of their sum, `00`. The reader
first acknowledges every command with `00 00 FF 00 FF 00`. Source: PN532 user manual UM0701-02, sections 6.2.1 and 7.

>>> from drivers.decode.serial.framing import FrameDecoder
>>> card = bytes.fromhex("0000FF 0C F4 D54B 01 01 0004 08 04 0102030A BE 00")
>>> [PN532.tags(frame) for frame in FrameDecoder(PN532).feed(card)]
[(TagSighting(uid='0102030A', signal_dbm=None, why=None),)]
"""

from drivers.decode.serial.framing import TagProtocol, TagSighting
from drivers.decode.tags.smartcard import sighted

ACK = bytes.fromhex("0000FF00FF00")
_TO_HOST = 0xD5
_LISTED = 0x4B  # the answer to InListPassiveTarget
_ANSWER_MIN = 2
# The chip wakes up after enough bytes; these bytes are no command of any protocol.
WAKE = bytes.fromhex("55550000000000000000000000000000")


def _size(head: bytes) -> int | None:
    if len(head) < 5:
        return 0
    length, complement = head[3], head[4]
    if (length, complement) == (0, 0xFF):
        return len(ACK)
    return length + 7 if length >= _ANSWER_MIN and (length + complement) & 0xFF == 0 else None


def _whole(frame: bytes) -> bool:
    if len(frame) == len(ACK):
        return frame == ACK
    if frame[5] != _TO_HOST or sum(frame[5:-1]) & 0xFF or frame[-1] != 0:
        return False
    return frame[6] != _LISTED or _number(frame) is not None


def _number(frame: bytes) -> bytes | None:
    """The number of the card in the answer, b"" without a card, None if the lengths disagree."""
    data = frame[7:-2]
    if data[:1] in (b"", b"\0"):
        return b""
    if data[0] != 1 or len(data) < 6 or len(data) < 6 + data[5]:
        return None
    return data[6 : 6 + data[5]]


def _tags(frame: bytes) -> tuple[TagSighting, ...]:
    number = _number(frame) if _answers(frame) and frame[6] == _LISTED else None
    return (sighted(number),) if number else ()


def _answers(frame: bytes) -> bool:
    return len(frame) > len(ACK)  # an acknowledgement alone, six bytes, is too little evidence


PN532 = TagProtocol(
    "PN532", 115_200, b"\x00\x00\xff", _size, _whole, _tags, answers=_answers,
    query=WAKE + bytes.fromhex("0000FF02FED4022A00"),  # GetFirmwareVersion
    begin=bytes.fromhex("0000FF05FBD4140114010200"),  # SAMConfiguration: normal mode, until it is switched off
    poll=bytes.fromhex("0000FF04FCD44A0100E100"),  # InListPassiveTarget: one card, 106 kbit/s
)  # fmt: skip
