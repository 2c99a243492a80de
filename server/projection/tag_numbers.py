"""Tag numbers: every number of a tag that was ever read or bound, by its end, so that what is printed on a tag finds it.

A card prints a part of its number, which no index of whole codes can find; the last three bytes are in all that is printed.

>>> numbers_in(Event(kind="entry", station="hub", sw="t", what="code.bind", data={"code": "3C00CE754C", "to": "WO-1"}))
['3C00CE754C']
>>> tail_of("3C00CE754C")
'CE754C'
"""

import re
from collections.abc import Callable, Iterable

from sqlalchemy import Connection

from server.db.bulk_insert import insert_text, run_many
from server.projection.internal_tables import tag_number
from server.projection.ledger_row import LedgerRow
from server.projection.set_aside import blame
from station.core.codes.code import Scheme
from station.core.codes.tag_numbers import MAX_NUMBER_BYTES, TAG_READERS, TAIL_BYTES
from station.core.event import Event

_NUMBER = re.compile(rf"(?:[0-9A-F]{{2}}){{4,{MAX_NUMBER_BYTES}}}")


def numbers_in(event: Event, code: str | None = None) -> list[str]:
    """The number of the tag that an event read or binds; a scan comes with its canonical `code`."""
    if event.kind == "scan":
        of_tag = event.scheme == Scheme.UID or (event.reader is not None and event.reader.kind in TAG_READERS)
        said = code if of_tag and event.seen is None else None
    else:
        said = (event.data or {}).get("code") if event.what == "code.bind" else None
    return [said] if isinstance(said, str) and _NUMBER.fullmatch(said) else []


def tail_of(number: str) -> str:
    """The end of a canonical number, by which it is found."""
    return number[-2 * TAIL_BYTES :]


def note_numbers(
    connection: Connection, rows: Iterable[LedgerRow], numbers_of: Callable[[Event, str | None], list[str]] = numbers_in
) -> None:
    """Keep the tags that these rows of the ledger name, whatever becomes of the rows: of a void scan it is still a tag."""
    read = [blame(each.pos, numbers_of, each.event, each.code) for each in rows if each.event is not None]
    named = {number for numbers in read for number in numbers}
    if named:
        statement = insert_text(tag_number.name, ("number", "tail"), connection.dialect.paramstyle)
        run_many(connection, f"{statement} ON CONFLICT DO NOTHING", [(each, tail_of(each)) for each in sorted(named)])
