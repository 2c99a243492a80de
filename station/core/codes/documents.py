"""Documents: contents of symbols that identify nothing in a shop, such as a contact, a network or a payment.

They are recorded, and not understood: no line of them is a code, though a short one may look like one. A text of several
lines is a code only where a pattern, a binding or a published system reads the whole of it.

>>> unread_text("BEGIN:VCARD{0A}N:X{0A}END:VCARD")
'a contact (vCard), which is no code of the shop'
>>> unread_text("Bracket M8{0D}{0A}left side")
'2 lines of text, none of them a code: Bracket M8 / left side'
>>> unread_text("WO-1042") is None
True
"""

import re
from collections.abc import Sequence

_BREAK = re.compile(r"(?:\{0D\}|\{0A\})+")
_SHOWN_LINES, _SHOWN_CHARACTERS = 3, 20
# The form of each document at the beginning of its canonical text, and its name.
DOCUMENTS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"BEGIN:VCARD\b|MECARD:|BIZCARD:", re.IGNORECASE), "a contact (vCard)"),
    (re.compile(r"BEGIN:V(?:CALENDAR|EVENT|TODO)\b", re.IGNORECASE), "a calendar entry"),
    (re.compile(r"WIFI:.*;", re.IGNORECASE), "a wireless network"),
    (re.compile(r"SPC(?:\{0D\}|\{0A\})+0[0-9]{3}(?:\{0D\}|\{0A\})"), "a payment (Swiss QR)"),
    (re.compile(r"BCD(?:\{0D\}|\{0A\})+00[12](?:\{0D\}|\{0A\})"), "a payment (EPC QR)"),
    (re.compile(r"(?:UPNQR|HRVHUB30)(?:\{0D\}|\{0A\})"), "a payment"),
    (re.compile(r"(?:mailto|tel|sms|smsto|geo|matmsg):", re.IGNORECASE), "an address for a phone"),
    (re.compile(r"@\{0A\}(?:\{RS\}|\{1C\})"), "an identity card (AAMVA)"),
    (re.compile(r"-----BEGIN [A-Z0-9 ]+-----"), "a certificate"),
    (re.compile(r"<\?xml\b", re.IGNORECASE), "an XML document"),
)
# The first characters of each form: most codes are compared with none of them.
_HEAD_CHARACTERS = 4
_HEADS = frozenset(
    (
        *(
            "BEGI",
            "MECA",
            "BIZC",
            "WIFI",
            "SPC{",
            "BCD{",
            "UPNQ",
            "HRVH",
            "MAIL",
            "TEL:",
            "SMS:",
            "SMST",
            "GEO:",
            "MATM",
        ),
        *("@{0A", "----", "<?XM"),
    )
)


def document(code: str) -> str | None:
    """The name of the document in a canonical text; None where it is none."""
    if code[:_HEAD_CHARACTERS].upper() not in _HEADS:
        return None
    return next((name for form, name in DOCUMENTS if form.match(code)), None)


def lines_of(code: str) -> list[str]:
    """The lines of a canonical text, without empty ones.

    >>> lines_of("WO-35{0D}{0A}{0D}{0A}left{0A}")
    ['WO-35', 'left']
    """
    return [line for line in _BREAK.split(code) if line] if "{0" in code else [code]


def unread_text(code: str) -> str | None:
    """Why a text that nothing else reads is no code: the reason in words, None for the text of a code."""
    if "{0" not in code and code[:_HEAD_CHARACTERS].upper() not in _HEADS:
        return None  # nearly every code
    name = document(code)
    if name is not None:
        return f"{name}, which is no code of the shop"
    lines = lines_of(code)
    if len(lines) < 2:
        return None
    return f"{len(lines)} lines of text, none of them a code: {shown_lines(lines)}"


def shown_lines(lines: Sequence[str]) -> str:
    """The first lines, each cut to a few characters."""
    shown = [line.strip()[:_SHOWN_CHARACTERS] for line in lines[:_SHOWN_LINES]]
    return " / ".join([*shown, "…"] if len(lines) > _SHOWN_LINES else shown)
