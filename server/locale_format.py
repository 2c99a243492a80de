"""How the shop speaks: its currency, its numbers, its time zone, its word for an order.

>>> shop = LocaleFormat("EUR", "en", ZoneInfo("Europe/Berlin"))
>>> shop.money(184_220_400_000), shop.number(9318), shop.quantity(2_500, "m", 1)
('€\\xa0184,220.40', '9,318', '2.5\\xa0m')
>>> LocaleFormat("EUR", "de").money(184_220_400_000, whole=True).replace(NBSP, " ")
'184.220 €'
>>> duration(3 * 86400 + 4 * 3600), duration(1080), duration(40)
('3\\xa0d\\xa04\\xa0h', '18\\xa0min', '40\\xa0s')
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from functools import cached_property
from typing import NamedTuple
from zoneinfo import ZoneInfo

from server.config import HubConfig

NBSP = "\u00a0"
NARROW = "\u202f"
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400
SECOND_US = 1_000_000
UNIT_MICROS = 1_000_000
CENT_MICROS = 10_000
_SIGNS = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥", "CNY": "¥", "INR": "₹", "KRW": "₩", "UAH": "₴", "TRY": "₺"}
_WITHOUT_CENTS = frozenset({"JPY", "KRW", "CLP", "ISK", "VND", "HUF"})


class _Marks(NamedTuple):
    """Between thousands, before decimals, and whether the currency's sign stands in front."""

    group: str
    point: str
    sign_first: bool


_ENGLISH = _Marks(",", ".", sign_first=True)
_MARKS = {
    **dict.fromkeys(
        ("de", "es", "it", "nl", "pt", "da", "tr", "el", "id", "sl", "hr"), _Marks(".", ",", sign_first=False)
    ),
    **dict.fromkeys(("fr",), _Marks(NARROW, ",", sign_first=False)),
    **dict.fromkeys(
        ("pl", "cs", "sk", "sv", "nb", "nn", "no", "fi", "ru", "uk", "bg", "hu", "lt", "lv", "et"),
        _Marks(NBSP, ",", sign_first=False),
    ),
    "de-ch": _Marks("\u2019", ".", sign_first=True),
    "fr-ch": _Marks(NARROW, ",", sign_first=False),
    "de-at": _Marks(NBSP, ",", sign_first=True),
    "es-mx": _ENGLISH,
}


