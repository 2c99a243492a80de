"""NFC cards to put on a reader: what a Type 2 and a Type 4 tag answer, written from the NFC Forum's papers."""

ULTRALIGHT_ATR = bytes.fromhex("3B8F8001804F0CA0000003060300030000000068")
CLASSIC_ATR = bytes.fromhex("3B8F8001804F0CA000000306030001000000006A")
GOOD, WRONG = b"\x90\x00", b"\x6a\x82"


def text_record(text: bytes, flags: int = 0xD1) -> bytes:
    """A text in English."""
    payload = b"\x02en" + text
    if len(payload) < 256:
        return bytes((flags, 1, len(payload))) + b"T" + payload
    return bytes((flags & ~0x10, 1)) + len(payload).to_bytes(4, "big") + b"T" + payload


def text_message(text: bytes) -> bytes:
    """A message of one text."""
    return text_record(text)


class Type2:
    """A Type 2 tag of NTAG's kind: pages of four bytes, read four at a time and round its end to its beginning."""

    def __init__(self, message: bytes, size: int = 888, before: bytes = b"\x01\x03\xe8\x0e\x66") -> None:
        length = bytes((len(message),)) if len(message) < 255 else b"\xff" + len(message).to_bytes(2, "big")
        area = before + b"\x00\x03" + length + message + b"\xfe"
        assert len(area) <= size
        self.memory = bytes(12) + bytes((0xE1, 0x10, size // 8, 0)) + area + bytes(size - len(area))

    def __call__(self, command: bytes) -> bytes:
        """Read Binary, as PC/SC readers pass it on."""
        if command[:3] != b"\xff\xb0\x00" or len(command) != 5:
            return b"\x6d\x00"
        begin = command[3] * 4
        return b"\x63\x00" if begin >= len(self.memory) else (self.memory * 2)[begin : begin + command[4]] + GOOD


class Type4:
    """A Type 4 tag: an application with a capability container and one file."""

    def __init__(self, message: bytes, most: int = 59, **changes: bytes) -> None:
        file = len(message).to_bytes(2, "big") + message
        container = bytes.fromhex("000F20") + most.to_bytes(2, "big") + bytes.fromhex("00340406E1040400" + "0000")
        self.files = {b"\xe1\x03": container, b"\xe1\x04": file}
        self.files.update({bytes.fromhex(name[1:]): content for name, content in changes.items()})
        self.most = most
        self._application = False
        self._file: bytes | None = None

    def __call__(self, command: bytes) -> bytes:
        """Select and Read Binary."""
        if command == bytes.fromhex("00A4040007D276000085010100"):
            self._application = True
            return GOOD
        if command[:5] == bytes.fromhex("00A4000C02") and len(command) == 7:
            self._file = self.files.get(command[5:]) if self._application else None
            return WRONG if self._file is None else GOOD
        if command[:2] == bytes.fromhex("00B0") and len(command) == 5 and self._file is not None:
            begin, count = int.from_bytes(command[2:4], "big"), command[4] or 256
            return b"\x67\x00" if count > self.most else self._file[begin : begin + count] + GOOD
        return b"\x6d\x00"
