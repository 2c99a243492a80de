"""Outputs: one file for each kind of `[[signal]]` in station.toml. The folder is the list of kinds.

The file has a function `open_output(row)`, where `row` is the table in station.toml; the kind is the file's name. The
recording thread itself calls a quick output, whose `show` must be a single write. All others run in threads of their own.

>>> kinds()
('console', 'gpio', 'lines', 'sound')
"""

import importlib
import pkgutil
from typing import Protocol, cast

from station.config import OutputConfig as Row
from station.feedback.messages import Answer
from station.feedback.outputs.idle_state import IdleState


class OutputError(Exception):
    """An output cannot be used: what came, what was expected, what to do, a sentence each."""

    def __init__(self, came: str, expected: str, do: str) -> None:
        super().__init__(came, expected, do)
        self.came, self.expected, self.do = came, expected, do

    def __str__(self) -> str:
        return f"{self.came} {self.expected} {self.do}"


class OutputRowError(OutputError):
    """The table in station.toml is no output: an unknown kind, or a key that its kind needs is missing or contradictory."""


class OutputMissing(OutputError):
    """An output's device is missing or in use by another program; a later attempt may succeed."""


class Output(Protocol):
    """An open output: `show` an answer, or the idle state between answers. `boot_ns` (CLOCK_BOOTTIME): when it was made."""

    @property
    def kind(self) -> str: ...
    @property
    def quick(self) -> bool: ...
    def show(self, news: Answer | IdleState, boot_ns: int) -> None: ...
    def close(self) -> None: ...


def kinds() -> tuple[str, ...]:
    """Every kind of output, from the files of this folder."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return tuple(name for name in names if hasattr(importlib.import_module(f"{__name__}.{name}"), "open_output"))


def open_output(row: Row) -> Output:
    """Open the output of this table. Raises `OutputError`."""
    if row.kind not in kinds():
        raise OutputRowError(
            came=f"There is no signal of kind {row.kind!r}.",
            expected=f"Expected one of {', '.join(kinds())}.",
            do="Correct the signal's kind.",
        )
    return cast("Output", importlib.import_module(f"{__name__}.{row.kind}").open_output(row))
