"""Keys: what a published code identifies, as text that is the same for each carrier and each order of the fields.

A published code is its keys (GS1 General Specifications, section 4): the SSCC of a load, the GTIN with the serial number or
the lot of a trade item, the number of an asset. Dates, measures, counts and addresses describe the thing.

A key is written as an element string in canonical text, which a scanner would read again as this key.

>>> key_text({"17": "270131", "21": "7", "01": "09506000134352"}), key_text({"400": "A7"})
('0109506000134352217', None)
"""

from collections.abc import Mapping

from station.core.codes.canonical import canonical, plain_braces

# The key that a code has: the first of these of which it has all fields. A single thing comes before a lot, a lot before a
# product, and goods come before the returnable asset, document, party or place beside them.
KEYS: tuple[tuple[str, ...], ...] = (
    ("00",),
    ("8006", "21"), ("01", "21"), ("01", "235"), ("03", "21"), ("8004",), ("8010", "8011"),
    ("8006", "10"), ("01", "10"), ("03", "10"),
    ("01", "22"), ("8006",), ("01",), ("03",), ("8010",), ("8013",),
    ("8003",), ("8018", "8019"), ("8018",), ("8017", "8019"), ("8017",),
    ("253",), ("255",), ("402",), ("401",),
    ("415", "8020"), ("415",), ("414", "254"), ("414",), ("417",),
)  # fmt: skip
_SEPARATED = frozenset({"8006", "8010", "8017", "8018"})  # a separator follows their value


def key_text(fields: Mapping[str, str]) -> str | None:
    """The key in these fields (by application identifier) as canonical text; None where they have none."""
    for key in KEYS:
        first, last = key[0], key[-1]
        if first in fields and last in fields:
            head = first + fields[first]
            if first is last:
                return head
            return f"{head}{{GS}}{last}{fields[last]}" if first in _SEPARATED else head + last + fields[last]
    return None


def published_key(fields: Mapping[str, str]) -> str:
    """The key of an element string; of one without a key all of its fields, in the order of their identifiers.

    >>> published_key({"91": "B", "400": "A7"})
    '400A7{GS}91B'
    """
    return key_text(fields) or _element_string(fields, tuple(sorted(name for name in fields if name.isdigit())))


def envelope_key(fields: Mapping[str, str], text: str) -> str:
    """The key of an ISO/IEC 15434 envelope: that of its GS1 fields, else the whole envelope in its complete form `text`.

    Identifiers that come twice (`01#2`) name two things: such an envelope has no key.
    """
    has_two = any("#" in name and name.partition("#")[0].isdigit() for name in fields)
    return (None if has_two else key_text(fields)) or plain_braces(canonical(text.encode("latin-1", "replace")))


def _element_string(fields: Mapping[str, str], names: tuple[str, ...]) -> str:
    from station.core.codes.gs1.identifiers import table  # at the first code that needs it

    known = table()
    parts = [name + fields[name] + ("" if known[name].fixed else "{GS}") for name in names[:-1]]
    return "".join(parts) + names[-1] + fields[names[-1]]
