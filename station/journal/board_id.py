"""Which board this is: a card that wakes up in another one must begin a log of its own, or two devices share one identity.

>>> hardware_id([("serial", Path("/nowhere"))]) is None
True
"""

from collections.abc import Iterable
from pathlib import Path

SOURCES = (
    ("serial", Path("/sys/firmware/devicetree/base/serial-number")),  # Raspberry Pi and most single-board computers
    ("dmi", Path("/sys/class/dmi/id/product_uuid")),  # PCs; readable by root only
    ("machine", Path("/etc/machine-id")),  # made at installation: a cloned card has the same
)


def hardware_id(sources: Iterable[tuple[str, Path]] = SOURCES) -> str | None:
    """`kind:value` of the first source that says something, None where none does."""
    for kind, path in sources:
        try:
            value = path.read_text(encoding="ascii", errors="replace").strip("\0 \n").lower()
        except OSError:
            continue
        if value.strip("0-"):
            return f"{kind}:{value}"
    return None
