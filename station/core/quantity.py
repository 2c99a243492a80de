"""Quantities in thousandths of a unit, as decimal text and back. Exact: no floating point and no rounding."""

import re

MILLI_PLACES = 3
_DECIMAL = re.compile(r"([0-9]{1,15})(?:\.([0-9]+))?")


def decimal_text(milli: int, point: str = ".", group: str = "") -> str:
    """Thousandths as a decimal without trailing zeros; `group` separates groups of three digits.

    >>> decimal_text(12_000), decimal_text(2_500), decimal_text(-1), decimal_text(1_234_500, ",", ".")
    ('12', '2.5', '-0.001', '1.234,5')
    """
    whole, part = divmod(abs(milli), 1000)
    digits = f"{whole:,}".replace(",", group) if group else str(whole)
    return ("-" if milli < 0 else "") + digits + (f"{point}{part:03}".rstrip("0") if part else "")


def scaled(text: str, places: int = MILLI_PLACES) -> int | None:
    """A decimal without sign, as an integer of its last place; None for any other text and for more places.

    Zeros behind the last place are allowed.

    >>> scaled("12.5"), scaled("1.25", 6), scaled("0.5000"), scaled("0.0001"), scaled("1,5"), scaled("-1")
    (12500, 1250000, 500, None, None, None)
    """
    match = _DECIMAL.fullmatch(text)
    fraction = (match[2] or "") if match else ""
    if match is None or len(fraction.rstrip("0")) > places:
        return None
    return int(match[1] + fraction[:places].ljust(places, "0"))
