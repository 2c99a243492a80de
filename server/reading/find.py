"""Find: from whatever a person typed or a scanner read in the search box to the items that it may mean."""

from sqlalchemy import Connection, and_, or_, select

from server.projection.tables import binding, event_item, item
from station.core.catalogue import Catalogue
from station.core.codes import As, Pattern, PatternError
from station.core.codes.canonical import canonical, split_aim

MOST = 20
MAX_TEXT = 4_296


def find(connection: Connection, catalogue: Catalogue, text: str, now_us: int) -> list[str]:
    """The items that a text means: one where it names an item or a code, else those that begin like it; [] for none."""
    _, content = split_aim(text.strip()[:MAX_TEXT].encode("utf-8", "replace"), None)
    code = canonical(content)
    if not code:
        return []
    for name in dict.fromkeys((code, code.upper())):
        exact = _exact(connection, catalogue, name, now_us)
        if exact:
            return exact
    return _alike(connection, code)


def _exact(connection: Connection, catalogue: Catalogue, code: str, now_us: int) -> list[str]:
    bound = connection.execute(
        select(binding.c.item).where(binding.c.code == code).order_by(binding.c.key_us.desc(), binding.c.seq.desc())
    ).scalar()
    for name in filter(None, (bound, code, *_by_pattern(catalogue, code, now_us))):
        if connection.execute(select(item.c.item).where(item.c.item == name)).first():
            return [name]
    scanned = select(event_item.c.item).where(event_item.c.code == code).distinct().limit(MOST)
    return list(connection.execute(scanned).scalars())


def _by_pattern(catalogue: Catalogue, code: str, now_us: int) -> list[str]:
    found = []
    for name in catalogue.names("pattern.define"):
        definition = catalogue.at("pattern.define", name, now_us)
        data = definition.data if definition else {}
        try:
            pattern = Pattern(name, str(data.get("regex")), str(data.get("as")))
            match = pattern.match(code) if pattern.as_ == As.ITEM else None
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
