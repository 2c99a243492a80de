"""Close checks: what is not safe to close a period on, each with its list and, where it has one, its money.

A check reads the shop as of the end of the period, as it is known now, and returns one line, or None where nothing is open.
Stations report only their present state: their checks tell whether they may still have scans from before the end. `CHECKS`
has all of them in the order of the page.
"""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import Connection

from server.queries.as_known_at import past_stock
from server.queries.count_lines import open_counts
from server.queries.current_stock import StockRow
from server.queries.estimated_times import EstimatedTimes, items_estimated_at
from server.queries.obsolete_stock import Chosen, Reason, excess_and_unmoved, obsolete_stock
from server.queries.station_alerts import is_silent, last_seen_us
from server.queries.unknown_codes import count_unknown
from server.queries.valuation import Valuation
from server.text import counted
from station.core.ledger.costs import MILLI, shares

STALE_DAYS = 30


class Check(StrEnum):
    """What is checked."""

    SILENT = "silent"
    UNSENT = "unsent"
    UNKNOWN = "unknown"
    NO_COST = "no_cost"
    OVERRUN = "overrun"
    ESTIMATED = "estimated"
    STALE = "stale"
    COUNTING = "counting"


LISTED = (Check.SILENT, Check.UNSENT, Check.ESTIMATED)  # their items are listed by `check_items`


class CloseCheck(NamedTuple):
    """What is open, as a sentence; `micros`: the value that it concerns, None: not known.

    `of_now`: it is the state of now, from which the end of the period is judged.
    """

    check: Check
    sentence: str
    micros: int | None
    of_now: bool = False


class ClosingShop(NamedTuple):
    """What the checks read. `stock` and `valuation`: as of the end of the period, as known now.

    `stations`: as `devices.overview` has them; `end_us`: the end of the period (UTC us), now or before.
    """

    connection: Connection
    stock: list[StockRow]
    valuation: Valuation
    stations: list[dict[str, Any]]
    end_us: int
    now_us: int


class CheckItem(NamedTuple):
    """Pieces of an item at a stage in one state, which a check concerns, and their value in micros.

    `row`: one of their stock rows with the quantity of all; None: nothing of the item was in process at the end.
    `complete`: the value has every cost. `stations`: those that may have scans of it; `times`: of its estimated scans.
    """

    item: str
    row: StockRow | None
    micros: int
    complete: bool
    stations: tuple[str, ...] = ()
    times: EstimatedTimes | None = None


def closing_shop(
    connection: Connection, stations: list[dict[str, Any]], end_us: int | None, now_us: int
) -> ClosingShop:
    """The shop at the end of a period (UTC us); None: now."""
    valuation, stock = past_stock(connection, None, end_us, now_us)
    in_process = [row for row in stock if row.in_process]
    return ClosingShop(connection, in_process, valuation, stations, valuation.at_us, now_us)


def close_checks(shop: ClosingShop) -> list[CloseCheck]:
    """The lines of all checks that found something."""
    return [found for check in CHECKS if (found := check(shop)) is not None]


def check_items(shop: ClosingShop, check: Check, step: int = 1) -> list[CheckItem]:
    """The items of one of the checks LISTED, the highest value first. Values are multiples of `step` micros."""
    if check == Check.ESTIMATED:
        times = items_estimated_at(shop.connection, shop.end_us)
        rows = [row for row in shop.stock if row.item in times]
        missing = sorted(times.keys() - {row.item for row in rows})
        found = [one._replace(times=times[one.item]) for one in _grouped(shop, rows, step)]
        return [*found, *(CheckItem(item, None, 0, complete=True, times=times[item]) for item in missing)]
    of_station = _places(shop, (_silent_stations if check == Check.SILENT else _unsent_stations)(shop))
    rows = [row for row in shop.stock if _stations_of(row, of_station)]
    return [
        one._replace(stations=_stations_of(one.row, of_station)) for one in _grouped(shop, rows, step) if one.row
    ]  # fmt: skip


def _grouped(shop: ClosingShop, rows: Iterable[StockRow], step: int) -> list[CheckItem]:
    """The rows by item, stage, state and station, with values that add up to that of all."""
    groups: dict[tuple[Any, ...], list[StockRow]] = {}
    for row in rows:
        groups.setdefault((row.item, row.stage or "", row.state, row.station or ""), []).append(row)
    amounts = []
    for group in groups.values():
        values = [shop.valuation.of(row) for row in group]
        amounts.append(sum(sum(value.leaves.values()) for value in values if value is not None))
    divided = shares(amounts, MILLI * step)
    made = []
    for group, micros in zip(groups.values(), divided, strict=True):
        known = all(row.qty_milli is not None for row in group)
        milli = sum(row.qty_milli or 0 for row in group) if known else None
        complete = not any(map(shop.valuation.lacks_cost, group))
        made.append(CheckItem(group[0].item, group[0]._replace(qty_milli=milli), micros * step, complete))
    ordered = sorted(zip(groups, made, strict=True), key=lambda one: (-one[1].micros, one[0]))
    return [one for _, one in ordered]


