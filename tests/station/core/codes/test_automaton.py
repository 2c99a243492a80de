"""The automaton of a pattern: it answers as Python's `re` does, and never takes more than its bound of steps."""

import random
import re
import sys
import time
import warnings
from dataclasses import replace
from typing import Any

import pytest

from station.core.codes.automaton import MAX_PARTS, Automaton, UnsupportedPattern, compile_automaton

MOST = 128
CHARACTERS = [
    *"aab1-", "[ab]", "[^a]", "[a-c1]", r"[^\W\d]", r"[é-ü]", r"\d", r"\D", r"\w", r"\W", r"\s", r"\S", ".", "é", r"\n",
    r"\b", r"\B", "^", "$", r"\A", r"\Z",
]  # fmt: skip
REPEATS = ["*", "+", "?", "{,}", "{2,}", "{1,3}", "{,2}", "{2}", "{0}"]


def an_expression(rng: random.Random, depth: int, names: list[str]) -> str:
    """Any expression of characters, groups, choices and repeats; some of them have no program."""
    kind = rng.random()
    if depth == 0 or kind < 0.3:
        return rng.choice(CHARACTERS)
    if kind < 0.5:
        return "".join(an_expression(rng, depth - 1, names) for _ in range(rng.randint(1, 3)))
    if kind < 0.65:
        choices = [an_expression(rng, depth - 1, names) if rng.random() < 0.9 else "" for _ in range(rng.randint(2, 3))]
        return f"(?:{'|'.join(choices)})"
    if kind < 0.75:
        names.append(f"g{len(names)}")
        return f"(?P<{names[-1]}>{an_expression(rng, depth - 1, names)})"
    body = an_expression(rng, depth - 1, names)
    return f"(?:{body}){rng.choice(REPEATS)}{rng.choice(['', '', '?', '+'])}"


def compiled(regex: str) -> Automaton | None:
    try:
        return compile_automaton(regex, MOST)
    except (UnsupportedPattern, re.error, Warning):
        return None


def test_it_answers_as_re_does_and_names_the_same_groups() -> None:
    seed = random.SystemRandom().randrange(10**9)
    print(f"seed {seed}")
    rng = random.Random(seed)
    tried = matched = 0
    end = time.process_time() + 4
    while time.process_time() < end:
        regex = an_expression(rng, 4, [])
        automaton = compiled(regex) if len(regex) <= 80 else None
        if automaton is None:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = re.compile(regex)
        for _ in range(10):
            text = "".join(rng.choices("aaab1- é\n", k=rng.randint(0, 9)))
            found = theirs.fullmatch(text)
            groups = found and {name: part for name, part in found.groupdict().items() if part is not None}
            assert automaton.fullmatch(text) == groups, (regex, text)
            tried, matched = tried + 1, matched + (groups is not None)
    print(f"{tried} texts, {matched} of them matched")
    assert matched > 100


@pytest.mark.parametrize(
    ("regex", "every"),
    [(r"\d", 1), (r"\s", 1), (r"\w", 1), (r"\W", 31), (".", 31), (r"[^\w]", 31), (r"[à-ÿ]", 31), (r"[^é]", 31)],
)
def test_a_class_holds_the_characters_that_it_holds_in_re(regex: str, every: int) -> None:
    characters = [*map(chr, range(0x400)), *map(chr, range(0x400, sys.maxunicode + 1, every))]
    automaton = compile_automaton(regex, MOST)
    theirs = set(re.findall(regex, "".join(characters)))
    ours = {character for character in characters if automaton.fullmatch(character) == {}}
    assert ours == theirs


