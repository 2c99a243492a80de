"""Digital Links, article numbers, and what a field is worth."""

from datetime import date
from decimal import Decimal

import pytest
from biip.gs1_digital_link_uris import GS1DigitalLinkURI
from biip.upc import Upc
from hypothesis import given
from hypothesis import strategies as st

from station.core.codes import CodeType, Scheme, read_code
from station.core.codes.gs1.checks import check_digit_of
from station.core.codes.gs1.dates import full_year
from station.core.codes.gs1.digital_link import read_link
from station.core.codes.gs1.gtin import whole_upc
from station.core.codes.gs1.values import day_of, measure_of

GTIN = "09506000134352"


@pytest.mark.parametrize(
    ("link", "fields"),
    [
        (f"https://id.gs1.org/01/{GTIN}", {"01": GTIN}),
        (f"HTTP://EXAMPLE.COM/a/b/01/{GTIN}", {"01": GTIN}),
        (f"https://example.com:8443/01/{GTIN}", {"01": GTIN}),
        (f"https://[2001:db8::1]/01/{GTIN}", {"01": GTIN}),
        (f"https://example.com/00/x/01/{GTIN}", {"01": GTIN}),  # the key nearest the end
        (f"https://example.com/01/{GTIN}/22/a%2db+c?98=X%2fY", {"01": GTIN, "22": "a-b+c", "98": "X/Y"}),
        (f"https://example.com/01/{GTIN}?&&99=A;98=B&&more&lang=de#", {"01": GTIN, "99": "A", "98": "B"}),
        (f"https://example.com/01/{GTIN}/235/T1?10=L1", {"01": GTIN, "235": "T1", "10": "L1"}),  # qualifies nothing here
        ("https://example.com/8004/9520614141234567?01=9506000134352", {"8004": "9520614141234567", "01": GTIN}),
        ("https://example.com/415/9521321000018/8020/A1", {"415": "9521321000018", "8020": "A1"}),
        (f"https://example.com/01/{GTIN}/22/2A/10/L1/21/S1", {"01": GTIN, "22": "2A", "10": "L1", "21": "S1"}),
        (f"https://example.com/01/{GTIN}/235/T1", {"01": GTIN, "235": "T1"}),
        (f"https://example.com/01/{GTIN}/10/A%2FB?17=270131&lang=de&3103=001500#top",
         {"01": GTIN, "10": "A/B", "17": "270131", "3103": "001500"}),
        ("https://example.com/414/9521321000018/254/32a", {"414": "9521321000018", "254": "32a"}),
        ("https://example.com/8004/0614141A1?99=x", {"8004": "0614141A1", "99": "x"}),
        ("https://example.com/00/106141412345678908?02=09506000134352&37=12",
         {"00": "106141412345678908", "02": GTIN, "37": "12"}),
    ],
)  # fmt: skip
def test_a_digital_link_is_read(link: str, fields: dict[str, str]) -> None:
    code = read_code(("]Q1" + link).encode(), None, ())
    assert (code.scheme, code.fields, code.code) == (Scheme.GS1, fields, link)


@pytest.mark.parametrize(
    "link",
    [
        "https://example.com/",
        "https://example.com/wo/1042",
        "https://example.com/01/09506000134353",  # check digit
        "https://example.com/01/9506000134352",  # 14 digits
        f"https://example.com/01/{GTIN}/21/S1/10/L1",  # order
        f"https://example.com/01/{GTIN}/10/L1/235/T1",  # two ways to qualify
        f"https://example.com/01/{GTIN}/17/270131",  # no qualifier
        f"https://example.com/01/{GTIN}/10",  # no value
        f"https://example.com/01/{GTIN}/10/A%20B",  # a space
        f"https://example.com/01/{GTIN}?17=271331",  # no date
        f"https://example.com/01/{GTIN}?21=S1",  # only in the path
        f"https://example.com/01/{GTIN}?10",  # no value
        f"https://example.com/01/{GTIN}?88=1",  # no identifier
        f"https://example.com/01/{GTIN}/10/A?10=B",  # twice
        "https://example.com/10/L1",  # no key
        f"https://example.com/01/{GTIN}/",  # an empty segment
        f"https://example.com/01/{GTIN}/10/",  # no value
        f"https://01/{GTIN}",  # no host
        f"https://me@example.com/01/{GTIN}",  # somebody's name
        f"HtTps://example.com/01/{GTIN}",  # neither in small letters nor in capitals
        f"https://example.com/gtin/{GTIN}",  # a word for a number, as of old
        f"https://example.com/01/{GTIN}/21/A%2",  # half an escape
        f'https://example.com/01/{GTIN}/21/A"B',  # no character of an address
        f"https://example.com/01/{GTIN}/21/A%00B",
        f"https://example.com/01/{GTIN}?10=L1",  # its place is in the path
        f"https://example.com/01/{GTIN}/10/L1?22=2A",
        f"https://example.com/01/{GTIN}?99=A+B",  # a space
        f"https://example.com/01/{GTIN}?99=A&99=A",  # twice
        f"https://example.com/01/{GTIN}?01={GTIN}",
        f"https://example.com/01/{GTIN}?8200=x",
        f"https://example.com/03/{GTIN}",  # no key of links
        f"ftp://example.com/01/{GTIN}",
    ],
)
def test_an_address_that_breaks_a_rule_is_a_text(link: str) -> None:
    assert read_code(link.encode(), None, ()).scheme is Scheme.TEXT


