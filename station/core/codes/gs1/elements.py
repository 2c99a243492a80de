r"""GS1 element strings, parsed and validated according to the General Specifications.

A label concatenates its fields: an application identifier, its value, and a separator (FNC1, which a scanner sends as GS)
behind each value of variable length. The table of identifiers defines the content of a field and the fields it needs or
excludes.

>>> reading = read_elements("0109506000134353" + "10AB-1\x1d17270100", year=2026)
>>> reading.refused
'(01) has a wrong check digit'
>>> read_elements("0109506000134352" + "10AB-1\x1d17270100", year=2026).fields
{'01': '09506000134352', '10': 'AB-1', '17': '270100'}
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from station.core.codes.gs1.checks import in_set, refusal
from station.core.codes.gs1.identifiers import ApplicationIdentifier, find, table

GS = "\x1d"
MAX_CHARACTERS = 512  # a symbol may hold more, but no label of a single item does
MAX_TRIES = 3_000  # about 15 ms on a small board
MAX_READINGS = 8  # parses of one code that are listed
# The usual fields behind a lot or serial number whose separator can get lost. Without internal fields (90 to 99), counts
# (30) and variants (20, 22), whose digits occur in half of all lots.
USUAL_NEXT = frozenset(
    {"10", "11", "13", "15", "17", "21", "37", "240", "241", "250", "400", "403", "7003", "8008"}
) | {ai for ai, identifier in table().items() if identifier.fixed and (ai[0] == "3" or ai[:2] == "41")}
NO_IDENTIFIER = "no application identifier"
# The number of digits of these keys before their optional serial number.
_BEFORE_SERIAL = {"253": 13, "255": 13, "8003": 14}


@dataclass(frozen=True, slots=True)
class ElementString:
    """One parse of an element string: its fields by identifier, or the reason why it is invalid."""

    fields: Mapping[str, str] = field(default_factory=dict)
    refused: str | None = None

    def __str__(self) -> str:
        """The fields as printed below a symbol: `(01)09506000134352(10)AB-1`."""
        return "".join(f"({ai}){value}" for ai, value in self.fields.items())


def read_elements(text: str, year: int | None) -> ElementString:
    """Parse by the separators. `year`: that of the scan, for the century of dates; None for this century."""
    if len(text) > MAX_CHARACTERS:
        return ElementString(refused=f"{len(text)} characters, expected at most {MAX_CHARACTERS}")
    fields: dict[str, str] = {}
    at = 1 if text.startswith(GS) else 0
    while at < len(text) or not fields:
        identifier = find(text, at)
        if identifier is None:
            return ElementString(
                refused=NO_IDENTIFIER + (f" in {text[at : at + 4]!r}" if at < len(text) else " at the end")
            )
        start = at + len(identifier.ai)
        end = start + identifier.most if identifier.fixed else (text + GS).index(GS, start)
        value = text[start:end]
        refused = _again(fields, identifier, value) or refused_value(identifier, value, year)
        if refused is not None:
            return ElementString(refused=f"({identifier.ai}) {refused}")
        fields[identifier.ai] = value
        at = end + (text[end : end + 1] == GS)  # behind a fixed length it is unnecessary, but allowed
    return ElementString(fields, refused_pairing(fields))


def _again(fields: Mapping[str, str], identifier: ApplicationIdentifier, value: str) -> str | None:
    """A repeated field must have the same value."""
    return "stands twice with different values" if fields.get(identifier.ai, value) != value else None


@cache
def _shape(identifier: ApplicationIdentifier) -> re.Pattern[str]:
    """A pattern that splits the value into its parts by length alone; a part of variable length takes all it can."""
    parts = [
        f"(.{{{part.least},{part.most}}})" if part.least else f"((?:.{{1,{part.most}}})?)" for part in identifier.parts
    ]
    return re.compile("".join(parts), re.DOTALL)


def refused_value(identifier: ApplicationIdentifier, value: str, year: int | None) -> str | None:
    """The fault of a field's value; None where it is valid."""
    least, most = sum(part.least for part in identifier.parts), identifier.most
    if not least <= len(value) <= most:
        expected = str(most) if least == most else f"{least} to {most}"
        return f"has {len(value)} characters, expected {expected}"
    cut = _shape(identifier).fullmatch(value)
    if cut is None:
        return f"has {len(value)} characters, which cannot be cut into its parts"
    for part, text in zip(identifier.parts, cut.groups(), strict=True):
        if not text:
            continue
        if part.least == 0 and part.checks and len(text) != part.most and part.kind == "n":
            return f"has {len(value)} characters, which cannot be cut into its parts"
        if not in_set(part.kind, text):
            return "holds characters that are not allowed there"
        for check in part.checks:
            if (refused := refusal(check, text, year)) is not None:
                return refused
    return None


