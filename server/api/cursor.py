"""Cursors: an ascending number, of a ledger position or a change of items, with the epoch in which it is valid.

>>> Cursor.read("3:40")
Cursor(epoch=3, pos=40)
>>> str(Cursor(3, 40))
'3:40'
>>> Cursor.read("yesterday") is None
True
"""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Cursor:
    """A cursor; its text form is `epoch:pos`."""

    epoch: int
    pos: int

    def __str__(self) -> str:
        return f"{self.epoch}:{self.pos}"

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Parse a cursor; None for any other text, after which the client starts from the beginning."""
        epoch, colon, pos = text.partition(":")
        if not colon or not epoch.isascii() or not epoch.isdecimal() or not pos.isascii() or not pos.isdecimal():
            return None
        return cls(int(epoch), int(pos)) if len(text) <= 40 else None