def test_biip_reads_the_same_link() -> None:
    link = f"https://example.com/01/{GTIN}/10/L-1/21/S1?17=270131"
    reading = read_link(link, 2026)
    assert reading is not None
    assert reading.fields == {each.ai.ai: each.value for each in GS1DigitalLinkURI.parse(link).element_strings}


@given(st.text(max_size=60))
def test_any_address_is_read(tail: str) -> None:
    read_link("https://example.com/01/" + tail, 2026)
    raw = ("http://" + tail).encode("utf-8", "replace")
    code = read_code(raw, None, ())
    assert code.raw == raw
    assert (code.scheme is None) == (code.unread is not None)


@pytest.mark.parametrize(
    ("raw", "gtin"),
    [
        (b"]E04006381333931", "04006381333931"),
        (b"]E0036000291452", "00036000291452"),
        (b"]E001234565", "00012345000065"),
        (b"]E496385074", "00000096385074"),
    ],
)
def test_article_numbers_are_gtins_and_name_a_product(raw: bytes, gtin: str) -> None:
    code = read_code(raw, None, ())
    assert (code.scheme, code.fields, code.as_, code.item) == (
        Scheme.GS1, {"01": gtin}, CodeType.PRODUCT, f"01{gtin}",
    )  # fmt: skip


@pytest.mark.parametrize("raw", [b"]E04006381333932", b"]E0400638133393", b"]E496385075", b"]E4WO-1042"])
def test_an_article_number_with_a_wrong_check_digit_is_not_understood(raw: bytes) -> None:
    code = read_code(raw, None, ())
    assert (code.scheme, code.unread) == (None, "no article number: its digits or its check digit are wrong")


@pytest.mark.parametrize("bar", ["", "|"])
@pytest.mark.parametrize(
    ("linear", "gtin"), [("]E02112345678900", "02112345678900"), ("]E402345673", "00000002345673")]
)
def test_a_composite_symbol_is_one_thing(linear: str, gtin: str, bar: str) -> None:
    code = read_code(f"{linear}{bar}]e010LOT7\x1d21A".encode(), None, ())
    assert (code.scheme, code.fields, code.as_) == (Scheme.GS1, {"01": gtin, "10": "LOT7", "21": "A"}, CodeType.ITEM)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"]E02112345678901]e010A", "no article number: its digits or its check digit are wrong"),
        (b"]E02112345678900]e088A", "no application identifier in '88A'"),
        (b"]E02112345678900]e037123", "(01) cannot stand beside (37)"),
        (b"]E02112345678900]e0", "no article number: its digits or its check digit are wrong"),
        (b"]E02112345678900|", "no article number: its digits or its check digit are wrong"),
    ],
)
def test_a_composite_symbol_that_breaks_a_rule_is_not_understood(raw: bytes, why: str) -> None:
    assert (read_code(raw, None, ()).scheme, read_code(raw, None, ()).unread) == (None, why)


def test_article_numbers_without_their_identifier_are_the_shops_own() -> None:
    schemes = [read_code(raw, None, ()).scheme for raw in (b"4006381333931", b"96385074", b"]C096385074")]
    assert schemes == [Scheme.TEXT] * 3


@given(st.integers(0, 1_999_999))
def test_biip_writes_a_short_upc_out_alike(number: int) -> None:
    seven = f"{number:07}"
    whole = whole_upc(seven + "0")
    assert whole is not None
    short = seven + check_digit_of(whole[:-1])
    assert Upc.parse(short).as_upc_a() == whole_upc(short)


@pytest.mark.parametrize(
    ("ai", "value", "year", "day"),
    [
        ("17", "270131", 2026, date(2027, 1, 31)),
        ("17", "280200", 2026, date(2028, 2, 29)),
        ("11", "770101", 2026, date(1977, 1, 1)),
        ("11", "760101", 2026, date(2076, 1, 1)),
        ("15", "050101", 2060, date(2105, 1, 1)),
        ("7003", "2701312359", 2026, date(2027, 1, 31)),
    ],
)
def test_a_date_lies_in_the_century_nearest_to_the_scan(ai: str, value: str, year: int, day: date) -> None:
    assert day_of(ai, value, year) == day
    assert day_of("10", value, year) is None


@given(st.integers(0, 99), st.integers(1950, 2150))
def test_a_year_is_at_most_50_ahead_and_49_back(digits: int, year: int) -> None:
    full = full_year(digits, year)
    assert full % 100 == digits
    assert -49 <= full - year <= 50


@pytest.mark.parametrize(
    ("ai", "value", "measure"),
    [
        ("3103", "001500", (Decimal("1.500"), "kg")),
        ("3300", "001500", (Decimal(1500), "kg")),
        ("3165", "123456", (Decimal("1.23456"), "m³")),
        ("310", "001500", None),
        ("3103x", "001500", None),
        ("8005", "001500", None),
    ],
)
def test_a_measure_has_its_point_where_the_identifier_says(ai: str, value: str, measure: object) -> None:
    assert measure_of(ai, value) == measure
