"""Labelled things: what of the shop's definitions has a label: people, stages, reasons, products and command cards."""

from collections.abc import Iterator
from typing import NamedTuple

from station.core.codes.card_labels import WORD_OF, CardLabel, card_labels, words_of
from station.core.codes.command_cards import Card, read_card
from station.core.master_data import Definition, MasterData

OTHER_LABELS = frozenset({Card.STAGE, Card.REASON, Card.BADGE, Card.SETUP})
"""Cards that are labels of stages, reasons and people, or no labels."""


class Person(NamedTuple):
    """A person of the shop: the id, the name, the badge (empty: none) and the roles, separated by blanks."""

    person: str
    name: str
    badge: str
    roles: str


class LabelledThing(NamedTuple):
    """A thing with its id, its name, and what else there is to say about it."""

    id: str
    name: str
    beside: str = ""


def people(shop: MasterData, at_us: int) -> list[Person]:
    """Every person that is defined, by name."""
    found = [
        Person(
            str(data.get("person")),
            str(data.get("name") or data.get("person")),
            str(data.get("badge") or ""),
            " ".join(map(str, data.get("roles") or ())),
        )
        for data in (definition.data for definition in _defined(shop, "person.define", at_us))
    ]
    return sorted(found, key=lambda person: (person.name.casefold(), person.person))


def things(shop: MasterData, kind: str, at_us: int) -> list[LabelledThing]:
    """Every `stage`, `reason`, `product` or `card` of the shop, by name; cards in the order of use."""
    if kind == "card":
        return [LabelledThing(label.text, label.name, label.meaning) for label in _cards(shop, at_us)]
    found = [
        LabelledThing(str(data.get(kind)), str(data.get("name") or data.get(kind)))
        for data in (definition.data for definition in _defined(shop, f"{kind}.define", at_us))
    ]
    return sorted(found, key=lambda thing: (thing.name.casefold(), thing.id))


def _defined(shop: MasterData, what: str, at_us: int) -> Iterator[Definition]:
    return (definition for name in shop.names(what) if (definition := shop.at(what, name, at_us)) is not None)


def _cards(shop: MasterData, at_us: int) -> Iterator[CardLabel]:
    current = (definition for what in WORD_OF for definition in _defined(shop, what, at_us))
    for label in card_labels(words_of((definition.what, definition.data) for definition in current)).labels:
        read = read_card(label.text)
        if read is not None and read.card not in OTHER_LABELS:
            yield label
