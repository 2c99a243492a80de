"""Codes that can be read in two ways: both are named, and nobody guesses."""

import pytest

from station.core.codes import As, Pattern, Scheme, read_code

GTIN = "0109506000134352"
KEY = "(01)09506000134352"
LONG = "ABCDEFGHIJ"

# (scan, first reading, second reading): a separator may have been lost, and two places could have had it.
LOST = [
    (GTIN + "10ABC21XYZ", KEY + "(10)ABC21XYZ", KEY + "(10)ABC(21)XYZ"),
    (GTIN + "10ABC17270131", KEY + "(10)ABC17270131", KEY + "(10)ABC(17)270131"),
    (GTIN + "21S10AB", KEY + "(21)S10AB", KEY + "(21)S(10)AB"),
    (GTIN + "1727013110ABC21XYZ", KEY + "(17)270131(10)ABC21XYZ", KEY + "(17)270131(10)ABC(21)XYZ"),
    (GTIN + "21123410056", KEY + "(21)123410056", KEY + "(21)1234(10)056"),
    (GTIN + "10L11270131", KEY + "(10)L11270131", KEY + "(10)L(11)270131"),
    (GTIN + "10L13270131", KEY + "(10)L13270131", KEY + "(10)L(13)270131"),
    (GTIN + "10L15270131", KEY + "(10)L15270131", KEY + "(10)L(15)270131"),
    (GTIN + "240PART21S", KEY + "(240)PART21S", KEY + "(240)PART(21)S"),
    (GTIN + "240PART10L", KEY + "(240)PART10L", KEY + "(240)PART(10)L"),
    (GTIN + "310300150010A21B", KEY + "(3103)001500(10)A21B", KEY + "(3103)001500(10)A(21)B"),
    ("]d2" + GTIN + "10" + LONG + "21" + LONG + "99Z", KEY + f"(10){LONG}(21){LONG}99Z", KEY + f"(10){LONG}(21){LONG}(99)Z"),
    ("]C1" + GTIN + "10" + LONG + "21" + LONG + "90Z", KEY + f"(10){LONG}(21){LONG}90Z", KEY + f"(10){LONG}(21){LONG}(90)Z"),
    ("]d2" + GTIN + "10" + LONG + "21A21" + LONG, KEY + f"(10){LONG}21A(21){LONG}", KEY + f"(10){LONG}(21)A21{LONG}"),
    ("]d2" + GTIN + "21" + LONG + "10B10" + LONG, KEY + f"(21){LONG}10B(10){LONG}", KEY + f"(21){LONG}(10)B10{LONG}"),
    ("]Q3" + GTIN + "10" + LONG + "240A241" + LONG, KEY + f"(10){LONG}240A(241){LONG}", KEY + f"(10){LONG}(240)A241{LONG}"),
    ("]e0" + GTIN + "10" + LONG + "91A92" + LONG, KEY + f"(10){LONG}91A(92){LONG}", KEY + f"(10){LONG}(91)A92{LONG}"),
    ("]J1" + GTIN + "10" + LONG + "400A99" + LONG, KEY + f"(10){LONG}400A(99){LONG}", KEY + f"(10){LONG}(400)A99{LONG}"),
]  # fmt: skip
# Under the identifier of both, eight digits can be a whole number of one kind or a short one of the other.
ARTICLES = ["10000007", "10000052", "10000069", "10000076", "10000083", "10000090", "10000113", "10000144", "10000151"]


@pytest.mark.parametrize(("scan", "first", "second"), LOST)
def test_two_readings_of_a_label_without_separators_are_named(scan: str, first: str, second: str) -> None:
    code = read_code(scan.encode(), None, (), 2026)
    assert (code.scheme, code.fields, code.unread) == (
        Scheme.AMBIGUOUS, {"reading 1": first, "reading 2": second}, None,
    )  # fmt: skip
    assert (code.item, code.as_, code.raw) == (code.code, As.ITEM, scan.encode())


@pytest.mark.parametrize("digits", ARTICLES)
def test_eight_digits_can_be_two_article_numbers(digits: str) -> None:
    code = read_code(b"]E0" + digits.encode(), None, ())
    assert (code.scheme, code.fields["reading 1"]) == (Scheme.AMBIGUOUS, f"(01)000000{digits}")
    assert code.fields["reading 2"].startswith("(01)00") and len(code.fields) == 2  # noqa: PT018 - one fact


def test_two_patterns_of_the_shop_can_read_one_code() -> None:
    patterns = (Pattern("order", r"(?P<id>\d{4})\d\d", "item"), Pattern("tote", r"\d\d(?P<id>\d{4})", "carrier"))
    code = read_code(b"104220", None, patterns)
    assert (code.scheme, code.fields, code.item) == (Scheme.AMBIGUOUS, {"order": "1042", "tote": "4220"}, "104220")


@pytest.mark.parametrize(
    ("scan", "fields"),
    [
        # Separators that came, or a symbol that says whose it is: it means what it says.
        ("]d2" + GTIN + "10ABC21XYZ", {"10": "ABC21XYZ"}),
        ("]C0" + GTIN + "10ABC21XYZ", {"10": "ABC21XYZ"}),
        (GTIN + "10ABC\x1d21XYZ", {"10": "ABC", "21": "XYZ"}),
        (GTIN + "10ABC21XYZ\x1d", {"10": "ABC21XYZ"}),
        # Nothing usual could stand behind.
        (GTIN + "10ABC99XYZ", {"10": "ABC99XYZ"}),
        (GTIN + "10ABC17271331", {"10": "ABC17271331"}),
        (GTIN + "10ABC21", {"10": "ABC21"}),
    ],
)
def test_one_reading_is_no_question(scan: str, fields: dict[str, str]) -> None:
    code = read_code(scan.encode(), None, (), 2026)
    assert (code.scheme, code.fields) == (Scheme.GS1, {"01": "09506000134352"} | fields)


def test_there_are_cases_enough() -> None:
    assert len(LOST) + len(ARTICLES) + 1 >= 20


def test_the_shops_own_pattern_answers_the_question() -> None:
    patterns = (Pattern("lot label", r"01\d{14}10(?P<id>\w+)21\w+", "item"),)
    code = read_code((GTIN + "10ABC21XYZ").encode(), None, patterns)
    assert (code.scheme, code.item) == (Scheme.OWN, "ABC")
