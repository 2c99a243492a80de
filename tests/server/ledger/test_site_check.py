"""The entry `site.define`: valid fields, no entry without effect, and no other currency once money is recorded."""

import pytest
from journal_shop import close, enter, journal_shop
from shop_writer import ShopWriter

from server.ledger.entries import Entry, EntryRefused, record_all


@pytest.fixture
def shop_writer(store):
    shop_writer = ShopWriter(store)
    shop_writer.settle()
    return shop_writer


@pytest.fixture
def refused(store):
    """Send entries in one request; the three sentences of the refusal, None for accepted entries."""

    def sent(*entries, holds_from_us=None):
        try:
            record_all(store, [Entry(what, data, "Kim", holds_from_us) for what, data in entries])
        except EntryRefused as error:
            return error.came, error.expected, error.do
        return None

    return sent


def site(**data):
    return "site.define", data


PRICE = ("cost.set", {"component": "bar", "micros": 1})
RATE = ("cost.set", {"component": "labour", "stage": "saw", "basis": "minute", "micros": 1})


@pytest.mark.parametrize(
    "data",
    [
        {"zone": "America/Argentina/Buenos_Aires"},
        {"currency": "KWD"},
        {"locale": "zh-Hant-TW"},
        {"day_start": 1439},
        {"day_start": 0, "zone": "UTC", "currency": "CHF", "locale": "de-CH"},
    ],
)
def test_a_site_is_recorded(refused, shop_writer, data):
    assert refused(site(**data)) is None


@pytest.mark.parametrize(
    ("data", "came", "expected", "do"),
    [
        ({}, "site.define without a field", "one of zone, currency", "Send what changes"),
        ({"zone": "Berlin"}, "site.define with the zone 'Berlin'", "a name of the tz database", ""),
        ({"zone": "Europe/Berln"}, "site.define with the zone", "a name of the tz", "Did you mean Europe/Berlin?"),
        ({"zone": "localtime"}, "site.define with the zone 'localtime'", "a name of the tz database", "Correct it."),
        ({"currency": "eur"}, "site.define with the currency 'eur'", "three capital letters of ISO 4217", ""),
        ({"currency": "EUX"}, "site.define with the currency 'EUX'", "three capital letters of ISO 4217", "Did you"),
        (
            {"locale": "de_CH"},
            "site.define with the locale 'de_CH'",
            "a language, with a region",
            "Correct it; a hyphen",
        ),
        ({"locale": "xx"}, "site.define with the locale 'xx'", "a language, with a region", "Correct it; a hyphen"),
        ({"day_start": 1440}, "site.define, of which: Expected `int` <= 1439", "the fields zone", "Correct that field"),
        ({"day_start": 6.5}, "site.define, of which: Expected `int", "the fields zone", "Correct that field"),
        ({"start_of_day": 360}, "site.define, of which: Object contains unknown field", "the fields zone", ""),
    ],
)
def test_a_site_that_is_none_is_named(refused, shop_writer, data, came, expected, do):
    refusal = refused(site(**data))
    assert [text.startswith(begin) for text, begin in zip(refusal, (came, expected, do), strict=True)] == [True] * 3


def test_a_site_as_it_is_already_has_no_effect(refused, shop_writer):
    assert refused(site(zone="Europe/Berlin", currency="EUR", day_start=360)) is None
    for settled in (False, True):
        if settled:
            shop_writer.settle()
        assert refused(site(currency="EUR"))[0] == "site.define of the site as it is defined"
        assert refused(site(zone="Europe/Berlin", day_start=360))[0] == "site.define of the site as it is defined"
    assert refused(site(day_start=0)) is None


@pytest.mark.parametrize("settled", [False, True])
def test_another_currency_is_refused_once_an_amount_is_recorded(refused, shop_writer, settled):
    assert refused(site(currency="EUR"), site(currency="CHF"), PRICE) is None  # before the first amount it may change
    if settled:
        shop_writer.settle()
    assert refused(site(currency="USD", zone="America/Chicago")) == (
        "site.define with the currency USD, where 1 amount is recorded in CHF",
        "CHF: a recorded amount would become the same number of USD",
        "Keep CHF. For another currency, make a new hub, and enter its costs in USD.",
    )
    assert refused(site(zone="America/Chicago", currency="CHF")) is None


def test_an_amount_of_the_same_request_counts(refused, shop_writer):
    assert refused(site(currency="EUR")) is None
    assert refused(PRICE, site(currency="USD"))[0].startswith("site.define with the currency USD, where 1 amount is")
    assert refused(site(currency="USD"), PRICE) is None


def test_the_rate_of_a_work_centre_is_an_amount(refused, shop_writer):
    assert refused(site(currency="EUR"), RATE) is None
    shop_writer.settle()
    assert refused(site(currency="USD"))[0].endswith("where 1 amount is recorded in EUR")


def test_an_actual_cost_is_an_amount(refused, shop_writer):
    assert refused(site(currency="EUR"), ("cost.actual", {"order": "WO-1", "micros": 5})) is None
    shop_writer.settle()
    assert refused(site(currency="USD"))[0].endswith("where 1 amount is recorded in EUR")


def test_the_first_name_of_the_currency_is_no_change(refused, shop_writer):
    assert refused(PRICE) is None
    shop_writer.settle()
    assert refused(site(currency="CHF")) is None


def test_a_journal_names_the_currency_of_the_amounts(refused, shop_writer):
    shop_writer.small_shop()
    shop = journal_shop(shop_writer)
    enter(shop, "journal.export", period=close(shop, 80))
    assert refused(site(currency="JPY"))[0].endswith("recorded in EUR")
    assert refused(site(currency="EUR")) is None


def test_the_entry_that_names_the_currency_of_amounts_cannot_be_taken_back(store, refused, shop_writer):
    (place,) = record_all(store, [Entry("site.define", {"currency": "CHF"}, "Kim")])
    void = ("void", {"log": place.log_id.hex(), "seq": place.seq})
    assert refused(PRICE) is None
    shop_writer.settle()
    assert refused(void)[0] == "void of the site.define that names the currency CHF of recorded amounts"
    assert refused(site(currency="CHF", day_start=360)) is None
    shop_writer.settle()
    assert refused(void) is None
