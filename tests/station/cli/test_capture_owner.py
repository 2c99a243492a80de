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


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """To whom files are given."""
    said: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "fchown", lambda _descriptor, user, group: said.append((user, group)))
    monkeypatch.setattr(capture, "open_driver", lambda *_: Wedge())
    return said


def recorded(file: Path) -> Path:
    """A recording in this file."""
    Capture(CaptureOptions(kind="keyboard"), None).make(file, lambda _: None, 1)
    assert stat.S_IMODE(file.stat().st_mode) == capture.ONLY_OWNER
    return file


def test_what_root_records_is_given_to_the_folders_owner(
    tmp_path: Path, given: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    recorded(tmp_path / "case.rec")
    assert given == [(tmp_path.stat().st_uid, tmp_path.stat().st_gid)]


def test_what_anybody_else_records_is_theirs(
    tmp_path: Path, given: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    recorded(tmp_path / "case.rec")
    assert given == []


def test_a_stick_that_knows_no_owners_holds_a_recording_all_the_same(
    tmp_path: Path, given: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "fchown", refuses)
    assert recorded(tmp_path / "case.rec").stat().st_size > 0
    assert given == []


def test_in_the_folder_of_the_stations_user_the_file_is_that_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture, "open_driver", lambda *_: Wedge())
    folder = tmp_path / "wipline"
    folder.mkdir()
    owner = (os.geteuid(), os.getegid())
    if os.geteuid() == 0:  # nobody else can give a file away: the tests above say to whom
        owner = (65_534, 65_533)
        os.chown(folder, *owner)
    monkeypatch.chdir(folder)
    made = recorded(Path("case.rec")).stat()
    assert (made.st_uid, made.st_gid) == owner
