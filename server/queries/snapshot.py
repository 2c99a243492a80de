"""The floor as of a time: everything that stands, the line made of it, and what needs somebody."""

from collections import Counter

from sqlalchemy import Connection, and_, select

from server.auth import devices
from server.clock.watch import kept_doubt, suspects
from server.locale_format import LocaleFormat
from server.projection import set_aside
from server.projection.log_permissions import count_not_permitted
from server.projection.tables import finding
from server.queries import current_stock, historical_stock, stage_summary
from server.queries.alerts import FINDING, Alert, LinkedWord, ShopSnapshot, needs_someone, ranked, without_repeats
from server.queries.current_master_data import catalogue
from server.queries.rule_settings import rules_on
from server.queries.station_alerts import of_beyond, of_hub_clock, of_set_aside, of_stations
from server.queries.valuation import Valuation

MOST_FINDINGS = 500


def floor_now(connection: Connection, tongue: LocaleFormat, now_us: int) -> ShopSnapshot:
    """The floor now."""
    valuation = Valuation(catalogue(connection), now_us)
    stands = current_stock.standing(connection)
    return ShopSnapshot(
        stands,
        stage_summary.line(stands, valuation, stage_summary.moved_on(connection, now_us)),
        valuation,
        tongue,
        now_us,
    )


def floor_at(connection: Connection, tongue: LocaleFormat, at_us: int) -> ShopSnapshot:
    """The floor at a past time, as it is known now."""
    valuation = Valuation(catalogue(connection), at_us)
    stands = historical_stock.standing_at(connection, valuation.catalogue, at_us)
    return ShopSnapshot(
        stands,
        stage_summary.line(stands, valuation, stage_summary.moved_on(connection, at_us)),
        valuation,
        tongue,
        at_us,
    )


def attention(connection: Connection, floor: ShopSnapshot) -> list[Alert]:
    """What needs somebody now: on the floor, at the stations, and by the rules of today's scans; most costly first."""
    unsure = {(stand.station, stand.item) for stand in floor.stands if stand.approx and stand.station}
    estimated = Counter(station for station, _ in unsure)
    found = [*needs_someone(floor), *of_stations(devices.overview(connection), floor.now_us, estimated)]
    found += of_hub_clock(kept_doubt(connection), suspects(connection))
    found += [*of_set_aside(set_aside.shown(connection)[0]), *of_beyond(count_not_permitted(connection))]
    return without_repeats(ranked([*found, *_todays_findings(connection, floor)]))


def _todays_findings(connection: Connection, floor: ShopSnapshot) -> list[Alert]:
    """One condition for each rule and item, about the newest scan; the item's worth is at stake."""
    on = rules_on(floor.valuation.catalogue, floor.now_us)
    c = finding.c
    since_us = floor.tongue.day_start_us(floor.now_us)
    rows = connection.execute(
        select(finding)
        .where(and_(c.rule.in_(on), c.key_us >= since_us, c.key_us <= floor.now_us))
        .order_by(c.key_us.desc(), c.log_id, c.seq.desc())
        .limit(MOST_FINDINGS)
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
                FINDING, f"{row.rule} {row.item}", finding_words(row.text, row.item), f"{row.station} · {at}", cost=cost
            )
    return list(found.values())


def finding_words(text: str, item: str) -> tuple[str | LinkedWord, ...]:
    """A finding's sentence with the item in it as a word that opens, without its full stop.

    >>> finding_words("WO-7 came to Pack without Test.", "WO-7")
    (LinkedWord(kind='item', id='WO-7', text='WO-7'), ' came to Pack without Test')
    """
    text = text.removesuffix(".")
    before, name, after = text.partition(item)
    if not name:
        return (text,)
    return tuple(filter(None, (before, LinkedWord("item", item, item), after)))
