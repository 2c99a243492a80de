"""Conditions of the stations: which of them is silent, holds scans back, has lost some, or does not know the time.

>>> beat = {"seen_us": 0, "waiting": 0, "oldest_waiting_s": None, "tip_seq": 1204}
>>> row = {"station": "weld-2", "revoked_us": None, "clone_us": None, "heartbeat": beat, "logs": []}
>>> [each.sentence for each in of_stations([row], now_us=1_080_000_000)]
['Station weld-2 has been silent for 18\\xa0min']
"""

from collections.abc import Iterator, Mapping
from typing import Any

from server.locale_format import duration
from server.projection import set_aside
from server.projection.log_permissions import NotPermitted
from server.projection.set_aside import SetAsideRow
from server.queries.alerts import Alert, LinkedWord

SILENT_S = 120  # four heartbeats of a station that has no news
QUEUE_OLD_S = 300  # a scan that is older is missing on these pages
PRICELESS = 2**62  # nobody can say what lost scans cost: before everything that has a price


def of_stations(rows: list[dict[str, Any]], now_us: int, estimated: Mapping[str, int] | None = None) -> list[Alert]:
    """What needs somebody at the stations, of `server.auth.devices.overview`.

    `estimated`: of how many items in process a station's scans have no sure time.
    """
    present = [row for row in rows if row["revoked_us"] is None]
    looks = (_logs, _clone, _ahead, _aside, _silent, _queue)
    found = [condition for row in present for look in looks for condition in look(row, now_us)]
    return found + [condition for row in present for condition in _clock(row, (estimated or {}).get(row["station"], 0))]


def of_hub_clock(doubt: str | None, suspects: int) -> Iterator[Alert]:
    """The hub's own clock: in doubt, or wrong at a time when stations were given it."""
    if doubt is not None:
        yield Alert(
            "hub clock",
            "hub clock",
            (doubt.partition(". ")[0].rstrip("."),),
            "stations are given no time: set it right, then wipline-hub clock confirm",
            grave=True,
            cost=PRICELESS,
        )
    if suspects:
        yield Alert(
            "anchors",
            "anchors",
            (f"The hub's clock was wrong when stations were given the time, {suspects} times",),
            "times of scans are off: wipline-hub clock, then wipline-hub clock void",
            grave=True,
            cost=PRICELESS,
        )


def of_set_aside(rows: list[SetAsideRow]) -> list[Alert]:
    """What could not be folded: each is missing on the pages until the software that can fold it is installed."""
    return [
        Alert(
            "set_aside",
            f"set aside {row.part} {row.pos} {row.name}",
            (f"{row.about} could not be folded and was set aside: {row.reason}",),
            set_aside.TO_DO,
            grave=True,
            cost=PRICELESS,
        )
        for row in rows
    ]


def of_beyond(rows: list[NotPermitted]) -> list[Alert]:
    """What a station's log holds that no bench can say: its token is in other hands, or its software is not ours."""
    return [
        Alert(
            "not_permitted" if row.claimed is None else "claim",
            f"beyond {row.log} {row.claimed or ''}",
            ("Station ", LinkedWord("station", row.station, row.station), row.fact),
            "kept, and counted for nothing; give it a new token"
            if row.claimed is None
            else "look at which device it is",
            grave=row.claimed is None,
            cost=PRICELESS,
        )
        for row in rows
    ]


def _named(row: dict[str, Any]) -> tuple[str, LinkedWord]:
    return "Station ", LinkedWord("station", row["station"], row["station"])


def _logs(row: dict[str, Any], _now_us: int) -> Iterator[Alert]:
    name = row["station"]
    for log in row["logs"]:
        for gap in log["gaps"]:
            count = gap["to_seq"] - gap["from_seq"] + 1
            span = f"scan {gap['from_seq']} is" if count == 1 else f"scans {gap['from_seq']} to {gap['to_seq']} are"
            yield Alert(
                "gap",
                f"gap {log['log']} {gap['from_seq']}",
                (*_named(row), f" has a gap: {span} missing here"),
                "look at its journal before anything is pruned",
                grave=True,
                cost=PRICELESS,
            )
        if log["forks"]:
            yield Alert(
                "fork",
                f"fork {log['log']}",
                (*_named(row), f" wrote {log['forks']} numbers twice: it was restored or copied"),
                f"both are kept; {name} goes on in a new log",
                grave=True,
                cost=PRICELESS,
            )


def _clone(row: dict[str, Any], now_us: int) -> Iterator[Alert]:
    seen_us = row["clone_us"]
    if seen_us is not None and now_us - seen_us < 86_400_000_000:
        yield Alert(
            "clone",
            f"clone {row['station']}",
            (*_named(row), " sent under another station's log"),
            "a copied memory card? give it its own token",
            grave=True,
            cost=PRICELESS,
        )


def ahead(row: dict[str, Any]) -> int:
    """How many events of its open log a station counts as sent that are not here: a hub that was put back lacks them.

    Of a station that says that some wait, nothing is known yet: those are on their way.
    """
    beat = row["heartbeat"]
    if beat is None or beat.get("log") is None or beat["waiting"]:
        return 0
    accepted = next((log["accepted_thru"] for log in row["logs"] if log["log"] == beat["log"]), 0)
    return max(0, (beat["tip_seq"] or 0) - accepted)


def _ahead(row: dict[str, Any], _now_us: int) -> Iterator[Alert]:
    missing = ahead(row)
    if missing:
        events = "1 event" if missing == 1 else f"{missing:,} events"
        yield Alert(
            "ahead",
            f"ahead {row['station']}",
            (*_named(row), f" has recorded {events} that are missing here"),
            "this hub was put back to an older state; the station sends them when it is connected",
            grave=True,
            cost=PRICELESS,
        )


def _aside(row: dict[str, Any], _now_us: int) -> Iterator[Alert]:
    count = (row["heartbeat"] or {}).get("aside")
    if count:
        events = "1 event" if count == 1 else f"{count:,} events"
        yield Alert(
            "aside",
            f"aside {row['station']}",
            (*_named(row), f" keeps {events} of an earlier log that are not known to be here"),
            "leave it connected: it sends what is missing",
            grave=True,
            cost=PRICELESS,
        )


def _silent(row: dict[str, Any], now_us: int) -> Iterator[Alert]:
    beat = row["heartbeat"]
    if beat is None:
        return
    age = (now_us - beat["seen_us"]) // 1_000_000
    if age > SILENT_S:
        safe = sum(log["accepted_thru"] for log in row["logs"])
        yield Alert(
            "silent",
            f"silent {row['station']}",
            (*_named(row), f" has been silent for {duration(age)}"),
            f"its {safe:,} events up to then are safe here" if safe else "it keeps what it scans",
        )


def _queue(row: dict[str, Any], _now_us: int) -> Iterator[Alert]:
    beat = row["heartbeat"]
    if beat and beat["waiting"] and (beat["oldest_waiting_s"] or 0) > QUEUE_OLD_S:
        yield Alert(
            "queue",
            f"queue {row['station']}",
            (*_named(row), f" holds {beat['waiting']} scans back, the oldest for {duration(beat['oldest_waiting_s'])}"),
            "these pages do not know them yet",
        )


def _clock(row: dict[str, Any], estimated: int) -> Iterator[Alert]:
    """A station that had the time from nobody: its scans are in their order, but not at their hour."""
    if estimated:
        items = "1 item" if estimated == 1 else f"{estimated} items"
        yield Alert(
            "clock",
            f"clock {row['station']}",
            (*_named(row), f" had no time to go by when it scanned {items}"),
            "ages marked ≈ are estimated",
        )
