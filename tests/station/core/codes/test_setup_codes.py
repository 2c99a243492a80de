"""Set-up codes of scanners: each documented form is known, what only looks like one is the shop's own."""

import random
import time

import pytest

from station.core.codes import Pattern, Scheme, read_code
from station.core.codes.setup_codes import FORMS, MAX_CHARACTERS, made_for

NEAR = [  # maker, as its document prints it, and what lacks one thing
    ("Newland", "@SETUPE1", "@SETUP"),
    ("Newland", "@UPAAD50", "@UPAAD50-1"),
    ("Newland", "@232BAD2", "@231BAD2"),
    ("Newland", "@TSUSET0D0A", "@TSU9ET0D0A"),
    ("Netum", "#SETUPE0", "#SETUPE2"),
    ("Netum", "@DISABLE_ALL2D", "@DISABLE_ALL3D"),
    ("Opticon", "@MENU_OPTO@ZZ@BAP@ZZ@OTPO_UNEM@", "@MENU_OPTO@ZZ@BAP@ZZ@"),
    ("Datalogic", "$P,AE,P", "$P,AE"),
    ("Alacrity and NADAMOO", "%%SpecCode15", "%%SpecCode1"),
    ("Alacrity and NADAMOO", "%%SpecCodeBA0004", "%SpecCodeBA0004"),
    ("Grow and M5Stack", "^#SC^303FFF0", "^#SC^303FFF"),
]


@pytest.mark.parametrize(("maker", "setup", "near"), NEAR)
def test_a_set_up_code_is_not_understood_and_names_whose_it_is(maker: str, setup: str, near: str) -> None:
    read = read_code(setup.encode(), None, ())
    assert (read.scheme, read.item, read.code) == (None, None, setup)
    assert read.unread == f"a set-up code of {maker} scanners; did your scanner change?"
    assert read_code(f"]C0{setup}".encode(), None, ()).unread == read.unread
    shops = read_code(near.encode(), None, ())
    assert (shops.scheme, shops.item) == (Scheme.TEXT, near)


def test_every_form_is_tried_above_and_says_where_it_stands() -> None:
    assert {maker for maker, _, _ in NEAR} == {form.maker for form in FORMS}
    assert all(form.source for form in FORMS)


def test_the_shops_own_pattern_comes_first() -> None:
    ours = Pattern("line", "@(?P<id>SETUPE[0-9])", "item")
    read = read_code(b"@SETUPE1", None, (ours,))
    assert (read.scheme, read.item, read.unread) == (Scheme.OWN, "SETUPE1", None)


def test_no_text_keeps_the_forms_busy() -> None:
    assert made_for("@MENU_OPTO@" + "Z" * (MAX_CHARACTERS - 22) + "@OTPO_UNEM@") == "Opticon"
    assert made_for("@MENU_OPTO@" + "Z" * (MAX_CHARACTERS - 21) + "@OTPO_UNEM@") is None
    seed = random.randrange(10**9)
    print(f"\nset-up codes: seed {seed}")
    chance, began = random.Random(seed), time.process_time()
    for _ in range(3000):
        form = chance.choice(["@MENU_OPTO@", "$P,", "@", "%%SpecCode", "^#SC^", "#SETUPE"])
        made_for(form + "".join(chance.choices("@$,P%#^0AZ_", k=MAX_CHARACTERS - len(form))))
    assert time.process_time() - began < 3  # a form that tried every split would take for ever
