"""What readers were taught: kept in a file beside the journal, until somebody has it forgotten.

A scanner that typed the setup sheet is known by what it was found to do (its profile); a number pad is known because an
installer said so. The file is small and read anew at each question, so that a command may change it beside the daemon.

>>> import tempfile
>>> taught = ProfileStore(Path(tempfile.mkdtemp()) / "readers.json")
>>> taught.keep("usb-1a86-5723-at-usb-1.3", ReaderProfile(profile={"layout": "de"}, words="German layout."))
>>> taught.of("usb-1a86-5723-at-usb-1.3").profile, taught.ids()
({'layout': 'de'}, ('usb-1a86-5723-at-usb-1.3',))
>>> taught.forget("usb-1a86-5723-at-usb-1.3"), taught.of("usb-1a86-5723-at-usb-1.3")
(True, None)
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from station.system.file_lock import locked_folder

MOST_READERS = 64
SAID_KEYPAD, SENT_THE_SHEET = "It is said to be a number pad.", "It has sent the setup sheet."


class ReaderProfile(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one reader was taught: how its scanner sends (`profile`, as its driver wants it), and that in words.

    `keypad`: it is a number pad, whose digits are quantities.
    """

    keypad: bool = False
    profile: dict[str, Any] | None = None
    words: str = ""


KEYPAD = ReaderProfile(keypad=True, words="a number pad")


class ProfileFile(msgspec.Struct):
    """The file: reader id -> what it was taught, the latest last."""

    readers: dict[str, ReaderProfile] = {}


def beside(journal: Path) -> Path:
    """Where the file of a station with this journal lies."""
    return journal.with_name("readers.json")


class ProfileStore:
    """The readers that were taught something."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def ids(self) -> tuple[str, ...]:
        """Every reader that was taught."""
        return tuple(self._read().readers)

    def how(self) -> dict[str, str]:
        """For every reader that was taught, how, in a sentence."""
        readers = self._read().readers.items()
        return {name: SAID_KEYPAD if each.keypad else SENT_THE_SHEET for name, each in readers}

    def of(self, reader: str) -> ReaderProfile | None:
        """What this reader was taught, None where nothing."""
        return self._read().readers.get(reader)

    def known(self, names: Iterable[str]) -> tuple[str, ReaderProfile] | None:
        """What a reader with these names was taught, and under which of them; None where nothing."""
        readers = self._read().readers
        return next(((name, readers[name]) for name in names if name in readers), None)

    def keep(self, reader: str, lesson: ReaderProfile) -> None:
        """Remember what a reader was taught, in place of what it was taught before; beyond MOST_READERS the oldest goes.

        Raises OSError where it cannot be written.
        """
        with locked_folder(self.path.parent):  # a command and the station may write at once
            readers = self._ours().readers
            if list(readers.items())[-1:] == [(reader, lesson)]:
                return  # a scanner on a stand may look at the sheet for hours, and the card must not wear out
            readers.pop(reader, None)
            readers[reader] = lesson
            while len(readers) > MOST_READERS:
                del readers[next(iter(readers))]
            self._write(readers)

    def forget(self, reader: str) -> bool:
        """Forget what a reader was taught; whether there was anything. Raises OSError where it cannot be written."""
        if reader not in self.ids():
            return False
        with locked_folder(self.path.parent):  # a command and the station may write at once
            readers = self._ours().readers
            readers.pop(reader, None)
            self._write(readers)
        return True

    def _read(self) -> ProfileFile:
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=ProfileFile)
        except (OSError, msgspec.MsgspecError):
            return ProfileFile()  # what nobody can read teaches nothing

    def _ours(self) -> ProfileFile:
        """The file, to be written anew: one of another hand is moved aside first, one that the disk does not give up stays.

        Raises OSError.
        """
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=ProfileFile)
        except FileNotFoundError:
            return ProfileFile()
        except msgspec.MsgspecError:
            self.path.replace(self.path.with_name(self.path.name + ".unread"))
            return ProfileFile()

    def _write(self, readers: dict[str, ReaderProfile]) -> None:
        fresh = self.path.with_name(self.path.name + ".new")
        with fresh.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(ProfileFile(readers)), indent=2) + b"\n")
            file.flush()
            os.fsync(file.fileno())  # whoever was taught an hour ago must be known after a power cut
        fresh.replace(self.path)
