"""North American coupon codes: what stands behind the identifiers 8110 and 8112, digits whose lengths stand before them.

Source: North American Coupon Application Guideline Using GS1 DataBar Expanded, and GS1 US's guideline for positive offers.

>>> holds_coupon("106141416543213500110000310123196000", None), holds_coupon("106141416543213500110000310133196000", None)
(True, False)
>>> holds_offer("0106141416543210123456"), holds_offer("2106141416543210123456")
(True, False)
"""

import re

from station.core.codes.gs1.dates import holds_date


def _counted(least: int, most: int, added: int = 0) -> str:
    """A digit that says how many digits follow, more by `added`."""
    return "(?:" + "|".join(f"{count}[0-9]{{{count + added}}}" for count in range(least, most + 1)) + ")"


_COMPANY = _counted(0, 6, added=6)
_COMPANY_OR_NONE = f"(?:9|{_COMPANY})"
_REQUIRED = _counted(1, 5) + "[0-49][0-9]{3}"  # how much must be bought, of what kind, of which family
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
    """The digits of a coupon: who gives it, what it saves, what must be bought, and from when to when."""
    found = _COUPON.fullmatch(text)
    if found is None:
        return False
    begins, ends = found["begins"], found["ends"]
    if not all(day is None or holds_date(day, year) for day in (begins, ends)):
        return False
    return begins is None or ends is None or begins <= ends


def holds_offer(text: str) -> bool:
    """The digits of a positive offer: its form, who pays, the offer, and its serial number."""
    return _OFFER.fullmatch(text) is not None
