"""Codes: what a scan says, from bytes to canonical text, card, badge or the name of a thing. Pure, and never raises."""

from station.core.codes.canonical import canonical, written_code
from station.core.codes.cards import Card
from station.core.codes.code import As, Code, Scheme
from station.core.codes.patterns import Pattern, PatternError, RefusedPattern, usable_patterns
from station.core.codes.reading import READERS, read_code, read_tag_code

__all__ = [
    "READERS",
    "As",
    "Card",
    "Code",
    "Pattern",
    "PatternError",
    "RefusedPattern",
    "Scheme",
    "canonical",
    "read_code",
    "read_tag_code",
    "usable_patterns",
    "written_code",
]
