"""Close checks: what is not safe to close a period on, each with its list and, where it has one, its money.

A check reads the shop as it is now and returns one line, or None where nothing is open. `CHECKS` has all of them in the
order of the page.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection

from server.projection.tables import DAY_US
from server.queries.count_lines import open_counts
from server.queries.current_stock import StockRow
from server.queries.station_alerts import SILENT_S, last_seen_us
from server.queries.unknown_codes import count_unknown
from server.queries.valuation import Valuation
from server.text import counted
from station.core.ledger.costs import in_micros

STALE_DAYS = 30


class CloseCheck(NamedTuple):
    """What is open, as a sentence; `micros`: the value that it concerns, None: not known; `address`: its list."""

    sentence: str
    micros: int | None
    address: str


class ClosingShop(NamedTuple):
    """What the checks read: the stock with its costs, the stations as `devices.overview` has them, the time (UTC us)."""

    connection: Connection
    stock: list[StockRow]
    valuation: Valuation
    stations: list[dict[str, Any]]
    now_us: int


def close_checks(shop: ClosingShop) -> list[CloseCheck]:
    """The lines of all checks that found something."""
    return [found for check in CHECKS if (found := check(shop)) is not None]


def _silent(shop: ClosingShop) -> CloseCheck | None:
    seen = {row["station"]: last_seen_us(row) for row in shop.stations if row["revoked_us"] is None}
    silent = [name for name, at_us in seen.items() if at_us is not None and shop.now_us - at_us > SILENT_S * 1_000_000]
    what = f"{counted(len(silent), 'station is', 'stations are')} silent: what they scanned may arrive after the close"
    return CloseCheck(what, _at_stages_of(shop, silent), "/stations") if silent else None


def _waiting(shop: ClosingShop) -> CloseCheck | None:
    of_station = {
        row["station"]: row["heartbeat"]["waiting"]
        for row in shop.stations
        if row["revoked_us"] is None and row["heartbeat"] and row["heartbeat"]["waiting"]
    }
    what = f"{counted(sum(of_station.values()), 'scan is', 'scans are')} still on stations"
    return CloseCheck(what, _at_stages_of(shop, of_station), "/stations") if of_station else None


def _at_stages_of(shop: ClosingShop, stations: Iterable[str]) -> int | None:
    """The value of what is at the stages of some stations, which their scans may move; None where no cost is known."""
    definitions, stages = shop.valuation.master_data, set[str | None]()
    for name in stations:
        defined = definitions.at("station.define", name, shop.now_us)
        stages.add(defined.data.get("stage") if defined else None)
    return shop.valuation.total(
        [row for row in shop.stock if row.in_process and row.stage and row.stage in stages]
    ).micros


def _unknown(shop: ClosingShop) -> CloseCheck | None:
    codes = count_unknown(shop.connection)
    what = f"{counted(codes, 'code names', 'codes name')} nothing: their scans are not in process"
    return CloseCheck(what, None, "/unknown-codes") if codes else None


def _no_cost(shop: ClosingShop) -> CloseCheck | None:
    lacking = [row for row in shop.stock if row.in_process and shop.valuation.lacks_cost(row)]
    items = len({row.item for row in lacking})
    what = f"{counted(items, 'item has', 'items have')} no full cost"
    return CloseCheck(what, shop.valuation.total(lacking).micros, "/without-cost") if items else None


def _overrun(shop: ClosingShop) -> CloseCheck | None:
    in_process = [row for row in shop.stock if row.in_process]
    rows = shop.valuation.overrun_rows(in_process)
    items = len({row.item for row in rows})
    what = f"{counted(items, 'item has', 'items have')} more in process than was ordered"
    return CloseCheck(what, in_micros(shop.valuation.overrun(in_process))[0], "/value?by=order") if items else None


def _uncertain(shop: ClosingShop) -> CloseCheck | None:
    rows = [row for row in shop.stock if row.in_process and row.approx]
    items = len({row.item for row in rows})
    what = f"{counted(items, 'item has', 'items have')} scans of estimated time, whose order may change"
    return CloseCheck(what, shop.valuation.total(rows).micros, "/stations") if items else None


def _stale(shop: ClosingShop) -> CloseCheck | None:
    rows = [row for row in shop.stock if row.in_process and shop.now_us - row.at_stage_since_us > STALE_DAYS * DAY_US]
    items = len({row.item for row in rows})
    what = f"{counted(items, 'item has', 'items have')} not moved for more than {STALE_DAYS} days"
    return CloseCheck(what, shop.valuation.total(rows).micros, "/value?by=age") if items else None


def _counting(shop: ClosingShop) -> CloseCheck | None:
    going_on = open_counts(shop.connection, shop.now_us)
    what = f"{counted(len(going_on), 'count goes', 'counts go')} on"
    return CloseCheck(what, sum(count.micros for count in going_on) or None, "/counts") if going_on else None


CHECKS: tuple[Callable[[ClosingShop], CloseCheck | None], ...] = (
    _silent,
    _waiting,
    _unknown,
    _no_cost,
    _overrun,
    _uncertain,
    _stale,
    _counting,
)
