"""Profile store: what is known of single readers, in a file beside the journal.

A scanner that has sent the setup sheet has a profile: how it sends its codes. A number pad has an entry that an installer
made. Entries stay until they are removed by a command. The file is small and is read again at each query, so that a command
can change it while the daemon runs.

>>> import tempfile
>>> profiles = ProfileStore(Path(tempfile.mkdtemp()) / "readers.json")
>>> profiles.keep("usb-1a86-5723-at-usb-1.3", ReaderProfile(profile={"layout": "de"}, words="German layout."))
>>> profiles.of("usb-1a86-5723-at-usb-1.3").profile, profiles.ids()
({'layout': 'de'}, ('usb-1a86-5723-at-usb-1.3',))
>>> profiles.forget("usb-1a86-5723-at-usb-1.3"), profiles.of("usb-1a86-5723-at-usb-1.3")
(True, None)
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from station.system.access import require_readable
from station.system.file_lock import locked_folder

MOST_READERS = 64
SAID_KEYPAD, SENT_THE_SHEET = "It is said to be a number pad.", "It has sent the setup sheet."


class ReaderProfile(msgspec.Struct, frozen=True, omit_defaults=True):
    """The entry of one reader: how its scanner sends (`profile`, in its driver's format), and the same in words.

    `keypad`: it is a number pad, whose digits are quantities.
    """

    keypad: bool = False
    profile: dict[str, Any] | None = None
    words: str = ""


KEYPAD = ReaderProfile(keypad=True, words="a number pad")


class ProfileFile(msgspec.Struct):
    """The file: reader id -> entry, the latest last."""

    readers: dict[str, ReaderProfile] = {}


def beside(journal: Path) -> Path:
    """The path of the file of a station with this journal."""
    return journal.with_name("readers.json")


class ProfileStore:
    """The readers that have an entry."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def require_access(self) -> None:
        """Raise `PermissionError` where this user may not read the file: it then seems to have no entries."""
        require_readable(self.path)

    def ids(self) -> tuple[str, ...]:
        """The id of every reader that has an entry."""
        return tuple(self._read().readers)

    def descriptions(self) -> dict[str, str]:
        """By reader id, the kind of the entry as a sentence."""
        readers = self._read().readers.items()
        return {name: SAID_KEYPAD if entry.keypad else SENT_THE_SHEET for name, entry in readers}

    def of(self, reader: str) -> ReaderProfile | None:
        """The entry of this reader; None where it has none."""
        return self._read().readers.get(reader)

    def find(self, names: Iterable[str]) -> tuple[str, ReaderProfile] | None:
        """The first of these names that has an entry, and the entry; None where none has."""
        readers = self._read().readers
        return next(((name, readers[name]) for name in names if name in readers), None)

    def keep(self, reader: str, entry: ReaderProfile) -> None:
        """Store the entry of a reader in place of its earlier one; beyond `MOST_READERS` the oldest entry is removed.

        Raises OSError where it cannot be written.
        """
        with locked_folder(self.path.parent):  # a command and the daemon may write at the same time
            readers = self._read_for_writing().readers
            if list(readers.items())[-1:] == [(reader, entry)]:
                return  # a scanner on a stand may read the sheet for hours, which must not wear the card out
            readers.pop(reader, None)
            readers[reader] = entry
            while len(readers) > MOST_READERS:
                del readers[next(iter(readers))]
            self._write(readers)

    def forget(self, reader: str) -> bool:
        """Remove the entry of a reader; returns whether it had one. Raises OSError where it cannot be written."""
        if reader not in self.ids():
            return False
        with locked_folder(self.path.parent):  # a command and the daemon may write at the same time
            readers = self._read_for_writing().readers
            readers.pop(reader, None)
            self._write(readers)
        return True

    def _read(self) -> ProfileFile:
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=ProfileFile)
        except (OSError, msgspec.MsgspecError):
            return ProfileFile()  # an unreadable file has no entries

    def _read_for_writing(self) -> ProfileFile:
        """Read the file before it is replaced. Malformed content is moved aside first; an unreadable file stays in place.

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
            os.fsync(file.fileno())  # before the rename: else a power cut may leave an empty file under the name
        fresh.replace(self.path)
