"""GS1 element strings: for each rule one string that is refused, and one that is accepted."""

import random

import pytest
from biip.checksums import gs1_standard_check_digit
from biip.gs1_messages import GS1Message
from hypothesis import given
from hypothesis import strategies as st

from station.core.codes import Code, CodeType, Scheme, read_code
from station.core.codes.code_lists import COUNTRIES, CURRENCIES, LANDS, PACKAGES
from station.core.codes.gs1.checks import SET_39, SET_64, SET_82, check_digit_of
from station.core.codes.gs1.elements import MAX_CHARACTERS, read_elements, readings_without_separators
from station.core.codes.gs1.identifiers import find, table

GTIN = "0109506000134352"
SSCC = "00106141412345678908"
PAYEE = "4150614141000012"
PERSON = "8018061414112345678902"
UNSIGNED = (
    "(00)", "(01)(21)", "(03)(21)", "(253)", "(255)", "(8003)", "(8004)", "(8006)(21)", "(8010)(8011)", "(8017)", "(8018)",
)  # fmt: skip
YEAR = 2026


def scan(text: str, sym: str = "]d2") -> Code:
    """What a symbol that announces element strings says; a `^` is a separator."""
    return read_code((sym + text.replace("^", "\x1d")).encode("latin-1"), None, (), YEAR)


