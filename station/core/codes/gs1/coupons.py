"""North American coupon codes: the values of the identifiers 8110 and 8112, digit fields with length prefixes.

Source: North American Coupon Application Guideline Using GS1 DataBar Expanded, and GS1 US's guideline for positive offers.

>>> holds_coupon("106141416543213500110000310123196000", None), holds_coupon("106141416543213500110000310133196000", None)
(True, False)
>>> holds_offer("0106141416543210123456"), holds_offer("2106141416543210123456")
(True, False)
"""

import re

from station.core.codes.gs1.dates import holds_date


def _counted(least: int, most: int, added: int = 0) -> str:
    """A digit whose value plus `added` is the number of digits that follow."""
    return "(?:" + "|".join(f"{count}[0-9]{{{count + added}}}" for count in range(least, most + 1)) + ")"


_COMPANY = _counted(0, 6, added=6)
_COMPANY_OR_NONE = f"(?:9|{_COMPANY})"
_REQUIRED = _counted(1, 5) + "[0-49][0-9]{3}"  # the required purchase: quantity, kind, family
_COUPON = re.compile(
    f"{_COMPANY}[0-9]{{6}}{_counted(1, 5)}{_REQUIRED}"
    f"(?:1[0-3]{_REQUIRED}{_COMPANY_OR_NONE})?"
    f"(?:2{_REQUIRED}{_COMPANY_OR_NONE})?"
    r"(?:3(?P<ends>[0-9]{6}))?(?:4(?P<begins>[0-9]{6}))?"
    f"(?:5{_counted(0, 9, added=6)})?(?:6{_counted(1, 7, added=6)})?"
    r"(?:9[01256][0-2][0-9][01])?"
)
_OFFER = re.compile(f"[01]{_COMPANY}[0-9]{{6}}{_counted(0, 9, added=6)}")


def holds_coupon(text: str, year: int | None) -> bool:
    """Whether these are the digits of a coupon: issuer, saving, required purchase, and period of validity."""
    match = _COUPON.fullmatch(text)
    if match is None:
        return False
    begins, ends = match["begins"], match["ends"]
    if not all(day is None or holds_date(day, year) for day in (begins, ends)):
        return False
    return begins is None or ends is None or begins <= ends


def holds_offer(text: str) -> bool:
    """Whether these are the digits of a positive offer: form, funder, offer, and serial number."""
    return _OFFER.fullmatch(text) is not None
