"""Codes: parse the bytes of a scan into canonical text and a card, a badge or the id of an item. Pure; never raises."""

from station.core.codes.bound_codes import CodeBinding, apply_binding, bindings_by_key, is_bound
from station.core.codes.canonical import canonical, canonical_written, written_code
from station.core.codes.code import Code, CodeType, Scheme
from station.core.codes.command_cards import Card
from station.core.codes.identity import binding_key, identity_of_recorded, identity_of_written, is_published
from station.core.codes.parser import READERS, read_code, read_tag_code
from station.core.codes.patterns import Pattern, PatternError, RefusedPattern, usable_patterns

__all__ = [
    "READERS",
    "Card",
    "Code",
    "CodeBinding",
    "CodeType",
    "Pattern",
    "PatternError",
    "RefusedPattern",
    "Scheme",
    "apply_binding",
    "binding_key",
    "bindings_by_key",
    "canonical",
    "canonical_written",
    "identity_of_recorded",
    "identity_of_written",
    "is_bound",
    "is_published",
    "read_code",
    "read_tag_code",
    "usable_patterns",
    "written_code",
]
