"""Command cards: the printed commands of a bench (`WIP:…`), the same at every site.

The card's word is case-insensitive; its argument is taken as printed.

>>> read_card("wip:reason:Burr")
CardText(card=<Card.REASON: 'REASON'>, text='WIP:REASON:Burr', argument='Burr', qty_milli=None, unread=None)
>>> read_card("WIP:QTY:2.5").qty_milli
2500
>>> read_card("WO-1042") is None
True

The argument of SETUP belongs to the setup sheet and is taken as it was read, even if the scanner garbled it.

>>> read_card("WIP:SETUP:1B:0123456789").card
<Card.SETUP: 'SETUP'>
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from station.core.event import MAX_QTY_MILLI
from station.core.quantity import scaled

HEAD = "WIP:"
MAX_ARGUMENT_CHARACTERS = 120  # keeps the arguments of cards from making an event too long
_DECIMAL = re.compile(r"[0-9]{1,10}(?:\.[0-9]{1,3})?")


class Card(StrEnum):
    """The word of a card, after `WIP:`."""

    IN = "IN"
    OUT = "OUT"
    START = "START"
    DONE = "DONE"
    SCRAP = "SCRAP"
    REWORK = "REWORK"
    HOLD = "HOLD"
    RELEASE = "RELEASE"
    FINISH = "FINISH"
    QTY = "QTY"
    ALL = "ALL"
    MORE = "MORE"
    REASON = "REASON"
    STAGE = "STAGE"
    LOAD = "LOAD"
    CALL = "CALL"
    ANSWER = "ANSWER"
    COUNT = "COUNT"
    UNDO = "UNDO"
    CANCEL = "CANCEL"
    BADGE = "BADGE"
    SETUP = "SETUP"


_NEEDS_ARGUMENT = {
    Card.QTY: "a quantity",
    Card.REASON: "a reason",
    Card.STAGE: "a stage",
    Card.CALL: "the kind of help that is called",
    Card.BADGE: "a person's id",
}
_MAY_HAVE_ARGUMENT = frozenset({Card.REWORK})


@dataclass(frozen=True, slots=True)
class CardText:
    """A parsed card: its canonical text, its argument, or why it cannot be parsed."""

    card: Card | None
    text: str
    argument: str | None = None
    qty_milli: int | None = None
    unread: str | None = None


def quantity_milli(text: str) -> int | None:
    """Thousandths of a printed decimal (`.` only, at most three places, 1 to 10^12 thousandths); None for any other text.

    >>> quantity_milli("0.5"), quantity_milli("1,5"), quantity_milli("0")
    (500, None, None)
    """
    milli = scaled(text) if _DECIMAL.fullmatch(text) else None
    return milli if milli is not None and 1 <= milli <= MAX_QTY_MILLI else None


def read_card(text: str) -> CardText | None:
    """The card of this canonical text; None for a text that is no card, `unread` set for an invalid card."""
    if text[: len(HEAD)].upper() != HEAD:
        return None
    word, colon, argument = text[len(HEAD) :].partition(":")
    if not word.isascii() or word.upper() not in Card.__members__:
        return CardText(None, text, unread="no such card")
    card = Card(word.upper())
    head = HEAD + card
    if card is Card.SETUP:  # its argument exceeds the limit, and only sheet learning uses it
        return CardText(card, f"{head}{colon}{argument}", argument or None)
    if not colon:
        needed = _NEEDS_ARGUMENT.get(card)
        return CardText(None, head, unread=f"the {card} card lacks {needed}") if needed else CardText(card, head)
    whole = f"{head}:{argument}"
    if card not in _NEEDS_ARGUMENT and card not in _MAY_HAVE_ARGUMENT:
        return CardText(None, whole, unread=f"the {card} card takes nothing behind it")
    if not argument or len(argument) > MAX_ARGUMENT_CHARACTERS:
        return CardText(
            None,
            whole,
            unread=f"what stands behind {card} has {len(argument)} characters, not 1 to {MAX_ARGUMENT_CHARACTERS}",
        )
    if card is Card.QTY:
        milli = quantity_milli(argument)
        unread = None if milli else "no quantity: expected 0.001 to 1000000000, at most three digits behind a point"
        return CardText(card if milli else None, whole, argument, milli, unread)
    return CardText(card, whole, argument)
