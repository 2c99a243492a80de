"""Protocol of UHF desk readers of the UHFReader18 family (Chafon and others; EPC Gen2 tags).

A frame is length of the rest, address, command, status, data, CRC-16 (polynomial 8408, initial value FFFF, low byte first);
the CRC of a complete frame is 0. A frame has no start byte, so it is valid only if command, status and the lengths of all
tags agree as well. Source: UHFReader18 user manual; Tasmota's driver xdrv_77.

>>> crc16(bytes.fromhex("04FF211995"))
0
>>> from drivers.decode.serial.framing import FrameDecoder
>>> body = bytes.fromhex("0B0001010201AA02BBCC")
>>> answer = body + crc16(body).to_bytes(2, "little")
>>> [[tag.uid for tag in UHFREADER18.tags(frame)] for frame in FrameDecoder(UHFREADER18).feed(answer)]
[['AA', 'BBCC']]
"""

from collections.abc import Iterator

from drivers.decode.serial.framing import TagProtocol, TagSighting

INVENTORY, READER_INFO = 0x01, 0x21
NO_TAG = 0xFB
_STATUSES = {
    INVENTORY: frozenset({1, 2, 3, 4, NO_TAG}),  # done, time over, more to come, memory full, none
    READER_INFO: frozenset({0}),
}
_EMPTY_ANSWER = 5  # address, command, status, CRC
_EPC_BYTES_MAX = 62


def _crc_of(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ 0x8408 if byte & 1 else byte >> 1
    return byte


_CRC_OF = tuple(map(_crc_of, range(256)))


def crc16(data: bytes) -> int:
    """CRC-16 with polynomial 0x8408, initial value 0xFFFF; 0 for data followed by its CRC, low byte first."""
    crc = 0xFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC_OF[(crc ^ byte) & 0xFF]
    return crc


def _size(head: bytes) -> int | None:
    if head[0] < _EMPTY_ANSWER:
        return None
    if len(head) >= 3 and head[2] not in _STATUSES:
        return None
    if len(head) < 4:
        return 0
    return head[0] + 1 if head[3] in _STATUSES[head[2]] else None


def _whole(frame: bytes) -> bool:
    if crc16(frame):
        return False
    if frame[2] != INVENTORY:
        return True
    return frame[0] == _EMPTY_ANSWER if frame[3] == NO_TAG else _epcs(frame) is not None


def _epcs(frame: bytes) -> list[bytes] | None:
    """The EPCs of an inventory, None if their lengths and their count do not fill the frame."""
    data = frame[4:-2]
    epcs = list(_parts(data[1:]))
    return epcs if data and len(epcs) == data[0] and sum(map(len, epcs)) + len(epcs) == len(data) - 1 else None


def _parts(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data) and 0 < data[at] <= _EPC_BYTES_MAX:
        yield data[at + 1 : at + 1 + data[at]]
        at += 1 + data[at]


def _tags(frame: bytes) -> tuple[TagSighting, ...]:
    if frame[2] != INVENTORY or frame[3] == NO_TAG:
        return ()
    return tuple(TagSighting(epc.hex().upper()) for epc in _epcs(frame) or ())


UHFREADER18 = TagProtocol(
    "UHFReader18", 57_600, b"", _size, _whole, _tags,
    query=bytes.fromhex("04FF211995"), poll=bytes.fromhex("04FF011BB4"), leave_s=2.0,
)  # fmt: skip
