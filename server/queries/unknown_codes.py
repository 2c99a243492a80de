"""Unknown codes: what was scanned and names nothing that the office has released or bound (rule `unknown_code`).

Their scans are recorded and move nothing. As soon as the office releases or binds such a code, or corrects its scans, its
item is folded again and it leaves this list.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, and_, func, select

from server.projection.tables import finding, item
from station.core.codes.lookalike import folded

RULE = "unknown_code"
AT_ONCE = 500  # names in one statement


class UnknownCode(NamedTuple):
    """A code with the number of its scans, the first and the newest of them (UTC us), and the place of the newest.

    `near`: the released order or item that a person takes it for, None without one.
    """

    code: str
    scans: int
    first_us: int
    last_us: int
    stage: str | None
    station: str
    near: str | None


def count_unknown(connection: Connection, until_us: int | None = None) -> int:
    """The number of unknown codes. `until_us`: of those that were scanned up to a time (UTC us)."""
    c = finding.c
    query = select(func.count(c.item.distinct())).where(c.rule == RULE)
    return int(connection.execute(query if until_us is None else query.where(c.key_us <= until_us)).scalar_one())


def newest_unknown(connection: Connection, start: int, most: int | None) -> list[UnknownCode]:
    """Unknown codes, those that were scanned last first: `most` behind the first `start` of them, None: all."""
    query = _grouped()
    return _read(
        connection, query.order_by(query.selected_columns.last_us.desc(), finding.c.item).offset(start).limit(most)
    )


def unknown_after(connection: Connection, after: str, most: int) -> list[UnknownCode]:
    """At most `most` unknown codes in the order of their texts, behind `after`."""
    return _read(connection, _grouped().where(finding.c.item > after).order_by(finding.c.item).limit(most))


def near_names(connection: Connection, codes: Iterable[str]) -> dict[str, str]:
    """Of these codes, each that looks like the name of a released order or item: code -> that name."""
    form_of = {code: folded(code) for code in codes}
    forms = sorted(set(form_of.values()))
    names: dict[str, str] = {}
    for start in range(0, len(forms), AT_ONCE):
        chunk = forms[start : start + AT_ONCE]
        query = select(item.c.folded, item.c.item).where(item.c.folded.in_(chunk)).order_by(item.c.item.desc())
        names.update({row.folded: row.item for row in connection.execute(query)})
    return {code: names[form] for code, form in form_of.items() if form in names and names[form] != code}


def _grouped() -> Select[Any]:
    c = finding.c
    columns = (func.count().label("scans"), func.min(c.key_us).label("first_us"), func.max(c.key_us).label("last_us"))
    return select(c.item, *columns).where(c.rule == RULE).group_by(c.item)


def _read(connection: Connection, query: Select[Any]) -> list[UnknownCode]:
    rows = connection.execute(query).all()
    places: dict[str, tuple[str | None, str]] = {}
    near: dict[str, str] = {}
    for start in range(0, len(rows), AT_ONCE):
        chunk = [row.item for row in rows[start : start + AT_ONCE]]
        places.update(_newest_places(connection, chunk))
        near.update(near_names(connection, chunk))
    return [
        UnknownCode(row.item, row.scans, row.first_us, row.last_us, *places[row.item], near.get(row.item))
        for row in rows
    ]


def _newest_places(connection: Connection, codes: Sequence[str]) -> dict[str, tuple[str | None, str]]:
    """The stage and the station of the newest scan of each of these codes."""
    c = finding.c
    newest = (
        select(c.item, func.max(c.key_us).label("last_us"))
        .where(and_(c.rule == RULE, c.item.in_(codes)))
        .group_by(c.item)
        .subquery()
    )
    same = and_(c.item == newest.c.item, c.key_us == newest.c.last_us, c.rule == RULE)
    query = select(c.item, c.stage, c.station).join(newest, same).order_by(c.log_id, c.seq)
    return {row.item: (row.stage, row.station) for row in connection.execute(query)}
