"""Import mistakes: the place in the shop folder, what came, what was expected, what to do.

>>> print(ImportMistake("orders.csv", 7, 4, "due", "'soon'", "a day such as 2026-11-25 or +3d", "write one"))
orders.csv, line 7, column 4 (due): came 'soon', expected a day such as 2026-11-25 or +3d; write one.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from server.text import counted

SHOWN_CHARACTERS = 60  # of a cell's text in a message


@dataclass(frozen=True, slots=True, order=True)
class ImportMistake:
    """One mistake. `line` and `column` count from 1; 0: the whole file or the whole line."""

    file: str
    line: int
    column: int
    name: str
    came: str
    expected: str
    do: str

    def __str__(self) -> str:
        """The message, which begins with the place."""
        place = self.file
        if self.line:
            place += f", line {self.line}"
        if self.column:
            place += f", column {self.column}"
        if self.name:
            place += f" ({self.name})"
        return f"{place}: came {self.came}, expected {self.expected}; {self.do}."


class ShopFolderError(ValueError):
    """A folder that cannot be imported; `mistakes` has all mistakes, by file, line and column."""

    def __init__(self, mistakes: Iterable[ImportMistake]) -> None:
        self.mistakes = tuple(sorted(set(mistakes)))
        lines = "".join(f"\n  {mistake}" for mistake in self.mistakes)
        super().__init__(f"{counted(len(self.mistakes), 'mistake')} in the shop folder; nothing was imported.{lines}")


def shown(text: str) -> str:
    """A cell's text for a message: quoted, escaped, and shortened.

    >>> shown("a" + chr(7)), shown("")
    ("'a\\\\x07'", 'an empty cell')
    """
    if not text:
        return "an empty cell"
    return repr(text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…")