def _silent_stations(shop: ClosingShop) -> list[str]:
    """The stations that are silent and had no contact since the end."""
    return [
        row["station"]
        for row in shop.stations
        if row["revoked_us"] is None and is_silent(row, shop.now_us) and (last_seen_us(row) or 0) < shop.end_us
    ]


def _unsent_stations(shop: ClosingShop) -> dict[str, int]:
    """The stations that hold scans of which the oldest was made before the end, with the number of all they hold."""
    held = {}
    for row in shop.stations:
        beat = row["heartbeat"]
        if row["revoked_us"] is None and beat and beat["waiting"]:
            oldest_s = beat.get("oldest_waiting_s")
            # Whole seconds, rounded down; without an age the scans may be of any time.
            if oldest_s is None or beat["seen_us"] - (oldest_s + 1) * 1_000_000 <= shop.end_us:
                held[row["station"]] = beat["waiting"]
    return held


def _places(shop: ClosingShop, stations: Iterable[str]) -> dict[str, str | None]:
    """The stage of each of some stations; None: it has none of its own."""
    defined = {name: shop.valuation.master_data.at("station.define", name, shop.end_us) for name in stations}
    return {name: one.data.get("stage") if one else None for name, one in defined.items()}


def _stations_of(row: StockRow | None, of_station: Mapping[str, str | None]) -> tuple[str, ...]:
    """The stations whose scans may move a row: those of its stage, and the one without a stage that scanned it last."""
    if row is None:
        return ()
    return tuple(
        name for name, stage in of_station.items() if (row.station == name if stage is None else row.stage == stage)
    )  # fmt: skip


def _value_at(shop: ClosingShop, stations: Iterable[str]) -> int | None:
    """The value of what the scans of some stations may move; None where no cost is known."""
    of_station = _places(shop, stations)
    return shop.valuation.total([row for row in shop.stock if _stations_of(row, of_station)]).micros


def _silent(shop: ClosingShop) -> CloseCheck | None:
    silent = _silent_stations(shop)
    what = f"{counted(len(silent), 'station is', 'stations are')} silent: what they scanned may arrive after the close"
    return CloseCheck(Check.SILENT, what, _value_at(shop, silent), of_now=True) if silent else None


def _unsent(shop: ClosingShop) -> CloseCheck | None:
    held = _unsent_stations(shop)
    what = f"{counted(sum(held.values()), 'scan is', 'scans are')} still on stations"
    return CloseCheck(Check.UNSENT, what, _value_at(shop, held), of_now=True) if held else None


def _unknown(shop: ClosingShop) -> CloseCheck | None:
    codes = count_unknown(shop.connection, shop.end_us)
    names = counted(codes, "code names", "codes name")
    what = f"{names} nothing: {'its' if codes == 1 else 'their'} scans are not in process"
    return CloseCheck(Check.UNKNOWN, what, None) if codes else None


def _no_cost(shop: ClosingShop) -> CloseCheck | None:
    lacking = [row for row in shop.stock if shop.valuation.lacks_cost(row)]
    items = len({row.item for row in lacking})
    what = f"{counted(items, 'item has', 'items have')} no full cost"
    return CloseCheck(Check.NO_COST, what, shop.valuation.total(lacking).micros) if items else None


def _overrun(shop: ClosingShop) -> CloseCheck | None:
    return _of_reason(shop, Check.OVERRUN, Reason.EXCESS, "more in process than was ordered")


def _stale(shop: ClosingShop) -> CloseCheck | None:
    return _of_reason(shop, Check.STALE, Reason.NOT_MOVED, f"not moved for more than {STALE_DAYS} days")


def _of_reason(shop: ClosingShop, check: Check, reason: Reason, words: str) -> CloseCheck | None:
    """The figures of the page of obsolete stock for one reason."""
    table = obsolete_stock(excess_and_unmoved(shop.stock, shop.valuation, STALE_DAYS), Chosen(reason))
    what = f"{counted(table.items, 'item has', 'items have')} {words}"
    return CloseCheck(check, what, table.value_micros) if table.items else None


def _uncertain(shop: ClosingShop) -> CloseCheck | None:
    times = items_estimated_at(shop.connection, shop.end_us)
    value = shop.valuation.total(row for row in shop.stock if row.item in times)
    scans = "scans of estimated time, which may be of before or after the end"
    what = f"{counted(len(times), 'item has', 'items have')} {scans}"
    return CloseCheck(Check.ESTIMATED, what, value.micros if value.known else 0) if times else None


def _counting(shop: ClosingShop) -> CloseCheck | None:
    going_on = open_counts(shop.connection, shop.now_us, shop.end_us)
    if not going_on:
        return None
    ended = all(one.of.ended_us is not None for one in going_on)
    what = counted(len(going_on), *(("count was", "counts were") if ended else ("count is", "counts are")))
    what = f"{what} not finished at the end" if ended else f"{what} not finished"
    return CloseCheck(Check.COUNTING, what, sum(count.micros for count in going_on) or None)


CHECKS: tuple[Callable[[ClosingShop], CloseCheck | None], ...] = (
    _silent, _unsent, _unknown, _no_cost, _overrun, _uncertain, _stale, _counting,
)  # fmt: skip
