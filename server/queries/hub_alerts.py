"""Alerts of the hub itself: each fault and remark of /healthz that has no alert of its own, and undefined stages.

>>> [(alert.sentence, alert.detail, alert.grave) for alert in of_faults(["The disk has 1 MB left. Free some space."])]
[('The disk has 1 MB left', 'Free some space', True)]
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, select

from server.projection.tables import finding, parcel
from server.queries.alerts import Alert, BoardState, LinkedWord, Word
from server.queries.station_alerts import UNKNOWN_COST
from server.text import counted
from station.core.ledger.parcels import LIVE
from station.core.ledger.rules import RULES

UNDEFINED_STAGE = "undefined_stage"  # the rule whose findings are one alert for each stage
LATELY_US = 7 * 86_400_000_000
STAGE, PLACE = "stage.define", "station.define"
MOST_SCANS = 5_000


def of_faults(texts: Iterable[str], *, grave: bool = True) -> list[Alert]:
    """An alert for each sentence: its first sentence, and beside it the rest, which says what to do."""
    alerts = []
    for text in texts:
        fault, _, rest = text.partition(". ")
        fault = fault.rstrip(".")
        alerts.append(
            Alert(
                "hub", f"hub {fault.partition(':')[0]}", (fault,), rest.rstrip("."), grave, UNKNOWN_COST if grave else 0
            )
        )
    return alerts


def of_backup(note: str | None) -> list[Alert]:
    """The alert of a missing or old backup; `note`: the remark of /healthz, None where there is a recent one."""
    return [] if note is None else [Alert("backup", "backup", (note,), "stations keep everything they send")]


class _ScansAt(NamedTuple):
    """What was scanned at an undefined stage: the items, and the stations that scanned them."""

    items: set[str]
    stations: set[str]


def of_undefined_stages(
    connection: Connection, shop: BoardState, stations: Iterable[Mapping[str, Any]]
) -> Iterator[Alert]:
    """Stages that the shop has not defined: the stage of a station that is not revoked, and stages with scans.

    A shop that has defined no stage at all uses the stages that are scanned.
    """
    master_data = shop.valuation.master_data
    defined = set(master_data.names(STAGE))
    if not defined:
        return
    for row in stations:
        station = str(row["station"])
        place = master_data.at(PLACE, station, shop.now_us)
        stage = place.data.get("stage") if place is not None else None
        if row["revoked_us"] is None and isinstance(stage, str) and stage and stage not in defined:
            words: tuple[Word, ...] = (
                "Station ",
                LinkedWord("station", station, station),
                f" is placed at the stage {stage}, which the shop has not defined",
            )
            yield Alert(
                UNDEFINED_STAGE,
                f"station at {station}",
                words,
                f"wipline-hub station place {station} STAGE",
                grave=True,
            )
    for stage, scans in sorted(_scans_at(connection, shop, defined).items()):
        tile = next((tile for tile in shop.line.tiles if tile.stage.stage == stage), None)
        yield Alert(
            UNDEFINED_STAGE,
            f"undefined stage {stage}",
            (
                f"{counted(len(scans.items), 'item was', 'items were')} scanned at ",
                LinkedWord("stage", stage, stage),
                ", a stage that the shop has not defined",
            ),
            f"by {', '.join(sorted(scans.stations))}: define the stage, or give the station another one",
            cost=tile.stock_value.value.total if tile else 0,
        )


def _scans_at(connection: Connection, shop: BoardState, defined: set[str]) -> dict[str, _ScansAt]:
    """By undefined stage: the stock there, and the scans of the last days with a finding."""
    found: dict[str, _ScansAt] = {}
    c = finding.c
    # A scan there can have a finding of another rule, such as `not_in_routing`. The names lead to the index of the rules.
    lately = and_(
        c.rule.in_([rule.name for rule in RULES]), c.key_us > shop.now_us - LATELY_US, c.key_us <= shop.now_us
    )
    there = and_(lately, c.stage.is_not(None), c.stage.not_in(defined))
    rows = connection.execute(select(c.stage, c.item, c.station).where(there).limit(MOST_SCANS)).all()
    scans = [(row.stage, row.item, row.station) for row in rows]
    undefined = [tile.stage.stage for tile in shop.line.tiles if tile.stage.stage and tile.stage.stage not in defined]
    c = parcel.c
    here = select(c.stage, c.item, c.station).where(and_(c.stage.in_(undefined), c.state.in_(LIVE))).distinct()
    stock = connection.execute(here).all() if undefined else []
    scans += [(row.stage, row.item, row.station or "the office") for row in stock]
    for stage, item, station in scans:
        if stage and stage not in defined:
            at = found.setdefault(stage, _ScansAt(set(), set()))
            at.items.add(item)
            at.stations.add(station)
    return found
