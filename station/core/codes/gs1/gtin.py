"""Article numbers: EAN-13, EAN-8, UPC-A and UPC-E, distinguished by the scanner's AIM identifier.

All are a GTIN of 14 digits with leading zeros; the last digit is a check digit.

>>> read_article("]E0", "4006381333931")
['04006381333931']
>>> whole_upc("01234565")
'012345000065'
>>> read_article("]E0", "10000113"), read_article("]E0", "4006381333932")
(['00000010000113', '00100100000013'], [])
"""

from station.core.codes.gs1.checks import check_digit

GTIN_DIGITS = 14


def whole_upc(short: str) -> str | None:
    """The 12 digits of the UPC-A that a UPC-E of 8 digits abbreviates; None where it is none (section 5.2.2.4)."""
    if len(short) != 8 or short[0] not in "01":
        return None
    system, body, check = short[0], short[1:7], short[7]
    last = body[5]
    if last in "012":
        maker, item = body[:2] + last + "00", "00" + body[2:5]
    elif last == "3":
        maker, item = body[:3] + "00", "000" + body[3:5]
    elif last == "4":
        maker, item = body[:4] + "0", "0000" + body[4]
    else:
        maker, item = body[:5], "0000" + last
    return system + maker + item + check


def read_article(sym: str, text: str) -> list[str]:
    """The possible GTINs: none where a check digit is wrong, two where UPC-E and EAN-8 both fit."""
    if not (text.isascii() and text.isdigit()):
        return []
    shapes = {"]E0": (13, 12, 8), "]E4": (8,)}.get(sym, ())
    if len(text) not in shapes:
        return []
    whole = whole_upc(text) if sym == "]E0" else None
    short = whole is not None and check_digit(whole)
    numbers = [whole] if whole is not None and short else []
    # No maker's EAN-8 begins with 0, so a valid UPC-E that does is one.
    if check_digit(text) and not (short and text[0] == "0"):
        numbers.insert(0, text)
    return [number.zfill(GTIN_DIGITS) for number in numbers]
