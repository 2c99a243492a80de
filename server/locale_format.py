"""Locale format: numbers, money, quantities and times in the shop's locale and time zone (CLDR data, by Babel).

>>> shop = LocaleFormat("EUR", "en", ZoneInfo("Europe/Berlin"))
>>> shop.money(184_220_400_000), shop.number(9318), shop.quantity(2_500, "m", 1)
('€\\xa0184,220.40', '9,318', '2.5\\xa0m')
>>> LocaleFormat("EUR", "de").money(184_220_400_000, whole=True).replace(NBSP, " ")
'184.220 €'
>>> duration(3 * 86400 + 4 * 3600), duration(1080), duration(40)
('3\\xa0d\\xa04\\xa0h', '18\\xa0min', '40\\xa0s')
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from functools import cache, cached_property, lru_cache
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_datetime
from babel.numbers import get_currency_precision, get_currency_symbol

from server.config import HubConfig
from station.core.master_data import Definition
from station.core.quantity import MILLI_PLACES, scaled
from station.core.site import FIRST_DAY, Site, SiteDays, SiteFrom, site_at, site_history

NBSP = "\u00a0"
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400
SECOND_US = 1_000_000
MONEY_PLACES = 6  # money is kept in millionths of the currency
MINUS = "\u2212"
# The spaces and apostrophes that separate groups, as the one that is compared.
_GROUP_SIGNS = {"\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2019": "'"}


@cache
def locale_named(name: str) -> Locale:
    """The CLDR locale of a name such as `de`, `de_CH.UTF-8` or `en-IN`; else that of its language, else English."""
    tag = name.split(".", maxsplit=1)[0].replace("-", "_")
    for candidate in (tag, tag.split("_")[0]):
        try:
            return Locale.parse(candidate)
        except (UnknownLocaleError, ValueError):
            continue
    return Locale("en")


@dataclass(frozen=True)
class LocaleFormat:
    """The formats of one shop: its currency, locale, time zone, and the word for an order on pages."""

    currency: str = "EUR"
    locale: str = "en"
    zone: tzinfo = UTC
    order_word: str = "work order"
    days: SiteDays | None = None  # None: days from midnight in `zone`

    @cached_property
    def _locale(self) -> Locale:
        return locale_named(self.locale)

    @cached_property
    def money_places(self) -> int:
        return min(get_currency_precision(self.currency), MONEY_PLACES)

    @cached_property
    def _sign(self) -> tuple[str, bool]:
        """The sign of the currency, and whether the locale places it before the amount."""
        sign = get_currency_symbol(self.currency, self._locale)
        return sign, "\u00a4" in self._locale.currency_formats["standard"].prefix[0]

    @cached_property
    def separators(self) -> tuple[str, str]:
        """The decimal and the group separator. A straight apostrophe of CLDR is replaced by a typographic one."""
        symbols = self._locale.number_symbols["latn"]
        return symbols["decimal"], symbols["group"].replace("'", "\u2019")

    @cached_property
    def _group_sizes(self) -> tuple[int, int]:
        """The number of digits in the last group and in each group before it: (3, 3), in India (3, 2)."""
        last, before = self._locale.decimal_formats[None].grouping
        return last, before

    def _digits(self, scaled: int, places: int, fewest: int) -> str:
        """The digits of an absolute value, grouped. `scaled` has `places` decimals; at least `fewest` of them are written.

        Babel's number formatter is not used: it parses an apostrophe between groups as a quotation mark and removes it.
        """
        whole, part = divmod(abs(scaled), 10**places)
        point, separator = self.separators
        last, before = self._group_sizes
        digits = str(whole)
        groups = [digits[-last:]]
        for end in range(len(digits) - last, 0, -before):
            groups.insert(0, digits[max(end - before, 0) : end])
        decimals = f"{part:0{places}}".rstrip("0").ljust(fewest, "0") if places else ""
        return separator.join(groups) + (point + decimals if decimals else "")

    @property
    def orders_word(self) -> str:
        """The plural of `order_word`, by the English spelling rules."""
        word = self.order_word
        if word.endswith(("s", "x", "ch", "sh")):
            return f"{word}es"
        return f"{word[:-1]}ies" if word.endswith("y") and word[-2:-1] not in "aeiou" else f"{word}s"

    def number(self, value: int) -> str:
        """A whole number, with the groups of the locale."""
        return (MINUS if value < 0 else "") + self._digits(value, 0, 0)

    def quantity(self, milli: int | None, unit: str = "", decimals: int = 0) -> str:
        """Thousandths in their unit, exact, with at least `decimals` decimals; `unknown quantity` for None."""
        if milli is None:
            return "unknown quantity"
        text = self._digits(milli, 3, decimals)
        return (MINUS if milli < 0 else "") + text + (NBSP + unit if unit else "")

    def readings(self, text: str, places: int = MILLI_PLACES) -> list[int]:
        """The quantities, in thousandths, that a typed number may mean, the one of this locale first.

        `places`: the decimals of the whole numbers that are returned, by default thousandths.

        A text that the locale does not write, and that has one reading by another convention, has that reading.

        >>> LocaleFormat().readings("1,000.5"), LocaleFormat(locale="de").readings("12,5"), LocaleFormat().readings("ten")
        ([1000500], [12500], [])
        >>> LocaleFormat().readings("1,000"), LocaleFormat(locale="de").readings("1.000")
        ([1000000, 1000], [1000000, 1000])
        """
        typed = "".join(_GROUP_SIGNS.get(sign, sign) for sign in text.strip())
        point, group = (_GROUP_SIGNS.get(sign, sign) for sign in self.separators)
        found = []
        for decimal, separator in (
            (point, group),
            (".", ","),
            (",", "."),
            (".", " "),
            (",", " "),
            (".", "'"),
            (",", "'"),
        ):
            value = self._read(typed, decimal, separator, places)
            if value is not None and value not in found:
                found.append(value)
        return found

    def _read(self, typed: str, point: str, separator: str, places: int) -> int | None:
        """A number by one convention; its groups have the sizes of the locale, or three digits."""
        whole, found, part = typed.partition(point)
        if found and not part:
            return None
        if separator in whole:
            groups = whole.split(separator)
            last, before = self._group_sizes
            sizes = [len(group) for group in groups]
            fits = any(
                sizes[-1] == end and all(size == inner for size in sizes[1:-1]) and 1 <= sizes[0] <= inner
                for end, inner in ((last, before), (3, 3))
            )
            if not fits or groups[0].startswith("0"):
                return None
            whole = "".join(groups)
        return scaled(f"{whole or '0'}.{part}" if part else whole, places)

    def exact(self, milli: int) -> str:
        """A quantity as it is typed so that it has one reading: without groups, and not with three decimals."""
        text = self._digits(milli, 3, 0) if milli < 1_000_000 else str(milli // 1000)
        point = self.separators[0]
        if milli >= 1_000_000 and milli % 1000:
            text += point + f"{milli % 1000:03}".rstrip("0")
        return text + "0" if len(text.partition(point)[2]) == 3 else text

    def percent(self, ppm: int) -> str:
        """A share in millionths, in percent with at most three decimals.

        >>> LocaleFormat().percent(10_000), LocaleFormat(locale="de").percent(2_500)
        ('1\\xa0%', '0,25\\xa0%')
        """
        return self.quantity((ppm + 5) // 10, "%")

    def exact_money(self, micros: int) -> str:
        """An amount as it is typed so that it has one reading, without the sign of the currency.

        >>> LocaleFormat().exact_money(1_250_000_000), LocaleFormat(locale="de").exact_money(42_500)
        ('1250.00', '0,0425')
        """
        whole, part = divmod(micros, 10**MONEY_PLACES)
        decimals = f"{part:0{MONEY_PLACES}}".rstrip("0").ljust(self.money_places, "0")
        decimals += "0" if len(decimals) == 3 else ""
        return str(whole) + (self.separators[0] + decimals if decimals else "")

    def plural(self, count: int, one: str, several: str | None = None) -> str:
        """A number with its word, joined by a no-break space.

        >>> LocaleFormat().plural(1, "item"), LocaleFormat(locale="de").plural(3000, "item")
        ('1\\xa0item', '3.000\\xa0items')
        """
        return f"{self.number(count)}{NBSP}{one if count == 1 else several or one + 's'}"

    @property
    def small_micros(self) -> int:
        """The smallest unit of the currency, in millionths: a cent of EUR, a fils of KWD, one JPY."""
        return int(10 ** (MONEY_PLACES - self.money_places))

    def money(self, micros: int, *, whole: bool = False) -> str:
        """An amount of the shop's currency, rounded half away from zero to its smallest unit; `whole`: to whole units."""
        places = 0 if whole else self.money_places
        unit = int(10 ** (MONEY_PLACES - places))
        amount = (abs(micros) + unit // 2) // unit
        text = self._digits(amount, places, places)
        sign, before = self._sign
        minus = MINUS if micros < 0 and amount else ""
        return f"{minus}{sign}{NBSP}{text}" if before else f"{minus}{text}{NBSP}{sign}"

    def local(self, at_us: int) -> datetime:
        """A time in the shop's zone; a time outside the calendar becomes the nearest end of the calendar."""
        try:
            return datetime.fromtimestamp(at_us / SECOND_US, UTC).astimezone(self.zone)
        except (ValueError, OverflowError, OSError):
            return datetime.min.replace(tzinfo=UTC) if at_us < 0 else datetime.max.replace(tzinfo=UTC)

    def at(self, at_us: int) -> str:
        """The weekday, date and time to the second, with the zone."""
        local = self.local(at_us)
        return f"{format_datetime(local, 'EEE', locale=self._locale)} {local:%Y-%m-%d %H:%M:%S %Z}"

    def clock(self, at_us: int, now_us: int) -> str:
        """The time of day; with the date if it is not today."""
        local, now = self.local(at_us), self.local(now_us)
        return (
            f"{local:%H:%M}"
            if local.date() == now.date()
            else format_datetime(local, "dd MMM HH:mm", locale=self._locale)
        )

    def iso(self, at_us: int) -> str:
        """The time as ISO 8601 in UTC, to the second."""
        return self.local(at_us).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    @cached_property
    def _days(self) -> SiteDays:
        return self.days or SiteDays([SiteFrom(None, Site())], lambda _name: self.zone)

    def today(self, now_us: int) -> date:
        """The day of the shop at a time."""
        return self._days.day_of(now_us)

    def day_bounds(self, now_us: int) -> tuple[int, int]:
        """The first instant of the shop's day at a time, and the first after that day (UTC us)."""
        return self._days.day_bounds(self.today(now_us))

    def day_start_us(self, day: date) -> int:
        """The first instant of a day of the shop (UTC us). Raises `ValueError` outside the calendar of `SiteDays`."""
        return self._days.day_bounds(day)[0]

    def day_end_us(self, day: date) -> int:
        """The first instant after a day of the shop (UTC us). Raises `ValueError` outside the calendar of `SiteDays`."""
        return self._days.day_bounds(day)[1]

    def month_start_us(self, at_us: int) -> int:
        """The first instant of the shop's month at a time (UTC us)."""
        return self.day_start_us(max(self.today(at_us).replace(day=1), FIRST_DAY))

    def due(self, due: date, now_us: int) -> str:
        """A due day in words, relative to today: `due tomorrow`, `2 d late`."""
        days = (due - self.today(now_us)).days
        words = {0: "due today", 1: "due tomorrow", -1: "due yesterday"}
        if days in words:
            return words[days]
        return f"{-days} d late" if days < 0 else f"due in {days} d"


def site_of(config: HubConfig) -> Site:
    """The site as hub.toml names it, for what no entry `site.define` states."""
    default = Site()
    return Site(config.timezone or default.zone, config.currency or default.currency, config.locale or default.locale)


def locale_of(config: HubConfig, definitions: Iterable[Definition] = (), at_us: int = 0) -> LocaleFormat:
    """The locale at a time (UTC us): that of the entries `site.define`, and of hub.toml for what they do not state."""
    history = tuple(site_history(definitions, site_of(config)))
    return _of_site(history, site_at(history, at_us), config.order_word.strip())


@lru_cache(maxsize=8)
def _of_site(history: tuple[SiteFrom, ...], site: Site, order_word: str) -> LocaleFormat:
    return LocaleFormat(site.currency, site.locale, ZoneInfo(site.zone), order_word, SiteDays(history))


def due_day(due: str | None) -> date | None:
    """The calendar day at the begin of an entered due date; None for any other text.

    >>> due_day("2026-11-22"), due_day("soon")
    (datetime.date(2026, 11, 22), None)
    """
    try:
        return date.fromisoformat((due or "")[:10])
    except ValueError:
        return None


def duration(seconds: int) -> str:
    """A duration in at most two units, joined by no-break spaces."""
    seconds = max(seconds, 0)
    days, hours, minutes = seconds // DAY_S, seconds // HOUR_S % 24, seconds // MINUTE_S % 60
    if days:
        text = f"{days} d {hours} h" if hours and days < 100 else f"{days} d"
    elif seconds >= HOUR_S:
        text = f"{hours} h {minutes} min" if minutes else f"{hours} h"
    else:
        text = f"{minutes} min" if minutes else f"{seconds} s"
    return text.replace(" ", NBSP)


def working_hours(seconds: int) -> str:
    """A duration in hours and minutes, never in days, because a day of work has no fixed length.

    >>> working_hours(200_000), working_hours(1_800)
    ('55\\xa0h\\xa033\\xa0min', '30\\xa0min')
    """
    hours, minutes = seconds // HOUR_S, seconds // MINUTE_S % 60
    if not hours:
        return duration(seconds)
    return (f"{hours} h {minutes} min" if minutes else f"{hours} h").replace(" ", NBSP)


def ago(at_us: int, now_us: int) -> str:
    """The time from `at_us` to now in words; a future time begins with `in`.

    >>> ago(0, 90_000_000), ago(90_000_000, 0)
    ('1\\xa0min ago', 'in 1\\xa0min')
    """
    seconds = (now_us - at_us) // SECOND_US
    if seconds < 0:
        return f"in {duration(-seconds)}"
    return "just now" if seconds < 5 else f"{duration(seconds)} ago"
