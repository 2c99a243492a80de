"""USB devices in sysfs: the device of a smart card reader of pcscd, and the interface classes of a device."""

import os
from contextlib import suppress
from pathlib import Path

from drivers.decode.detect.device_info import DeviceInfo
from drivers.decode.detect.usb_classes import SMART_CARD, classes
from drivers.platform import ROOT, serial_ports

PCSCD = Path("/run/pcscd/pcscd.comm")
LEVELS = 6  # folders from an interface up to its device


def facts_at(address: tuple[int, int], root: Path = ROOT) -> DeviceInfo | None:
    """The device with this bus and device number; None if it was removed."""
    with suppress(OSError):
        for folder in (root / "sys/bus/usb/devices").iterdir():
            if address_of(folder) == address:
                return serial_ports.usb_device(folder, str(folder.resolve()), "usb")
    return None


def address_of(folder: Path) -> tuple[int, int] | None:
    """Bus and device number of the device in this folder; None if it is no device or was removed."""
    try:
        return int((folder / "busnum").read_text()), int((folder / "devnum").read_text())
    except (OSError, ValueError):
        return None


def reads_cards(part: Path) -> bool:
    """Whether the USB device with this interface is a smart card reader as well, and pcscd runs."""
    if not Path(os.environ.get("PCSCLITE_CSOCK_NAME", PCSCD)).exists():
        return False
    for folder in [part, *part.parents][:LEVELS]:
        if (folder / "idVendor").exists():
            with suppress(OSError):
                return SMART_CARD in classes((folder / "descriptors").read_bytes())
            break
    return False
