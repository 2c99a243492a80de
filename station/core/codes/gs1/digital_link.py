"""GS1 Digital Link: an element string in the form of a web address on any host.

The path ends in a key and its qualifiers, in a fixed order; the query may contain further fields (GS1 Digital Link
Standard: URI Syntax). An address that violates a rule is no Digital Link.

>>> read_link("https://id.example.com/shop/01/09506000134352/10/AB%2F1?17=270131&lang=de", 2026).fields
{'01': '09506000134352', '10': 'AB/1', '17': '270131'}
>>> read_link("https://example.com/wo/1042", 2026) is None
True
"""

import re
from collections.abc import Sequence
from urllib.parse import unquote, unquote_plus

from station.core.codes.gs1.elements import MAX_CHARACTERS, ElementString, refused_pairing, refused_value
from station.core.codes.gs1.identifiers import find, table

# The keys of a path, and the qualifiers that may follow each, in this order.
_QUALIFIERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "00": (), "01": (("22", "10", "21"), ("235",)), "253": (), "255": (), "401": (), "402": (),
    "414": (("254",), ("7040",)), "415": (("8020",),), "417": (("7040",),), "8003": (), "8004": (("7040",),),
    "8006": (("22", "10", "21"),), "8010": (("8011",),), "8013": (), "8017": (("8019",),), "8018": (("8019",),),
}  # fmt: skip
_NOT_IN_QUERY = frozenset(
    {"03", "21", "22", "235", "254", "7040", "7041", "8011", "8014", "8019", "8020", "8040", "8041", "8042", "8043", "8200"}
)  # fmt: skip
# RFC 3986: its characters, a `%` only before two hex digits; the name or address of a host, optionally a port, no user.
_ADDRESS = re.compile(
    r"(?:https?|HTTPS?)://(?:\[[0-9A-Fa-f:.]+\]|[^/?#@:\[\]]+)(?::[0-9]*)?(/[^?#]*)(?:\?([^#]*))?(?:#.*)?"
)
_CHARACTERS = re.compile(r"(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})*")
_GTIN_DIGITS = 14
_SHORT_GTINS = frozenset({8, 12, 13})


def _ai(text: str) -> bool:
    identifier = find(text)
    return identifier is not None and identifier.ai == text


def _path(segments: Sequence[str]) -> dict[str, str] | None:
    """The key nearest to the end of the path, and its qualifiers."""
    for at in range(len(segments) - 2, 0, -2):
        key = segments[at]
        if key in _QUALIFIERS:
            names, values = segments[at::2], segments[at + 1 :: 2]
            orders = _QUALIFIERS[key] or ((),)
            if any(list(names[1:]) == [ai for ai in order if ai in names[1:]] for order in orders):
                return dict(zip(names, (unquote(value) for value in values), strict=True))
            return None
        if not _ai(key):
            return None
    return None


def _qualifies(ai: str, path: Sequence[str]) -> bool:
    """Whether this identifier qualifies the key together with the qualifiers in the path, so that it belongs there."""
    key, *qualifiers = path
    return any(ai in order and set(qualifiers) <= set(order) for order in _QUALIFIERS[key])


def read_link(text: str, year: int | None) -> ElementString | None:
    """The fields of a Digital Link; None where the text is no valid one."""
    if len(text) > MAX_CHARACTERS or _CHARACTERS.fullmatch(text) is None:
        return None
    address = _ADDRESS.fullmatch(text)
    fields = _path(address[1].split("/")) if address is not None else None
    if address is None or fields is None:
        return None
    path = tuple(fields)
    for pair in re.split("[&;]", address[2] or ""):
        name, equals, value = pair.partition("=")
        name = unquote_plus(name)
        if not (name.isascii() and name.isdigit()):
            continue
        if not equals or not _ai(name) or name in _NOT_IN_QUERY or name in fields or _qualifies(name, path):
            return None
        value = unquote_plus(value)
        # An example in the standard has a GTIN of 13 digits in its query; the path requires 14.
        fields[name] = value.zfill(_GTIN_DIGITS) if name == "01" and len(value) in _SHORT_GTINS else value
    if any(refused_value(table()[ai], value, year) is not None for ai, value in fields.items()):
        return None
    return ElementString(fields) if refused_pairing(fields) is None else None
