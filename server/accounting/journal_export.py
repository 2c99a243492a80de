"""Journal export: write the journal of a closed period under a number, once, and reverse one.

The lines are fields of the entry, so the chain of the ledger covers them, and no later entry changes them. They are made of
what the close stored and of the accounts at the end of the period.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
from babel.numbers import get_currency_precision
from sqlalchemy import Connection

from server.db.store import Store
from server.ledger.account_check import MAP, ROUNDING
from server.ledger.candidates import pending_entries
from server.ledger.entries import Entry, EntryRefused, Recorded, write_all
from server.ledger.entry_schema import mistakes
from server.ledger.journal_check import EXPORT, REVERSE, recorded_journals, standing
from server.locale_format import MONEY_PLACES
from server.queries.account_map import account_map
from server.queries.closed_periods import ClosedPeriod, closed_period, closed_periods, stored_listing
from server.queries.current_master_data import master_data
from server.queries.journal import Journal, journal
from server.queries.site import site_definitions
from server.queries.value_movements import stored_movements
from server.text import utc_text
from station.core.site import Site, site_at, site_history

MOST_BYTES = 48 * 1024  # of the lines in the entry
CURRENCY = "EUR"  # of a site that has defined none, as in `server.locale_format`


def journal_of(connection: Connection, closed: ClosedPeriod) -> Journal | None:
    """The journal of a closed period by its stored movements; None where it has none, or another listing than was stored."""
    listing = stored_listing(connection, closed)
    movements = None if listing is None else stored_movements(listing)
    if movements is None:
        return None
    accounts = account_map(master_data(connection), closed.closed_us - 1)
    exported, held = standing(recorded_journals(connection)), _held(connection)
    before = next((one for one in exported if one["to_us"] == movements.from_us and one["period"] in held), None)
    opened = None if before is None else {account: micros for account, _, micros in before["balances"]}
    return journal(movements, accounts, smallest_unit(connection, closed.recorded_us), opened)


def smallest_unit(connection: Connection, at_us: int) -> int:
    """The smallest unit of the currency of the site in micros."""
    places = min(get_currency_precision(_currency(connection, at_us)), MONEY_PLACES)
    return int(10 ** (MONEY_PLACES - places))


def _currency(connection: Connection, at_us: int) -> str:
    return site_at(site_history(site_definitions(connection), Site("", CURRENCY, "")), at_us).currency


def export_journal(store: Store, entry: Entry) -> Recorded:
    """Write a `journal.export` with its number and lines. Raises `EntryRefused`, 409 where it is exported."""
    _check(entry)
    with store.write() as connection:
        if pending_entries(connection, 0, frozenset({MAP})):
            raise EntryRefused(EXPORT, "accounts that are up to date", "Try again in a moment.", status=409)
        closed = _closed(connection, entry.data["period"])
        made = _complete(connection, closed)
        journals = recorded_journals(connection)
        _check_order(connection, closed, made, list(standing(journals)))
        figures = {
            "number": _next(journals), "from_us": made.from_us, "to_us": made.to_us,
            "currency": _currency(connection, closed.recorded_us),
            "lines": [list(line) for line in made.lines], "balances": [list(balance) for balance in made.balances],
        }  # fmt: skip
        if (size := len(msgspec.json.encode(figures))) > MOST_BYTES:
            came = f"{EXPORT} with {len(made.lines)} lines, {size // 1024} KiB"
            raise EntryRefused(came, f"at most {MOST_BYTES // 1024} KiB", "Name fewer accounts in the account map.")
        return write_all(connection, [replace(entry, holds_from_us=None, figures=figures)], store.clock)[0]


def _check_order(
    connection: Connection, closed: ClosedPeriod, made: Journal, exported: Sequence[dict[str, Any]]
) -> None:
    """Refuse the journal of a period that does not follow the journals that stand: its opening would not be theirs."""
    came, held = f"{EXPORT} of the period until {utc_text(closed.closed_us)}", _held(connection)
    for other in exported:
        number, to_us = other["number"], utc_text(other["to_us"])
        if other["to_us"] > made.from_us:
            expected = f"a period after {to_us}, where journal {number} ends"
            do = "It is exported already." if other["period"] == closed.pos else "Reverse that journal first."
            raise EntryRefused(came, expected, do, status=409, unchanged=other["period"] == closed.pos)
        if other["period"] not in held:
            expected = f"that the period until {to_us} is as journal {number} has it"
            raise EntryRefused(came, expected, f"It was reopened: reverse journal {number} first.", status=409)
    last = max(exported, key=lambda other: int(other["to_us"]), default=None)
    if last is not None and last["to_us"] < made.from_us:
        expected = f"the period that begins at {utc_text(last['to_us'])}, where journal {last['number']} ends"
        raise EntryRefused(came, expected, "Export the journals of the periods between first.", status=409)


def _held(connection: Connection) -> set[int]:
    """The positions of the closes that hold."""
    return {closed.pos for closed in closed_periods(connection) if closed.holds}


def reverse_journal(store: Store, entry: Entry) -> Recorded:
    """Write a `journal.reverse` with its number and the lines with the other sign. Raises `EntryRefused`."""
    _check(entry)
    asked = entry.data["journal"]
    came = f"{REVERSE} of {asked}"
    with store.write() as connection:
        journals = recorded_journals(connection)
        exported = list(standing(journals))
        found = next((data for data in exported if data["number"] == asked), None)
        if found is None:
            numbers = ", ".join(str(data["number"]) for data in exported[-20:]) or "there is none"
            do = "Take the number from the page of the journal."
            raise EntryRefused(came, f"a journal that stands: {numbers}", do, status=409)
        later = next((data for data in exported if data["number"] != asked and data["from_us"] >= found["to_us"]), None)
        if later is not None:
            do = f"Reverse journal {later['number']} first: its opening is the closing of this one."
            raise EntryRefused(came, "the last journal that stands", do, status=409)
        figures = {name: found[name] for name in ("from_us", "to_us", "currency")} | {
            "number": _next(journals),
            "lines": [[line, account, -micros] for line, account, micros in found["lines"]],
        }
        return write_all(connection, [replace(entry, holds_from_us=None, figures=figures)], store.clock)[0]


def _check(entry: Entry) -> None:
    if (problem := mistakes(entry.what, entry.data)) is not None:
        raise EntryRefused(*problem)


def _closed(connection: Connection, pos: int) -> ClosedPeriod:
    closed = closed_period(connection, pos)
    if closed is None or not closed.holds:
        came = f"{EXPORT} of the period {pos}" + ("" if closed is None else ", which was reopened")
        raise EntryRefused(came, "the position of a close that holds", "/api/v1/periods lists them.")
    return closed


def _complete(connection: Connection, closed: ClosedPeriod) -> Journal:
    made = journal_of(connection, closed)
    came = f"{EXPORT} of the period until {utc_text(closed.closed_us)}"
    if made is None:
        came += ", without movements of its own"
        raise EntryRefused(came, "a close with its movements", "Reopen it and close it again.")
    if made.both:
        came += f" with {', '.join(made.both)} for work in process and for what stands against it"
        raise EntryRefused(came, "an account of its own for work in process", "Enter another account first.")
    if not made.complete:
        came += f" without an account for {', '.join(sorted({one.line for one in made.unmapped} or {ROUNDING}))}"
        raise EntryRefused(came, "an account for each line", "Enter the accounts first.")
    return made


def _next(journals: list[dict[str, Any]]) -> int:
    return max((int(data["number"]) for data in journals), default=0) + 1