@pytest.mark.parametrize(
    ("regex", "text", "groups"),
    [
        (r"(?P<id>a|ab)(?P<b>c|bcd)?", "abcd", {"id": "a", "b": "bcd"}),
        (r"(?P<id>a|ab)(?P<b>c|bcd)?", "abc", {"id": "ab", "b": "c"}),
        (r"(?:(?P<a>a)|(?P<b>b))+", "ab", {"a": "a", "b": "b"}),
        (r"(?P<id>\d+?)\d*", "1042", {"id": "1"}),
        (r"(?P<id>\d*)\d", "1042", {"id": "104"}),
        (r"\d++(?P<id>x)", "12x", {"id": "x"}),
        (r"\d{1,2}+\d", "123", {}),
        (r"a$", "a", {}),
    ],
)
def test_the_first_alternative_that_leads_to_the_end_wins(regex: str, text: str, groups: dict[str, str]) -> None:
    found = re.fullmatch(regex, text)
    assert found is not None
    assert compile_automaton(regex, MOST).fullmatch(text) == found.groupdict() == groups


@pytest.mark.parametrize(
    ("regex", "reason"),
    [
        ("(?:a{,})+b", "a repeat without end inside"),
        ("(a+)+$", "a repeat without end inside"),
        ("(?:(?:ab)*,)*", "a repeat without end inside"),
        ("(a{1,1000}){1,1000}", "a repeat without end inside"),
        ("(a?){30}a{30}", "repeats a part that may be empty"),
        (r"(?:\w{1,30}|\w{1,29}){0,15}!", f"has more than {MAX_PARTS} parts"),
        (r"(?:\w{0,9}x){0,99}", f"has more than {MAX_PARTS} parts"),
        ("a{129}", "matches nothing below 129 characters"),
        (r"(\d)\1", "refers back"),
        ("(?P<a>a)?(?(a)b|c)", "refers back"),
        ("(?=a)b", "looks around"),
        ("(?<!a)b", "looks around"),
        ("(?>a+)b", "looks around"),
        ("(?i)wo", "sets flags"),
        ("(?a:\\d)", "sets flags"),
        ("a(?i:b)", "sets flags"),
        ("(?:ab)*+", "possessive repeat of more than one"),
    ],
)
def test_what_has_no_linear_program_is_refused(regex: str, reason: str) -> None:
    with pytest.raises(UnsupportedPattern) as refused:
        compile_automaton(regex, MOST)
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    "regex",
    [
        "a*a*a*a*a*a*b", "(a|a)*b", "(a|ab)*c", "(?:a|aa)*b", ".*" * 20 + "x", "a?" * 60 + "a{60}b", "(a|b|ab)*c",
        "(?:a+){1,9}b", "(?:" + "|".join(["a"] * 90) + ")*b", "(?:a{1,4}|aa|a){1,30}(?:a|aa|aaa)*b",
    ],
)  # fmt: skip
def test_what_stops_a_backtracking_search_takes_milliseconds(regex: str) -> None:
    automaton = compile_automaton(regex, MOST)
    for text in ("a" * 128, "a" * 127 + "!", "ab" * 63 + "!"):
        began = time.process_time()
        automaton.fullmatch(text)
        assert time.process_time() - began < 2.0, text


class CountedProgram(tuple[Any, ...]):  # noqa: SLOT001 - it counts
    """A program that counts the steps of a search."""

    steps = 0

    def __getitem__(self, number: Any) -> Any:
        self.steps += 1
        return super().__getitem__(number)


def test_a_search_never_takes_more_steps_than_its_bound() -> None:
    seed = random.SystemRandom().randrange(10**9)
    print(f"seed {seed}")
    rng = random.Random(seed)
    worst = 0.0
    end = time.process_time() + 4
    while time.process_time() < end:
        regex = "".join(an_expression(rng, 4, []) for _ in range(rng.randint(1, 3)))
        automaton = compiled(re.sub(r"\?P<\w+>", "", regex))
        if automaton is None:
            continue
        for text in ("a" * 128, "a" * 127 + "!", "a1" * 63 + "-!", "".join(rng.choices("ab1- é", k=128))):
            program = CountedProgram(automaton.program)
            replace(automaton, program=program).fullmatch(text)
            worst = max(worst, program.steps / (automaton.parts * (len(text) + 1)))
            assert program.steps <= 2 * automaton.parts * (len(text) + 1), (regex, text)
    print(f"at most {worst:.2f} steps for each part and position")
