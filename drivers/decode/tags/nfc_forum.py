"""Reading the NDEF message of NFC Forum tags of Type 2 and Type 4.

The exchange with a card is a generator. It yields the next command, is sent the response (data and two bytes of status), and
returns the message, b"" if there is none. It sends read commands only. Lengths that the card reports are bounded. Source:
NFC Forum T2TOP 1.1 and T4TOP 2.0; PC/SC part 3, sections 3.1.3.2.3 (ATR of storage cards) and 3.2.2.1.8.

>>> exchange = type2()
>>> next(exchange).hex()
'ffb0000310'
>>> exchange.send(bytes.fromhex("E1101200 0303D00000 FE 000000000000 9000"))
Traceback (most recent call last):
    ...
StopIteration: b'\\xd0\\x00\\x00'
"""

from collections.abc import Generator

MAX_MESSAGE_BYTES = 1024
"""The longest NDEF message that is read; a longer one is ignored."""
MAX_COMMANDS = 80
"""The most commands to one card: enough for the longest message in the smallest parts that readers return."""

Exchange = Generator[bytes, bytes, bytes]
_GOOD = b"\x90\x00"
_STORAGE_CARD = bytes.fromhex("4F0CA000000306")  # in the ATR that a reader makes for a storage card
_ULTRALIGHT, _ULTRALIGHT_C = 0x0003, 0x003A  # the Type 2 tags, NTAG21x among them
_HISTORICAL = bytes.fromhex("8001")


def conversation(atr: bytes) -> Exchange | None:
    """The exchange for a card with this ATR; None if such a card has no NDEF message that is readable without a key."""
    at = atr.find(_STORAGE_CARD)
    if at < 0:
        # Only a card of ISO/IEC 14443-4 understands the commands of Type 4.
        return type4() if atr[:1] == b"\x3b" and atr[2:4] == _HISTORICAL else None
    name = int.from_bytes(atr[at + len(_STORAGE_CARD) + 1 :][:2], "big")
    return type2() if name in (_ULTRALIGHT, _ULTRALIGHT_C) else None


def _data(answer: bytes) -> bytes:
    return answer[:-2] if answer[-2:] == _GOOD else b""


# -- Type 2: pages of four bytes, read four at a time

PAGE = 4
_CC_PAGE, _FIRST_PAGE, _LAST_PAGE = 3, 4, 255
MAX_AREA_BYTES = (_LAST_PAGE - _FIRST_PAGE + 1) * PAGE  # beyond them a sector would have to be selected
MAX_RESERVED = 8  # spans that control TLVs may reserve: real tags have one or two
_PAGES_BYTES = 16
_NDEF_MAGIC = 0xE1
_NULL, _LOCK_CONTROL, _MEMORY_CONTROL, _NDEF, _TERMINATOR = 0x00, 0x01, 0x02, 0x03, 0xFE
_LONG_LENGTH = 0xFF


