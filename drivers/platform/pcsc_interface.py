"""The smart card service as `drivers.pcsc` asks for it: a port, so that pcscd and a service in a test look alike.

>>> PcscReaderState(mark=0x20, turn=1, card=True).atr
b''
"""

from dataclasses import dataclass
from typing import Protocol


class ServiceGone(Exception):
    """pcscd is not running, or has ended."""


class ServiceRefuses(ServiceGone):
    """pcscd is there, and lets this user not in: Debian 13's asks polkit."""


class NoReader(Exception):
    """pcscd knows no reader of this name (any more)."""


@dataclass(frozen=True, slots=True)
class PcscReaderState:
    """A reader as pcscd sees it: `mark` is pcscd's, shown again to learn of the next change; `turn` counts cards.

    `card`: one is on it; `atr`: how it introduced itself (ISO/IEC 7816-3; of a contactless card its reader makes one).
    """

    mark: int
    turn: int
    card: bool
    atr: bytes = b""


class PcscCard(Protocol):
    """The card that is on a reader, while it is spoken to. `send` raises `ServiceGone` or `NoReader`."""

    def send(self, command: bytes) -> bytes | None:
        """What the card answers, b"" where it says nothing, None where it was taken away."""
        ...

    def close(self) -> None:
        """Leave it as it is."""


class PcscService(Protocol):
    """What is asked of pcscd; calls raise `ServiceGone` or `NoReader`."""

    def connect(self) -> None:
        """Speak to pcscd, anew if we did before."""

    def readers(self) -> list[str]:
        """The names of all readers."""
        ...

    def change(self, reader: str, known: PcscReaderState | None, timeout_s: float) -> PcscReaderState:
        """The reader's state once it differs from the known one, or when the time is over or `cancel` was called."""
        ...

    def card(self, reader: str) -> PcscCard:
        """The card on this reader; whether there is one shows at the first command."""
        ...

    def control(self, reader: str, command: bytes) -> bytes:
        """What the reader itself answers; b"" where its driver passes no such command on."""
        ...

    def usb(self, reader: str) -> tuple[int, int] | None:
        """Bus and number of the USB device that this reader is part of; None where it does not tell, or is gone."""
        ...

    def cancel(self) -> None:
        """End a `change` that another thread waits in."""

    def close(self) -> None:
        """Leave pcscd."""
