"""One tag has one number, whatever is printed on it, and what is printed finds it among few candidates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.core.codes.tag_numbers import (
    MAX_NUMBER_BYTES,
    TAIL_BYTES,
    PrintedNumbers,
    TagSearch,
    canonical_number,
    finds,
    printed,
    searched,
)


@pytest.mark.parametrize(
    ("written", "uid"),
    [
        ("3C00CE754C", "3C00CE754C"),
        ("3c00ce754c", "3C00CE754C"),
        ("3C:00:CE:75:4C", "3C00CE754C"),
        ("3C00CE754CCB", "3C00CE754C"),
        ("04 A1 B2 C3", "04A1B2C3"),
        ("3C00CE754CCC", "3C00CE754CCC"),  # six bytes, and no checksum among them
        ("3C0", None),
        ("", None),
        ("WO-1042", None),
    ],
)
def test_a_written_number_has_one_canonical_form(written, uid):
    assert canonical_number(written) == uid


def test_all_that_a_card_may_show_is_told():
    assert printed("3C00CE754C") == PrintedNumbers(
        "3C00CE754C", "4C75CE003C", "3C00CE754CCB", "0013530444", "0013530444", "1282788864", "206,30028"
    )
    assert printed("04A1B2C3") == PrintedNumbers(
        "04A1B2C3", "C3B2A104", "", "0010597059", "0077705923", "3283263748", "161,45763"
    )
    assert printed("AABB") == PrintedNumbers("AABB", "BBAA")


@pytest.mark.parametrize(
    "text",
    ["3c 00 ce 75 4c", "3C00CE754CCB", "4C75CE003C", "0013530444", "13530444", "206,30028", " 206/30028 "],
)
def test_what_is_printed_finds_the_tag(text):
    assert finds(text, "3C00CE754C")


@pytest.mark.parametrize("text", ["", " ", "0013530445", "206,30029", "205,30028", "CE754C", "13530444x", "٣", "WO-1"])
def test_another_print_does_not_find_it(text):
    assert not finds(text, "3C00CE754C")


@given(number=st.binary(min_size=1, max_size=10), text=st.text(max_size=20))
def test_every_form_finds_its_number_and_no_text_raises(number, text):
    uid = number.hex().upper()
    forms = printed(uid)
    shown = (
        forms.uid, forms.backwards, forms.with_checksum, forms.decimal, forms.decimal_long,
        forms.decimal_backwards, forms.facility,
    )  # fmt: skip
    assert all(finds(form, uid) for form in shown if form)
    assert canonical_number(text) is None or bytes.fromhex(canonical_number(text) or "")
    finds(text, uid)


def shown(uid: str) -> list[str]:
    forms = printed(uid)
    every = [
        forms.uid, forms.backwards, forms.with_checksum, forms.decimal, forms.decimal_long,
        forms.decimal_backwards, forms.facility,
    ]  # fmt: skip
    return [form for form in every if form]


@given(number=st.binary(min_size=4, max_size=MAX_NUMBER_BYTES))
def test_whatever_is_printed_on_a_tag_leads_to_it(number: bytes) -> None:
    uid = number.hex().upper()
    for form in shown(uid):
        for typed in (form, form.lower(), f" {form} ", form.lstrip("0") or "0" if form.isdecimal() else form):
            if finds(typed, uid):
                look = searched(typed)
                # A number of five bytes with its checksum behind it may itself be a whole number: both are looked up.
                assert uid in look.numbers or uid[-2 * TAIL_BYTES :] in look.tails, (typed, look)


@given(text=st.text(max_size=400))
def test_whatever_is_typed_costs_a_few_looks(text: str) -> None:
    look = searched(text)
    assert len(look.numbers) <= 3
    assert len(look.tails) <= 2
    assert all(len(tail) == 2 * TAIL_BYTES for tail in look.tails)


@pytest.mark.parametrize(
    ("typed", "look"),
    [
        ("WO-1042", TagSearch((), ())),
        ("", TagSearch((), ())),
        ("300,1", TagSearch((), ())),  # a facility is one byte
        ("206,70000", TagSearch((), ())),
        ("206,30028", TagSearch((), ("CE754C",))),
        ("4c:75:ce:00:3c", TagSearch(("4C75CE003C", "3C00CE754C"), ())),
        ("3C00CE754CCB", TagSearch(("3C00CE754C", "3C00CE754CCB", "CB4C75CE003C"), ())),
        ("4294967296", TagSearch(("4294967296", "9672969442"), ())),  # more than four bytes: no card prints it
        ("4294967295", TagSearch(("4294967295", "9572969442"), ("FFFFFF",))),
        ("AB" * 200, TagSearch((), ())),
    ],
)
def test_what_is_typed_is_looked_up_by_whole_numbers_and_by_ends(typed: str, look: TagSearch) -> None:
    assert searched(typed) == look
