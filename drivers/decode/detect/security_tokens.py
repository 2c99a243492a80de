"""Security tokens: USB devices with a built-in card, which pcscd lists as a reader whose card is never removed.

>>> key = DeviceInfo("/sys/x", "YubiKey OTP+FIDO+CCID", 3, 0x1050, 0x0407, "", "usb-1-2", False, False, subsystem="usb")
>>> token_sign(key)
'its maker makes security tokens: 1050, Yubico'
>>> token_sign(DeviceInfo("/sys/x", "ACR122U PICC", 3, 0x072F, 0x2200, "", "usb-1-2", False, False, subsystem="usb"))
"""

import re
from collections.abc import Mapping

from drivers.decode.detect.device_info import DeviceInfo

# Vendors whose smart card devices are tokens unless their name says reader (usb.ids, the list of libccid).
TOKEN_VENDORS: Mapping[int, str] = {
    0x0529: "Aladdin, SafeNet",
    0x0A89: "Aktiv",
    0x1050: "Yubico",
    0x20A0: "Nitrokey, CanoKey",
    0x234B: "Gnuk",
    0x24DC: "Aladdin R.D.",
    0x2C97: "Ledger",
    0x316D: "Purism",
    0x32A3: "GoTrust",
    0x349E: "Token2",
}
ICCD = "its interface is that of a card, not of a reader (ICCD)"
"""The hint for a device whose interface protocol is that of a card itself (USB ICCD 1.0, section 4)."""
_NAME = re.compile(
    r"token|yubi ?key|nitrokey|canokey|rutoken|jacarta|epass(?!port)|gnuk|crypto ?(stick|mate)|security key|\bfido"
    r"|crescendo key|digipass key|solo ?(2|key)|librem key",
    re.IGNORECASE,
)
_READER = re.compile(r"reader|picc|nfc module", re.IGNORECASE)


def token_sign(info: DeviceInfo) -> str | None:
    """The reason why a smart card device is a token, a few words; None if it is none."""
    if ICCD in info.hints:
        return ICCD
    if _READER.search(info.name):
        return None
    if info.vendor in TOKEN_VENDORS:
        return f"its maker makes security tokens: {info.vendor:04x}, {TOKEN_VENDORS[info.vendor]}"
    match = _NAME.search(info.name)
    return f"its name says so: {match[0].lower()!r}" if match else None
