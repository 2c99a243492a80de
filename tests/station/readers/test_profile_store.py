"""What readers were taught outlives restarts and power cuts, and is forgotten when somebody says so."""

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from station.readers.profile_store import (
    KEYPAD,
    MOST_READERS,
    SAID_KEYPAD,
    SENT_THE_SHEET,
    ProfileStore,
    ReaderProfile,
    beside,
)

GERMAN = ReaderProfile(profile={"layout": "de", "caps": "obeyed"}, words="German layout.")


@pytest.fixture
def taught(tmp_path: Path) -> ProfileStore:
    return ProfileStore(beside(tmp_path / "journal.db"))


def test_it_lies_beside_the_journal_and_another_process_reads_it(taught: ProfileStore, tmp_path: Path) -> None:
    assert taught.path == tmp_path / "readers.json"
    taught.keep("usb-1", GERMAN)
    taught.keep("usb-2", KEYPAD)
    again = ProfileStore(taught.path)
    assert again.descriptions() == {"usb-1": SENT_THE_SHEET, "usb-2": SAID_KEYPAD}
    assert (again.ids(), again.of("usb-1"), again.of("usb-2"), again.of("usb-3")) == (
        ("usb-1", "usb-2"), GERMAN, KEYPAD, None,
    )  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["readers.json"]


def test_the_latest_sheet_counts_and_what_is_forgotten_is_gone(taught: ProfileStore) -> None:
    taught.keep("usb-1", GERMAN)
    french = ReaderProfile(profile={"layout": "fr"})
    taught.keep("usb-1", french)
    assert taught.of("usb-1") == french
    assert [taught.forget("usb-1"), taught.forget("usb-1")] == [True, False]
    assert taught.ids() == ()


def test_at_most_64_are_kept_and_the_oldest_goes(taught: ProfileStore) -> None:
    for number in range(MOST_READERS):
        taught.keep(f"usb-{number}", GERMAN)
    assert len(taught.ids()) == MOST_READERS
    taught.keep("usb-0", GERMAN)  # taught again: not the oldest any more
    taught.keep("one more", GERMAN)
    assert len(taught.ids()) == MOST_READERS
    assert taught.of("usb-1") is None
    assert taught.ids()[-2:] == ("usb-0", "one more")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"readers": {"a": 5}}', b"\xff\xfe"])
def test_a_file_that_cannot_be_read_teaches_nothing_and_is_kept_aside(taught: ProfileStore, content: bytes) -> None:
    taught.path.write_bytes(content)
    assert (taught.ids(), taught.of("a")) == ((), None)
    taught.keep("usb-1", GERMAN)
    assert taught.ids() == ("usb-1",)
    assert taught.path.with_name("readers.json.unread").read_bytes() == content
    taught.forget("usb-1")
    taught.keep("usb-2", GERMAN)  # an empty file of ours is no strange one
    assert taught.path.with_name("readers.json.unread").read_bytes() == content


def test_a_cut_while_it_is_written_leaves_the_old_file_whole(
    taught: ProfileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    taught.keep("usb-1", GERMAN)

    def cut(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", cut)
    with pytest.raises(OSError, match="Input/output"):
        taught.keep("usb-2", GERMAN)
    assert taught.ids() == ("usb-1",)


@pytest.mark.parametrize("change", [lambda taught: taught.keep("usb-3", KEYPAD), lambda taught: taught.forget("usb-1")])
def test_a_disk_that_gives_nothing_up_once_makes_nobody_forget(
    taught: ProfileStore, monkeypatch: pytest.MonkeyPatch, change: Callable[[ProfileStore], object]
) -> None:
    taught.keep("usb-1", GERMAN)
    taught.keep("usb-2", KEYPAD)
    read, reads = Path.read_bytes, []

    def read_but(path: Path) -> bytes:
        reads.append(path)
        if len(reads) == fails_at:
            raise OSError(24, "Too many open files")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", read_but)
    for fails_at in (1, 2, 3):
        reads.clear()
        with suppress(OSError):
            change(taught)
        monkeypatch.setattr(Path, "read_bytes", read)
        assert "usb-2" in taught.ids(), fails_at
        monkeypatch.setattr(Path, "read_bytes", read_but)


def test_a_command_and_the_station_that_write_at_once_both_are_heard(
    taught: ProfileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go = threading.Event(), threading.Event()
    slow, command = ProfileStore(taught.path), ProfileStore(taught.path)
    write = slow._write

    def held_up(readers: dict[str, ReaderProfile]) -> None:
        begun.set()
        go.wait(5)
        write(readers)

    monkeypatch.setattr(slow, "_write", held_up)
    threads = [threading.Thread(target=slow.keep, args=("usb-1", GERMAN))]
    threads[0].start()
    assert begun.wait(5)
    threads.append(threading.Thread(target=command.keep, args=("usb-2", KEYPAD)))
    threads[1].start()
    threads[1].join(0.2)
    go.set()
    for thread in threads:
        thread.join(5)
    assert taught.ids() == ("usb-1", "usb-2")


def test_what_is_taught_again_and_again_is_written_once(taught: ProfileStore) -> None:
    taught.keep("usb-1", GERMAN)
    written = taught.path.stat().st_ino
    for _ in range(3):
        taught.keep("usb-1", GERMAN)
    assert taught.path.stat().st_ino == written
    taught.keep("usb-2", GERMAN)
    taught.keep("usb-1", GERMAN)
    assert taught.ids() == ("usb-2", "usb-1")
