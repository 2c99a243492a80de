"""One tag has one number, whatever is printed on it; and it arrives once, however often it is read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.decode.presence import MAX_TAGS, Left, Presence
from drivers.decode.smartcard import answered
from drivers.decode.tag import Printed, canonical, finds, printed

MS = 1_000_000


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
    assert canonical(written) == uid


def test_all_that_a_card_may_show_is_told():
    assert printed("3C00CE754C") == Printed(
        "3C00CE754C", "4C75CE003C", "3C00CE754CCB", "0013530444", "0013530444", "1282788864", "206,30028"
    )
    assert printed("04A1B2C3") == Printed(
        "04A1B2C3", "C3B2A104", "", "0010597059", "0077705923", "3283263748", "161,45763"
    )
    assert printed("AABB") == Printed("AABB", "BBAA")


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
    assert canonical(text) is None or bytes.fromhex(canonical(text) or "")
    finds(text, uid)


@pytest.mark.parametrize(
    ("response", "uid", "why"),
    [
        ("04A1B2C39000", "04A1B2C3", None),
        ("041122334455669000", "04112233445566", None),
        ("08A1B2C39000", "08A1B2C3", "The card shows a random number, another one each time (08A1B2C3)."),
        ("081122334455669000", "08112233445566", None),
        ("880411229000", "88041122", "The reader gives only the first part of a longer number (88041122)."),
        ("6A81", "", "The card's number cannot be read: this card or reader does not know the question (6A81)."),
        ("6300", "", "The card's number cannot be read: the reader says that the operation failed (6300)."),
        ("04A16282", "04A1", "The card's number cannot be read: the answer ended early (6282)."),
        ("6C07", "", "The card's number cannot be read: there is no number in the answer (6C07)."),
        ("9000", "", "The card's number cannot be read: there is no number in the answer (9000)."),
        ("", "", "The card's number cannot be read: there is no number in the answer (no status)."),
    ],
)  # fmt: skip
def test_a_cards_answer_is_its_number_or_the_reason_why_not(response, uid, why):
    sighting = answered(bytes.fromhex(response))
    assert (sighting.uid, sighting.why) == (uid, why)


def test_a_tag_arrives_once_and_its_leaving_tells_how_often_it_was_seen():
    field = Presence(leave_s=1.0)
    assert [field.seen("A", ms * MS, dbm) for ms, dbm in ((0, -60), (400, -51), (1300, None))] == [True, False, False]
    assert list(field.quiet(2299 * MS)) == []
    assert list(field.quiet(2300 * MS)) == [Left("A", 3, -51, 0, 1300 * MS)]
    assert field.seen("A", 2400 * MS)


def test_a_tag_that_only_passes_by_does_not_arrive():
    field = Presence(leave_s=1.0, enter_s=0.3)
    assert [field.seen("A", ms * MS) for ms in (0, 100, 299)] == [False] * 3
    assert list(field.quiet(5000 * MS)) == []
    assert [field.seen("A", ms * MS) for ms in (6000, 6200, 6300, 6400)] == [False, False, True, False]


def test_tags_side_by_side_do_not_disturb_each_other():
    field = Presence(leave_s=1.0)
    assert [field.seen(uid, 0) for uid in "ABAB"] == [True, True, False, False]
    assert field.seen("B", 900 * MS) is False
    assert [left.uid for left in field.quiet(1000 * MS)] == ["A"]


def test_two_readers_that_see_one_tag_are_two_facts():
    assert [Presence(leave_s=1.0).seen("A", 0) for _ in range(2)] == [True, True]


def test_a_flood_of_tags_costs_bounded_memory():
    field = Presence(leave_s=1.0)
    assert all(field.seen(str(number), number) for number in range(10 * MAX_TAGS))
    assert len(field) == MAX_TAGS
