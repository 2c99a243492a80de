"""What readers were taught: kept in a file beside the journal, until somebody has it forgotten.

A scanner that typed the setup sheet is known by what it was found to do (its profile); a number pad is known because an
installer said so. The file is small and read anew at each question, so that a command may change it beside the daemon.

>>> import tempfile
>>> taught = Taught(Path(tempfile.mkdtemp()) / "readers.json")
>>> taught.keep("usb-1a86-5723-at-usb-1.3", Lesson(profile={"layout": "de"}, words="German layout."))
>>> taught.of("usb-1a86-5723-at-usb-1.3").profile, taught.ids()
({'layout': 'de'}, ('usb-1a86-5723-at-usb-1.3',))
>>> taught.forget("usb-1a86-5723-at-usb-1.3"), taught.of("usb-1a86-5723-at-usb-1.3")
(True, None)
"""

import os
from pathlib import Path
from typing import Any

import msgspec

MOST_READERS = 64
SAID_KEYPAD, SENT_THE_SHEET = "It is said to be a number pad.", "It has sent the setup sheet."


class Lesson(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one reader was taught: how its scanner sends (`profile`, as its driver wants it), and that in words.

    `keypad`: it is a number pad, whose digits are quantities.
    """

    keypad: bool = False
    profile: dict[str, Any] | None = None
    words: str = ""


KEYPAD = Lesson(keypad=True, words="a number pad")


class TaughtFile(msgspec.Struct):
    """The file: reader id -> what it was taught, the latest last."""

    readers: dict[str, Lesson] = {}


def beside(journal: Path) -> Path:
    """Where the file of a station with this journal lies."""
    return journal.with_name("readers.json")


class Taught:
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

    def of(self, *names: str) -> Lesson | None:
        """What the reader of this name was taught, of several the first that was; None where nothing."""
        name = self.name_of(*names)
        return None if name is None else self._read().readers.get(name)

    def name_of(self, *names: str) -> str | None:
        """Under which of its names a reader was taught: a twin that is plugged in changes the one it goes by."""
        readers = self._read().readers
        return next((name for name in names if name in readers), None)

    def keep(self, reader: str, lesson: Lesson) -> None:
        """Remember what a reader was taught, in place of what it was taught before; beyond MOST_READERS the oldest goes.

        Raises OSError where it cannot be written.
        """
        readers = self._read().readers
        readers.pop(reader, None)
        readers[reader] = lesson
        while len(readers) > MOST_READERS:
            del readers[next(iter(readers))]
        self._write(readers)

    def forget(self, reader: str) -> bool:
        """Forget what a reader was taught; whether there was anything. Raises OSError where it cannot be written."""
        readers = self._read().readers
        if readers.pop(reader, None) is None:
            return False
        self._write(readers)
        return True

    def _read(self) -> TaughtFile:
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=TaughtFile)
        except (OSError, msgspec.MsgspecError):
            return TaughtFile()  # what nobody can read teaches nothing

    def _write(self, readers: dict[str, Lesson]) -> None:
        self._keep_what_is_not_ours()
        fresh = self.path.with_name(self.path.name + ".new")
        with fresh.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(TaughtFile(readers)), indent=2) + b"\n")
            file.flush()
            os.fsync(file.fileno())  # whoever was taught an hour ago must be known after a power cut
        fresh.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _keep_what_is_not_ours(self) -> None:
        """A file that cannot be read is moved aside, not written over."""
        try:
            msgspec.json.decode(self.path.read_bytes(), type=TaughtFile)
        except FileNotFoundError:
            return
        except msgspec.MsgspecError:
            self.path.replace(self.path.with_name(self.path.name + ".unread"))