def _stands(pattern: str, fields: Mapping[str, str], but: str = "") -> str | None:
    """The first field that matches this identifier, or pattern with `n` for a digit, except `but`."""
    if "n" not in pattern:
        return pattern if pattern in fields and pattern != but else None
    head = pattern.rstrip("n")
    return next((ai for ai in fields if len(ai) == len(pattern) and ai.startswith(head) and ai != but), None)


def refused_pairing(fields: Mapping[str, str]) -> str | None:
    """The first field that is missing beside another one or excluded by it; None where all fit together."""
    known = table()
    for ai in fields:
        for pattern in known[ai].excludes:
            if (other := _stands(pattern, fields, but=ai)) is not None:
                return f"({ai}) cannot stand beside ({other})"
        for demand in known[ai].needs:
            if not any(all(_stands(part, fields, but=ai) for part in choice.split("&")) for choice in demand):
                return f"({ai}) stands without " + " or ".join(f"({choice.replace('&', ')(')})" for choice in demand)
    if "8030" in fields:  # a digital signature signs a single item, never a class (section 3.9, AI 8030)
        for ai, digits in _BEFORE_SERIAL.items():
            if len(fields.get(ai, "")) == digits:
                return f"(8030) stands beside ({ai}) without a serial number"
    return None


def readings_without_separators(
    text: str, year: int | None, usual: frozenset[str] | None = None, keys: frozenset[str] = frozenset()
) -> Sequence[ElementString] | None:
    """Every valid parse, at most MAX_READINGS, if separators may be lost; None where the search takes too long.

    `usual`: a separator is lost only before one of these identifiers. `keys`: a parse must have one of them.
    """
    readings: list[ElementString] = []
    if len(text) > MAX_CHARACTERS or GS in text:
        return readings
    for tries, fields in enumerate(_cuts(text, 0, {}, year, usual)):
        if tries == MAX_TRIES:
            return readings if len(readings) > 1 else None
        if fields is None or (keys and keys.isdisjoint(fields)):
            continue
        if refused_pairing(fields) is None:
            readings.append(ElementString(dict(fields)))
            if len(readings) == MAX_READINGS:
                break
    return readings


def likeliest_first(
    text: str, year: int | None, readings: Sequence[ElementString], keys: frozenset[str] = frozenset()
) -> list[ElementString]:
    """The parses sorted: first those whose lost separators precede usual fields."""
    usual = readings_without_separators(text, year, USUAL_NEXT, keys) or ()
    return [*usual, *(reading for reading in readings if reading not in usual)][:MAX_READINGS]


def _cuts(
    text: str, at: int, fields: dict[str, str], year: int | None, usual: frozenset[str] | None
) -> Iterator[dict[str, str] | None]:
    """Each way to split the text into valid fields, the longest first; None for an attempt that failed."""
    if at == len(text):
        yield fields
        return
    identifier = find(text, at)
    if identifier is None or identifier.ai in fields:
        yield None
        return
    start = at + len(identifier.ai)
    longest = min(start + identifier.most, len(text))
    ends = [longest] if identifier.fixed else range(longest, start, -1)
    for end in ends:
        if not identifier.fixed and end < len(text):
            follows = find(text, end)
            if follows is None or (usual is not None and follows.ai not in usual):
                continue
        if refused_value(identifier, text[start:end], year) is not None:
            yield None
            continue
        yield from _cuts(text, end, {**fields, identifier.ai: text[start:end]}, year, usual)
