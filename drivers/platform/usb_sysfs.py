"""USB devices as sysfs shows them: which one a smart card reader of pcscd is part of, and what interfaces it has."""

import os
from contextlib import suppress
from pathlib import Path

from drivers.decode.detect.device_info import DeviceInfo
from drivers.decode.detect.usb_classes import SMART_CARD, classes
from drivers.platform import serial_ports

DEVICES = Path("/sys/bus/usb/devices")
PCSCD = Path("/run/pcscd/pcscd.comm")
LEVELS = 6  # from a part of a device up to the device


def facts_at(address: tuple[int, int]) -> DeviceInfo | None:
    """The device with this bus and number; None where it is gone."""
    with suppress(OSError):
        for folder in DEVICES.iterdir():
            if address_of(folder) == address:
                return serial_ports.usb_device(folder, str(folder.resolve()), "usb")
    return None


def address_of(folder: Path) -> tuple[int, int] | None:
    """Bus and number of the device in this folder; None where it is none, or gone."""
    try:
        return int((folder / "busnum").read_text()), int((folder / "devnum").read_text())
    except (OSError, ValueError):
        return None


def reads_cards(part: Path) -> bool:
    """Whether the USB device that this is a part of is a reader of smart cards as well, and pcscd is there to read them."""
    if not Path(os.environ.get("PCSCLITE_CSOCK_NAME", PCSCD)).exists():
        return False
    for folder in [part, *part.parents][:LEVELS]:
        if (folder / "idVendor").exists():
            with suppress(OSError):
                return SMART_CARD in classes((folder / "descriptors").read_bytes())
            break
    return False
