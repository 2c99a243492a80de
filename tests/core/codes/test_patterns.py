"""The shop's own patterns: what they may be, and that none can stop a bench."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from station.core.codes.patterns import MAX_STEPS, Pattern, PatternError, most_steps


@pytest.mark.parametrize(
    ("regex", "sentence"),
    [
        ("(a+)+b", "repeats a group that varies inside"),
        ("(a|aa)*", "repeats a group that varies inside"),
        ("(a?){30}a{30}", "repeats a group that varies inside"),
        ("(a{0,5}){9}", "repeats a group that varies inside"),
        (r"a?" * 21, "may need 2097152 steps"),
        (".*.*.*.*x", "may need 12082785 steps"),
        (r"(\d)\1", "refers back to a group"),
        ("(?=a)b", "looks around"),
        ("(?i)wo", "looks around, sets flags"),
        ("[a", "is no regular expression"),
        ("[[a]", "is no regular expression: Possible nested set at position 1"),
        ("x" * 201, "has 201 characters"),
    ],
)
def test_a_pattern_that_could_take_long_is_refused_where_it_is_defined(regex: str, sentence: str) -> None:
    with pytest.raises(PatternError, match=r"^Pattern 'p' ") as refused:
        Pattern("p", regex, "item")
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    "regex",
    [r"WO-(?P<id>\d+)", r"[A-Z]{2,4}-\d{4,8}(-[0-9]+)?", r"(?:LOT|lot)-(?P<id>.+)", r"\(\d+\)[]x]+", "(ab)*c"],
)
def test_what_a_shop_writes_is_taken(regex: str) -> None:
    assert most_steps(regex) <= MAX_STEPS
    Pattern("p", regex, "item")


def test_what_a_pattern_names_is_one_of_five_things() -> None:
    with pytest.raises(PatternError) as refused:
        Pattern("p", "x", "thing")
    assert str(refused.value) == "Pattern 'p' names a 'thing'; expected one of item, product, badge, command, carrier."


@settings(deadline=None)
@given(st.text(alphabet="ab.*+?(){}|[]\\12,", max_size=14), st.text(alphabet="ab1", min_size=100, max_size=128))
def test_a_pattern_that_is_taken_never_takes_long(regex: str, text: str) -> None:
    try:
        pattern = Pattern("p", regex, "item")
    except PatternError:
        return
    began = time.process_time()
    pattern.match(text)
    assert time.process_time() - began < 1.0


def test_a_code_longer_than_any_label_of_a_shop_is_not_tried() -> None:
    assert Pattern("p", "x+", "item").match("x" * 129) is None
