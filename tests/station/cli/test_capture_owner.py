"""A recording that root made belongs to whose folder it is in, and to nobody else."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers import Read
from station.cli import capture
from station.cli.capture import Capture, CaptureOptions


class Wedge:
    """A reader that ends at once."""

    kind, reader, lossless = "keyboard", "usb-1", False

    def record(self, tape: Any) -> None:
        tape.begin(self.kind, self.reader)

    def reads(self) -> Iterator[Read]:
        return iter(())

    def close(self) -> None:
        """Nothing is held."""


def owners_given(file: Path, user: int) -> list[tuple[int, int]]:
    """Create a file as this user; the owners that it is given to."""
    owners: list[tuple[int, int]] = []
    with capture.new_file(
        file, geteuid=lambda: user, fchown=lambda _descriptor, owner, group: owners.append((owner, group))
    ) as write:
        write(b"{}\n")
    assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) == (b"{}\n", capture.ONLY_OWNER)
    return owners


def test_what_root_records_is_given_to_the_folders_owner(tmp_path: Path) -> None:
    folder = tmp_path.stat()
    assert owners_given(tmp_path / "case.rec", user=0) == [(folder.st_uid, folder.st_gid)]


def test_what_anybody_else_records_is_theirs(tmp_path: Path) -> None:
    assert owners_given(tmp_path / "case.rec", user=1000) == []


def test_a_stick_that_knows_no_owners_holds_a_recording_all_the_same(tmp_path: Path) -> None:
    def refuse(_descriptor: int, _owner: int, _group: int) -> None:
        raise PermissionError

    file = tmp_path / "case.rec"
    with capture.new_file(file, geteuid=lambda: 0, fchown=refuse) as write:
        write(b"{}\n")
    assert file.read_bytes() == b"{}\n"


def test_in_the_folder_of_the_stations_user_the_file_is_that_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "wipline"
    folder.mkdir()
    owner = (os.geteuid(), os.getegid())
    if os.geteuid() == 0:  # nobody else can give a file away: the tests above say to whom
        owner = (65_534, 65_533)
        os.chown(folder, *owner)
    monkeypatch.chdir(folder)
    Capture(CaptureOptions(kind="keyboard"), None, open_reader=lambda *_: Wedge()).make(
        Path("case.rec"), lambda _outcome: None, 1
    )
    made = Path("case.rec").stat()
    assert (made.st_uid, made.st_gid, stat.S_IMODE(made.st_mode)) == (*owner, capture.ONLY_OWNER)
