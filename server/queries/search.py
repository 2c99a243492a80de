"""Search: from a typed text or a scan in the search box to the items that it may name."""

from typing import Any

from sqlalchemy import Connection, and_, or_, select

from server.projection.code_keys import keys_of, spellings_of
from server.projection.internal_tables import tag_number
from server.projection.tables import binding, event_item, item
from station.core.codes import CodeType, Pattern, PatternError, binding_key, canonical_written, identity_of_written
from station.core.codes.canonical import canonical, plain_braces, split_aim
from station.core.codes.identity import gtin_texts
from station.core.codes.lookalike import folded
from station.core.codes.tag_numbers import canonical_number, finds, searched
from station.core.master_data import MasterData

MOST = 20
MAX_TEXT = 4_296
MOST_SPELLINGS = 100  # of one code, whose bindings and scans are looked up
MOST_TAGS = 50  # tags whose number ends like the text, compared in full
MOST_PEOPLE = 2_000  # badges compared with the text


def find(connection: Connection, master_data: MasterData, text: str, now_us: int) -> list[str]:
    """The items that a text may name: the one with this name or code, else those that begin with or contain it."""
    typed = text.strip()[:MAX_TEXT]
    _, content = split_aim(typed.encode("utf-8", "replace"), None)
    code = canonical(content)
    if not code:
        return []
    for name in dict.fromkeys((code, identity_of_written(typed), canonical_written(typed), code.upper())):
        exact = _exact(connection, master_data, name, now_us)
        if exact:
            return exact
    of_tags = [name for number in _tags(connection, code) for name in _exact(connection, master_data, number, now_us)]
    return list(dict.fromkeys(of_tags))[:MOST] or _lookalikes(connection, typed) or _alike(connection, code)


def people(master_data: MasterData, text: str, now_us: int) -> list[str]:
    """The ids of the persons whose badge the text is, either as defined or as the number is printed on a card."""
    text = text.strip()[:MAX_TEXT]
    matches = []
    for person in master_data.names("person.define")[:MOST_PEOPLE]:
        definition = master_data.at("person.define", person, now_us)
        badge = definition.data.get("badge") if definition else None
        if isinstance(badge, str) and badge and (badge == text or _is_tag(text, badge)):
            matches.append(person)
    return matches[:MOST]


def _is_tag(text: str, badge: str) -> bool:
    return canonical_number(badge) == badge and finds(text, badge)


def _tags(connection: Connection, text: str) -> list[str]:
    """The read or bound tags that may have this text printed on them, looked up by whole numbers and by tails."""
    tag_search = searched(text)
    if not tag_search.numbers and not tag_search.tails:
        return []
    c = tag_number.c
    alike = select(c.number).where(or_(c.number.in_(tag_search.numbers), c.tail.in_(tag_search.tails)))
    numbers = connection.execute(alike.order_by(c.number).limit(MOST_TAGS)).scalars()
    return [number for number in numbers if number in tag_search.numbers or finds(text, number)]


def item_named(connection: Connection, master_data: MasterData, name: str, now_us: int) -> str:
    """The name of the item that is known under this name or under another spelling of it; the name itself where none is.

    Links of before an update, and of labels, name an item by a spelling of its code.
    """
    if not name or is_item(connection, name):
        return name
    found = _exact(connection, master_data, canonical_written(name), now_us)
    return found[0] if len(found) == 1 else name


def is_item(connection: Connection, name: str) -> bool:
    """Whether an item has this very name."""
    return connection.execute(select(item.c.item).where(item.c.item == name)).first() is not None


def _exact(connection: Connection, master_data: MasterData, code: str, now_us: int) -> list[str]:
    """The item that is bound to the code, has its name, or was scanned by it, in any spelling."""
    keys = list(dict.fromkeys((binding_key(code), *keys_of(connection, code))))
    spellings = {code, *keys}
    for key in keys:
        spellings.update(gtin_texts(key), spellings_of(connection, key, MOST_SPELLINGS))
    c = binding.c
    newest = select(c.item).where(c.code.in_(spellings)).order_by(c.key_us.desc(), c.seq.desc())
    bound = connection.execute(newest).scalar()
    for name in filter(None, (bound, code, plain_braces(code), *keys, *by_pattern(master_data, code, now_us))):
        if is_item(connection, name):
            return [name]
    scanned = select(event_item.c.item).where(event_item.c.code.in_(spellings)).distinct().limit(MOST)
    return list(connection.execute(scanned).scalars())


def by_pattern(master_data: MasterData, code: str, now_us: int) -> list[str]:
    """The items that a code names by the shop's patterns."""
    names = []
    for pattern_name in master_data.names("pattern.define"):
        definition = master_data.at("pattern.define", pattern_name, now_us)
        data = definition.data if definition else {}
        try:
            pattern = Pattern(pattern_name, str(data.get("regex")), str(data.get("as")))
            match = pattern.match(code) if pattern.as_ == CodeType.ITEM else None
        except PatternError:
            continue  # an unusable pattern matches nothing
        if match is not None:
            names.append(match[0])
    return names


def _lookalikes(connection: Connection, text: str) -> list[str]:
    """Released items whose name differs only in blanks, case, dashes or invisible characters."""
    c = item.c
    return list(
        connection.execute(select(c.item).where(c.folded == folded(text)).order_by(c.item).limit(MOST)).scalars()
    )


def _alike(connection: Connection, code: str) -> list[str]:
    """Items whose name begins with the text, open ones first, then open items that contain it in a text column."""
    c = item.c
    starts = [
        and_(column >= form, column < form + "\U0010ffff") for form in {code, code.upper()} for column in (c.item,)
    ]
    named = select(c.item).where(or_(*starts)).order_by(c.status != "open", c.item).limit(MOST)
    by_reference = (
        select(c.item)
        .where(
            and_(
                c.status == "open",
                or_(
                    contains(c.reference, code),
                    contains(c.name, code),
                    contains(c.customer, code),
                    contains(c.item, code),
                ),
            )
        )
        .order_by(c.item)
        .limit(MOST)
    )
    rows = [*connection.execute(named).scalars(), *connection.execute(by_reference).scalars()]
    return list(dict.fromkeys(rows))[:MOST]


def contains(column: Any, text: str) -> Any:
    """SQL condition: a column contains a text, in upper or lower case."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return column.ilike(f"%{escaped}%", escape="\\")
