"""USB devices as sysfs shows them: which one a smart card reader of pcscd is part of, and what interfaces it has."""

from contextlib import suppress
from pathlib import Path

from drivers import ports
from drivers.decode.plugged import Facts

DEVICES = Path("/sys/bus/usb/devices")


def facts_at(address: tuple[int, int]) -> Facts | None:
    """The device with this bus and number; None where it is gone."""
    with suppress(OSError):
        for folder in DEVICES.iterdir():
            if address_of(folder) == address:
                return ports.usb_device(folder, str(folder.resolve()), "usb")
    return None


def address_of(folder: Path) -> tuple[int, int] | None:
    """Bus and number of the device in this folder; None where it is none, or gone."""
    try:
        return int((folder / "busnum").read_text()), int((folder / "devnum").read_text())
    except (OSError, ValueError):
        return None
