"""GS1 dates: a year of two digits, and the day 00 for the end of the month.

>>> full_year(75, 2026), full_year(77, 2026), full_year(5, 2060)
(2075, 1977, 2105)
>>> holds_date("280229", 2026), holds_date("270229", 2026), holds_date("270200", 2026, may_be_00=True)
(True, False, True)
"""

from calendar import monthrange


def full_year(two_digits: int, year: int | None) -> int:
    """The year of two digits, seen from `year`: at most 50 years ahead, at most 49 back (section 7.12).

    Without `year`, every date is in this century.
    """
    if year is None:
        return 2000 + two_digits
    century, apart = year - year % 100, two_digits - year % 100
    return century + two_digits + (-100 if apart > 50 else 100 if apart < -49 else 0)


def _day(year: int, month: str, day: str, *, may_be_00: bool) -> bool:
    if not 1 <= int(month) <= 12:
        return False
    return int(day) <= monthrange(year, int(month))[1] and (day != "00" or may_be_00)


def holds_date(text: str, year: int | None, *, may_be_00: bool = False) -> bool:
    """Whether YYMMDD is a day; the day 00 only where it is allowed."""
    return _day(full_year(int(text[:2]), year), text[2:4], text[4:6], may_be_00=may_be_00)


def holds_long_date(text: str) -> bool:
    """Whether YYYYMMDD is a day."""
    return text[:4] != "0000" and _day(int(text[:4]), text[4:6], text[6:8], may_be_00=False)
