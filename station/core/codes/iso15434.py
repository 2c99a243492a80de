r"""ISO/IEC 15434: an envelope in which a label carries several fields, of GS1 (format 05) or with data identifiers (06).

`[)>` and RS open it, two digits name the format, GS stands before each field, RS ends a format, EOT the envelope. A data
identifier is up to three digits and a letter (ANSI MH10.8.2).

>>> read_envelope("[)>\x1e06\x1d1PBC547\x1dQ25\x1d4LDE\x1e\x04", None).fields
{'1P': 'BC547', 'Q': '25', '4L': 'DE'}
>>> read_envelope("[)>\x1e06\x1d25\x1e\x04", None).refused
"the field '25' begins with no data identifier"
"""

import re

from station.core.codes.gs1 import Reading, read_elements

HEAD = "[)>"
_RS, _GS, _EOT = "\x1e", "\x1d", "\x04"
_FIELD = re.compile(r"([0-9]{0,3}[A-Z])(.*)", re.DOTALL)
MAX_FIELDS = 100
MAX_CHARACTERS = 2_048


def opens(text: str) -> bool:
    """This text is an envelope, or begins as one; some old labels have a `>` before it."""
    return text.startswith((HEAD + _RS, ">" + HEAD, HEAD + "05" + _GS, HEAD + "06" + _GS))


def read_envelope(text: str, year: int | None) -> Reading:
    """The fields of all formats in the envelope, by identifier; one that comes again has `#2`, `#3` … behind it."""
    if len(text) > MAX_CHARACTERS:
        return Reading(refused=f"{len(text)} characters, expected at most {MAX_CHARACTERS}")
    body = text.removeprefix(">").removeprefix(HEAD).removeprefix(_RS)
    if not body.endswith(_EOT):
        return Reading(refused="the envelope has no end")
    body = body[:-1].removesuffix(_RS)
    fields: dict[str, str] = {}
    for part in body.split(_RS):
        kind, _, content = part.partition(_GS)
        found = {"05": _of_gs1, "06": _identified}.get(kind, _unknown)(content, kind, year)
        if isinstance(found, str):
            return Reading(refused=found)
        for name, value in found:
            again = 1 + sum(each.split("#")[0] == name for each in fields)
            fields[name if again == 1 else f"{name}#{again}"] = value
        if len(fields) > MAX_FIELDS:
            return Reading(refused=f"more than {MAX_FIELDS} fields")
    return Reading(fields)


def _unknown(_content: str, kind: str, _year: int | None) -> str:
    return f"the format {kind[:8]!r}, expected 05 or 06"


def _of_gs1(content: str, _kind: str, year: int | None) -> list[tuple[str, str]] | str:
    reading = read_elements(content, year)
    return list(reading.fields.items()) if reading.refused is None else reading.refused


def _identified(content: str, _kind: str, _year: int | None) -> list[tuple[str, str]] | str:
    found = []
    for part in content.removesuffix(_GS).split(_GS):
        cut = _FIELD.fullmatch(part)
        if cut is None:
            return f"the field {part[:20]!r} begins with no data identifier" if part else "a field is empty"
        if not part.isprintable():
            return f"the field {cut[1]} holds a control character"
        found.append((cut[1], cut[2]))
    return found
