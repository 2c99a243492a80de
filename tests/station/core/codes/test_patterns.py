"""The shop's own patterns: what they may be, and that none can stop a bench."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from station.core.codes.canonical import canonical, canonical_written, plain_braces, unescaped
from station.core.codes.parser import read_code
from station.core.codes.patterns import MAX_PATTERNS, MAX_SHOP_PARTS, Pattern, PatternError, usable_patterns


@pytest.mark.parametrize(
    ("regex", "sentence"),
    [
        ("(a+)+b", "has a repeat without end inside a repeat without end"),
        ("(a+)+$", "has a repeat without end inside a repeat without end"),
        ("(?:a{,})+b", "has a repeat without end inside a repeat without end"),
        ("(a?){30}a{30}", "repeats a part that may be empty"),
        (r"(\d)\1", "refers back; only"),
        ("(?=a)b", "looks around"),
        ("(?i)wo", "looks around, sets flags"),
        ("[a", "is no regular expression"),
        ("[[a]", "is no regular expression: Possible nested set at position 1"),
        ("a{99999999999999999999}", "is no regular expression"),
        ("(" * 90 + ")" * 91, "is no regular expression"),
        ("x" * 201, "has 201 characters"),
    ],
)
def test_a_pattern_that_could_take_long_is_refused_where_it_is_defined(regex: str, sentence: str) -> None:
    with pytest.raises(PatternError, match=r"^Pattern 'p' ") as refused:
        Pattern("p", regex, "item")
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    "regex",
    [
        r"WO-(?P<id>\d+)",
        r"[A-Z]{2,4}-\d{4,8}(-[0-9]+)?",
        r"(?:LOT|lot)-(?P<id>.+)",
        r"\(\d+\)[]x]+",
        "(ab)*c",
        r"(\d\d,?){9}",
    ],
)
def test_what_a_shop_writes_is_taken(regex: str) -> None:
    assert Pattern("p", regex, "item").parts < 50


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


def test_patterns_are_used_in_the_order_of_their_names_and_the_others_have_a_reason() -> None:
    usable = usable_patterns(
        [
            {"name": "b", "regex": "x+"},
            {"name": "a", "regex": "(?:a{,})+b", "as": "item"},
            {"name": "c", "as": "item"},
            {"name": "0", "regex": "y", "as": "product"},
            {"name": "d", "regex": "z", "as": "thing"},
        ]
    )
    assert [(each.name, each.as_) for each in usable.patterns] == [("0", "product"), ("b", "item")]
    assert [(each.name, each.why.split(";")[0]) for each in usable.refused] == [
        ("a", "Pattern 'a' (?:a{,})+b has a repeat without end inside a repeat without end"),
        ("c", "Pattern 'c' lacks a text"),
        ("d", "Pattern 'd' names a 'thing'"),
    ]


def test_a_shop_has_a_bounded_number_of_patterns() -> None:
    usable = usable_patterns({"name": f"{number:04}", "regex": f"WO-{number}", "as": "item"} for number in range(200))
    assert (len(usable.patterns), usable.refused[0].name) == (MAX_PATTERNS, f"{MAX_PATTERNS:04}")
    assert usable.refused[0].why == (
        "Pattern '0100' is more than a shop may have: 100 patterns, 4000 parts in all. Join some into one."
    )


def test_the_patterns_of_a_shop_together_are_bounded() -> None:
    usable = usable_patterns({"name": str(number), "regex": r"(?:\w{1,120}x){4}", "as": "item"} for number in range(9))
    assert (len(usable.patterns), len(usable.refused)) == (4, 5)
    assert sum(each.parts for each in usable.patterns) <= MAX_SHOP_PARTS


JSON_ORDER = Pattern("jsonwo", r'\{"wo":"(?P<id>O-[0-9]+)"\}', "item")


def test_a_pattern_matches_the_braces_that_were_scanned() -> None:
    code = read_code(b'{"wo":"O-35"}', None, (JSON_ORDER,))
    assert (code.scheme, code.code, code.item) == ("own", '{7B}"wo":"O-35"}', "O-35")


@pytest.mark.parametrize(
    ("regex", "raw", "named"),
    [
        (r"\{(?P<id>.+)\}", b"{a{b}", "a{b"),
        (r"\{.+\}", b"{a}", "{a}"),
        (r"A\x1d(?P<id>.+)", b"A\x1d{7", "{7"),
        (r"A\{GS\}(?P<id>.+)", b"A\x1d7", "7"),  # as a pattern of before is written
        (r"\{7B\}(?P<id>.+)\}", b"{7}", "7"),
        (r"(?P<id>[^7]+)", b"{GS}", "{7B}GS}"),  # printed so: no separator
        (r"(?P<id>A.B)", b"A\x1dB", "A{GS}B"),
    ],
)
def test_what_a_pattern_names_is_written_without_needless_escapes(regex: str, raw: bytes, named: str) -> None:
    assert read_code(raw, None, (Pattern("p", regex, "item"),)).item == named


@settings(deadline=None)
@given(st.text())
def test_the_name_of_a_text_gives_its_canonical_text_back(text: str) -> None:
    code = canonical(text.encode("utf-8", "replace"))
    assert canonical_written(plain_braces(code)) == code
    assert canonical(unescaped(code).encode()) == code