# (the rule, an accepted string, a refused one, why it is)
RULES = [
    ("length", GTIN + "10" + "A" * 20, GTIN + "10" + "A" * 21, "(10) has 21 characters, expected 1 to 20"),
    ("length of a fixed field", SSCC, SSCC[:-1], "(00) has 17 characters, expected 18"),
    ("a field is not empty", GTIN + "10A", GTIN + "10", "(10) has 0 characters, expected 1 to 20"),
    ("digits", GTIN + "30125", GTIN + "3012A", "(30) holds characters that are not allowed there"),
    ("set 82", GTIN + "21!\"%&'()*+", GTIN + "21#1", "(21) holds characters that are not allowed there"),
    ("set 82 has no letter of ours", GTIN + "21a_", GTIN + "21\xe9", "(21) holds characters that are not allowed there"),
    ("set 39", "80100614141#-/A", "80100614141a", "(8010) holds characters that are not allowed there"),
    ("set 64", SSCC + "8030Ab-_", SSCC + "8030Ab+/", "(8030) holds characters that are not allowed there"),
    ("set 64 filled up to a group", SSCC + "8030Ab-_MTI=", SSCC + "8030Ab-_MTI==",
     "(8030) holds characters that are not allowed there"),
    ("no bits behind the last byte", SSCC + "8030MQ==", SSCC + "8030MR==",
     "(8030) holds characters that are not allowed there"),
    ("the filler stands behind", SSCC + "8030MTI=", SSCC + "8030MT=I", "(8030) holds characters that are not allowed there"),
    ("check", GTIN, "0109506000134353", "(01) has a wrong check digit"),
    ("check of a load", SSCC, "00106141412345678907", "(00) has a wrong check digit"),
    ("check of a place", "4140614141000012", "4140614141000013", "(414) has a wrong check digit"),
    ("check of a returnable asset", "800300614141000012A1", "800300614141000013A1", "(8003) has a wrong check digit"),
    ("pair", "80131987654Ad4X4bL5ttr2310c2K", "80131987654Ad4X4bL5ttr2310c2L", "(8013) has wrong check characters"),
    ("key", "80040614A", "8004061A", "(8004) does not begin with the 4 digits of a company prefix"),
    ("date", GTIN + "7006270131", GTIN + "7006270100", "(7006) holds no date"),
    ("date0", GTIN + "17270100", GTIN + "17271300", "(17) holds no date"),
    ("a day that is there", GTIN + "15280229", GTIN + "15270229", "(15) holds no date"),
    ("check of a person", PERSON, PERSON[:-1] + "3", "(8018) has a wrong check digit"),
    ("long_date", PERSON + "^725020000229", PERSON + "^725019000229", "(7250) holds no date"),
    ("sex", PERSON + "^72529", PERSON + "^72523", "(7252) holds '3', which is not allowed there"),
    ("place_in_birth", PERSON + "^7259A^72581/2", PERSON + "^7259A^72583/2",
     "(7258) holds '3/2', which is not allowed there"),
    ("hour", GTIN + "800827010123", GTIN + "800827010124", "(8008) holds no time"),
    ("sixty", GTIN + "80082701012359", GTIN + "80082701012360", "(8008) holds no time"),
    ("hour_minute", GTIN + "70032701012359", GTIN + "70032701012400", "(7003) holds no time"),
    ("currency", PAYEE + "3912978125^8020A", PAYEE + "3912002125^8020A", "(3912) holds no currency"),
    ("country", GTIN + "422276", GTIN + "422999", "(422) holds no country"),
    ("several countries", GTIN + "423276040", GTIN + "423276041", "(423) holds no country"),
    ("whole countries", GTIN + "423276040", GTIN + "42327604",
     "(423) has 5 characters, which cannot be cut into its parts"),
    ("country_or_999", GTIN + "7030999AB", GTIN + "7030998AB", "(7030) holds no country"),
    ("land", SSCC + "4307DE", SSCC + "4307XX", "(4307) holds no country"),
    ("latitude", SSCC + "430918000000003600000000", SSCC + "430918000000013600000000",
     "(4309) holds '1800000001', which is not allowed there"),
    ("longitude", SSCC + "430900000000000000000000", SSCC + "430900000000003600000001",
     "(4309) holds '3600000001', which is not allowed there"),
    ("yes_no", SSCC + "43211", SSCC + "43212", "(4321) holds '2', which is not allowed there"),
    ("minus", SSCC + "4331001500-", SSCC + "4331001500+", "(4331) holds '+', which is not allowed there"),
    ("escapes", SSCC + "4300A%20B", SSCC + "4300A%2GB", "(4300) holds 'A%2GB', which is not allowed there"),
    ("importer", "70401ABC", "70401AB?", "(7040) holds '?', which is not allowed there"),
    ("medium", PERSON + "^724110", PERSON + "^724111", "(7241) holds '11', which is not allowed there"),
    ("above_zero", GTIN + "800100010000100110", GTIN + "800100000000100110",
     "(8001) holds '0000', which is not allowed there"),
    ("winding", GTIN + "800100010000100190", GTIN + "800100010000100120",
     "(8001) holds '2', which is not allowed there"),
    ("zero", "800300614141000012", "800310614141000012", "(8003) holds '1', which is not allowed there"),
    ("piece", "8006095060001343520102", "8006095060001343520302", "(8006) holds no piece of a total"),
    ("iban", PAYEE + "8020A^8007DE89370400440532013000", PAYEE + "8020A^8007DE89370400440532013001",
     "(8007) holds no bank account"),
    ("a bank account's length", PAYEE + "8020A^8007NO9386011117947", PAYEE + "8020A^8007DE661234567890",
     "(8007) holds no bank account"),
    ("no_leading_zero", "80100614141A^801110", "80100614141A^801101", "(8011) holds '01', which is not allowed there"),
    ("a serial number may be zero", "80100614141A^80110", "80100614141A^801100",
     "(8011) holds '00', which is not allowed there"),
    ("package", SSCC + "7041PX", SSCC + "7041XX", "(7041) holds no kind of package"),
    ("a signature signs one thing", "8003006141410000121^8030Ab", "800300614141000012^8030Ab",
     "(8030) stands beside (8003) without a serial number"),
    ("a signed document has a serial number", "2534006381333931A^8030Ab", "2534006381333931^8030Ab",
     "(8030) stands beside (253) without a serial number"),
    ("a signed product has a serial number", GTIN + "21A^8030Ab", GTIN + "10A^8030Ab",
     "(8030) stands without " + " or ".join(UNSIGNED)),
    ("made to order", "0309506000134352" + "21A^250B^422276", "0309506000134352" + "235A",
     "(03) cannot stand beside (235)"),
    ("a phone's numbers", GTIN + "21A^8040490154203237518^804389014103211118510720", GTIN + "21A^804389014103211118510720",
     "(8043) stands without (01)(21)(8040)"),
    ("needs another", GTIN + "21A", "21A", "(21) stands without (01) or (03) or (8006)"),
    ("needs two others", GTIN + "21A^250B", GTIN + "250B", "(250) stands without (21)"),
    ("needs any measure", GTIN + "31030015003922125", GTIN + "3922125",
     "(3922) stands without (30) or (31nn) or (32nn) or (35nn) or (36nn)"),
    ("excludes another", GTIN + "21A", GTIN + "21A^235B", "(21) cannot stand beside (235)"),
    ("excludes its like", GTIN + "3103001500", GTIN + "31030015003102001500", "(3103) cannot stand beside (3102)"),
    ("twice the same", GTIN + "10A^10A", GTIN + "10A^10B", "(10) stands twice with different values"),
    ("known identifiers", GTIN + "99A", GTIN + "88A", "no application identifier in '88A'"),
    ("a separator", GTIN + "10A^" + "3103001500", GTIN + "7003270101235910A^240B",
     "(7003) has 13 characters, expected 10"),
    ("not where its length is laid down", GTIN + "^10A^", GTIN + "^^10A", "no application identifier in '\\x1d10A'"),
    ("needs two at once", PERSON + "^7259A^72581/2", PERSON + "^72581/2", "(7258) stands without (8018)(7259)"),
    ("coupon", "8110106141416543213500110000310123196000", "8110106141416543213500115000310123196000",
     "(8110) holds no coupon"),
    ("the dates of a coupon", "811010614141654321350011000031012314100101", "811010614141654321350011000031001014101231",
     "(8110) holds no coupon"),
    ("offer", "81120106141416543210123456", "81122106141416543210123456", "(8112) holds no offer"),
    ("letter", GTIN + "80141987654Ad4X4bL5ttr2310c2K", GTIN + "80141234561482",
     "(8014) holds '1234561482', which is not allowed there"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "accepted", "refused", "why"), RULES, ids=[rule[0] for rule in RULES])
