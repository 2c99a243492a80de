"""Codes that can be read in two ways: both are named, and nobody guesses."""

import random

import pytest

from station.core.codes import CodeType, Pattern, Scheme, read_code
from station.core.codes.gs1.checks import check_digit_of
from station.core.codes.gs1.elements import MAX_READINGS, ElementString
from station.core.codes.gs1.identifiers import table

GTIN = "0109506000134352"
KEY = "(01)09506000134352"
LONG = "ABCDEFGHIJ"

# (scan, reading, reading, ...): a separator may have been lost, and more than one place could have had it.
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
    ("]Q3" + GTIN + "10" + LONG + "240A241" + LONG, KEY + f"(10){LONG}240A(241){LONG}", KEY + f"(10){LONG}(240)A241{LONG}",
     KEY + f"(10){LONG}(240)A(241){LONG}"),
    ("]e0" + GTIN + "10" + LONG + "91A92" + LONG, KEY + f"(10){LONG}91A(92){LONG}", KEY + f"(10){LONG}(91)A92{LONG}",
     KEY + f"(10){LONG}(91)A(92){LONG}"),
    ("]J1" + GTIN + "10" + LONG + "400A99" + LONG, KEY + f"(10){LONG}(400)A99{LONG}", KEY + f"(10){LONG}400A(99){LONG}",
     KEY + f"(10){LONG}(400)A(99){LONG}"),
    (GTIN + "10LOT241PART", KEY + "(10)LOT241PART", KEY + "(10)LOT(241)PART"),
    (GTIN + "10LOT3103001500", KEY + "(10)LOT3103001500", KEY + "(10)LOT(3103)001500"),
]  # fmt: skip
# Under the identifier of both, eight digits can be a whole number of one kind or a short one of the other.
ARTICLES = ["10000007", "10000052", "10000069", "10000076", "10000083", "10000090", "10000113", "10000144", "10000151"]


@pytest.mark.parametrize(("scan", "readings"), [(scan, readings) for scan, *readings in LOST], ids=range(len(LOST)))
def test_all_readings_of_a_label_without_separators_are_named(scan: str, readings: list[str]) -> None:
    code = read_code(scan.encode(), None, (), 2026)
    named = {f"reading {number}": reading for number, reading in enumerate(readings, 1)}
    assert (code.scheme, code.fields, code.unread) == (Scheme.AMBIGUOUS, named, None)
    assert (code.item, code.as_, code.raw) == (code.code, CodeType.ITEM, scan.encode())


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


def _value(ai: str, rng: random.Random) -> str:
    """Any value of this field; those of letters and digits are what lots look like."""
    if table()[ai].parts[0].checks:
        day = f"{rng.randint(20, 35)}{rng.randint(1, 12):02}{rng.randint(1, 28):02}"
        return day + "1200"[: table()[ai].most - len(day)]
    if ai[0] == "3":
        return f"{rng.randrange(10**6):06}"
    return "".join(rng.choices("ABCXYZ0123456789", k=rng.randint(1, 20)))


def test_a_lost_separator_never_makes_another_reading_of_what_labels_usually_carry() -> None:
    seed = random.SystemRandom().randrange(10**9)
    print(f"seed {seed}")
    rng = random.Random(seed)
    usual = sorted(("10", "11", "13", "15", "17", "21", "240", "241", "400", "3103", "7003"))
    seen = {Scheme.GS1: 0, Scheme.AMBIGUOUS: 0, Scheme.TEXT: 0}
    for _ in range(1_500):
        body = f"{rng.randrange(10**13):013}"
        fields = {"01": body + check_digit_of(body)}
        fields |= {ai: _value(ai, rng) for ai in rng.sample(usual, rng.randint(2, 4))}
        whole = str(ElementString(fields))
        read = read_code("".join(ai + value for ai, value in fields.items()).encode(), None, (), 2026)
        assert read.scheme is not None, whole
        seen[read.scheme] += 1
        if read.scheme is Scheme.GS1:
            assert {ai: value for ai, value in read.fields.items() if ai != "recovered"} == fields
        elif read.scheme is Scheme.AMBIGUOUS and len(read.fields) < MAX_READINGS:
            assert whole in read.fields.values()
    assert seen[Scheme.GS1] > 50 < seen[Scheme.AMBIGUOUS]


def test_readings_without_a_key_do_not_crowd_out_those_with_one() -> None:
    text = "400Y14XYXBZCZ4Y63103993313019694574312187221C0X03BA1X2CB2872"
    code = read_code(text.encode(), None, (), 2026)
    whole = "(400)Y14XYXBZCZ4Y6(3103)993313(01)96945743121872(21)C0X03BA1X2CB2872"
    assert (code.scheme, whole in code.fields.values()) == (Scheme.AMBIGUOUS, True)
    assert [reading for reading in code.fields.values() if "(01)" not in reading] == []


def test_no_more_than_so_many_readings_are_named() -> None:
    code = read_code((GTIN + "10A21B240C241D400E17270131").encode(), None, (), 2026)
    assert (code.scheme, len(code.fields)) == (Scheme.AMBIGUOUS, MAX_READINGS)


def test_there_are_cases_enough() -> None:
    assert len(LOST) + len(ARTICLES) + 1 >= 20


def test_the_shops_own_pattern_answers_the_question() -> None:
    patterns = (Pattern("lot label", r"01\d{14}10(?P<id>\w+)21\w+", "item"),)
    code = read_code((GTIN + "10ABC21XYZ").encode(), None, patterns)
    assert (code.scheme, code.item) == (Scheme.OWN, "ABC")
