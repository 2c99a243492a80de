"""Values of GS1 fields: a day, or a quantity with its unit.

>>> day_of("17", "280200", 2026), day_of("11", "990131", 2026)
(datetime.date(2028, 2, 29), datetime.date(1999, 1, 31))
>>> measure_of("3103", "001500")
(Decimal('1.500'), 'kg')
"""

from calendar import monthrange
from datetime import date
from decimal import Decimal

from station.core.codes.gs1.dates import full_year

_DAYS = frozenset({"11", "12", "13", "15", "16", "17", "4324", "4325", "4326", "7003", "7006", "7007", "7011", "8008"})
_UNITS = {
    "kg": (310, 330), "m": (311, 312, 313, 331, 332, 333), "m²": (314, 334), "l": (315, 335), "m³": (316, 336),
    "lb": (320, 340), "in": (321, 324, 327, 341, 344, 347), "ft": (322, 325, 328, 342, 345, 348),
    "yd": (323, 326, 329, 343, 346, 349), "kg/m²": (337,), "in²": (350, 353), "ft²": (351, 354), "yd²": (352, 355),
    "oz t": (356,), "fl oz": (357,), "qt": (360, 362), "gal": (361, 363), "in³": (364, 367), "ft³": (365, 368),
    "yd³": (366, 369),
}  # fmt: skip
_UNIT_OF = {str(family): unit for unit, families in _UNITS.items() for family in families}


def day_of(ai: str, value: str, year: int) -> date | None:
    """The day of a valid field, seen from a year; day 00 is the last of its month. None for a field without a day."""
    if ai not in _DAYS:
        return None
    whole, month, day = full_year(int(value[:2]), year), int(value[2:4]), int(value[4:6])
    return date(whole, month, day or monthrange(whole, month)[1])


def measure_of(ai: str, value: str) -> tuple[Decimal, str] | None:
    """(quantity, unit) of a valid variable measure; the identifier's last digit is the scale. None for other fields."""
    unit = _UNIT_OF.get(ai[:3]) if len(ai) == 4 else None
    return None if unit is None else (Decimal(int(value)).scaleb(-int(ai[3])), unit)