def type2() -> Exchange:
    """The message of a Type 2 tag: capability container in page 3, then TLVs from page 4 on."""
    first = _data((yield _pages(_CC_PAGE)))
    if len(first) < PAGE or first[0] != _NDEF_MAGIC or first[1] >> 4 != 1 or first[3] >> 4:
        return b""  # no NDEF, a later version, or protected against reading
    size = min(first[2] * 8, MAX_AREA_BYTES)
    area = first[PAGE : len(first) // PAGE * PAGE][:size]
    while (message := ndef_of(area)) is None and len(area) < size:
        more = _data((yield _pages(_FIRST_PAGE + len(area) // PAGE)))
        if len(more) < PAGE:
            return b""
        area = (area + more[: len(more) // PAGE * PAGE])[:size]
    return message or b""


def _pages(page: int) -> bytes:
    return bytes((0xFF, 0xB0, 0x00, page, _PAGES_BYTES))


def ndef_of(area: bytes) -> bytes | None:
    """The NDEF message in the TLVs of a data area, b"" if there is none; None if more bytes are needed.

    Bytes that a control TLV reserves belong to no TLV.

    >>> ndef_of(bytes.fromhex("0103A00C34 00 0302D500 FE")).hex()
    'd500'
    """
    reader = _Area(area)
    while (kind := reader.byte()) is not None:
        if kind == _NULL:
            continue
        if kind == _TERMINATOR:
            return b""
        length = reader.byte()
        if length == _LONG_LENGTH:
            long_length = reader.several(2)
            length = None if long_length is None else int.from_bytes(long_length, "big")
        if length is None:
            return None
        if kind == _NDEF and length > MAX_MESSAGE_BYTES:
            return b""
        value = reader.several(length)
        if kind == _NDEF or value is None:
            return value
        if kind in (_LOCK_CONTROL, _MEMORY_CONTROL) and length == 3 and not reader.reserve(kind, value):
            return b""
    return None


class _Area:
    """Reads the bytes of a data area that belong to TLVs, one after the other."""

    def __init__(self, area: bytes) -> None:
        self._area, self._at = area, 0
        self._reserved: list[range] = []

    def byte(self) -> int | None:
        """The next byte; None at the end."""
        while any(self._at in span for span in self._reserved):
            self._at += 1
        if self._at >= len(self._area):
            return None
        self._at += 1
        return self._area[self._at - 1]

    def several(self, count: int) -> bytes | None:
        """The next bytes; None if there are fewer."""
        if self._at + count > len(self._area):
            return None
        value = bytearray()
        for _ in range(count):
            byte = self.byte()
            if byte is None:
                return None
            value.append(byte)
        return bytes(value)

    def reserve(self, kind: int, value: bytes) -> bool:
        """Skip the span that a control TLV reserves; False if there are more than `MAX_RESERVED` spans.

        The address in the TLV counts from the first byte of the tag, in pages of a size that the TLV gives.
        """
        begin = (value[0] >> 4 << (value[2] & 0x0F)) + (value[0] & 0x0F) - _FIRST_PAGE * PAGE
        size = value[1] or 256
        self._reserved.append(range(begin, begin + (size if kind == _MEMORY_CONTROL else (size + 7) // 8)))
        return len(self._reserved) <= MAX_RESERVED


# -- Type 4: files of an application

_SELECT_APPLICATION = bytes.fromhex("00A4040007D276000085010100")
_CC_FILE = bytes.fromhex("E103")
_NO_NDEF_FILES = frozenset(map(bytes.fromhex, ("0000", "E102", "E103", "3F00", "3FFF", "FFFF")))
_CC_BYTES, _NDEF_CONTROL = 15, bytes.fromhex("0406")
_PIECE_MIN, _PIECE_MAX = (
    15,
    240,
)  # the smallest that the specification allows, and the largest that every reader passes on
_LENGTH_BYTES = 2


def type4() -> Exchange:
    """The message of a Type 4 tag: select the NDEF application, read the capability container and the file it names."""
    if (yield _SELECT_APPLICATION)[-2:] != _GOOD or (yield _select(_CC_FILE))[-2:] != _GOOD:
        return b""
    container = _data((yield _read(0, _CC_BYTES)))
    if len(container) < _CC_BYTES or container[7:9] != _NDEF_CONTROL or container[13] != 0:
        return b""
    file, most = container[9:11], int.from_bytes(container[3:5], "big")
    if file in _NO_NDEF_FILES or most < _PIECE_MIN or (yield _select(file))[-2:] != _GOOD:
        return b""
    prefix = _data((yield _read(0, _LENGTH_BYTES)))
    length = int.from_bytes(prefix, "big") if len(prefix) == _LENGTH_BYTES else 0
    if length > min(MAX_MESSAGE_BYTES, int.from_bytes(container[11:13], "big") - _LENGTH_BYTES):
        return b""
    message = b""
    while len(message) < length:
        part = _data((yield _read(_LENGTH_BYTES + len(message), min(most, _PIECE_MAX, length - len(message)))))
        if not part:
            return b""
        message += part
    return message[:length]


def _select(file: bytes) -> bytes:
    return bytes.fromhex("00A4000C02") + file


def _read(offset: int, count: int) -> bytes:
    return bytes.fromhex("00B0") + offset.to_bytes(2, "big") + bytes((count,))
