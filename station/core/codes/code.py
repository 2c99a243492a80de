"""A code: what one scan says, before anybody asks what it means for the shop.

The scheme tells by whose rules it was read: the shop's own patterns, a printed command card, a badge, plain text, or one
of the published systems. What could not be read has no scheme and says why; it is recorded all the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from station.core.codes.command_cards import Card


class Scheme(StrEnum):
    """By whose rules a code was read."""

    OWN = "own"
    GS1 = "gs1"
    EPC = "epc"
    ISO15434 = "iso15434"
    UID = "uid"
    COMMAND = "command"
    BADGE = "badge"
    TEXT = "text"
    AMBIGUOUS = "ambiguous"


class CodeType(StrEnum):
    """What a code names."""

    ITEM = "item"
    PRODUCT = "product"
    BADGE = "badge"
    COMMAND = "command"
    CARRIER = "carrier"


@dataclass(frozen=True, slots=True)
class Code:
    """What one scan says.

    `raw` as the device sent it; `sym` its AIM identifier; `code` canonical text (empty only where nothing was left to
    read); `item` what it names before bindings, None for cards, badges and the unread; `fields` its parts by name;
    `as_` what it names; `unread` why it could not be read (then `scheme` is None). `card` with its `argument` and
    `qty_milli`, or `badge`, where it is one.
    """

    raw: bytes
    sym: str | None
    scheme: Scheme | None
    code: str
    item: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    as_: CodeType = CodeType.ITEM
    unread: str | None = None
    card: Card | None = None
    argument: str | None = None
    qty_milli: int | None = None
    badge: str | None = None

    @property
    def is_counted(self) -> bool:
        """Whether a scan of this code is about an item: not a card, a badge, or a product or carrier of the shop's own.

        A product by a published system (a GTIN alone) is an item of its own, as the hub folds it.
        """
        return self.item is not None and not (
            self.scheme is Scheme.OWN and self.as_ in (CodeType.PRODUCT, CodeType.CARRIER)
        )