@dataclass(frozen=True)
class LocaleFormat:
    """One site's way to write numbers, money, quantities and times."""

    currency: str = "EUR"
    locale: str = "en"
    zone: tzinfo = UTC
    order_word: str = "work order"

    @cached_property
    def _marks(self) -> _Marks:
        name = self.locale.replace("_", "-").split(".")[0].lower()
        return _MARKS.get(name) or _MARKS.get(name.split("-")[0]) or _ENGLISH

    @property
    def orders_word(self) -> str:
        """The word for several of them."""
        word = self.order_word
        if word.endswith(("s", "x", "ch", "sh")):
            return f"{word}es"
        return f"{word[:-1]}ies" if word.endswith("y") and word[-2:-1] not in "aeiou" else f"{word}s"

    def number(self, value: int) -> str:
        """A whole number with its thousands apart."""
        return f"{value:,}".replace(",", self._marks.group)

    def quantity(self, milli: int | None, unit: str = "", decimals: int = 0) -> str:
        """Thousandths in their unit, with at least `decimals` and never fewer than are there; unknown says so."""
        if milli is None:
            return "unknown quantity"
        whole, part = divmod(abs(milli), 1000)
        digits = f"{part:03}".rstrip("0").ljust(decimals, "0")
        text = self.number(whole) + (self._marks.point + digits if digits else "")
        return ("\u2212" if milli < 0 else "") + text + (NBSP + unit if unit else "")

    @property
    def small_micros(self) -> int:
        """The smallest coin of the currency, in millionths."""
        return UNIT_MICROS if self.currency in _WITHOUT_CENTS else CENT_MICROS

    def money(self, micros: int, *, whole: bool = False) -> str:
        """An amount of the shop's currency, to the cent; `whole`: without cents, for what is read from afar."""
        coin = UNIT_MICROS if whole else self.small_micros
        coins = (abs(micros) + coin // 2) // coin
        units, cents = (coins, None) if coin == UNIT_MICROS else divmod(coins, UNIT_MICROS // coin)
        text = self.number(units) + ("" if cents is None else f"{self._marks.point}{cents:02}")
        sign = _SIGNS.get(self.currency, self.currency)
        minus = "\u2212" if micros < 0 and coins else ""
        return f"{minus}{sign}{NBSP}{text}" if self._marks.sign_first else f"{minus}{text}{NBSP}{sign}"

    def local(self, at_us: int) -> datetime:
        """A time in the shop's zone; what no calendar has becomes its nearest end."""
        try:
            return datetime.fromtimestamp(at_us / SECOND_US, UTC).astimezone(self.zone)
        except (ValueError, OverflowError, OSError):
            return datetime.min.replace(tzinfo=UTC) if at_us < 0 else datetime.max.replace(tzinfo=UTC)

    def at(self, at_us: int) -> str:
        """The absolute time, to the second, with its zone."""
        return self.local(at_us).strftime("%a %Y-%m-%d %H:%M:%S %Z")

    def clock(self, at_us: int, now_us: int) -> str:
        """The time of day, with its date where that is not today's."""
        local, now = self.local(at_us), self.local(now_us)
        return local.strftime("%H:%M") if local.date() == now.date() else local.strftime("%d %b %H:%M")

    def iso(self, at_us: int) -> str:
        """The time for machines: ISO 8601, UTC, to the second."""
        return self.local(at_us).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def today(self, now_us: int) -> date:
        """The shop's calendar day."""
        return self.local(now_us).date()

    def day_start_us(self, now_us: int) -> int:
        """Midnight before a time, in the shop's zone, as UTC us."""
        local = self.local(now_us)
        return int(local.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()) * SECOND_US

    def due(self, due: date, now_us: int) -> str:
        """A due day, as people say it."""
        days = (due - self.today(now_us)).days
        near = {0: "due today", 1: "due tomorrow", -1: "due yesterday"}
        if days in near:
            return near[days]
        return f"{-days} d late" if days < 0 else f"due in {days} d"


def tongue_of(config: HubConfig) -> LocaleFormat:
    """The tongue that hub.toml asks for."""
    return LocaleFormat(config.currency, config.locale, ZoneInfo(config.timezone), config.order_word.strip())


def due_day(due: str | None) -> date | None:
    """The calendar day of a due date as the office entered it; None where it is none.

    >>> due_day("2026-11-22"), due_day("soon")
    (datetime.date(2026, 11, 22), None)
    """
    try:
        return date.fromisoformat((due or "")[:10])
    except ValueError:
        return None


def duration(seconds: int) -> str:
    """How long, in at most two units, none of it breaking apart."""
    seconds = max(seconds, 0)
    days, hours, minutes = seconds // DAY_S, seconds // HOUR_S % 24, seconds // MINUTE_S % 60
    if days:
        text = f"{days} d {hours} h" if hours and days < 100 else f"{days} d"
    elif seconds >= HOUR_S:
        text = f"{hours} h {minutes} min" if minutes else f"{hours} h"
    else:
        text = f"{minutes} min" if minutes else f"{seconds} s"
    return text.replace(" ", NBSP)


def ago(at_us: int, now_us: int) -> str:
    """How long before now; what lies ahead is said to.

    >>> ago(0, 90_000_000), ago(90_000_000, 0)
    ('1\\xa0min ago', 'in 1\\xa0min')
    """
    seconds = (now_us - at_us) // SECOND_US
    if seconds < 0:
        return f"in {duration(-seconds)}"
    return "just now" if seconds < 5 else f"{duration(seconds)} ago"
