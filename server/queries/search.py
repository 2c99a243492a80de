"""Search: from a typed text or a scan in the search box to the items that it may name."""

from typing import Any

from sqlalchemy import Connection, and_, or_, select

from server.projection.internal_tables import tag_number
from server.projection.tables import binding, event_item, item
from station.core.codes import CodeType, Pattern, PatternError
from station.core.codes.canonical import canonical, split_aim
from station.core.codes.tag_numbers import canonical_number, finds, searched
from station.core.master_data import MasterData

MOST = 20
MAX_TEXT = 4_296
MOST_TAGS = 50  # tags whose number ends like the text, compared in full
MOST_PEOPLE = 2_000  # badges compared with the text


def find(connection: Connection, master_data: MasterData, text: str, now_us: int) -> list[str]:
    """The items that a text may name: the one with this name or code, else those that begin with or contain it."""
    _, content = split_aim(text.strip()[:MAX_TEXT].encode("utf-8", "replace"), None)
    code = canonical(content)
    if not code:
        return []
    for name in dict.fromkeys((code, code.upper())):
        exact = _exact(connection, master_data, name, now_us)
        if exact:
            return exact
    of_tags = [name for number in _tags(connection, code) for name in _exact(connection, master_data, number, now_us)]
    return list(dict.fromkeys(of_tags))[:MOST] or _alike(connection, code)


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


def _exact(connection: Connection, master_data: MasterData, code: str, now_us: int) -> list[str]:
    bound = connection.execute(
        select(binding.c.item).where(binding.c.code == code).order_by(binding.c.key_us.desc(), binding.c.seq.desc())
    ).scalar()
    for name in filter(None, (bound, code, *by_pattern(master_data, code, now_us))):
        if connection.execute(select(item.c.item).where(item.c.item == name)).first():
            return [name]
    scanned = select(event_item.c.item).where(event_item.c.code == code).distinct().limit(MOST)
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
