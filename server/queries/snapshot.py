"""The floor as of a time: everything that stands, the line made of it, and what needs somebody."""

from collections import Counter

from sqlalchemy import Connection

from server.auth import devices
from server.clock.watch import kept_doubt, suspects
from server.locale_format import LocaleFormat
from server.projection import set_aside
from server.projection.log_permissions import beyond
from server.queries import current_stock, historical_stock, stage_summary, todays_findings
from server.queries.alerts import Alert, ShopSnapshot, needs_someone, ranked, without_repeats
from server.queries.current_master_data import catalogue
from server.queries.station_alerts import of_beyond, of_hub_clock, of_set_aside, of_stations
from server.queries.valuation import Valuation


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
    found += [*of_set_aside(set_aside.shown(connection)[0]), *of_beyond(beyond(connection))]
    return without_repeats(ranked([*found, *todays_findings.of_today(connection, floor)]))
