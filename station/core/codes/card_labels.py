"""The operator's cards as they are printed: what each symbol says, its name in large letters, and a line of what it does.

Most cards are the same in every shop; quantities, stages, reasons, calls and badges are the shop's own. A word of the shop
that no scanner could bring back as it is makes no card: it is named, with the reason.

>>> made = card_labels(CardVocabulary(quantities=("5",), reasons=(("burr", "Burr left"),)))
>>> [label.text for label in made.labels if ":" in label.text[4:]]
['WIP:QTY:5', 'WIP:REASON:burr', 'WIP:CALL:supervisor']
>>> card_labels(CardVocabulary(quantities=("1,5",))).refused[0].why
'no quantity: expected 0.001 to 1000000000, at most three digits behind a point'
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from station.core.codes.command_cards import HEAD, Card, read_card
from station.core.codes.parser import read_code

MAX_CARDS = 500  # in one print; a shop with more people prints them some at a time
MAX_NAME_CHARACTERS = 64
MAX_TEXT_BYTES = 450  # what a square that fits on a card holds; only letters beyond ASCII come near
_SAYS = {
    Card.IN: ("In", "has arrived here"),
    Card.OUT: ("Out", "leaves here"),
    Card.START: ("Start", "work on it begins here"),
    Card.DONE: ("Done", "is done here"),
    Card.SCRAP: ("Scrap", "one piece is scrapped, or QTY of them"),
    Card.REWORK: ("Rework", "one piece goes back, or QTY of them"),
    Card.HOLD: ("Hold", "must not go on"),
    Card.RELEASE: ("Release", "may go on again"),
    Card.FINISH: ("Finish", "is finished"),
    Card.COUNT: ("Count", "was counted here"),
    Card.ALL: ("All of it", "not one piece, but all that is here"),
    Card.MORE: ("One more", "count the same sheet once more"),
    Card.LOAD: ("Load", "the sheets scanned next travel together"),
    Card.UNDO: ("Undo", "takes back the newest scan"),
    Card.CANCEL: ("Cancel", "drops the card that was scanned before"),
    Card.QTY: ("", "the quantity"),
    Card.CALL: ("", "asks for help"),
    Card.STAGE: ("", "this bench works here now"),
    Card.REASON: ("", "the reason"),
    Card.BADGE: ("", "badge: scan to sign in, again to sign out"),
}
_SAME_EVERYWHERE = (
    Card.IN, Card.OUT, Card.START, Card.DONE, Card.SCRAP, Card.REWORK, Card.HOLD, Card.RELEASE, Card.FINISH, Card.COUNT,
    Card.ALL, Card.MORE, Card.LOAD, Card.UNDO, Card.CANCEL,
)  # fmt: skip

WORD_OF = {"stage.define": "stage", "reason.define": "reason", "person.define": "badge", "card.define": "card"}
"""The definitions that make cards, and the field of each that stands on its card."""

Named = tuple[str, str]
"""A word of the shop as it stands behind a card's colon, and what people call it."""


@dataclass(frozen=True, slots=True)
class CardVocabulary:
    """What of a shop stands on cards. `own`: cards that the shop has listed itself, whole, with its names for them."""

    quantities: tuple[str, ...] = ("1", "5", "10")
    stages: tuple[Named, ...] = ()
    reasons: tuple[Named, ...] = ()
    calls: tuple[str, ...] = ("supervisor",)
    people: tuple[Named, ...] = ()
    own: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CardLabel:
    """One printed card."""

    text: str
    name: str
    says: str


@dataclass(frozen=True, slots=True)
class RefusedLabel:
    """A text that makes no card, and why."""

    text: str
    why: str


@dataclass(frozen=True, slots=True)
class CardLabels:
    """What can be printed, in the order of the bench, badges last; and what cannot."""

    labels: tuple[CardLabel, ...]
    refused: tuple[RefusedLabel, ...]


def card_labels(words: CardVocabulary) -> CardLabels:
    """The cards of a shop, each once; at most `MAX_CARDS` of them."""
    named: dict[str, str] = {f"{HEAD}{card}": _SAYS[card][0] for card in _SAME_EVERYWHERE}
    named |= {f"{HEAD}{Card.QTY}:{quantity}": quantity for quantity in words.quantities}
    named |= {f"{HEAD}{Card.CALL}:{kind}": f"Call: {kind}" for kind in words.calls}
    named |= {f"{HEAD}{Card.REASON}:{reason}": name for reason, name in words.reasons}
    named |= {f"{HEAD}{Card.STAGE}:{stage}": name for stage, name in words.stages}
    named |= {_canonical(text): name for text, name in words.own.items()}
    named |= {f"{HEAD}{Card.BADGE}:{badge}": name for badge, name in words.people}
    labels: list[CardLabel] = []
    refused: list[RefusedLabel] = []
    for text, name in named.items():
        made = _label(text, name)
        if isinstance(made, CardLabel) and len(labels) == MAX_CARDS:
            made = RefusedLabel(text, f"one print holds {MAX_CARDS} cards")
        labels.append(made) if isinstance(made, CardLabel) else refused.append(made)
    order = list(Card)
    labels.sort(key=lambda label: _place(label, order))
    return CardLabels(tuple(labels), tuple(refused))


def words_of(definitions: Iterable[tuple[str, Mapping[str, Any]]]) -> CardVocabulary:
    """The words of a shop from its definitions, each (`what`, fields): those that hold, one of each thing.

    >>> words_of([("stage.define", {"stage": "saw", "name": "Saw"}), ("reason.define", {"reason": "burr"})]).stages
    (('saw', 'Saw'),)
    """
    found: dict[str, dict[str, str]] = {what: {} for what in WORD_OF}
    for what, data in definitions:
        if what in WORD_OF and data.get(WORD_OF[what]):
            word = str(data[WORD_OF[what]])
            found[what][word] = str(data.get("name") or word)
    stages, reasons, people, own = (found[what] for what in WORD_OF)
    return CardVocabulary(
        stages=tuple(stages.items()), reasons=tuple(reasons.items()), people=tuple(people.items()), own=own
    )


def shown(text: str) -> str:
    """A text as it can stand on paper: what cannot be seen, or turns what is around it, as its number.

    >>> shown("Saw\u202e 1")
    'Saw{202E} 1'
    """
    return "".join(each if each.isprintable() else f"{{{ord(each):02X}}}" for each in text)


def _canonical(text: str) -> str:
    read = read_card(text)
    return text if read is None else read.text


def _label(text: str, name: str) -> CardLabel | RefusedLabel:
    """The card of a text, if what a scanner brings back is that very card."""
    code = read_code(text.encode(errors="replace"), None, ())
    if code.unread is not None:
        return RefusedLabel(text, code.unread)
    card = Card.BADGE if code.badge is not None else code.card
    if len(code.raw) > MAX_TEXT_BYTES:
        return RefusedLabel(text, f"a card holds {MAX_TEXT_BYTES} bytes, and it has {len(code.raw)}")
    if card is None:
        return RefusedLabel(text, "it does not begin with WIP:")
    if card is Card.SETUP:
        return RefusedLabel(text, "it stands on the setup sheet")
    argument = code.badge if code.badge is not None else code.argument
    if text != f"{HEAD}{card}" + (f":{argument}" if argument else ""):
        return RefusedLabel(text, "a scanner would bring it back in another spelling")
    name = " ".join(name.split()) or argument or card
    return CardLabel(text, shown(name)[:MAX_NAME_CHARACTERS], _SAYS[card][1])


def _place(label: CardLabel, order: list[Card]) -> int:
    return order.index(Card(label.text[len(HEAD) :].partition(":")[0]))
