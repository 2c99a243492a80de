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
from station.system.file_lock import locked_folder

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
@pytest.mark.parametrize("fails_at", [1, 2, 3])
def test_a_disk_that_gives_nothing_up_once_makes_nobody_forget(
    taught: ProfileStore, monkeypatch: pytest.MonkeyPatch, change: Callable[[ProfileStore], object], fails_at: int
) -> None:
    taught.keep("usb-1", GERMAN)
    taught.keep("usb-2", KEYPAD)
    read, reads = Path.read_bytes, []

    def read_but(path: Path) -> bytes:
        reads.append(path)
        if len(reads) == fails_at:
            raise OSError(24, "Too many open files")
        return read(path)

    with monkeypatch.context() as failing, suppress(OSError):
        failing.setattr(Path, "read_bytes", read_but)
        change(taught)
    assert "usb-2" in taught.ids()


def test_a_command_and_the_station_that_write_at_once_both_are_heard(taught: ProfileStore) -> None:
    writers = [
        threading.Thread(target=ProfileStore(taught.path).keep, args=entry)
        for entry in (("usb-1", GERMAN), ("usb-2", KEYPAD))
    ]
    with locked_folder(taught.path.parent):
        for writer in writers:
            writer.start()
            writer.join(0.2)  # if it did not wait for the lock, it would have read the file by now
        assert taught.ids() == ()
    for writer in writers:
        writer.join()
    assert sorted(taught.ids()) == ["usb-1", "usb-2"]


def test_what_is_taught_again_and_again_is_written_once(taught: ProfileStore) -> None:
    taught.keep("usb-1", GERMAN)
    written = taught.path.stat().st_ino
    for _ in range(3):
        taught.keep("usb-1", GERMAN)
    assert taught.path.stat().st_ino == written
    taught.keep("usb-2", GERMAN)
    taught.keep("usb-1", GERMAN)
    assert taught.ids() == ("usb-2", "usb-1")
