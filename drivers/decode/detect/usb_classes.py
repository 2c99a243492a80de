"""What a USB device is, by the classes of its interfaces: its descriptors as sysfs hands them out (USB 2.0, chapter 9).

The file is there before the first interface is, so nothing is asked too early.

>>> sorted(classes(bytes.fromhex("09023b0002010080fa 0904000001030101 00 0904010003 0b0000 00")))
[3, 11]
"""

SMART_CARD = 0x0B
_INTERFACE = 4
_CLASS_AT = 5


def classes(descriptors: bytes) -> frozenset[int]:
    """The class of each interface; what does not fit is passed over to its end."""
    found, rest = set(), descriptors
    while len(rest) > 1 and rest[0] > 1:  # shorter than its own head: nothing behind it can be found
        length, kind = rest[:2]
        if kind == _INTERFACE and min(length, len(rest)) > _CLASS_AT:
            found.add(rest[_CLASS_AT])
        rest = rest[length:]
    return frozenset(found)
