r"""ISO/IEC 15434 envelope: several fields of a label in GS1 format (05), with data identifiers (06), or with text element
identifiers (12, aerospace).

It begins with `[)>` and RS. Two digits are the format, GS precedes each field, RS ends a format, EOT ends the envelope. A
data identifier is up to three digits and a letter (ANSI MH10.8.2); a text element identifier is three letters and a space
(Spec 2000). Some distributors print no end, some scanners drop it, and some type other characters for it: such an envelope
is parsed, with a field `recovered`, and `rest` contains what follows the last format.

>>> read_envelope("[)>\x1e06\x1d1PBC547\x1dQ25\x1d4LDE\x1e\x04", None).fields
{'1P': 'BC547', 'Q': '25', '4L': 'DE'}
>>> read_envelope("[)>\x1e06\x1d25\x1e\x04", None).refused
"the field '25' begins with no data identifier"
>>> read_envelope("[)>\x1e12\x1dMFR 0B9R9\x1dSER 786950\x1e", None).fields
{'MFR': '0B9R9', 'SER': '786950', 'recovered': 'end'}
>>> read_envelope("[)>\x1e06\x1dQ25\x1eV", None).fields
{'Q': '25', 'recovered': 'end', 'rest': 'V'}
"""

import re

from station.core.codes.canonical import canonical
from station.core.codes.gs1.elements import ElementString, read_elements

HEAD = "[)>"
_RS, _GS, _EOT = "\x1e", "\x1d", "\x04"
_IDENTIFIERS = {
    "06": (re.compile(r"([0-9]{0,3}[A-Z])(.*)", re.DOTALL), "data identifier"),
    "12": (re.compile(r"([A-Z]{3}) (.*)", re.DOTALL), "text element identifier"),
}
_FORMAT_DIGITS = 2
MAX_FIELDS = 100
MAX_CHARACTERS = 2_048


def opens(text: str) -> bool:
    """Whether this text begins like an envelope; some old labels have a `>` before it."""
    return text.startswith((HEAD + _RS, ">" + HEAD, *(HEAD + kind + _GS for kind in ("05", *_IDENTIFIERS))))


def read_envelope(text: str, year: int | None) -> ElementString:
    """The fields of all formats in the envelope, by identifier; a repeated one gets `#2`, `#3` … appended."""
    if len(text) > MAX_CHARACTERS:
        return ElementString(refused=f"{len(text)} characters, expected at most {MAX_CHARACTERS}")
    body = text.removeprefix(">").removeprefix(HEAD).removeprefix(_RS)
    ended = body.endswith(_EOT)
    body = body.removesuffix(_EOT).removesuffix(_RS)
    fields: dict[str, str] = {}
    formats = body.split(_RS)
    for number, part in enumerate(formats):
        kind, _, content = part.partition(_GS)
        if fields and not (kind.isdigit() and len(kind) == _FORMAT_DIGITS):
            rest = canonical(_RS.join(formats[number:]).encode("latin-1"))
            return ElementString(fields | {"recovered": "end", "rest": rest})
        parsed = _identified(content, kind) if kind in _IDENTIFIERS else _of_gs1(content, kind, year)
        if isinstance(parsed, str):
            return ElementString(refused=parsed)
        for name, value in parsed:
            count = 1 + sum(known.split("#")[0] == name for known in fields)
            fields[name if count == 1 else f"{name}#{count}"] = value
        if len(fields) > MAX_FIELDS:
            return ElementString(refused=f"more than {MAX_FIELDS} fields")
    return ElementString(fields if ended else fields | {"recovered": "end"})


def complete_envelope(text: str) -> str:
    r"""The envelope with its head, its separators and its end, and without what follows its last format.

    >>> complete_envelope(">[)>06\x1d1PBC547\x1dQ25\x1d") == "[)>\x1e06\x1d1PBC547\x1dQ25\x1e\x04"
    True
    """
    body = text.removeprefix(">").removeprefix(HEAD).removeprefix(_RS).removesuffix(_EOT).removesuffix(_RS)
    formats: list[str] = []
    for part in body.split(_RS):
        kind = part.partition(_GS)[0]
        if formats and not (kind.isdigit() and len(kind) == _FORMAT_DIGITS):
            break
        formats.append(part.removesuffix(_GS))
    return f"{HEAD}{_RS}{_RS.join(formats)}{_RS}{_EOT}"


def _of_gs1(content: str, kind: str, year: int | None) -> list[tuple[str, str]] | str:
    if kind != "05":
        return f"the format {kind[:8]!r}, expected 05, 06 or 12"
    reading = read_elements(content, year)
    return list(reading.fields.items()) if reading.refused is None else reading.refused


def _identified(content: str, kind: str) -> list[tuple[str, str]] | str:
    fields = []
    field, name = _IDENTIFIERS[kind]
    for part in content.removesuffix(_GS).split(_GS):
        cut = field.fullmatch(part)
        if cut is None:
            return f"the field {part[:20]!r} begins with no {name}" if part else "a field is empty"
        if not part.isprintable():
            return f"the field {cut[1]} holds a control character"
        fields.append((cut[1], cut[2]))
    return fields
