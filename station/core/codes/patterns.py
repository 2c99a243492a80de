r"""Code patterns: the format of a shop's own numbers, and the type of thing that they identify.

A pattern is a regular expression that must match the whole code. Its group `id` is the identified thing; without one, the
whole code is. `station.core.codes.automaton` matches patterns on the hub and on every station, in linear time, and only
codes of limited length are tried.

>>> order = Pattern("order", r"WO-(?P<id>\d+)(-\d\d)?", "item")
>>> order.match("WO-1042-20")
('1042', {'id': '1042'})
>>> usable_patterns([{"name": "slow", "regex": "(?:a{,})+b", "as": "item"}]).refused[0].name
'slow'
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from station.core.codes.automaton import Automaton, UnsupportedPattern, compile_automaton
from station.core.codes.canonical import canonical, canonical_written, plain_braces, unescaped
from station.core.codes.code import CodeType

MAX_TEXT_CHARACTERS = 128
MAX_REGEX_CHARACTERS = 200
MAX_PATTERNS = 100
MAX_SHOP_PARTS = 4_000  # of all patterns together: the cost of one scan for each of its characters
_SHOWN = 60  # characters of a name or an expression in a message


class PatternError(ValueError):
    """A pattern that cannot be used; the message has its name, the fault and the correction."""


_automaton = lru_cache(maxsize=2 * MAX_PATTERNS)(
    compile_automaton
)  # each new snapshot contains mostly the same patterns


@dataclass(frozen=True, slots=True)
class Pattern:
    """The format of a shop's own number: `name`, `regex`, and `as_`, the type of thing that its codes identify."""

    name: str
    regex: str
    as_: str = CodeType.ITEM.value
    _compiled: Automaton = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Compile the expression. Raises `PatternError` where it cannot be matched in linear time."""
        if self.as_ not in set(CodeType):
            msg = f"Pattern {_shown(self.name)!r} names a {_shown(self.as_)!r}; expected one of {', '.join(CodeType)}."
            raise PatternError(msg)
        if len(self.regex) > MAX_REGEX_CHARACTERS:
            problem = f"has {len(self.regex)} characters; expected at most {MAX_REGEX_CHARACTERS}"
            raise self._error(problem)
        try:
            compiled = _automaton(self.regex, MAX_TEXT_CHARACTERS)
        except UnsupportedPattern as error:
            raise self._error(str(error)) from None
        except (re.error, Warning, RecursionError, OverflowError) as error:
            problem = f"is no regular expression: {error}. Correct it there"
            raise self._error(problem) from error
        object.__setattr__(self, "_compiled", compiled)

    def _error(self, problem: str) -> PatternError:
        return PatternError(f"Pattern {_shown(self.name)!r} {_shown(self.regex)} {problem}.")

    @property
    def parts(self) -> int:
        """The steps that matching may take for each character of a code."""
        return self._compiled.parts

    def match(self, code: str) -> tuple[str, dict[str, str]] | None:
        r"""(identified thing, named groups) where the whole scanned text matches; None where it does not, or is too long.

        `code`: the canonical text. What was scanned is matched, without escapes; then, for patterns that were written for
        them, the text with its escapes.

        >>> Pattern("json", r'\{"wo":"(?P<id>O-[0-9]+)"\}').match('{7B}"wo":"O-35"}')
        ('O-35', {'id': 'O-35'})
        """
        if "{" not in code:
            return self._matched(code)
        scanned = unescaped(code)
        for text in dict.fromkeys((scanned, plain_braces(code), code)):
            match = self._matched(text)
            if match is None:
                continue
            # The names of things are canonical, whichever form the pattern matched.
            escaped = (lambda part: canonical(part.encode())) if text == scanned else canonical_written
            parts = {group: plain_braces(escaped(part)) for group, part in match[1].items()}
            return parts.get("id") or plain_braces(code), parts
        return None

    def _matched(self, text: str) -> tuple[str, dict[str, str]] | None:
        parts = self._compiled.fullmatch(text) if len(text) <= MAX_TEXT_CHARACTERS else None
        return None if parts is None else (parts.get("id") or text, parts)


class RefusedPattern(NamedTuple):
    """A recorded pattern that is not used, and the reason in a sentence."""

    name: str
    why: str


class UsablePatterns(NamedTuple):
    """The patterns of a shop in the order of their names, and those that are recorded and not used."""

    patterns: tuple[Pattern, ...]
    refused: tuple[RefusedPattern, ...]


def usable_patterns(definitions: Iterable[Mapping[str, Any]]) -> UsablePatterns:
    """The patterns of a shop from the fields of `pattern.define`, one definition for each name.

    Hub and station both use this function, so that a code has the same meaning on both. Patterns are added in the order of
    their names until the bounds of a shop are reached. The others, and invalid ones, are refused with their reason.
    """
    patterns: list[Pattern] = []
    refused: list[RefusedPattern] = []
    parts = 0
    for data in sorted(definitions, key=lambda definition: str(definition.get("name"))):
        try:
            pattern = _read(data)
        except PatternError as error:
            refused.append(RefusedPattern(str(data.get("name")), str(error)))
            continue
        if len(patterns) == MAX_PATTERNS or parts + pattern.parts > MAX_SHOP_PARTS:
            bounds = f"{MAX_PATTERNS} patterns, {MAX_SHOP_PARTS} parts in all"
            why = f"Pattern {_shown(pattern.name)!r} is more than a shop may have: {bounds}. Join some into one."
            refused.append(RefusedPattern(pattern.name, why))
            continue
        parts += pattern.parts
        patterns.append(pattern)
    return UsablePatterns(tuple(patterns), tuple(refused))


def _read(data: Mapping[str, Any]) -> Pattern:
    name, regex, as_ = data.get("name"), data.get("regex"), data.get("as", CodeType.ITEM.value)
    if not (isinstance(name, str) and isinstance(regex, str) and isinstance(as_, str)):
        msg = f"Pattern {_shown(str(name))!r} lacks a text; expected the fields name, regex and as."
        raise PatternError(msg)
    return Pattern(name, regex, as_)


def _shown(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
