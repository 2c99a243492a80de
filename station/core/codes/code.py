"""Code: the parsed content of one scan, before the ledger interprets it.

The scheme is the set of rules by which it was parsed: the shop's patterns, command cards, badges, plain text, or a published
system. A code that could not be parsed has no scheme and a reason; it is recorded too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from station.core.codes.canonical import plain_braces
from station.core.codes.command_cards import Card


class Scheme(StrEnum):
    """The rules by which a code was parsed."""

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
    """The type of thing that a code identifies."""

    ITEM = "item"
    PRODUCT = "product"
    BADGE = "badge"
    COMMAND = "command"
    CARRIER = "carrier"


@dataclass(frozen=True, slots=True)
class Code:
    """The parsed content of one scan.

    `raw`: as the device sent it; `sym`: its AIM identifier; `code`: canonical text (empty only without content); `item`: the
    id before bindings, None for cards, badges and unread codes; `fields`: its parts by name; `as_`: the type of thing;
    `unread`: why it could not be parsed (then `scheme` is None). A card has `card`, `argument` and `qty_milli`; a badge has
    `badge`. `key`: the key of a published code, which each spelling of it has; empty for every other code.
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
    key: str = ""

    @property
    def identity(self) -> str:
        """What all spellings of this code have in common: the key of a published code, else the text."""
        return self.key or plain_braces(self.code)

    @property
    def is_counted(self) -> bool:
        """Whether a scan of this code counts for an item: not a card, a badge, or the shop's own product or carrier code.

        A product code of a published system (a GTIN alone) is an item of its own; the hub folds it in the same way.
        """
        return self.item is not None and not (
            self.scheme is Scheme.OWN and self.as_ in (CodeType.PRODUCT, CodeType.CARRIER)
        )
