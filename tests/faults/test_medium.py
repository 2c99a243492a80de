"""The card of our own making forgets what a real one may forget, and nothing else."""

import doctest

from tests.faults import medium
from tests.faults.medium import Medium, Survivors


def a_card() -> Medium:
    """A flushed file of two pages, /a."""
    card = Medium()
    card.create("/a")
    card.write("/a", b"1" * 8_192, 0)
    card.fsync("/a")
    card.fsync_folder("/")
    return card


def test_the_example_runs() -> None:
    assert doctest.testmod(medium).failed == 0


def test_what_was_flushed_survives_every_cut() -> None:
    card = a_card()
    assert all(card.cut(seed, torn=True) == Survivors({"a": b"1" * 8_192}, 0) for seed in range(50))


def test_what_was_not_flushed_survives_in_any_part_and_nothing_is_made_up() -> None:
    card = a_card()
    card.write("/a", b"2" * 8_192, 0)
    images = {card.cut(seed, torn=True).files["a"] for seed in range(200)}
    assert all(set(image[at : at + 512]) in ({0x31}, {0x32}) for image in images for at in range(0, 8_192, 512))
    assert len(images) > 100
    assert card.cut(0, torn=False) == Survivors({"a": b"1" * 8_192}, 2)


def test_a_name_that_was_not_flushed_may_be_lost_with_its_file() -> None:
    card = a_card()
    card.create("/b")
    card.write("/b", b"3", 0)
    card.fsync("/b")
    assert card.cut(0, torn=False).files == {"a": b"1" * 8_192}
    assert {"b" in card.cut(seed, torn=True).files for seed in range(20)} == {True, False}


def test_names_survive_in_their_order() -> None:
    card = a_card()
    for name in "bcd":
        card.create(f"/{name}")
    kept = {"".join(sorted(card.cut(seed, torn=True).files)) for seed in range(50)}
    assert kept == {"a", "ab", "abc", "abcd"}


def test_a_move_between_folders_is_one_change_unless_only_one_of_them_is_flushed() -> None:
    card = a_card()
    card.make_folder("/old")
    card.fsync_folder("/")
    card.rename("/a", "/old/a")
    assert {tuple(card.cut(seed, torn=True).files) for seed in range(20)} == {("a",), ("old/a",)}
    card.fsync_folder("/")
    assert card.cut(0, torn=False).files == {}, "the old name is gone, the new one was never flushed"


def test_a_file_made_shorter_and_longer_again_never_shows_what_it_once_held() -> None:
    card = a_card()
    card.file("/a").resize(0)
    card.write("/a", b"4", 6_000)
    card.fsync("/a")
    assert card.cut(0, torn=True).files["a"] == bytes(6_000) + b"4"
