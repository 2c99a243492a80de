"""How the shop speaks: numbers, money and times in its own way, and scanned text made visible."""

import doctest
import unicodedata
from datetime import date
from importlib import import_module
from pkgutil import iter_modules
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

import server.queries
import server.web
from server.locale_format import NBSP, LocaleFormat, due_day, duration
from server.queries.escape import visible, visible_bytes

MODULES = [
    "server.locale_format",
    "server.urls",
    "server.api.read_routes",
    "server.api.format",
    *(
        f"{room.__name__}.{found.name}"
        for room in (server.queries, server.web)
        for found in iter_modules(room.__path__)
    ),
]


@pytest.mark.parametrize("module", MODULES)
def test_what_a_module_says_of_itself_is_so(module):
    assert doctest.testmod(import_module(module)).failed == 0


@pytest.mark.parametrize(
    ("locale", "currency", "amount", "quantity"),
    [
        ("en", "EUR", "€ 1,234,567.89", "1,234.5 m"),
        ("de", "EUR", "1.234.567,89 €", "1.234,5 m"),
        ("de_CH.UTF-8", "CHF", "CHF 1\u2019234\u2019567.89", "1\u2019234.5 m"),
        ("fr", "EUR", "1 234 567,89 €", "1 234,5 m"),
        ("sv-SE", "SEK", "1 234 567,89 kr", "1 234,5 m"),
        ("en-IN", "INR", "₹ 12,34,567.89", "1,234.5 m"),
        ("hi", "INR", "₹ 12,34,567.89", "1,234.5 m"),
        ("en", "KWD", "KWD 1,234,567.890", "1,234.5 m"),
        ("en", "BHD", "BHD 1,234,567.890", "1,234.5 m"),
        ("fr-TN", "TND", "1 234 567,890 DT", "1 234,5 m"),
        ("no", "NOK", "1 234 567,89 kr", "1 234,5 m"),
        ("en", "JPY", "¥ 1,234,568", "1,234.5 m"),
        ("xx", "USD", "$ 1,234,567.89", "1,234.5 m"),
    ],
)
def test_money_and_quantities_are_written_as_the_shop_does(locale, currency, amount, quantity):
    shop = LocaleFormat(currency, locale)
    plain = str.maketrans({NBSP: " ", "\u202f": " "})
    assert shop.money(1_234_567_890_000).translate(plain) == amount
    assert shop.quantity(1_234_500, "m", 1).translate(plain) == quantity


def test_numbers_group_as_the_locale_does():
    assert [LocaleFormat(locale=name).number(12_345_678) for name in ("en", "de", "en-IN", "de-CH")] == [
        "12,345,678", "12.345.678", "1,23,45,678", "12\u2019345\u2019678",
    ]  # fmt: skip
    assert [LocaleFormat().number(value) for value in (0, 12, 123, 1_234, -1_234)] == [
        "0", "12", "123", "1,234", "\u22121,234",
    ]  # fmt: skip


def test_a_plural_has_the_locales_grouping():
    assert LocaleFormat(locale="de").plural(3_000, "item") == f"3.000{NBSP}items"
    assert LocaleFormat().plural(1, "item is", "items are") == f"1{NBSP}item is"


def test_the_smallest_unit_of_a_currency_is_that_of_the_standard():
    units = {currency: LocaleFormat(currency).small_micros for currency in ("EUR", "JPY", "KWD", "BHD", "TND", "CLF")}
    assert units == {"EUR": 10_000, "JPY": 1_000_000, "KWD": 1_000, "BHD": 1_000, "TND": 1_000, "CLF": 100}


def test_a_date_has_the_locales_month_and_weekday():
    march_us, later_us = 1_772_600_000_000_000, 1_795_302_000_000_000
    assert LocaleFormat(locale="de").clock(march_us, later_us) == "04 März 04:53"
    assert LocaleFormat(locale="fr").at(march_us).startswith("mer. 2026-03-04")


def test_a_negative_amount_and_a_quantity_nobody_knows():
    shop = LocaleFormat()
    assert shop.money(-1_500_000) == f"\u2212€{NBSP}1.50"
    assert shop.money(-1_000) == f"€{NBSP}0.00"
    assert shop.quantity(None, "pcs") == "unknown quantity"
    assert shop.quantity(2_000, "m", 1) == f"2.0{NBSP}m"
    assert shop.quantity(1) == "0.001"


@pytest.mark.parametrize(
    ("day", "said"),
    [(19, "3 d late"), (21, "due yesterday"), (22, "due today"), (23, "due tomorrow"), (30, "due in 8 d")],
)
def test_a_due_day_is_said_by_the_shops_calendar(day, said):
    shop = LocaleFormat(zone=ZoneInfo("Asia/Tokyo"))
    late_in_the_utc_day_before = 1_795_302_000_000_000  # 2026-11-21 23:00 UTC, 08:00 on the 22nd in Tokyo
    assert shop.due(date(2026, 11, day), late_in_the_utc_day_before) == said


@pytest.mark.parametrize(
    ("word", "several"), [("job", "jobs"), ("batch", "batches"), ("party", "parties"), ("day", "days")]
)
def test_several_of_the_shops_orders(word, several):
    assert LocaleFormat(order_word=word).orders_word == several


@given(st.integers(min_value=-(2**63), max_value=2**63 - 1))
def test_any_time_and_any_length_can_be_written(number):
    shop = LocaleFormat(zone=ZoneInfo("America/St_Johns"))
    assert shop.at(number)
    assert shop.iso(number).endswith("Z")
    assert duration(number)


@given(st.text(max_size=200))
def test_no_text_hides_or_turns_anything_once_it_is_shown(text):
    shown = visible(text)
    assert shown == visible(shown)
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@given(st.binary(max_size=200))
def test_any_bytes_can_be_shown(raw):
    assert "\x00" not in visible_bytes(raw)


def test_a_due_date_that_is_none():
    assert [due_day(each) for each in (None, "", "2026-13-01", "2026-11-22T10:00")] == [
        None,
        None,
        None,
        date(2026, 11, 22),
    ]


@pytest.mark.parametrize(
    ("locale", "typed", "milli"),
    [
        ("en", "1,234.5", [1_234_500]),
        ("de", "1.234,5", [1_234_500]),
        ("fr", "1\u202f234,5", [1_234_500]),
        ("de_CH", "1\u2019234.5", [1_234_500]),
        ("en_IN", "1,00,000", [100_000_000]),
        ("en", "1,00,000", []),
        ("en", "12,5", [12_500]),
        ("de", "12.5", [12_500]),
        ("en", "1,000", [1_000_000, 1_000]),
        ("en", "1.250", [1_250, 1_250_000]),
        ("de", "1.000", [1_000_000, 1_000]),
        ("de", "1,250", [1_250, 1_250_000]),
        ("en", "0,500", [500]),
        ("en", "1.2500", [1_250]),
        ("en", "1,", []),
        ("en", "1e3", []),
        ("en", "-5", []),
        ("en", "1,23,456.5", []),
    ],
)
def test_a_typed_number_has_every_reading_that_it_can_have(locale, typed, milli):
    assert LocaleFormat(locale=locale).readings(typed) == milli


@pytest.mark.parametrize("locale", ["en", "de", "fr", "en_IN"])
@pytest.mark.parametrize("milli", [1, 1_000, 1_250, 1_000_000, 1_234_567, 12_345_678_900])
def test_the_exact_form_of_a_number_has_one_reading(locale, milli):
    shop = LocaleFormat(locale=locale)
    assert shop.readings(shop.exact(milli)) == [milli]
