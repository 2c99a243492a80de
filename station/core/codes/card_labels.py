"""Labels of the operator's cards: the text of each symbol, its name in large letters, and a line about its effect.

Most cards are the same in every shop; quantities, stages, reasons, calls and badges are the shop's own. A text of the shop
that a scanner could not return unchanged makes no card; it is listed with the reason.

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
MAX_TEXT_BYTES = 450  # the capacity of a square symbol that fits on a card; only texts beyond ASCII come near it
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
    Card.ANSWER: ("Answer", "the calls of this stage are answered"),
    Card.STAGE: ("", "this bench works here now"),
    Card.REASON: ("", "the reason"),
    Card.BADGE: ("", "badge: scan to sign in, again to sign out"),
}
_SAME_EVERYWHERE = (
    Card.IN, Card.OUT, Card.START, Card.DONE, Card.SCRAP, Card.REWORK, Card.HOLD, Card.RELEASE, Card.FINISH, Card.COUNT,
    Card.ALL, Card.MORE, Card.LOAD, Card.ANSWER, Card.UNDO, Card.CANCEL,
)  # fmt: skip

HARD_TO_TAKE_BACK = frozenset({Card.SCRAP, Card.REWORK, Card.FINISH, Card.ALL, Card.UNDO})
"""Cards that scrap or end pieces, lower the yield, apply to all that is here, or take a scan out of the ledger."""

WORD_OF = {"stage.define": "stage", "reason.define": "reason", "person.define": "badge", "card.define": "card"}
"""The definitions that make cards, and the field of each that is printed on its card."""

Named = tuple[str, str]
"""An id of the shop, as it follows a card's colon, and its name."""


@dataclass(frozen=True, slots=True)
class CardVocabulary:
    """The shop's ids on cards. `own`: complete card texts that the shop defined itself, with their names."""

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
    meaning: str

    @property
    def hard_to_take_back(self) -> bool:
        """Whether it is kept apart from the other cards.

        >>> CardLabel("WIP:REWORK:saw", "Back to the saw", "").hard_to_take_back
        True
        """
        return _card_of(self) in HARD_TO_TAKE_BACK


@dataclass(frozen=True, slots=True)
class RefusedLabel:
    """A text that makes no card, and the reason."""

    text: str
    why: str


@dataclass(frozen=True, slots=True)
class CardLabels:
    """The printable cards in the order of use, badges last; and the refused texts."""

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
        label = _label(text, name)
        if isinstance(label, CardLabel) and len(labels) == MAX_CARDS:
            label = RefusedLabel(text, f"one print holds {MAX_CARDS} cards")
        labels.append(label) if isinstance(label, CardLabel) else refused.append(label)
    order = list(Card)
    labels.sort(key=lambda label: _rank(label, order))
    return CardLabels(tuple(labels), tuple(refused))


def words_of(definitions: Iterable[tuple[str, Mapping[str, Any]]]) -> CardVocabulary:
    """The card ids of a shop from its valid definitions, each (`what`, fields); the last of each id counts.

    >>> words_of([("stage.define", {"stage": "saw", "name": "Saw"}), ("reason.define", {"reason": "burr"})]).stages
    (('saw', 'Saw'),)
    """
    names: dict[str, dict[str, str]] = {what: {} for what in WORD_OF}
    for what, data in definitions:
        if what in WORD_OF and data.get(WORD_OF[what]):
            word = str(data[WORD_OF[what]])
            names[what][word] = str(data.get("name") or word)
    stages, reasons, people, own = (names[what] for what in WORD_OF)
    return CardVocabulary(
        stages=tuple(stages.items()), reasons=tuple(reasons.items()), people=tuple(people.items()), own=own
    )


def shown(text: str) -> str:
    """A text for paper: invisible and bidirectional formatting characters are replaced by their code points.

    >>> shown("Saw\u202e 1")
    'Saw{202E} 1'
    """
    return "".join(char if char.isprintable() else f"{{{ord(char):02X}}}" for char in text)


def _canonical(text: str) -> str:
    read = read_card(text)
    return text if read is None else read.text


def _label(text: str, name: str) -> CardLabel | RefusedLabel:
    """The card of a text, if parsing the text gives exactly this card."""
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


def _rank(label: CardLabel, order: list[Card]) -> int:
    return order.index(_card_of(label))


def _card_of(label: CardLabel) -> Card:
    return Card(label.text[len(HEAD) :].partition(":")[0])
