"""A card's response is its number or a reason; a tag arrives once and leaves once, however often it is detected."""

import pytest

from drivers.decode.tags.presence import MAX_TAGS, TagDeparture, TagPresence
from drivers.decode.tags.smartcard import answered

MS = 1_000_000


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
    field = TagPresence(leave_s=1.0)
    assert [field.seen("A", ms * MS, dbm) for ms, dbm in ((0, -60), (400, -51), (1300, None))] == [True, False, False]
    assert field.due_ns() == 2300 * MS
    assert list(field.quiet(2299 * MS)) == []
    assert list(field.quiet(2300 * MS)) == [TagDeparture("A", 3, -51, 0, 1300 * MS)]
    assert (field.due_ns(), list(field.quiet(9000 * MS))) == (None, [])
    assert field.seen("A", 2400 * MS)


def test_a_tag_that_only_passes_by_neither_arrives_nor_leaves():
    field = TagPresence(leave_s=1.0, enter_s=0.3)
    assert [field.seen("A", ms * MS) for ms in (0, 100, 299)] == [False] * 3
    assert list(field.quiet(5000 * MS)) == []
    assert [field.seen("A", ms * MS) for ms in (6000, 6200, 6300, 6400)] == [False, False, True, False]
    assert list(field.quiet(9000 * MS)) == [TagDeparture("A", 4, None, 6300 * MS, 6400 * MS)]


def test_tags_side_by_side_do_not_disturb_each_other():
    field = TagPresence(leave_s=1.0)
    assert [field.seen(uid, 0) for uid in "ABAB"] == [True, True, False, False]
    assert field.seen("B", 900 * MS) is False
    assert [left.uid for left in field.quiet(1000 * MS)] == ["A"]


def test_two_readers_that_see_one_tag_are_two_facts():
    fields = [TagPresence(leave_s=1.0) for _ in range(2)]
    assert [field.seen("A", 0) for field in fields] == [True, True]
    assert [[left.uid for left in field.quiet(1000 * MS)] for field in fields] == [["A"], ["A"]]


def test_a_tag_that_lies_there_without_being_read_again_stays_and_is_not_counted():
    field = TagPresence(leave_s=1.0)
    field.seen("A", 0)
    for ms in range(500, 5000, 500):
        field.stays("A", ms * MS)
        assert list(field.quiet(ms * MS)) == []
    field.stays("B", 4600 * MS)  # has no effect for an absent tag
    assert list(field.quiet(5500 * MS)) == [TagDeparture("A", 1, None, 0, 4500 * MS)]


def test_a_refused_tag_has_no_departure():
    field = TagPresence(leave_s=1.0)
    assert field.seen("random", 0, silent=True)
    assert list(field.quiet(9000 * MS)) == []


def test_a_late_look_loses_no_end():
    field = TagPresence(leave_s=1.0)
    assert [field.seen("A", ms * MS) for ms in (0, 5000)] == [True, True]
    assert list(field.quiet(5000 * MS)) == [TagDeparture("A", 1, None, 0, 0)]


def test_a_lost_reader_has_lost_all_its_tags():
    field = TagPresence(leave_s=1.0)
    for uid in "AB":
        field.seen(uid, 7)
    assert list(field.all_left()) == [TagDeparture("A", 1, None, 7, 7), TagDeparture("B", 1, None, 7, 7)]
    assert len(field) == 0


def test_a_flood_of_tags_needs_bounded_memory_and_each_dropped_tag_departs():
    field = TagPresence(leave_s=1.0)
    assert all(field.seen(str(number), number) for number in range(MAX_TAGS + 1))
    assert [left.uid for left in field.quiet(MAX_TAGS + 1)] == ["0"]
    assert all(field.seen(str(number), number) for number in range(MAX_TAGS + 1, 10 * MAX_TAGS))
    assert len(field) == MAX_TAGS
    assert len(list(field.quiet(10 * MAX_TAGS))) == MAX_TAGS  # the bound of departures that are not yielded yet