def test_each_rule_accepts_one_string_and_refuses_another(rule: str, accepted: str, refused: str, why: str) -> None:
    good, bad = scan(accepted), scan(refused)
    assert (good.unread, good.scheme) == (None, Scheme.GS1)
    assert (bad.scheme, bad.unread, bad.item) == (None, why, None)


def test_every_check_of_the_table_is_among_the_rules() -> None:
    checks = {check for identifier in table().values() for part in identifier.parts for check in part.checks}
    assert checks - {rule[0] for rule in RULES} == set()


def test_the_table_has_every_identifier_once_and_none_begins_another() -> None:
    known = table()
    assert len(known) == 541
    assert [ai for ai in known for other in known if ai != other and other.startswith(ai)] == []
    assert {ai[:2] for ai, each in known.items() if each.fixed} == {
        *("00", "01", "02", "03", "11", "12", "13", "15", "16", "17", "20", "31", "32", "33", "34", "35", "36", "41")
    }
    assert all(find(ai + "1") is known[ai] for ai in known)


def test_the_lists_have_their_sizes() -> None:
    assert (len(COUNTRIES), len(LANDS), len(PACKAGES)) == (249, 249, 431)
    assert {"924", "926", "191"} <= CURRENCIES  # new ones, and one that is withdrawn and still on goods


def test_the_character_sets_have_their_sizes() -> None:
    assert (len(SET_82), len(SET_39), len(SET_64)) == (82, 39, 64)


@pytest.mark.parametrize("sym", ["]C1", "]e0", "]d2", "]Q3", "]J1"])
def test_these_symbols_announce_element_strings(sym: str) -> None:
    code = scan(GTIN + "10AB^21X-1", sym)
    assert code == Code(
        (sym + GTIN + "10AB\x1d21X-1").encode(), sym, Scheme.GS1, GTIN + "10AB{GS}21X-1", GTIN + "21X-1",
        {"01": "09506000134352", "10": "AB", "21": "X-1"}, key=GTIN + "21X-1",
    )  # fmt: skip


@pytest.mark.parametrize("sym", ["]C0", "]Q1", "]d1", "]A0", "]X0", ""])
@pytest.mark.parametrize("text", ["21WO7", "10000123", "96385074", "WO-1042", "3103001500", "0109506000134353", "99AB"])
def test_what_nothing_announces_and_no_key_vouches_for_is_a_text(sym: str, text: str) -> None:
    code = scan(text, sym)
    assert (code.scheme, code.item, code.fields) == (Scheme.TEXT, text, {})


@pytest.mark.parametrize(
    "text", [GTIN, SSCC, GTIN + "17270131", "800406141415678", "800300614141000012A1", "4140614141000012"]
)
def test_a_key_with_a_good_check_digit_vouches_for_the_whole(text: str) -> None:
    assert scan(text, "").scheme is Scheme.GS1


@pytest.mark.parametrize("text", [GTIN + "17271331", SSCC + "21A", GTIN + "10" + "A" * 21, GTIN + "88"])
def test_a_key_does_not_vouch_for_what_breaks_a_rule(text: str) -> None:
    assert scan(text, "").scheme is Scheme.TEXT


