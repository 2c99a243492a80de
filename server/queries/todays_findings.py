"""Findings of today: what the rules that are on say of today's scans."""

from sqlalchemy import Connection, and_, select

from server.projection.tables import finding
from server.queries.alerts import FINDING, Alert, LinkedWord, ShopSnapshot
from server.queries.rule_settings import rules_on

MOST = 500


def of_today(connection: Connection, floor: ShopSnapshot) -> list[Alert]:
    """One condition for each rule and item, about the newest scan; the item's worth is at stake."""
    on = rules_on(floor.valuation.catalogue, floor.now_us)
    c = finding.c
    since_us = floor.tongue.day_start_us(floor.now_us)
    rows = connection.execute(
        select(finding)
        .where(and_(c.rule.in_(on), c.key_us >= since_us, c.key_us <= floor.now_us))
        .order_by(c.key_us.desc(), c.log_id, c.seq.desc())
        .limit(MOST)
    )
    stands: dict[str, list[int]] = {}
    for index, stand in enumerate(floor.stands):
        stands.setdefault(stand.item, []).append(index)
    found: dict[tuple[str, str], Alert] = {}
    for row in rows:
        if (row.rule, row.item) not in found:
            at = floor.tongue.clock(row.key_us, floor.now_us)
            cost = floor.cost(floor.stands[index] for index in stands.get(row.item, []))
            found[row.rule, row.item] = Alert(
                FINDING, f"{row.rule} {row.item}", words(row.text, row.item), f"{row.station} · {at}", cost=cost
            )
    return list(found.values())


def words(text: str, item: str) -> tuple[str | LinkedWord, ...]:
    """A finding's sentence with the item in it as a word that opens, without its full stop.

    >>> words("WO-7 came to Pack without Test.", "WO-7")
    (LinkedWord(kind='item', id='WO-7', text='WO-7'), ' came to Pack without Test')
    """
    text = text.removesuffix(".")
    before, name, after = text.partition(item)
    if not name:
        return (text,)
    return tuple(filter(None, (before, LinkedWord("item", item, item), after)))
