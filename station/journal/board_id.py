"""Board id: identify the board, so that a card in another board begins a new log; else two devices would share one log.

>>> hardware_id([("serial", Path("/nowhere"))]) is None
True
"""

from collections.abc import Iterable
from pathlib import Path

SOURCES = (
    ("serial", Path("/sys/firmware/devicetree/base/serial-number")),  # Raspberry Pi and most single-board computers
    ("dmi", Path("/sys/class/dmi/id/product_uuid")),  # PCs; readable by root only
    ("machine", Path("/etc/machine-id")),  # made at installation, so a cloned card has the same one
)


def hardware_id(sources: Iterable[tuple[str, Path]] = SOURCES) -> str | None:
    """`kind:value` of the first source that has a value; None where none has."""
    for kind, path in sources:
        try:
            value = path.read_text(encoding="ascii", errors="replace").strip("\0 \n").lower()
        except OSError:
            continue
        if value.strip("0-"):
            return f"{kind}:{value}"
    return None
