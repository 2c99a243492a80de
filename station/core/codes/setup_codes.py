"""Set-up codes: configuration labels of scanner makers, read by a scanner of another maker.

The scanner for which such a label is made applies it and sends nothing. Every other one sends its text like any code: a
page of the wrong manual was scanned, or a label that should have configured a scanner here. Only documented forms are
recognised. Codes that begin with a function character of Code 128 (Zebra, Honeywell, Metrologic) are not sent as text at
all.

>>> made_for("@SETUPE1"), made_for("^#SC^3030010"), made_for("WO-1042")
('Newland', 'Grow and M5Stack', None)
"""

import re
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class SetupCodeFormat:
    """The format of one maker's set-up codes: `regex` matches the whole text, `source` is its document."""

    maker: str
    regex: str
    source: str

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The compiled expression; none of them backtracks long."""
        return re.compile(self.regex)


FORMS: tuple[SetupCodeFormat, ...] = (
    SetupCodeFormat(
        "Newland",
        # The storage type, a tag of three characters, a subtag of three, its value.
        "@(?:[A-Z][A-Z0-9]{2}|232)[A-Z][A-Z0-9]{2}[0-9A-F]*",
        "NLS-HR42 User Manual, page 92 (@UPAAD50, @UPAREQ1); NLS-HR52 User Manual, page 35 (the syntax)",
    ),
    SetupCodeFormat(
        "Netum",
        "#SETUPE[01]|@(?:EN|DIS)ABLE_ALL[12]D",
        "RD-2023 manual, Barcode Settings (Start Setup, End Setup, Enable and Disable All 1D and 2D Codes)",
    ),
    SetupCodeFormat(
        "Opticon",
        "@MENU_OPTO@(?:[^@]+@)+OTPO_UNEM@",
        "Specifications Manual SS13063, section 18.1 (@MENU_OPTO@ZZ@BAP@ZZ@OTPO_UNEM@)",
    ),
    SetupCodeFormat(
        "Datalogic",
        r"\$P,(?:[0-9A-Za-z]+,)+P",
        "Gryphon I GFS4400 Product Reference Guide, page 56 ($P,AE,P)",
    ),
    SetupCodeFormat(
        "Alacrity and NADAMOO",
        "%%SpecCode(?:[0-9A-F]{2}){1,4}",
        "the set-up pages of juitnow/juit-alacrity-setup (%%SpecCode10 to %%SpecCodeBA0004)",
    ),
    SetupCodeFormat(
        "Grow and M5Stack",
        r"\^#SC\^[0-9A-F]{7}",
        "M5Stack AtomicQR_Reader_EN.pdf, section 1.1 (^#SC^303FFF0); GM67 manual (^#SC^3030010)",
    ),
)
BEGIN = frozenset("@#$%^")
"""The first characters of these forms: a cheap test, because every scan is checked."""
MAX_CHARACTERS = 512  # of a set-up code; several commands in one label stay far below


def made_for(text: str) -> str | None:
    """The maker whose scanners this text would configure; None where it is no known set-up code."""
    if len(text) > MAX_CHARACTERS or text[:1] not in BEGIN:
        return None
    return next((form.maker for form in FORMS if form.pattern.fullmatch(text)), None)
