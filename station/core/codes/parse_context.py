"""A scan on its way through those who may know what it says."""

from collections.abc import Sequence
from dataclasses import dataclass

from station.core.codes.patterns import Pattern


@dataclass(frozen=True, slots=True)
class ParseContext:
    """One scan on its way through the readers: its bytes, AIM identifier, content behind that, and canonical text.

    `year` is the scan's, for dates of two digits; None where no clock was ever right.
    """

    raw: bytes
    sym: str | None
    content: bytes
    text: str
    patterns: Sequence[Pattern]
    year: int | None = None
