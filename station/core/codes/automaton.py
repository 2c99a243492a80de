r"""Automaton: compile a regular expression to a program that matches in linear time.

Python's own parser parses the expression, so it has the meaning of `re`; only the search differs. `re` backtracks and may
take exponential time. Here each pair of (instruction, position in the text) is tried once, so that a match takes at most 2
x `parts` x (length of the text + 1) steps. The alternatives are tried in the order of `re` (leftmost first), which gives
the same result and the same groups.

Expressions without such a program are refused: back references, look-around, flags, atomic groups, and every node of the
parse tree that this module does not handle.

>>> automaton = compile_automaton(r"WO-(?P<id>\d+)(?:-\d\d)?", 128)
>>> automaton.fullmatch("WO-1042-20")
{'id': '1042'}
>>> automaton.fullmatch("WO-1042-2") is None
True
>>> compile_automaton("(a+)+b", 128)  # doctest: +ELLIPSIS
Traceback (most recent call last):
station.core.codes.automaton.UnsupportedPattern: has a repeat without end inside a repeat without end; repeat one ...
"""

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

MAX_PARTS = 1_000  # of one expression, with its repeats expanded
_ASCII = [chr(point) for point in range(128)]
_ELSEWHERE = "looks around, sets flags or refers back; only (...), (?:...) and (?P<name>...) are expected"
_NESTED = "has a repeat without end inside a repeat without end; repeat one of them only"
_EMPTY = "repeats a part that may be empty; make that part at least one character long"
_POSSESSIVE = "has a possessive repeat of more than one character; write the repeat without its last +"

Accepts = Callable[[str], bool]
_Chars = tuple[frozenset[str], Accepts]
"""The characters that a position of a text may hold: a set of ASCII characters, and a function for all others."""


class UnsupportedPattern(ValueError):
    """An expression without a linear program; the message continues a sentence that begins with the expression."""


# An instruction is (operation, argument, next instruction); SPLIT has its second choice as argument.
_TEXT, _ONE, _SPLIT, _JOIN, _SAVE, _AT, _EAGER, _END = range(8)
_Instruction = tuple[int, Any, int]


@dataclass(frozen=True, slots=True)
class Automaton:
    """A program, the lengths of text that it can match (`high` None: no bound), and the names of its groups by slot."""

    program: tuple[_Instruction, ...]
    low: int
    high: int | None
    names: tuple[str, ...]

    @property
    def parts(self) -> int:
        """The number of instructions: the cost of matching for each character of a text."""
        return len(self.program)

    def fullmatch(self, text: str) -> dict[str, str] | None:  # noqa: C901 - a call for each step would double its time
        """The matched named groups where the whole text matches; None where it does not.

        Depth-first search in the order of `re`. `saved` holds start and end of each group; an overwritten value goes to
        `stack`, so that backtracking restores it. A choice or a junction that failed at a position would fail there again,
        so it is entered once.
        """
        size = len(text)
        if size < self.low or (self.high is not None and size > self.high):
            return None
        program = self.program
        saved = [-1] * (2 * len(self.names))
        stack: list[tuple[int, int]] = []  # (instruction, position), or (-1 - slot, its earlier value)
        entered: set[tuple[int, int]] = set()
        at = position = 0
        while True:
            operation, argument, following = program[at]
            if operation == _TEXT:
                holds = text.startswith(argument, position)
                position += len(argument)
            elif operation == _ONE:
                holds = position < size and (
                    (character := text[position]) in argument[0] or (character > "\x7f" and argument[1](character))
                )
                position += 1
            elif operation in (_SPLIT, _JOIN):
                holds = (at, position) not in entered
                if holds:
                    entered.add((at, position))
                    if operation == _SPLIT:
                        stack.append((argument, position))
            elif operation == _SAVE:
                stack.append((-1 - argument, saved[argument]))
                saved[argument], holds = position, True
            elif operation == _AT:
                holds = argument(text, position)
            elif operation == _EAGER:
                chars, most = argument
                end = size if most is None else min(size, position + most)
                while position < end and _takes(chars, text[position]):
                    position += 1
                holds = True
            else:
                holds = position == size
                if holds:
                    break
            at = following
            if holds:
                continue
            choice = _step_back(stack, saved)
            if choice is None:
                return None
            at, position = choice
        return self._groups(text, saved)

    def _groups(self, text: str, saved: list[int]) -> dict[str, str]:
        places = zip(self.names, saved[::2], saved[1::2], strict=True)
        return {name: text[start:end] for name, start, end in places if end >= 0}


