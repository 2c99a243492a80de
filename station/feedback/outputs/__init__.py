"""Signals: how a station answers, one file a kind; the folder is the list.

A signal's file has `open_signal(row)`, where `row` is its table in station.toml; its kind is the file's name. A quick signal
is shown by the recording thread itself and must cost one write; all others are shown from a thread of their own.

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
    """A signal cannot be used: what came, what was expected, what to do, a sentence each."""

    def __init__(self, came: str, expected: str, do: str) -> None:
        super().__init__(came, expected, do)
        self.came, self.expected, self.do = came, expected, do

    def __str__(self) -> str:
        return f"{self.came} {self.expected} {self.do}"


class OutputMissing(OutputError):
    """A signal's device is not there, or not to be had; it may come."""


class Output(Protocol):
    """An open signal: `show` an answer, or what stands between answers, made at `boot_ns` (CLOCK_BOOTTIME)."""

    @property
    def kind(self) -> str: ...
    @property
    def quick(self) -> bool: ...
    def show(self, news: Answer | IdleState, boot_ns: int) -> None: ...
    def close(self) -> None: ...


def kinds() -> tuple[str, ...]:
    """Every kind of signal, by the files of this folder."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return tuple(name for name in names if hasattr(importlib.import_module(f"{__name__}.{name}"), "open_signal"))


def open_signal(row: Row) -> Output:
    """Open the signal of this table; `OutputError` says why it cannot be."""
    if row.kind not in kinds():
        raise OutputError(
            came=f"There is no signal of kind {row.kind!r}.",
            expected=f"Expected one of {', '.join(kinds())}.",
            do="Correct the signal's kind.",
        )
    return cast("Output", importlib.import_module(f"{__name__}.{row.kind}").open_signal(row))
