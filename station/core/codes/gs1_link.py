"""GS1 Digital Link: an element string written as a web address, on anybody's host.

The path ends in a key and what qualifies it, in a fixed order; the query may hold further fields (GS1 Digital Link
Standard: URI Syntax). An address that breaks a rule is an address, and no Digital Link.

>>> read_link("https://id.example.com/shop/01/09506000134352/10/AB%2F1?17=270131&lang=de", 2026).fields
{'01': '09506000134352', '10': 'AB/1', '17': '270131'}
>>> read_link("https://example.com/wo/1042", 2026) is None
True
"""

import re
from collections.abc import Sequence
from urllib.parse import unquote, unquote_plus

from station.core.codes.gs1 import MAX_CHARACTERS, Reading, refused_pairing, refused_value
from station.core.codes.gs1_table import find, table

# The keys of a path, and the qualifiers that may follow each, in this order.
_QUALIFIERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "00": (), "01": (("22", "10", "21"), ("235",)), "253": (), "255": (), "401": (), "402": (),
    "414": (("254",), ("7040",)), "415": (("8020",),), "417": (("7040",),), "8003": (), "8004": (("7040",),),
    "8006": (("22", "10", "21"),), "8010": (("8011",),), "8013": (), "8017": (("8019",),), "8018": (("8019",),),
}  # fmt: skip
_NOT_IN_QUERY = frozenset(
    {"03", "21", "22", "235", "254", "7040", "7041", "8011", "8014", "8019", "8020", "8040", "8041", "8042", "8043", "8200"}
)  # fmt: skip
_ADDRESS = re.compile(r"https?://[^/?#\s]+(/[^?#]*)(?:\?([^#]*))?(?:#.*)?", re.IGNORECASE)


def _ai(text: str) -> bool:
    identifier = find(text)
    return identifier is not None and identifier.ai == text


def _path(segments: Sequence[str]) -> dict[str, str] | None:
    """The key nearest the end of the path, and its qualifiers."""
    for at in range(len(segments) - 2, -1, -2):
        key = segments[at]
        if key in _QUALIFIERS:
            names, values = segments[at::2], segments[at + 1 :: 2]
            orders = _QUALIFIERS[key] or ((),)
            if any(list(names[1:]) == [each for each in order if each in names[1:]] for order in orders):
                return dict(zip(names, (unquote(value) for value in values), strict=True))
            return None
        if not _ai(key):
            return None
    return None


def read_link(text: str, year: int | None) -> Reading | None:
    """The fields of a Digital Link; None where the text is no valid one."""
    address = _ADDRESS.fullmatch(text) if len(text) <= MAX_CHARACTERS else None
    fields = _path(address[1].strip("/").split("/")) if address is not None else None
    if address is None or fields is None:
        return None
    for pair in re.split("[&;]", address[2] or ""):
        name, equals, value = pair.partition("=")
        name = unquote_plus(name)
        if not (name.isascii() and name.isdigit()):
            continue
        if not equals or not _ai(name) or name in _NOT_IN_QUERY or name in fields:
            return None
        fields[name] = unquote_plus(value)
    if any(refused_value(table()[ai], value, year) is not None for ai, value in fields.items()):
        return None
    return Reading(fields) if refused_pairing(fields) is None else None