def _step_back(stack: list[tuple[int, int]], saved: list[int]) -> tuple[int, int] | None:
    """The newest remaining choice, with the groups restored to it; None where there is none."""
    while stack:
        at, position = stack.pop()
        if at >= 0:
            return at, position
        saved[-1 - at] = position
    return None


def _takes(chars: _Chars, character: str) -> bool:
    return character in chars[0] or (character > "\x7f" and chars[1](character))


def compile_automaton(regex: str, most_characters: int) -> Automaton:
    """The program of a regular expression for texts of at most `most_characters`.

    Raises `UnsupportedPattern` for an expression without a linear program, and the errors and warnings of `re` for a text
    that is no expression.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a pattern must not change its meaning with the next version of Python
        tree: Any = re._parser.parse(regex)  # type: ignore[attr-defined]  # noqa: SLF001 - `re` has no other way to its tree
    if tree.state.flags & ~re.UNICODE.value:
        raise UnsupportedPattern(_ELSEWHERE)
    low, high = tree.getwidth()
    if low > most_characters:
        msg = f"matches nothing below {low} characters, and codes of up to {most_characters} are tried; make it shorter"
        raise UnsupportedPattern(msg)
    names = sorted(tree.state.groupdict.items(), key=lambda pair: pair[1])
    slots = {group: 2 * number for number, (_, group) in enumerate(names)}
    builder = _Builder(most_characters, slots)
    builder.sequence(tree, endless=False)
    builder.add(_END)
    return Automaton(
        tuple(builder.program), low, None if high > most_characters else high, tuple(name for name, _ in names)
    )


@dataclass(slots=True)
class _Builder:
    """Appends the instructions of a parse tree. `endless`: whether a repeat without end surrounds the node."""

    most: int
    slots: dict[int, int]
    program: list[_Instruction] = field(default_factory=list)
    _made: dict[str, _Chars] = field(default_factory=dict)

    def add(self, operation: int, argument: Any = None) -> int:
        """Append an instruction that is followed by the next one; its number."""
        if len(self.program) >= MAX_PARTS:
            msg = f"has more than {MAX_PARTS} parts once its repeats are written out; repeat less often"
            raise UnsupportedPattern(msg)
        number = len(self.program)
        self.program.append((operation, argument, number + 1))
        return number

    def sequence(self, nodes: Any, *, endless: bool) -> None:
        """Append the nodes in order; consecutive literals become one text."""
        text = ""
        for operation, argument in nodes:
            name = str(operation)
            if name == "LITERAL":
                text += chr(argument)
                continue
            if text:
                self.add(_TEXT, text)
                text = ""
            if name == "BRANCH":
                self._branch(argument[1], endless=endless)
            elif name == "SUBPATTERN":
                self._group(*argument, endless=endless)
            elif name in ("MAX_REPEAT", "MIN_REPEAT"):
                self._repeat(*argument, lazy=name == "MIN_REPEAT", endless=endless)
            elif name == "POSSESSIVE_REPEAT":
                self._possessive(*argument)
            elif name == "AT" and str(argument) in _PLACES:
                self.add(_AT, _PLACES[str(argument)])
            else:
                self.add(_ONE, self._chars(name, argument))
        if text:
            self.add(_TEXT, text)

    def _chars(self, name: str, argument: Any) -> _Chars:
        """The accepted characters of a single-character node; every other node is refused."""
        if name not in _ONE_CHARACTER:
            raise UnsupportedPattern(
                _ELSEWHERE if name in _KNOWN_AND_REFUSED else f"has a part {name} that is not known here"
            )
        key = f"{name} {argument}"
        if key not in self._made:
            accepts = _accepts(name, argument)
            self._made[key] = (frozenset(filter(accepts, _ASCII)), accepts)
        return self._made[key]

    def _group(self, group: int | None, add_flags: int, del_flags: int, nodes: Any, *, endless: bool) -> None:
        if add_flags or del_flags:
            raise UnsupportedPattern(_ELSEWHERE)
        slot = self.slots.get(group) if group is not None else None
        if slot is not None:
            self.add(_SAVE, slot)
        self.sequence(nodes, endless=endless)
        if slot is not None:
            self.add(_SAVE, slot + 1)

    def _branch(self, choices: list[Any], *, endless: bool) -> None:
        ends = []
        for number, nodes in enumerate(choices):
            last = number == len(choices) - 1
            split = None if last else self.add(_SPLIT)
            self.sequence(nodes, endless=endless)
            if split is not None:
                ends.append(self.add(_JOIN))
                self._choose(split, split + 1, len(self.program))
        end = self.add(_JOIN)
        for at in ends:
            self.program[at] = (_JOIN, None, end)

    def _choose(self, split: int, first: int, second: int) -> None:
        self.program[split] = (_SPLIT, second, first)

    def _repeat(self, low: int, high: Any, nodes: Any, *, lazy: bool, endless: bool) -> None:
        """`low` times, then up to `high` times by choice. A body takes at least one character: `most` times is unbounded."""
        if high == 0:
            return
        unbounded = high >= self.most and high > 1
        if unbounded and endless:
            raise UnsupportedPattern(_NESTED)
        endless = endless or unbounded
        may_be_empty = high > 1 and nodes.getwidth()[0] == 0
        splits = []
        for number in range(low + (1 if unbounded else high - low)):
            if number >= low:
                splits.append(self.add(_SPLIT))
            self.sequence(nodes, endless=endless)
            if may_be_empty:  # after the body, whose own error is more precise
                raise UnsupportedPattern(_EMPTY)
        if unbounded:  # a body has one last instruction
            self.program[-1] = (*self.program[-1][:2], splits[0])
            end = len(self.program)
        elif splits:
            end = self.add(_JOIN)
        for split in splits:
            self._choose(split, *((end, split + 1) if lazy else (split + 1, end)))

    def _possessive(self, low: int, high: Any, nodes: Any) -> None:
        """As many as possible without backtracking; only of a single character, which needs no saved state."""
        if len(nodes) != 1:
            raise UnsupportedPattern(_POSSESSIVE)
        name, argument = str(nodes[0][0]), nodes[0][1]
        if name not in _ONE_CHARACTER:
            raise UnsupportedPattern(_POSSESSIVE)
        chars = self._chars(name, argument)
        for _ in range(low):
            self.add(_ONE, chars)
        self.add(_EAGER, (chars, None if high >= self.most else high - low))


def _word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _boundary(text: str, position: int) -> bool:
    before = position > 0 and _word(text[position - 1])
    behind = position < len(text) and _word(text[position])
    return before != behind


def _last(text: str, position: int) -> bool:
    return position == len(text) or (position == len(text) - 1 and text[position] == "\n")


_PLACES: dict[str, Callable[[str, int], bool]] = {
    "AT_BEGINNING": lambda _, position: position == 0,
    "AT_BEGINNING_STRING": lambda _, position: position == 0,
    "AT_END": _last,
    "AT_END_STRING": lambda text, position: position == len(text),
    "AT_BOUNDARY": _boundary,
    "AT_NON_BOUNDARY": lambda text, position: bool(text) and not _boundary(text, position),
}
# The categories of `re` for text: decimal digits, white space, and word characters (letters, numbers, underscore).
_CATEGORIES: dict[str, Accepts] = {
    "CATEGORY_DIGIT": str.isdecimal,
    "CATEGORY_NOT_DIGIT": lambda character: not character.isdecimal(),
    "CATEGORY_SPACE": str.isspace,
    "CATEGORY_NOT_SPACE": lambda character: not character.isspace(),
    "CATEGORY_WORD": _word,
    "CATEGORY_NOT_WORD": lambda character: not _word(character),
}
_ONE_CHARACTER = frozenset({"LITERAL", "NOT_LITERAL", "ANY", "IN"})


_KNOWN_AND_REFUSED = frozenset(
    {"ASSERT", "ASSERT_NOT", "ATOMIC_GROUP", "GROUPREF", "GROUPREF_EXISTS", "GROUPREF_IGNORE", "SUCCESS", "FAILURE"}
)


def _accepts(name: str, argument: Any) -> Accepts:
    if name == "LITERAL":
        return lambda character: ord(character) == argument
    if name == "NOT_LITERAL":
        return lambda character: ord(character) != argument
    if name == "ANY":
        return lambda character: character != "\n"
    if name == "RANGE":
        low, high = argument
        return lambda character: low <= ord(character) <= high
    if name == "CATEGORY" and str(argument) in _CATEGORIES:
        return _CATEGORIES[str(argument)]
    if name == "IN":
        negated = any(str(operation) == "NEGATE" for operation, _ in argument)
        parts = [_accepts(str(operation), part) for operation, part in argument if str(operation) != "NEGATE"]
        return lambda character: any(part(character) for part in parts) != negated
    msg = f"has a part {name} {argument} that is not known here"
    raise UnsupportedPattern(msg)
