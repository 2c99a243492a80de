"""USB ids of devices with a serial port that are no readers: a probe could disturb them, and some reset when opened.

Names and ids are those of usb.ids (2025.07.26). Not listed are makers of general-purpose chips, makers that also make
readers, and boards that may be used as a reader and tolerate an opening.

>>> what_else(0x2341, 0x0043), what_else(0x0483, 0x374B), what_else(0x1A86, 0x7523)
('an Arduino', 'a programmer or its console (ST-LINK)', None)
"""

from collections.abc import Mapping

MAKERS: Mapping[int, str] = {
    0x05C6: "a modem (Qualcomm)",
    0x091E: "a navigation receiver (Garmin)",
    0x09D7: "a navigation receiver (NovAtel)",
    0x0AF0: "a modem (Option)",
    0x0BAF: "a modem (U.S. Robotics)",
    0x1163: "a navigation receiver (DeLorme)",
    0x1199: "a modem (Sierra Wireless)",
    0x12D1: "a modem (Huawei)",
    0x1366: "a programmer or its console (SEGGER)",
    0x1410: "a modem (Novatel Wireless)",
    0x1508: "a modem (Fibocom)",
    0x1546: "a navigation receiver or modem (u-blox)",
    0x19D2: "a modem (ZTE)",
    0x1BC7: "a modem (Telit)",
    0x1E0E: "a modem (Qualcomm, Option)",
    0x1E2D: "a modem (Gemalto M2M)",
    0x2341: "an Arduino",
    0x28C7: "a 3D printer (Ultimaker)",
    0x2A03: "an Arduino",
    0x2C7C: "a modem (Quectel)",
    0x2C99: "a 3D printer (Prusa)",
    0x2CB7: "a modem (Fibocom)",
}
_PRODUCTS: Mapping[tuple[int, str], tuple[int, ...]] = {
    (0x03EB, "a programmer or its console (Atmel)"): (0x2103, 0x2107, 0x2110, 0x2111, 0x2140, 0x2141, 0x2145),
    (0x0403, "a programmer or its console (JTAG)"): (0x1060, 0x8028, 0xA6D0, 0xBAF8, 0xCFF8, 0xD738),
    (0x0451, "a programmer or its console (Texas Instruments)"): (0x16A2, 0xBEF3),
    (0x0483, "a programmer or its console (ST-LINK)"): (
        0x3744, 0x3748, 0x374B, 0x374D, 0x374E, 0x374F, 0x3752, 0x3753,
    ),
    (0x04B4, "a programmer or its console (KitProg)"): (0xF139,),
    (0x0658, "a radio for Z-Wave (Sigma Designs)"): (0x0200, 0x0280),
    (0x0D28, "a programmer or its console (ARM mbed)"): (0x0204,),
    (0x10C4, "a programmer or its console (Silicon Labs)"): (0x8044,),
    (0x15BA, "a programmer or its console (Olimex)"): (0x0003, 0x0004, 0x002A, 0x002B),
    (0x1CF1, "a radio for ZigBee (ConBee II)"): (0x0030,),
    (0x1D50, "a 3D printer or its like (Smoothieboard)"): (0x6015, 0x60A0),
    (0x1D50, "a 3D printer or its like (Marlin)"): (0x6029,),
    (0x1D50, "a 3D printer or its like (Duet)"): (0x60EC, 0x60ED, 0x60EE),
    (0x1D50, "a programmer or its console (Black Magic)"): (0x6018,),
    (0x1D50, "a navigation receiver (Zubax)"): (0x60C7,),
}  # fmt: skip
PRODUCTS: Mapping[tuple[int, int], str] = {
    (vendor, product): what for (vendor, what), products in _PRODUCTS.items() for product in products
}


def what_else(vendor: int, product: int) -> str | None:
    """What a device with these ids is if it is known to be no reader, else None."""
    return MAKERS.get(vendor) or PRODUCTS.get((vendor, product))
