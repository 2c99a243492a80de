"""Protocol of 125 kHz tag readers that send unprompted: ID-12LA, ID-20LA and RDM6300 (EM4100 tags, five bytes).

A frame is `02`, ten hex digits of the tag, and two of their XOR. The ID readers end it with `0D 0A 03` (16 bytes), the
RDM6300 with `03` (14 bytes), which repeats the frame while the tag is in the field. Source: ID-12LA and RDM6300 data sheets;
some sketches check a sum instead of the XOR, which is wrong.

>>> from drivers.decode.serial.framing import FrameDecoder
>>> stream = bytes.fromhex("02") + b"0C000621A58E" + b"\\r\\n\\x03"
>>> [EM4100.tags(frame)[0].uid for frame in FrameDecoder(EM4100).feed(stream)]
['0C000621A5']
"""

from functools import reduce
from operator import xor

from drivers.decode.serial.framing import TagProtocol, TagSighting

_HEX = frozenset(b"0123456789ABCDEFabcdef")
_DIGITS = slice(1, 13)
_ENDS = {3: 14, 13: 16}  # the length of the frame by its 14th byte, ETX or carriage return


def _size(head: bytes) -> int | None:
    if not _HEX.issuperset(head[_DIGITS]):
        return None
    return 0 if len(head) < 14 else _ENDS.get(head[13])


def _whole(frame: bytes) -> bool:
    return frame[13:] in (b"\x03", b"\r\n\x03") and checked(bytes.fromhex(frame[_DIGITS].decode("ascii")))


def checked(number: bytes) -> bool:
    """Whether the last byte is the XOR of those before it."""
    return reduce(xor, number) == 0


def _tags(frame: bytes) -> tuple[TagSighting, ...]:
    return (TagSighting(frame[1:11].decode("ascii").upper()),)


EM4100 = TagProtocol("ID-12, RDM6300", 9600, b"\x02", _size, _whole, _tags)
