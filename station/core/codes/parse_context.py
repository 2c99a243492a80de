"""Parse context: the input of the code parsers for one scan."""

from collections.abc import Sequence
from dataclasses import dataclass

from station.core.codes.patterns import Pattern


@dataclass(frozen=True, slots=True)
class ParseContext:
    """One scan: its bytes, its AIM identifier, the content behind that, and the canonical text.

    `year` is the year of the scan, for dates with two digits; None where it is unknown.
    """

    raw: bytes
    sym: str | None
    content: bytes
    text: str
    patterns: Sequence[Pattern]
    year: int | None = None
