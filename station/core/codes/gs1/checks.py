"""Checks of the GS1 General Specifications for the parts of a value: check digits, dates, lists, ranges.

Each takes the text of a part, whose length and characters are already correct, and returns whether it is valid.

>>> check_digit("0614141123452") and not check_digit("0614141123453")
True
>>> check_pair("1987654Ad4X4bL5ttr2310c2K")
True
"""

import re
from collections.abc import Callable, Mapping

from station.core.codes.code_lists import COUNTRIES, CURRENCIES, LANDS, PACKAGES
from station.core.codes.gs1.coupons import holds_coupon, holds_offer
from station.core.codes.gs1.dates import holds_date, holds_long_date

# General Specifications, figure 7.11-1 and 7.11-2; set 64 is that of the digital signature (RFC 4648, section 5).
SET_82 = frozenset("!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz")
SET_39 = frozenset("#-/0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_ORDER_64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
SET_64 = frozenset(_ORDER_64)
DIGITS = frozenset("0123456789")
SETS = {"n": DIGITS, "x": SET_82, "y": SET_39, "z": SET_64}
_VALUES = {character: value for value, character in enumerate(sorted(SET_82))}
_PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83)
_PAIR = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
SHORTEST_PREFIX = 4  # digits of a GS1 company prefix
SHORTEST_ACCOUNT = 15  # characters; Norway's, the shortest in the register of ISO 13616


def check_digit_of(digits: str) -> str:
    """The check digit of these digits: weights 3 and 1 from the right, modulo 10 (section 7.9)."""
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits)))
    return str(-total % 10)


def check_digit(digits: str) -> bool:
    """Whether the last digit is the check digit of those before."""
    return check_digit_of(digits[:-1]) == digits[-1]


def check_pair(text: str) -> bool:
    """Whether the last two are the check characters of a model number: prime weights, modulo 1021 (section 7.9.5)."""
    body = text[:-2]
    if not body or not set(body) <= SET_82:
        return False
    total = sum(_VALUES[character] * prime for character, prime in zip(reversed(body), _PRIMES, strict=False)) % 1021
    return text[-2:] == _PAIR[total >> 5] + _PAIR[total & 31]


def _iban(text: str) -> bool:
    if len(text) < SHORTEST_ACCOUNT or not text.isalnum() or text != text.upper():
        return False
    if text[:2] not in LANDS or not text[2:4].isdigit():
        return False
    return int("".join(str(int(character, 36)) for character in text[4:] + text[:4])) % 97 == 1


def _escapes(text: str) -> bool:
    return _ESCAPE.search(text) is None


CHECKS: Mapping[str, Callable[[str], bool]] = {
    "check": check_digit,
    "pair": check_pair,
    "key": lambda text: text[:SHORTEST_PREFIX].isdigit() and len(text) >= SHORTEST_PREFIX,
    "hour": lambda text: text < "24",
    "sixty": lambda text: text < "60",
    "hour_minute": lambda text: text[:2] < "24" and text[2:] < "60",
    "long_date": holds_long_date,
    "currency": lambda text: text in CURRENCIES,
    "country": lambda text: text in COUNTRIES,
    "country_or_999": lambda text: text == "999" or text in COUNTRIES,
    "land": lambda text: text in LANDS,
    "latitude": lambda text: text <= "1800000000",
    "longitude": lambda text: text <= "3600000000",
    "yes_no": lambda text: text in {"0", "1"},
    "minus": lambda text: text == "-",
    "escapes": _escapes,
    "importer": lambda text: text in SET_64,
    "package": lambda text: text in PACKAGES,
    "medium": lambda text: "01" <= text <= "10" or text >= "80",
    "sex": lambda text: text in {"0", "1", "2", "9"},
    "place_in_birth": lambda text: text[1] == "/" and "1" <= text[0] <= text[2] <= "9",
    "above_zero": lambda text: int(text) > 0,
    "winding": lambda text: text in {"0", "1", "9"},
    "zero": lambda text: text == "0",
    "piece": lambda text: "01" <= text[:2] <= text[2:],
    "iban": _iban,
    "no_leading_zero": lambda text: text == "0" or text[0] != "0",
    "letter": lambda text: not text.isdigit(),
    "offer": holds_offer,
}
_DATED: Mapping[str, Callable[[str, int | None], bool]] = {
    "date": holds_date,
    "date0": lambda text, year: holds_date(text, year, may_be_00=True),
    "coupon": holds_coupon,
}
_SENTENCES = {
    "check": "has a wrong check digit",
    "pair": "has wrong check characters",
    "key": f"does not begin with the {SHORTEST_PREFIX} digits of a company prefix",
    "date": "holds no date",
    "date0": "holds no date",
    "long_date": "holds no date",
    "hour": "holds no time",
    "sixty": "holds no time",
    "hour_minute": "holds no time",
    "currency": "holds no currency",
    "country": "holds no country",
    "country_or_999": "holds no country",
    "land": "holds no country",
    "piece": "holds no piece of a total",
    "package": "holds no kind of package",
    "iban": "holds no bank account",
    "coupon": "holds no coupon",
    "offer": "holds no offer",
}


def refusal(check: str, text: str, year: int | None) -> str | None:
    """The fault of this part of a value, as a predicate for its identifier; None where it is valid."""
    dated = _DATED.get(check)
    holds = dated(text, year) if dated else CHECKS[check](text)
    return None if holds else _SENTENCES.get(check, f"holds {text!r}, which is not allowed there")


def _whole_groups(text: str) -> bool:
    """Whether padded base64 is padded to a group of four, and its unused bits are zero (RFC 4648)."""
    data = text.rstrip("=")
    filler = len(text) - len(data)
    if not filler:
        return True
    spare = 3 if filler == 1 else 15  # the bits of the last character that belong to no byte
    return len(text) % 4 == 0 and filler < 3 and not _ORDER_64.find(data[-1]) & spare


def in_set(kind: str, text: str) -> bool:
    """Whether all characters belong to the set of this kind; in set 64, `=` is padding at the end, as in base64."""
    if kind == "z":
        data = text.rstrip("=")
        return bool(data) and SET_64.issuperset(data) and _whole_groups(text)
    return SETS[kind].issuperset(text)
