"""Tag numbers: an index of all tag numbers that were read or bound, by their last bytes, for searches by a printed number.

A card has only a part of its number printed on it, which an index of whole codes cannot find; each printed form includes the
last three bytes.

>>> numbers_in(Event(kind="entry", station="hub", sw="t", what="code.bind", data={"code": "3C00CE754C", "to": "WO-1"}))
['3C00CE754C']
>>> tail_of("3C00CE754C")
'CE754C'
"""

import re
from collections.abc import Callable, Iterable

from sqlalchemy import Connection

from server.db.bulk_insert import insert_text, run_many
from server.projection.dead_letters import unfoldable
from server.projection.internal_tables import tag_number
from server.projection.ledger_row import LedgerRow
from station.core.codes.code import Scheme
from station.core.codes.tag_numbers import MAX_NUMBER_BYTES, TAG_READERS, TAIL_BYTES
from station.core.event import Event

_NUMBER = re.compile(rf"(?:[0-9A-F]{{2}}){{4,{MAX_NUMBER_BYTES}}}")


def numbers_in(event: Event, code: str | None = None) -> list[str]:
    """The number of the tag that an event reads or binds; `code`: the canonical code of a scan."""
    if event.kind == "scan":
        of_tag = event.scheme == Scheme.UID or (event.reader is not None and event.reader.kind in TAG_READERS)
        number = code if of_tag and event.seen is None else None
    else:
        number = (event.data or {}).get("code") if event.what == "code.bind" else None
    return [number] if isinstance(number, str) and _NUMBER.fullmatch(number) else []


def tail_of(number: str) -> str:
    """The last bytes of a canonical number, which are its key in the index."""
    return number[-2 * TAIL_BYTES :]


def note_numbers(
    connection: Connection, rows: Iterable[LedgerRow], numbers_of: Callable[[Event, str | None], list[str]] = numbers_in
) -> None:
    """Store the tag numbers of these ledger rows. Void rows are included: the tag exists even if its scan is void."""
    read: set[str] = set()
    for row in rows:
        if row.event is not None:
            try:
                read.update(numbers_of(row.event, row.code))
            except Exception as error:
                raise unfoldable(row.pos, error) from error
    numbers = sorted(read)
    if numbers:
        statement = insert_text(tag_number.name, ("number", "tail"), connection.dialect.paramstyle)
        values = [(number, tail_of(number)) for number in numbers]
        run_many(connection, f"{statement} ON CONFLICT DO NOTHING", values)
