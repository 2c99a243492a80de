"""Find: from whatever a person typed or a scanner read in the search box to the items that it may mean."""

from sqlalchemy import Connection, and_, or_, select

from server.projection.internal_tables import tag_number
from server.projection.tables import binding, event_item, item
from station.core.codes import CodeType, Pattern, PatternError
from station.core.codes.canonical import canonical, split_aim
from station.core.codes.tag_numbers import canonical_number, finds, searched
from station.core.master_data import MasterData

MOST = 20
MAX_TEXT = 4_296
MOST_TAGS = 50  # tags looked at whose number ends like what was typed
MOST_PEOPLE = 2_000  # badges compared with what was typed


def find(connection: Connection, catalogue: MasterData, text: str, now_us: int) -> list[str]:
    """The items that a text means: one where it names an item or a code, else those that begin like it; [] for none."""
    _, content = split_aim(text.strip()[:MAX_TEXT].encode("utf-8", "replace"), None)
    code = canonical(content)
    if not code:
        return []
    for name in dict.fromkeys((code, code.upper())):
        exact = _exact(connection, catalogue, name, now_us)
        if exact:
            return exact
    of_tags = [name for number in _tags(connection, code) for name in _exact(connection, catalogue, number, now_us)]
    return list(dict.fromkeys(of_tags))[:MOST] or _alike(connection, code)


def people(catalogue: MasterData, text: str, now_us: int) -> list[str]:
    """The persons whose badge a text is, as a badge is typed or as a card prints its number; their ids."""
    text = text.strip()[:MAX_TEXT]
    found = []
    for person in catalogue.names("person.define")[:MOST_PEOPLE]:
        definition = catalogue.at("person.define", person, now_us)
        badge = definition.data.get("badge") if definition else None
        if isinstance(badge, str) and badge and (badge == text or _is_tag(text, badge)):
            found.append(person)
    return found[:MOST]


def _is_tag(text: str, badge: str) -> bool:
    return canonical_number(badge) == badge and finds(text, badge)


def _tags(connection: Connection, text: str) -> list[str]:
    """The tags that were read or bound here and may print this text, looked up by whole numbers and by ends."""
    look = searched(text)
    if not look.numbers and not look.tails:
        return []
    c = tag_number.c
    alike = select(c.number).where(or_(c.number.in_(look.numbers), c.tail.in_(look.tails)))
    numbers = connection.execute(alike.order_by(c.number).limit(MOST_TAGS)).scalars()
    return [number for number in numbers if number in look.numbers or finds(text, number)]


def _exact(connection: Connection, catalogue: MasterData, code: str, now_us: int) -> list[str]:
    bound = connection.execute(
        select(binding.c.item).where(binding.c.code == code).order_by(binding.c.key_us.desc(), binding.c.seq.desc())
    ).scalar()
    for name in filter(None, (bound, code, *_by_pattern(catalogue, code, now_us))):
        if connection.execute(select(item.c.item).where(item.c.item == name)).first():
            return [name]
    scanned = select(event_item.c.item).where(event_item.c.code == code).distinct().limit(MOST)
    return list(connection.execute(scanned).scalars())


def _by_pattern(catalogue: MasterData, code: str, now_us: int) -> list[str]:
    found = []
    for name in catalogue.names("pattern.define"):
        definition = catalogue.at("pattern.define", name, now_us)
        data = definition.data if definition else {}
        try:
            pattern = Pattern(name, str(data.get("regex")), str(data.get("as")))
            match = pattern.match(code) if pattern.as_ == CodeType.ITEM else None
        except PatternError:
            continue  # a pattern that reads nothing finds nothing
        if match is not None:
            found.append(match[0])
    return found


def _alike(connection: Connection, code: str) -> list[str]:
    """Items whose name, or whose customer's reference, begins so; open ones first."""
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
                    c.reference.ilike(_inside(code), escape="\\"),
                    c.name.ilike(_inside(code), escape="\\"),
                    c.customer.ilike(_inside(code), escape="\\"),
                    c.item.ilike(_inside(code), escape="\\"),
                ),
            )
        )
        .order_by(c.item)
        .limit(MOST)
    )
    rows = [*connection.execute(named).scalars(), *connection.execute(by_reference).scalars()]
    return list(dict.fromkeys(rows))[:MOST]


def _inside(code: str) -> str:
    escaped = code.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
