"""The smart card service as `drivers.pcsc` uses it: a port, implemented by pcscd's adapter, by playback and by tests.

>>> PcscReaderState(mark=0x20, turn=1, card=True).atr
b''
"""

from dataclasses import dataclass
from typing import Protocol


class ServiceGone(Exception):
    """pcscd is not running, or has ended."""


class ServiceRefuses(ServiceGone):
    """pcscd runs and denies access to this user; on Debian 13 it asks polkit."""


class NoReader(Exception):
    """pcscd has no reader of this name, or has it no longer."""


@dataclass(frozen=True, slots=True)
class PcscReaderState:
    """The state of a reader. `mark` is pcscd's event state, passed back to wait for the next change.

    `turn` counts cards put on and removed; `card`: a card is present; `atr` is its answer to reset (ISO/IEC 7816-3; for a
    contactless card the reader makes one).
    """

    mark: int
    turn: int
    card: bool
    atr: bytes = b""


class PcscCard(Protocol):
    """A connection to the card in a reader. `send` raises `ServiceGone` or `NoReader`."""

    def send(self, command: bytes) -> bytes | None:
        """The card's response, b"" if it gives none, None if it was removed."""
        ...

    def close(self) -> None:
        """Disconnect, and leave the card powered."""


class PcscService(Protocol):
    """The calls to pcscd; they raise `ServiceGone` or `NoReader`."""

    def connect(self) -> None:
        """Connect to pcscd, or connect again."""

    def readers(self) -> list[str]:
        """The names of all readers."""
        ...

    def change(self, reader: str, known: PcscReaderState | None, timeout_s: float) -> PcscReaderState:
        """Wait until the reader's state differs from `known`, for the timeout, or for `cancel`; return the state."""
        ...

    def card(self, reader: str) -> PcscCard:
        """The card in this reader; its first command shows whether there is one."""
        ...

    def control(self, reader: str, command: bytes) -> bytes:
        """The response of the reader itself to an escape command, b"" if its driver does not support them."""
        ...

    def usb(self, reader: str) -> tuple[int, int] | None:
        """Bus and device number of the USB device that has this reader; None if unknown or removed."""
        ...

    def cancel(self) -> None:
        """End a `change` that blocks in another thread."""

    def close(self) -> None:
        """Disconnect from pcscd."""