def test_a_text_of_the_shop_in_a_gs1_symbol_stays_a_text() -> None:
    assert (scan("WO-7", "]C1").scheme, scan("WO-7", "]C1").item) == (Scheme.TEXT, "WO-7")


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        (GTIN + "10LOT1234567ABCD21SERIAL1234567", {"10": "LOT1234567ABCD", "21": "SERIAL1234567"}),
        (GTIN + "10ABCDEFGHIJKLMNOPQRST17270131", {"10": "ABCDEFGHIJKLMNOPQRST", "17": "270131"}),
        ("10ABC" + GTIN, {"10": "ABC", "01": "09506000134352"}),
    ],
)
@pytest.mark.parametrize("sym", ["]d2", ""])
def test_a_lost_separator_is_put_back_where_one_reading_is_left(sym: str, text: str, fields: dict[str, str]) -> None:
    read = dict(scan(text, sym).fields)
    assert read.pop("recovered") == "separator"
    assert read == {"01": "09506000134352"} | fields


def test_a_label_that_has_separators_has_not_lost_any() -> None:
    code = scan(GTIN + "10LOT1234567ABCD21SERIAL1234567^240A")
    assert (code.scheme, code.unread) == (None, "(10) has 29 characters, expected 1 to 20")


def test_a_code_names_a_product_unless_it_names_a_lot_a_thing_or_a_load() -> None:
    assert [scan(text).as_ for text in (GTIN, GTIN + "17270131", GTIN + "10A", GTIN + "21A", SSCC)] == [
        CodeType.PRODUCT, CodeType.PRODUCT, CodeType.ITEM, CodeType.ITEM, CodeType.ITEM,
    ]  # fmt: skip


@pytest.mark.parametrize(("year", "accepted"), [(None, True), (2026, True), (1950, True), (2060, False)])
def test_whether_there_is_a_29th_of_february_hangs_on_the_century(year: int | None, accepted: bool) -> None:
    assert (read_elements(GTIN + "17000229", year).refused is None) is accepted  # 2000 was a leap year, 2100 is none


def test_what_would_take_too_long_is_not_read() -> None:
    assert readings_without_separators(GTIN + "10" + "91929394959697989990" * 20 + "#", YEAR) is None
    assert readings_without_separators(GTIN + "9" * MAX_CHARACTERS, YEAR) == []
    assert scan(GTIN + "10" + "9" * 400).unread == "(10) has 400 characters, expected 1 to 20"
    assert scan(GTIN + "10" + "9" * 600).unread == "618 characters, expected at most 512"


@given(st.binary(max_size=60), st.sampled_from(["", *["]C1", "]d2", "]E0", "]E4", "]C0"]]))
def test_any_bytes_are_a_code(content: bytes, sym: str) -> None:
    raw = sym.encode() + content
    code = read_code(raw, None, (), YEAR)
    assert code.raw == raw
    assert (code.scheme is None) is (code.unread is not None)


_AIS = st.sampled_from(sorted(table()))


@given(st.lists(st.tuples(_AIS, st.text("0123456789AB-/\x1d", max_size=24)), max_size=6), st.sampled_from(["", "]C1"]))
def test_anything_like_an_element_string_is_a_code(parts: list[tuple[str, str]], sym: str) -> None:
    code = read_code((sym + "".join(ai + value for ai, value in parts)).encode(), None, (), YEAR)
    assert (code.scheme is None) is (code.unread is not None)


@given(st.text("0123456789", min_size=13, max_size=13), st.text(sorted(SET_82), min_size=1, max_size=20))
def test_what_is_written_is_read(body: str, lot: str) -> None:
    gtin = body + check_digit_of(body)
    assert int(gtin[-1]) == gs1_standard_check_digit(body)
    assert read_elements(f"01{gtin}10{lot}\x1d17270131", YEAR).fields == {"01": gtin, "10": lot, "17": "270131"}


def test_biip_reads_the_same_fields() -> None:
    rng = random.Random(7)
    for _ in range(300):
        body = f"{rng.randrange(10**13):013}"
        lot = "".join(rng.choices("ABCXYZ0123456789-", k=rng.randint(1, 20)))
        measures = f"17{rng.randint(20, 49)}0630310{rng.randint(0, 5)}00{rng.randrange(10**4):04}"
        text = f"01{body}{check_digit_of(body)}{measures}10{lot}"
        oracle = {each.ai.ai: each.value for each in GS1Message.parse(text).element_strings}
        assert read_elements(text, YEAR).fields == oracle
