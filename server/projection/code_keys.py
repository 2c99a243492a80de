"""Code keys: every spelling of a published code that was scanned, bound or entered, with the key that it has.

A changed binding finds by it the scans of all spellings; pages and the API find the item of an older spelling.

>>> bind = {"code": "]d20109506000134352", "to": "P"}
>>> spellings_in(Event(kind="entry", station="hub", sw="t", what="code.bind", data=bind))
[(']d20109506000134352', '0109506000134352')]
"""

from collections.abc import Iterable

from sqlalchemy import Connection, select

from server.db.bulk_insert import insert_text, run_many
from server.projection.dead_letters import unfoldable
from server.projection.internal_tables import code_key
from server.projection.ledger_row import LedgerRow
from station.core.codes import binding_key, canonical_written, identity_of_written
from station.core.codes.identity import PUBLISHED
from station.core.event import Event

_NAMES = ("item", "order", "to")


def spellings_in(event: Event, code: str | None = None, identity: str = "") -> list[tuple[str, str]]:
    """(spelling, key) of the scanned code (`code`, `identity`), or of the codes in an entry, where they differ."""
    if event.kind == "scan":
        return [(code, identity)] if event.scheme in PUBLISHED and code is not None and code != identity else []
    data = event.data or {}
    written = [(data[name], identity_of_written(data[name])) for name in _NAMES if isinstance(data.get(name), str)]
    if isinstance(data.get("code"), str):
        written.append((canonical_written(data["code"]), binding_key(canonical_written(data["code"]))))
    return [(text, key) for text, key in written if text != key]


def note_spellings(connection: Connection, rows: Iterable[LedgerRow]) -> None:
    """Store the spellings of these ledger rows. Void rows are included: a label exists even if its scan is void."""
    found: set[tuple[str, str]] = set()
    for row in rows:
        if row.event is not None:
            try:
                found.update(spellings_in(row.event, row.code, row.identity))
            except Exception as error:
                raise unfoldable(row.pos, error) from error
    spellings = sorted(found)
    if spellings:
        statement = insert_text(code_key.name, ("code", "key"), connection.dialect.paramstyle)
        run_many(connection, f"{statement} ON CONFLICT DO NOTHING", spellings)


def spellings_of(connection: Connection, key: str, most: int | None = None) -> list[str]:
    """The recorded spellings of a key that differ from it; the labels of one product may have many."""
    c = code_key.c
    return list(connection.execute(select(c.code).where(c.key == key).order_by(c.code).limit(most)).scalars())


def keys_of(connection: Connection, code: str) -> list[str]:
    """The keys that a spelling was recorded with: one, except where two symbols give the same digits another meaning."""
    c = code_key.c
    return list(connection.execute(select(c.key).where(c.code == code).order_by(c.key)).scalars())
