r"""Application identifiers (AI) of the GS1 General Specifications: the format of each value, and the required and excluded
AIs.

One line is one family: the identifier (a range where several are alike), `*` for a fixed length without separator, the
parts of the value, then `+` with AIs of which one is required (each `+` separately) and `-` with the excluded ones. A part
is `n` digits, `x` character set 82, `y` set 39 or `z` set 64, its length (`..20` is 1 to 20), `[...]` where it is optional,
and its checks by name. Source: General Specifications, section 3, and the pairs in section 4.

>>> find("10ABC").ai, find("3103001500").fixed, find("9912") is find("99"), find("WO-1042") is None
('10', True, True, True)
>>> [(part.kind, part.least, part.most, part.checks) for part in find("253").parts]
[('n', 13, 13, ('check', 'key')), ('x', 0, 17, ())]
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

_LINES = """
00 * n18:check
01 * n14:check -255,37
02 * n14:check +37 -01,03
03 * n14:check -01,02,37,235
10 x..20 +01,02,03,8006,8026
11 * n6:date0 +01,02,03,8006,8026
12 * n6:date0 +8020
13 * n6:date0 +01,02,03,8006,8026
15-16 * n6:date0 +01,02,03,8006,8026
17 * n6:date0 +01,02,03,255,8006,8026
20 * n2 +01,02,03,8006,8026
21 x..20 +01,03,8006 -235
22 x..20 +01
235 x..28 +01
240-241 x..30 +01,02,03,8006,8026
242 n..6 +01,02,8006,8026
243 x..20 +01,03
250 x..30 +01,03,8006 +21
251 x..30 +01,03,8006
253 n13:check:key [x..17]
254 x..20 +414
255 n13:check:key [n..12] -01,02,415,8006,8020,8026
30 n..8 +01,02
37 n..8 +00 +02,8026
3900-3909 n..15 +255,8020 -390n,391n,394n,8111
3910-3919 n3:currency n..15 +8020 -391n
3920-3929 n..15 +01 +30,31nn,32nn,35nn,36nn -392n,393n
3930-3939 n3:currency n..15 +30,31nn,32nn,35nn,36nn -393n
3940-3943 n4 +255 -394n,8111
3950-3955 n6 +30,31nn,32nn,35nn,36nn -392n,393n,395n,8005
400 x..30
401 x..30:key
402 n17:check:key
403 x..30 +00
410-414 * n13:check:key
415 * n13:check:key +8020
416-417 * n13:check:key
420 x..20 -421
421 n3:country x..9 -4307
422 n3:country +01,02,03,8006,8026 -426
423 n3:country [n3:country] [n3:country] [n3:country] [n3:country] +01,02,03 -426
424 n3:country +01,02,03 -426
425 n3:country [n3:country] [n3:country] [n3:country] [n3:country] +01,02,03 -426
426 n3:country +01,02,03
427 x..3 +01,02,03 +422
4300-4301 x..35:escapes +00
4302 x..70:escapes +00
4303 x..70:escapes +4302
4304-4306 x..70:escapes +00
4307 x2:land +00
4308 x..30 +00
4309 n10:latitude n10:longitude +00
4310-4311 x..35:escapes +00
4312 x..70:escapes +00
4313 x..70:escapes +4312
4314-4316 x..70:escapes +00
4317 x2:land +00
4318 x..20 +00
4319 x..30 +00
4320 x..35:escapes +00
4321-4323 n1:yes_no +00
4324-4325 n6:date0 n4:hour_minute +00
4326 n6:date +00
4330 n6 [x1:minus] +00 -4331
4331 n6 [x1:minus] +00 -4330
4332 n6 [x1:minus] +00 -4333
4333 n6 [x1:minus] +00 -4332
7001 n13 +01,02,8006,8026
7002 x..30 +01,02
7003 n6:date n4:hour_minute +01,02,03
7004 n..4 +01,03 +10
7005 x..12 +01,02
7006 n6:date +01,02
7007 n6:date [n6:date] +01,02
7008 x..3 +01,02
7009 x..10 +01,02
7010 x..2 +01,02,03
7011 n6:date [n4:hour_minute] +01,02,03
7020 x..20 +01,03,8006 +416
7021 x..20 +01,03,8006
7022 x..20 +01,03,8006 +7021
7023 x..30:key
7030-7039 n3:country_or_999 x..27 +01,02
7040 n1 x1 x1 x1:importer
7041 x..4:package +00
710-717 x..20 +01
7230-7239 x2 x..28 +01,8004
7240 x..20 +01,8006 -03
7241 n2:medium +8017,8018
7242 x..25 +8017,8018
7250 n8:long_date +8018 -7251
7251 n8:long_date n4:hour_minute +8018 -7250
7252 n1:sex +8018
7253-7254 x..40:escapes +8017,8018 -7256,7259
7255 x..10 +8017,8018 -7256,7259
7256 x..90:escapes +8017,8018
7257 x..70:escapes +8018
7258 x3:place_in_birth +8018&7259
7259 x..40:escapes +8018 -7256
8001 n4:above_zero n5:above_zero n3:above_zero n1:winding n1 +01
8002 x..20
8003 n1:zero n13:check:key [x..16]
8004 x..30:key
8005 n6 +01,02
8006 n14:check n4:piece -01,03,37
8007 x..34:iban +415
8008 n6:date n2:hour [n2:sixty] [n2:sixty] +01,02,03
8009 x..50 +00,01,03
8010 y..30:key
8011 n..12:no_leading_zero +8010
8012 x..20 +01,03,8006
8013 x..25:pair:key
8014 x..25:pair:key:letter +01
8017 n18:check:key -8018
8018 n18:check:key -8017
8019 n..10 +8017,8018
8020 x..25 +415
8026 n14:check n4:piece +37 -02,03,8006
8030 z..90 +00,01&21,03&21,253,255,8003,8004,8006&21,8010&8011,8017,8018
8040 n15 +01&21
8041 n15 +01&21&8040
8042 n32 +01&21&8040
8043 n18 [n..2] +01&21&8040
8110 x..70:coupon
8111 n4 +255
8112 x..70:offer
8200 x..70 +01
90 x..30
91-99 x..90
"""
# The fourth digit of a measure's AI is its scale. Measures of a trade item require its GTIN, those of a load the load's
# number or the GTIN.
_OF_GOODS = (*range(310, 317), *range(320, 330), *range(350, 353), 356, 357, 360, 361, *range(364, 367))
_OF_LOADS = (*range(330, 337), *range(340, 350), *range(353, 356), 362, 363, *range(367, 370))
_PART = re.compile(r"(\[?)([nxyz])(\.\.)?(\d+)((?::\w+)*)\]?")


@dataclass(frozen=True, slots=True)
class ValuePart:
    """A part of a value: its kind of characters, its lengths (0 where it may be absent), the names of its checks."""

    kind: str
    least: int
    most: int
    checks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ApplicationIdentifier:
    """An application identifier: whether its length is fixed, its parts, and the AIs that it requires and excludes.

    `needs` has one tuple for each requirement, of which one alternative must be present; an alternative with `&` requires
    all of its identifiers. An `n` matches any digit.
    """

    ai: str
    fixed: bool
    parts: tuple[ValuePart, ...]
    needs: tuple[tuple[str, ...], ...] = ()
    excludes: tuple[str, ...] = ()

    @property
    def most(self) -> int:
        """The maximum length of its value."""
        return sum(part.most for part in self.parts)


def _lines() -> Iterator[str]:
    yield from _LINES.strip().splitlines()
    for beside, families in (("01,02", _OF_GOODS), ("00,01", _OF_LOADS), ("01", (337,))):
        for family in families:
            yield f"{family}0-{family}5 * n6 +{beside} -{family}n"


def _part(written: str) -> ValuePart:
    match = _PART.fullmatch(written)
    assert match is not None, written
    optional, kind, open_, most, checks = match.groups()
    least = 0 if optional else 1 if open_ else int(most)
    return ValuePart(kind, least, int(most), tuple(checks.split(":")[1:]))


@cache
def table() -> dict[str, ApplicationIdentifier]:
    """Every application identifier by its digits; parsed once, at the first code that needs it."""
    identifiers = {}
    for line in _lines():
        span, *words = line.split()
        first, _, last = span.partition("-")
        parts = tuple(_part(word) for word in words if word[0] in "nxyz[")
        needs = tuple(tuple(word[1:].split(",")) for word in words if word[0] == "+")
        excludes = tuple(other for word in words if word[0] == "-" for other in word[1:].split(","))
        for number in range(int(first), int(last or first) + 1):
            ai = str(number).zfill(len(first))
            identifiers[ai] = ApplicationIdentifier(ai, "*" in words, parts, needs, excludes)
    return identifiers


def find(text: str, at: int = 0) -> ApplicationIdentifier | None:
    """The application identifier at `at`; None where there is none. No identifier is a prefix of another."""
    known = table()
    return next((known[text[at:end]] for end in (at + 2, at + 3, at + 4) if text[at:end] in known), None)
