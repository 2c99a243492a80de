"""Site check: the fields of an entry `site.define`, and no other currency once an amount is recorded.

>>> site_mistake({"zone": "Europe/Berlin", "currency": "EUR", "locale": "de-CH", "day_start": 360})
>>> site_mistake({"zone": "Europe/Berln"})[::2]
("site.define with the zone 'Europe/Berln'", 'Did you mean Europe/Berlin?')
"""

import re
from difflib import get_close_matches
from typing import Any
from zoneinfo import available_timezones

import msgspec
from babel import Locale, UnknownLocaleError
from babel.numbers import list_currencies
from sqlalchemy import Connection, select

from server.db import schema
from server.ledger.candidates import MOST_PENDING, Candidate, Refusal, pending_entries
from server.ledger.journal_check import recorded_journals
from server.projection.definitions import read_row
from server.projection.tables import definition
from station.core.event import EventError, decode
from station.core.site import LOCAL, SITE

COST, ACTUAL = "cost.set", "cost.actual"
_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")  # the part of BCP 47 that CLDR has locales for


def site_mistake(data: dict[str, Any]) -> tuple[str, str, str] | None:
    """What came, what was expected and what to do, of the first field that is invalid; None where all are valid."""
    fields = {name: value for name, value in data.items() if value is not None}
    if not fields:
        expected = "one of zone, currency, locale, day_start"
        return "site.define without a field", expected, "Send what changes; the other fields stay as they are."
    zone, currency, locale = fields.get("zone"), fields.get("currency"), fields.get("locale")
    if zone is not None and (mistake := zone_mistake(SITE, zone)) is not None:
        return mistake
    if currency is not None and currency not in (currencies := list_currencies()):
        expected = "three capital letters of ISO 4217 such as EUR"
        return f"site.define with the currency {currency[:80]!r}", expected, _near(currency, currencies)
    if locale is not None and not _is_locale(locale):
        expected = "a language, with a region where it matters, as in BCP 47: en, de-CH, en-IN"
        return f"site.define with the locale {locale[:80]!r}", expected, "Correct it; a hyphen comes before the region."
    return None


def zone_mistake(what: str, zone: str) -> tuple[str, str, str] | None:
    """What came, what was expected and what to do, of an entry with a zone that does not exist; None of one that does."""
    zones = available_timezones() - {LOCAL}
    if zone in zones:
        return None
    return f"{what} with the zone {zone[:80]!r}", "a name of the tz database such as Europe/Berlin", _near(zone, zones)


def _near(word: str, known: set[str]) -> str:
    close = get_close_matches(word, known, n=1)
    return f"Did you mean {close[0]}?" if close else "Correct it."


def _is_locale(tag: str) -> bool:
    if not _TAG.fullmatch(tag):
        return False
    try:
        Locale.parse(tag, sep="-")
    except (UnknownLocaleError, ValueError):
        return False
    return True


class SiteChecks:
    """Refuse another currency once an amount is recorded: it is a number without a currency of its own.

    What is recorded are the definitions, then the hub's own entries that are not projected, then the entries before this
    one in the request. The first entry that names a currency is no change.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._currency: str | None = None  # of an entry before this one in the request
        self._amounts = 0  # of the entries before this one in the request

    def refusal(self, entry: Candidate) -> Refusal | None:
        """The refusal of an entry; None where it may be written."""
        if _is_amount(entry):
            self._amounts += 1
        if entry.what == "void":
            return self._void(entry)
        currency = entry.data.get("currency") if entry.what == SITE else None
        if not isinstance(currency, str):
            return None
        known = self._known_currency()
        amounts = self._recorded() if known not in (None, currency) else 0
        if not amounts:
            self._currency = currency
            return None
        return Refusal(
            f"site.define with the currency {currency}, where {amounts} {'amount is' if amounts == 1 else 'amounts are'}"
            f" recorded in {known}",
            f"{known}: a recorded amount would become the same number of {currency}",
            f"Keep {known}. For another currency, make a new hub, and enter its costs in {currency}.",
        )

    def _void(self, entry: Candidate) -> Refusal | None:
        """The void of the only entry that names the currency of recorded amounts would leave them without it."""
        c = definition.c
        query = select(c.log_id, c.seq, c.data).where(c.what == SITE)
        rows = [(row.log_id.hex(), row.seq, msgspec.json.decode(row.data)) for row in self._connection.execute(query)]
        named = {(log, seq): data.get("currency") for log, seq, data in rows}
        currency = named.pop((entry.data.get("log"), entry.data.get("seq")), None)
        if currency is None or currency in named.values() or not self._recorded():
            return None
        came = f"void of the site.define that names the currency {currency} of recorded amounts"
        return Refusal(came, "an entry that no amount needs", f"Enter site.define with the currency {currency} first.")

    def _known_currency(self) -> str | None:
        """The currency of the definition that holds last, else that of the last journal; None where none names it."""
        c = definition.c
        query = select(definition).where(c.what == SITE).order_by(c.holds_from_us, c.key_us, c.id)
        entries = [read_row(row).data for row in self._connection.execute(query)]
        entries += [entry.data for entry in pending_entries(self._connection, MOST_PENDING, frozenset({SITE}))]
        entries = [*recorded_journals(self._connection), *entries]
        named = [self._currency, *(data.get("currency") for data in reversed(entries))]
        return next((currency for currency in named if isinstance(currency, str)), None)

    def _recorded(self) -> int:
        """The number of recorded amounts."""
        query = select(definition).where(definition.c.what == COST)
        costs = [Candidate(COST, read_row(row).data) for row in self._connection.execute(query)]
        costs += pending_entries(self._connection, MOST_PENDING, frozenset({COST}))
        return self._amounts + sum(map(_is_amount, costs)) + self._actual_costs()

    def _actual_costs(self) -> int:
        """The number of entries `cost.actual`, which no table has: they are recorded and not used."""
        ledger, log = schema.ledger.c, schema.log.c
        own = select(ledger.bytes).join(schema.log, log.log_id == ledger.log_id).where(log.device.is_(None))
        return sum(_is_actual(encoded) for encoded in self._connection.execute(own).scalars())


def _is_amount(entry: Candidate) -> bool:
    return entry.what == ACTUAL or (entry.what == COST and entry.data.get("micros") is not None)


def _is_actual(encoded: bytes) -> bool:
    if f'"{ACTUAL}"'.encode() not in encoded:
        return False
    try:
        return decode(encoded).what == ACTUAL
    except EventError:
        return False  # an entry of a later version
