r"""Site patterns: how a shop writes its own numbers, and what such a number names.

A pattern is a regular expression that must match the whole code. Its group `id` is what the code names; without one, the
whole code is. Because one careless pattern could stop a bench for minutes, a pattern is refused where it is defined if
matching could ever take long, and is only tried on codes of ordinary length.

>>> order = Pattern("order", r"WO-(?P<id>\d+)(-\d\d)?", "item")
>>> order.match("WO-1042-20")
('1042', {'id': '1042'})
>>> most_steps(r"WO-\d+"), most_steps(r"(?:A|B)-\d*-\d*")
(129, 16770)
"""

import re
import warnings
from dataclasses import dataclass, field
from math import comb

from station.core.codes.code import As

MAX_TEXT_CHARACTERS = 128
MAX_REGEX_CHARACTERS = 200
MAX_STEPS = 2_000_000  # some 20 ms on a small board; an ordinary pattern has a few hundred
_COUNTED = re.compile(r"\{(\d*)(,?)(\d*)\}")
_GROUP_OPENINGS = re.compile(r"\(\?(?:P<\w+>|:)")


class PatternError(ValueError):
    """A pattern that cannot be used; names it, what is wrong and what to write instead."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A shop's own way of writing a number: `name`, `regex`, and `as_`, what its codes name."""

    name: str
    regex: str
    as_: str = As.ITEM.value
    _compiled: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse at once what could not be matched quickly later."""
        if self.as_ not in set(As):
            msg = f"Pattern {self.name!r} names a {self.as_!r}; expected one of {', '.join(As)}."
            raise PatternError(msg)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # what the next Python may read in another way is no pattern for years
                compiled = re.compile(self.regex)
        except (re.error, Warning, RecursionError, OverflowError) as error:
            msg = f"Pattern {self.name!r} {self.regex} is no regular expression: {error}. Correct it there."
            raise PatternError(msg) from error
        try:
            steps = most_steps(self.regex)
        except PatternError as error:
            msg = f"Pattern {self.name!r} {self.regex} {error}"
            raise PatternError(msg) from None
        if steps > MAX_STEPS:
            msg = f"Pattern {self.name!r} {self.regex} may need {steps} steps, not {MAX_STEPS}. Use fewer open repeats."
            raise PatternError(msg)
        object.__setattr__(self, "_compiled", compiled)

    def match(self, text: str) -> tuple[str, dict[str, str]] | None:
        """(what the code names, its named parts) where the whole text matches; None where it does not, or is too long."""
        found = self._compiled.fullmatch(text) if len(text) <= MAX_TEXT_CHARACTERS else None
        if found is None:
            return None
        parts = {name: part for name, part in found.groupdict().items() if part is not None}
        return parts.get("id") or text, parts


@dataclass(slots=True)
class _Group:
    varies: bool = False


def most_steps(regex: str) -> int:
    """How many ways matching can take at worst, on the longest text tried.

    Every open repeat may end anywhere, so k of them share a text of n characters in C(n + k, k) ways; counted repeats,
    options and alternatives multiply that. Raises `PatternError` for what this count does not cover.
    """
    if len(regex) > MAX_REGEX_CHARACTERS:
        msg = f"has {len(regex)} characters; expected at most {MAX_REGEX_CHARACTERS}."
        raise PatternError(msg)
    groups, closed = [_Group()], None
    open_repeats, ways, at = 0, 1, 0
    while at < len(regex):
        character = regex[at]
        width, spread, most = _repeat(regex, at)
        if width:
            if closed is not None and closed.varies and most != 1:
                msg = "repeats a group that varies inside; repeat one character or a fixed text."
                raise PatternError(msg)
            groups[-1].varies = groups[-1].varies or spread != 0
            open_repeats, ways = (open_repeats + 1, ways) if spread is None else (open_repeats, ways * (spread + 1))
            closed, at = None, at + width
            continue
        closed = None
        if character == "(":
            at += _opening(regex, at) - 1
            groups.append(_Group())
        elif character == ")" and len(groups) > 1:
            closed = groups.pop()
            groups[-1].varies = groups[-1].varies or closed.varies
        elif character == "|":
            groups[-1].varies, ways = True, ways * 2
        elif character == "[":
            at = _class_end(regex, at)
        elif character == "\\":
            at += _escape(regex, at)
        at += 1
    return int(ways * comb(MAX_TEXT_CHARACTERS + open_repeats, open_repeats))


def _repeat(regex: str, at: int) -> tuple[int, int | None, int | None]:
    """(characters of the repeat here or 0, how much it may vary, how often at most); None is without bound.

    A lazy `+?` and a possessive `++` are read as one repeat.
    """
    if regex[at] == "?":
        return 1, 1, 1
    if regex[at] in "*+":
        width, spread, most = 1, None, None
    elif (counted := _COUNTED.match(regex, at)) and (counted[1] or counted[3]):
        low, comma, high = counted.groups()
        most = None if comma and not high else int(high or low)
        width, spread = len(counted[0]), None if most is None else most - int(low or 0)
    else:
        return 0, 0, 0
    lazy = at + width < len(regex) and regex[at + width] in "?+"
    return width + lazy, None if spread is None or spread > MAX_TEXT_CHARACTERS else spread, most


def _opening(regex: str, at: int) -> int:
    """The length of a group's opening; refuses those that look around or back."""
    if regex[at + 1 : at + 2] != "?":
        return 1
    opening = _GROUP_OPENINGS.match(regex, at)
    if opening is None:
        msg = "looks around, sets flags or refers back; only (...), (?:...) and (?P<name>...) are expected."
        raise PatternError(msg)
    return len(opening[0])


def _class_end(regex: str, at: int) -> int:
    """Where the character class that opens here closes."""
    end = at + 1
    end += regex[end : end + 1] == "^"
    end += regex[end : end + 1] == "]"
    while end < len(regex) and regex[end] != "]":
        end += 2 if regex[end] == "\\" else 1
    return end


def _escape(regex: str, at: int) -> int:
    """The characters of an escape behind its backslash; refuses a reference back."""
    if regex[at + 1 : at + 2].isdigit() and regex[at + 1] != "0":
        msg = "refers back to a group; write the text out instead."
        raise PatternError(msg)
    return 1
