"""Protocol of UHF readers with commands `53 57` and answers `43 54` (Chafon CF-RU5xxx, sold under many names).

A frame is start, length of the rest (2 bytes), address, command, status (01 done), data, two's complement of the sum of all
bytes before it. The manual sums "from Len", but its own examples include the start, and so does this decoder. Tags come as
answers to an inventory, or unprompted from a reader in active mode. Source: UHF RFID Reader User's Manual V2.0, sections 3
and 4.

>>> from drivers.decode.serial.framing import FrameDecoder
>>> active = "4354001C0145 01 C3832508013E2A 01 0F0101E2801191A5030060ACB87676 82 3A"
>>> [[tag.uid for tag in SWNET.tags(frame)] for frame in FrameDecoder(SWNET).feed(bytes.fromhex(active))]
[['E2801191A5030060ACB87676']]
"""

from drivers.decode.serial.framing import TagProtocol, TagSighting

LENGTH_MIN, LENGTH_MAX = 4, 1024
INVENTORY, ACTIVE_DATA = 0x01, 0x45
_DONE = 1
# After the status: a count of two bytes; or the reader's serial number of seven bytes and a count of one.
_COUNT = {INVENTORY: slice(7, 9), ACTIVE_DATA: slice(14, 15)}
_NOT_THE_ID = 3  # type, antenna, signal; the manual gives no unit of the signal, so it is not used


def _size(head: bytes) -> int | None:
    if len(head) < 4:
        return 0
    length = int.from_bytes(head[2:4], "big")
    return length + 4 if LENGTH_MIN <= length <= LENGTH_MAX else None


def _whole(frame: bytes) -> bool:
    return sum(frame) & 0xFF == 0 and frame[6] in (0, _DONE) and _ids(frame) is not None


def _ids(frame: bytes) -> list[bytes] | None:
    """The tags of a frame, None if their lengths and their count do not fill it."""
    if frame[5] not in _COUNT or frame[6] != _DONE:
        return []
    count = _COUNT[frame[5]]
    at, end, ids = count.stop, len(frame) - 1, []
    while at < end:
        length = frame[at]
        if length <= _NOT_THE_ID:
            return None
        ids.append(frame[at + 3 : at + length])
        at += 1 + length
    return ids if at == end and len(ids) == int.from_bytes(frame[count], "big") else None


def _tags(frame: bytes) -> tuple[TagSighting, ...]:
    return tuple(TagSighting(number.hex().upper()) for number in _ids(frame) or ())


SWNET = TagProtocol(
    "53 57", 115_200, b"\x43\x54", _size, _whole, _tags,
    query=bytes.fromhex("53570003FF1044"), poll=bytes.fromhex("53570003FF0153"), leave_s=2.0,
)  # fmt: skip
