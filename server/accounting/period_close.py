"""Period close: write `period.close` with the figures and the listing of the stock at the end of the period.

The figures are a fact of their time: they are computed once, at a fixed position of the ledger, and no later event changes
them. They are read in one snapshot of the database; the transaction that writes them is short.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, select

from server.accounting.journal_export import export_journal, reverse_journal
from server.db import schema
from server.db.store import Store
from server.ledger.entries import Entry, EntryRefused, Recorded, last_close, record_all, write_all
from server.ledger.entry_schema import mistakes
from server.ledger.hub_log import hub_row
from server.ledger.journal_check import EXPORT, REVERSE
from server.ledger.period_listings import CLOSE, store_listing
from server.projection.worker import projected_pos, recalculating
from server.queries.as_known_at import past_stock
from server.queries.stock_listing import ListingFigures, encode_listing, figures_of, listed
from server.queries.value_movements import heading_of, movements_since
from server.text import utc_text
from station.core.hash_chain import ledger_genesis
from station.system.version import version

MOST_BYTES = 48 * 1024  # of the sums in the entry; longer ones are those of the listing alone


class _Computed(NamedTuple):
    """The figures of a close, and the end of the period closed before it (UTC us; None: none)."""

    before_us: int | None
    figures: dict[str, Any]
    content: bytes


def record_entries(store: Store, entries: Sequence[Entry]) -> list[Recorded]:
    """Write entries as `record_all` does; one to which the hub adds figures, which is entered alone, with these."""
    write = _WRITERS.get(entries[0].what) if len(entries) == 1 else None
    return record_all(store, entries) if write is None else [write(store, entries[0])]


def close_period(store: Store, entry: Entry) -> Recorded:
    """Write a `period.close`: its period ends when it holds from. Raises `EntryRefused`.

    Of two closes at the same time one is refused, and so is one while items are being folded again.
    """
    if (problem := mistakes(CLOSE, entry.data)) is not None:
        raise EntryRefused(*problem)
    now_us = store.clock.utc_us()
    until_us = now_us if entry.holds_from_us is None else entry.holds_from_us
    if until_us > now_us:  # entries of now would hold from before its end
        raise EntryRefused(
            came=f"{CLOSE} at {utc_text(until_us)}, in the future",
            expected=f"a time that has passed; now it is {utc_text(now_us)}",
            do="Close the period when it is over.",
        )
    with store.read() as connection:
        computed = _compute(connection, until_us)
    with store.write() as connection:
        if last_close(connection) != computed.before_us:
            raise EntryRefused(
                CLOSE, "no other close or reopening at the same time", "Look at what was closed.", status=409
            )
        closing = replace(entry, holds_from_us=until_us, figures=computed.figures)
        written = write_all(connection, [closing], store.clock)[0]
        store_listing(connection, written.pos, until_us, computed.content)
    return written


_WRITERS: dict[str, Callable[[Store, Entry], Recorded]] = {
    CLOSE: close_period,
    EXPORT: export_journal,
    REVERSE: reverse_journal,
}


def _compute(connection: Connection, until_us: int) -> _Computed:
    if recalculating(connection):
        raise EntryRefused(CLOSE, "items that are up to date", "Try again in a moment.", status=409)
    pos = projected_pos(connection)
    valuation, stock = past_stock(connection, None, until_us, until_us + 1)  # as of that time, also if it is now
    lines = listed(stock, valuation)
    before_us = last_close(connection)
    named = {"pos": pos, "head": _head(connection, pos), "version": version()}
    moved = movements_since(connection, before_us, until_us, until_us + 1, pos)
    content = encode_listing({"closed_us": until_us, **named, **heading_of(moved)}, lines)
    figures = {**named, "listing": sha256(content).hexdigest(), **_sums(figures_of(lines))}
    return _Computed(before_us, figures, content)


def _head(connection: Connection, pos: int) -> str:
    """The hash (hex) of the hub's chain at a position."""
    chain = connection.execute(select(schema.ledger.c.chain).where(schema.ledger.c.pos == pos)).scalar()
    return bytes(ledger_genesis(hub_row(connection).hub_id) if chain is None else chain).hex()


def _sums(figures: ListingFigures) -> dict[str, Any]:
    sums = {
        "components": figures.components,
        "stages": [{"stage": stage, "value_micros": micros} for stage, micros in figures.stages.items()],
        "quantities": [quantity._asdict() for quantity in figures.quantities],
    }
    named = {"value_micros": figures.value_micros, "items": figures.items, "unvalued_items": figures.unvalued_items,
             "lines": figures.lines}  # fmt: skip
    return named | (sums if len(msgspec.json.encode(sums)) <= MOST_BYTES else {})
