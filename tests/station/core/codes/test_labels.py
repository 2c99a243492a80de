"""The operator's cards: every card of the bench can be printed, and each says what a scanner brings back."""

import pytest

from station.core.codes import Card, read_code
from station.core.codes.card_labels import (
    MAX_CARDS,
    MAX_NAME_CHARACTERS,
    CardLabel,
    CardVocabulary,
    RefusedLabel,
    card_labels,
    words_of,
)

SHOP = CardVocabulary(
    quantities=("1", "2.5"),
    stages=(("saw", "Saw"), ("řez", "Řezání")),
    reasons=(("burr", "Burr left"),),
    calls=("supervisor",),
    people=(("K7", "A. Kim"),),
    own={"wip:qty:1": "A single one", "WIP:REWORK:saw": "Back to Saw"},
)


def test_every_card_of_the_bench_has_a_print_and_the_sheet_has_its_own() -> None:
    printed = {read_code(each.text.encode(), None, ()).card or Card.BADGE for each in card_labels(SHOP).labels}
    assert printed == set(Card) - {Card.SETUP}


def test_each_card_says_the_canonical_text_of_what_it_means() -> None:
    labels = card_labels(SHOP).labels
    for label in labels:
        code = read_code(label.text.encode(), None, ())
        assert (code.unread, code.code) == (None, label.text)
    assert len({each.text for each in labels}) == len(labels)


def test_the_shops_own_names_stand_on_its_cards() -> None:
    names = {each.text: each.name for each in card_labels(SHOP).labels}
    assert names["WIP:QTY:1"] == "A single one"
    assert names["WIP:QTY:2.5"] == "2.5"
    assert names["WIP:REWORK:saw"] == "Back to Saw"
    assert names["WIP:STAGE:řez"] == "Řezání"
    assert names["WIP:CALL:supervisor"] == "Call: supervisor"
    assert (names["WIP:SCRAP"], names["WIP:BADGE:K7"]) == ("Scrap", "A. Kim")


def test_badges_come_last_and_the_others_in_the_order_of_the_bench() -> None:
    texts = [each.text for each in card_labels(SHOP).labels]
    assert texts[:3] == ["WIP:IN", "WIP:OUT", "WIP:START"]
    assert texts[-1] == "WIP:BADGE:K7"
    assert texts.index("WIP:REWORK") + 1 == texts.index("WIP:REWORK:saw")


@pytest.mark.parametrize(
    ("words", "refused"),
    [
        (CardVocabulary(quantities=("0",)),
         RefusedLabel("WIP:QTY:0", "no quantity: expected 0.001 to 1000000000, at most three digits behind a point")),
        (CardVocabulary(stages=(("a{b", "A"),)),
         RefusedLabel("WIP:STAGE:a{b", "a scanner would bring it back in another spelling")),
        (CardVocabulary(stages=(("a\x00b", "A"),)), RefusedLabel("WIP:STAGE:a\x00b",
                                                       "a scanner would bring it back in another spelling")),
        (CardVocabulary(reasons=(("e\u0301", "A"),)), RefusedLabel("WIP:REASON:e\u0301",
                                                        "a scanner would bring it back in another spelling")),
        (CardVocabulary(reasons=(("\udcff", "A"),)), RefusedLabel("WIP:REASON:\udcff",
                                                       "a scanner would bring it back in another spelling")),
        (CardVocabulary(people=(("x" * 121, "A"),)), RefusedLabel(
            "WIP:BADGE:" + "x" * 121, "what stands behind BADGE has 121 characters, not 1 to 120")),
        (CardVocabulary(own={"C1": "Hold"}), RefusedLabel("C1", "it does not begin with WIP:")),
        (CardVocabulary(own={"WIP:PAUSE": "Pause"}), RefusedLabel("WIP:PAUSE", "no such card")),
        (CardVocabulary(own={"WIP:SETUP:1A:": "Setup"}), RefusedLabel("WIP:SETUP:1A:", "it stands on the setup sheet")),
    ],
)  # fmt: skip
def test_what_no_scanner_could_bring_back_is_named_and_not_printed(
    words: CardVocabulary, refused: RefusedLabel
) -> None:
    made = card_labels(words)
    assert made.refused == (refused,)
    assert refused.text not in {each.text for each in made.labels}


def test_a_print_holds_so_many_cards_and_names_the_rest() -> None:
    people = tuple((f"{number}", f"Person {number}") for number in range(MAX_CARDS))
    room = MAX_CARDS - len(card_labels(CardVocabulary()).labels)
    full = card_labels(CardVocabulary(people=people[:room]))
    assert (len(full.labels), full.refused) == (MAX_CARDS, ())
    over = card_labels(CardVocabulary(people=people[: room + 1]))
    assert len(over.labels) == MAX_CARDS
    assert over.refused == (RefusedLabel(f"WIP:BADGE:{room}", f"one print holds {MAX_CARDS} cards"),)


def test_names_are_seen_as_they_are_on_paper() -> None:
    made = card_labels(CardVocabulary(stages=(("a", "A\u202eB\x00  C"), ("b", " "))))
    names = {each.text: each.name for each in made.labels}
    assert (names["WIP:STAGE:a"], names["WIP:STAGE:b"]) == ("A{202E}B{00} C", "b")
    long = {each.text: each.name for each in card_labels(CardVocabulary(stages=(("a", "n" * 65),))).labels}
    assert long["WIP:STAGE:a"] == "n" * MAX_NAME_CHARACTERS


def test_the_words_of_a_shop_come_from_its_definitions() -> None:
    words = words_of(
        (
            ("stage.define", {"stage": "saw", "name": "Saw"}),
            ("stage.define", {"stage": "mill"}),
            ("reason.define", {"reason": "burr", "name": "Burr left"}),
            ("person.define", {"person": "kim", "name": "A. Kim", "badge": "K7"}),
            ("person.define", {"person": "weber", "name": "E. Weber"}),
            ("card.define", {"card": "WIP:QTY:25", "name": "25 pieces"}),
            ("product.define", {"product": "bracket", "name": "Bracket"}),
            ("reason.define", {"name": "nameless"}),
        )
    )
    assert words == CardVocabulary(
        stages=(("saw", "Saw"), ("mill", "mill")),
        reasons=(("burr", "Burr left"),),
        people=(("K7", "A. Kim"),),
        own={"WIP:QTY:25": "25 pieces"},
    )
    assert CardLabel("WIP:QTY:25", "25 pieces", "the quantity") in card_labels(words).labels
