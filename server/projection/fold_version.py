"""Fold version: refold the ledger where its rows were folded by other rules, and list the items whose state changed.

A change of the rules of the fold holds for all recorded events. `FOLD_VERSION` is increased with each such change; the first
step of the projector compares it with that of the stored rows.
"""

from collections.abc import Iterator
from typing import NamedTuple

import structlog
from sqlalchemy import Connection, insert, select

from server.db.bulk_insert import insert_many
from server.db.newer_database import refuse_newer
from server.db.schema import refold, refolded_item
from server.db.store import Store
from server.projection.interpreter import EventInterpreter
from server.projection.rebuild_beside import rebuilt
from server.projection.tables import FOLD_VERSION, FOLD_VERSION_ROW, PROJECTED_POS, item, parcel, projection
from station.core.quantity import decimal_text
from station.system.progress import Advance, unheard
from station.system.version import version

MOST_LISTED = 10_000  # changed items that are kept of one refold
MOST_LOGGED = 20
LOG = structlog.get_logger("projector")
_SUMS = ("ordered", "finished", "scrapped", "overrun", "adjusted")


class RefoldedItem(NamedTuple):
    """An item whose state was changed by a refold: its state before and after, each as one line of text."""

    item: str
    before: str
    after: str


class Refold(NamedTuple):
    """A refold: its time (UTC us), the version of the software, the number of changed items, and the first of them."""

    at_us: int
    sw: str
    changed: int
    items: tuple[RefoldedItem, ...]


def refold_if_outdated(store: Store, interpreter: EventInterpreter, advance: Advance = unheard) -> bool:
    """Rebuild the projection where another version of the rules folded it; returns whether it did.

    The items whose state changed are stored and logged. An empty projection only gets the version. Raises `NewerDatabase`
    where a later version folded them, as another process of this hub may have done since it was opened, and as
    `Store.project`.
    """
    with store.project() as connection:
        refuse_newer(connection, "The hub's database")
        stored = {row.k: row.v for row in connection.execute(select(projection))}
        if stored.get(FOLD_VERSION_ROW) == FOLD_VERSION:
            return False
        if not stored.get(PROJECTED_POS):
            connection.execute(projection.delete().where(projection.c.k == FOLD_VERSION_ROW))
            connection.execute(insert(projection).values(k=FOLD_VERSION_ROW, v=FOLD_VERSION))
            return False
    with store.read() as connection:
        before = dict(_summaries(connection))
    LOG.warning("the rules of the ledger changed: everything is folded again", items=len(before))
    with rebuilt(store, interpreter, advance=advance) as connection:
        after = dict(_summaries(connection))
        names = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
        changed = [RefoldedItem(name, before.get(name, ""), after.get(name, "")) for name in names]
        _store(connection, changed, store.clock.utc_us())
    for entry in changed[:MOST_LOGGED]:
        LOG.warning("the state of an item changed", item=entry.item, before=entry.before, after=entry.after)
    LOG.warning("everything is folded again", changed=len(changed), listed="wipline-hub changes")
    return True


def is_outdated(connection: Connection) -> bool:
    """Whether the stored rows were folded by other rules than those of this version; the first ones recorded none."""
    stored = {row.k: row.v for row in connection.execute(select(projection))}
    return bool(stored.get(PROJECTED_POS)) and stored.get(FOLD_VERSION_ROW) != FOLD_VERSION


def refolds(connection: Connection, most: int = 20) -> list[Refold]:
    """The newest refolds that changed items, newest first."""
    c = refold.c
    found = connection.execute(select(refold).where(c.changed > 0).order_by(c.id.desc()).limit(most)).all()
    return [Refold(row.at_us, row.sw, row.changed, tuple(_listed(connection, row.id))) for row in found]


def _listed(connection: Connection, number: int) -> Iterator[RefoldedItem]:
    c = refolded_item.c
    query = select(c.item, c.before, c.after).where(c.refold == number).order_by(c.item)
    return (RefoldedItem(*row) for row in connection.execute(query))


def _store(connection: Connection, changed: list[RefoldedItem], now_us: int) -> None:
    stored = insert(refold).values(at_us=now_us, sw=version(), changed=len(changed)).returning(refold.c.id)
    number = connection.execute(stored).scalar_one()
    insert_many(connection, refolded_item, [(number, *entry) for entry in changed[:MOST_LISTED]])


def _summaries(connection: Connection) -> Iterator[tuple[str, str]]:
    """The state of each item as one line: its status, its quantities, and the place of each part."""
    places: dict[str, list[str]] = {}
    p = parcel.c
    for row in connection.execute(select(p.item, p.state, p.operation, p.stage, p.qty_milli)):
        where = row.stage if row.operation is None else f"{row.operation} {row.stage}"
        place = row.state if where is None else f"{row.state} at {where}"
        quantity = "?" if row.qty_milli is None else decimal_text(row.qty_milli)
        places.setdefault(row.item, []).append(f"{quantity} {place}")
    columns = [item.c[f"{name}_milli"] for name in _SUMS]
    for row in connection.execute(select(item.c.item, item.c.status, item.c.how, *columns)):
        sums = [f"{name} {decimal_text(milli)}" for name, milli in zip(_SUMS, row[3:], strict=True) if milli]
        status = row.status if row.how is None else f"{row.status} ({row.how})"
        yield row.item, ", ".join([status, *sums, *sorted(places.get(row.item, ()))])
