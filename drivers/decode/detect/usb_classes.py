"""The interface classes of a USB device, from its descriptors in sysfs (USB 2.0, chapter 9).

The kernel creates the file of descriptors before the first interface, so it is complete when an interface is reported.

>>> sorted(classes(bytes.fromhex("09023b0002010080fa 0904000001030101 00 0904010003 0b0000 00")))
[3, 11]
"""

SMART_CARD = 0x0B
_INTERFACE = 4
_CLASS_AT = 5


def classes(descriptors: bytes) -> frozenset[int]:
    """The class of each interface. Other descriptors and malformed ones are skipped."""
    interface_classes, rest = set(), descriptors
    while len(rest) > 1 and rest[0] > 1:  # a length below 2 ends the list: the next descriptor cannot be found
        length, descriptor_type = rest[:2]
        if descriptor_type == _INTERFACE and min(length, len(rest)) > _CLASS_AT:
            interface_classes.add(rest[_CLASS_AT])
        rest = rest[length:]
    return frozenset(interface_classes)
