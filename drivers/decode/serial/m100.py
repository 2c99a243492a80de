"""Protocol of UHF reader modules of the M100 family: YRM100, YRM1001, JRD-4035 (EPC Gen2 tags).

A frame is `BB`, type (00 command, 01 answer, 02 notice), command, length of the payload (2 bytes), payload, sum of all bytes
after `BB` modulo 256, `7E`. A tag is reported as a notice to command 22: signal in dBm, PC word, EPC, CRC of the tag. If the
CRC is valid for PC word and EPC, all three are passed on in the order of the tag's memory, CRC first, so that the parser can
separate the number reliably. Source: M100 firmware command manual; EPC Gen2, section 6.3.2.1.2.

>>> from drivers.decode.serial.framing import FrameDecoder
>>> notice = bytes.fromhex("BB02220011C9340030751FEB705C5904E3D50D703A76EF7E")
>>> [M100.tags(frame) for frame in FrameDecoder(M100).feed(notice)]
[(TagSighting(uid='3A76340030751FEB705C5904E3D50D70', signal_dbm=-55, why=None),)]
"""

import binascii

from drivers.decode.serial.framing import TagProtocol, TagSighting

PAYLOAD_MAX = 512
ANSWER, NOTICE = 1, 2
_TAG_COMMAND = 0x22
_ONE_ROUND = bytes.fromhex("BB00220000227E")
_NOT_THE_EPC = 5  # signal, PC word, CRC


def _size(head: bytes) -> int | None:
    if len(head) >= 2 and head[1] not in (ANSWER, NOTICE):
        return None  # a command is an echo of what was sent
    if len(head) < 5:
        return 0
    payload = int.from_bytes(head[3:5], "big")
    return payload + 7 if payload <= PAYLOAD_MAX else None


def _whole(frame: bytes) -> bool:
    if frame[-1] != 0x7E or sum(frame[1:-2]) & 0xFF != frame[-2]:
        return False
    return not _of_a_tag(frame) or 2 * _words(frame) <= len(frame) - 7 - _NOT_THE_EPC


def _of_a_tag(frame: bytes) -> bool:
    return frame[1] == NOTICE and frame[2] == _TAG_COMMAND


def _words(frame: bytes) -> int:
    """The length of the EPC in words of 16 bits, from the tag's PC word."""
    return frame[6] >> 3


def _tags(frame: bytes) -> tuple[TagSighting, ...]:
    if not _of_a_tag(frame) or not _words(frame):
        return ()
    signal_dbm = int.from_bytes(frame[5:6], "big", signed=True)
    return (TagSighting(_memory(frame).hex().upper(), signal_dbm),)


def _memory(frame: bytes) -> bytes:
    end = 8 + 2 * _words(frame)
    numbered, crc = frame[6:end], frame[end : end + 2]
    own = binascii.crc_hqx(numbered, 0xFFFF) ^ 0xFFFF
    return crc + numbered if own == int.from_bytes(crc, "big") else frame[8:end]


# The query is one round of inventory, which changes no setting; the answer is the tags, or "no tag" (error 15).
M100 = TagProtocol("M100", 115_200, b"\xbb", _size, _whole, _tags, query=_ONE_ROUND, poll=_ONE_ROUND, leave_s=2.0)
