"""Runs inside the guest: a barcode scanner on a USB port of the guest's own, made of the kernel's gadget framework.

The kernel enumerates it like any device in a socket: vendor, product, serial number, a boot keyboard's descriptor. Ports are
those of `dummy_hcd`; each gadget takes the first free one.

    gadget.py add NAME 05e0:1200 MAKER PRODUCT SERIAL   put together and plugged in
    gadget.py unplug NAME | plug NAME
    gadget.py type NAME HEX [PAUSE_MS [pull]]           types the bytes: US layout, control bytes as Ctrl keys, 0a as
                                                        Enter; pull: and pulls the plug before a pause ends the scan
    gadget.py press NAME PAUSE_MS CHORD ...             presses key combinations, Ctrl+Alt+F2 or Alt+SysRq+s: the keys
                                                        of one go down in turn and come up together
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

GADGETS = Path("/sys/kernel/config/usb_gadget")
PORTS = Path("/sys/class/udc")
ENGLISH = "strings/0x409"
SHIFT, CTRL = 0x02, 0x01
MODIFIERS = {"Ctrl": CTRL, "Shift": SHIFT, "Alt": 0x04, "Win": 0x08}
REPORT_BYTES = 8
REPORT_TAKEN_S = 0.02  # the host asks a keyboard every few milliseconds
# USB HID 1.11, appendix E.6: modifiers, one reserved byte, five lights, six keys.
KEYBOARD = bytes.fromhex(
    "05010906a101"  # generic desktop, keyboard, application
    "050719e029e71500250175019508 8102"  # eight modifier bits
    "950175088103"  # a reserved byte
    "950575010508190129059102 950175039103"  # five lights, three bits of padding
    "95067508150025650507190029658100 c0"  # six keys
)
# Key usages of the HID usage tables, section 10, as a US keyboard prints them: plain and with Shift.
ROW = [
    *zip("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", range(0x04, 0x1E), strict=True),
    *zip("1234567890", "!@#$%^&*()", range(0x1E, 0x28), strict=True),
    *zip("-=[]\\", "_+{}|", range(0x2D, 0x32), strict=True),
    *zip(";'`,./", ':"~<>?', range(0x33, 0x39), strict=True),
]
KEYS = {plain: (0, usage) for plain, _, usage in ROW} | {shifted: (SHIFT, usage) for _, shifted, usage in ROW}
KEYS |= {"\n": (0, 0x28), "\t": (0, 0x2B), " ": (0, 0x2C)}
for byte in range(0x20):  # Ctrl-A is 01, Ctrl-] is 1D
    KEYS.setdefault(chr(byte), (CTRL, KEYS[chr(byte | 0x40).lower()][1]))
NAMED = {"Enter": 0x28, "SysRq": 0x46, "Delete": 0x4C} | {f"F{number}": 0x39 + number for number in range(1, 13)}


def free_port() -> str:
    """A USB port with nothing in it."""
    taken = {path.read_text().strip() for path in GADGETS.glob("*/UDC")}
    free = sorted(port.name for port in PORTS.iterdir() if port.name not in taken)
    if not free:
        sys.exit(f"All {len(taken)} ports are taken: unplug a gadget, or load dummy_hcd with a higher num=.")
    return free[0]


def add(name: str, ids: str, maker: str, product: str, serial: str) -> None:
    """Put a scanner that types together and plug it in."""
    put_together(name, ids, maker, product, serial)
    plug(name)


def put_together(name: str, ids: str, maker: str, product: str, serial: str, kind: str = "hid") -> None:
    """Put a scanner together that types, or one with a serial line (`acm`); without a serial number where that is ""."""
    gadget = GADGETS / name
    function, configuration = gadget / f"functions/{kind}.{name}", gadget / "configs/c.1"
    for folder in (gadget, gadget / ENGLISH, configuration, function):
        folder.mkdir()
    vendor, _, product_id = ids.partition(":")
    (gadget / "idVendor").write_text(f"0x{vendor}")
    (gadget / "idProduct").write_text(f"0x{product_id}")
    (gadget / ENGLISH / "manufacturer").write_text(maker)
    (gadget / ENGLISH / "product").write_text(product)
    if serial:
        (gadget / ENGLISH / "serialnumber").write_text(serial)
    if kind == "hid":
        (function / "protocol").write_text("1")  # keyboard
        (function / "subclass").write_text("1")  # boot interface
        (function / "report_length").write_text(str(REPORT_BYTES))
        (function / "report_desc").write_bytes(KEYBOARD)
    (configuration / function.name).symlink_to(function)


def plug(name: str) -> None:
    """Put it into a free port."""
    (GADGETS / name / "UDC").write_text(free_port())


def unplug(name: str) -> None:
    """Pull it out."""
    (GADGETS / name / "UDC").write_text("\n")


def opened(name: str) -> int:
    """The descriptor that takes its reports."""
    node = (GADGETS / name / f"functions/hid.{name}/dev").read_text().strip()
    return os.open(f"/dev/char/{node}", os.O_WRONLY)


def press(name: str, pause_ms: str, *chords: str) -> None:
    """Press each combination of keys: the modifiers, then one key after another, then let go of all."""
    device = opened(name)
    for chord in chords:
        words = chord.split("+")
        modifiers = sum(MODIFIERS.get(word, 0) for word in words)
        keys = [NAMED[word] if word in NAMED else KEYS[word][1] for word in words if word not in MODIFIERS]
        for count in range(len(keys) + 1):
            os.write(device, bytes([modifiers, 0, *keys[:count]]).ljust(REPORT_BYTES, b"\0"))
        os.write(device, bytes(REPORT_BYTES))
        time.sleep(int(pause_ms) / 1000)
    os.close(device)


def type_bytes(name: str, text: str, pause_ms: str = "0", then: str = "") -> None:
    """Press and release the key of each byte, as fast as the port takes reports, or with a pause after each.

    `then` is nothing, or "pull": unplug it as soon as the other side has had time to take the last report.
    """
    device = opened(name)
    for character in bytes.fromhex(text).decode("ascii"):
        modifiers, usage = KEYS[character]
        os.write(device, bytes([modifiers, 0, usage, 0, 0, 0, 0, 0]))
        os.write(device, bytes(REPORT_BYTES))
        time.sleep(int(pause_ms) / 1000)
    os.close(device)
    if then == "pull":
        time.sleep(REPORT_TAKEN_S)
        unplug(name)


if __name__ == "__main__":
    verbs: dict[str, Callable[..., None]] = {
        "add": add,
        "plug": plug,
        "unplug": unplug,
        "type": type_bytes,
        "press": press,
    }
    verbs[sys.argv[1]](*sys.argv[2:])
