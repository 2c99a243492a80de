"""The floor as of a time: everything that stands, the line made of it, and what needs somebody."""

from collections import Counter

from sqlalchemy import Connection

from server import stations
from server.clock_watch import kept_doubt, suspects
from server.projection import aside
from server.projection.owners import beyond
from server.reading import findings, line, now, past
from server.reading.conditions import Condition, Floor, needs_someone, ranked, told_once
from server.reading.definitions import catalogue
from server.reading.station_conditions import of_beyond, of_hub_clock, of_set_aside, of_stations
from server.reading.worth import Valuation
from server.tongue import Tongue


def floor_now(connection: Connection, tongue: Tongue, now_us: int) -> Floor:
    """The floor now."""
    valuation = Valuation(catalogue(connection), now_us)
    stands = now.standing(connection)
    return Floor(stands, line.line(stands, valuation, line.moved_on(connection, now_us)), valuation, tongue, now_us)


def floor_at(connection: Connection, tongue: Tongue, at_us: int) -> Floor:
    """The floor at a past time, as it is known now."""
    valuation = Valuation(catalogue(connection), at_us)
    stands = past.standing_at(connection, valuation.catalogue, at_us)
    return Floor(stands, line.line(stands, valuation, line.moved_on(connection, at_us)), valuation, tongue, at_us)


def attention(connection: Connection, floor: Floor) -> list[Condition]:
    """What needs somebody now: on the floor, at the stations, and by the rules of today's scans; most costly first."""
    unsure = {(stand.station, stand.item) for stand in floor.stands if stand.approx and stand.station}
    estimated = Counter(station for station, _ in unsure)
    found = [*needs_someone(floor), *of_stations(stations.overview(connection), floor.now_us, estimated)]
    found += of_hub_clock(kept_doubt(connection), suspects(connection))
    found += [*of_set_aside(aside.shown(connection)[0]), *of_beyond(beyond(connection))]
    return told_once(ranked([*found, *findings.of_today(connection, floor)]))
