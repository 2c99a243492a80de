"""Station alerts: silent stations, unsent or lost scans, copied logs, unknown time; and alerts of the hub itself.

>>> beat = {"seen_us": 0, "waiting": 0, "oldest_waiting_s": None, "tip_seq": 1204}
>>> row = {"station": "weld-2", "revoked_us": None, "clone_us": None, "heartbeat": beat, "logs": []}
>>> [alert.sentence for alert in of_stations([row], now_us=1_080_000_000)]
['Station weld-2 has been silent for 18\\xa0min']
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from server.locale_format import duration
from server.projection import dead_letters
from server.projection.dead_letters import DeadLetter
from server.projection.fold_version import Refold
from server.projection.log_permissions import NotPermitted
from server.queries.alerts import Alert, LinkedWord
from server.text import counted

SILENT_S = 120  # four heartbeat intervals of an idle station
QUEUE_OLD_S = 300  # unsent scans older than this give an alert
REFOLD_SHOWN_US = 14 * 86_400_000_000
UNKNOWN_COST = 2**62  # the cost of lost scans is unknown: sorted before every alert with a cost


def of_stations(rows: list[dict[str, Any]], now_us: int, estimated: Mapping[str, int] | None = None) -> list[Alert]:
    """Alerts of the stations that are not revoked. `rows`: from `server.auth.devices.overview`.

    `estimated`: station -> number of items in process whose times from its scans are uncertain.
    """
    active = [row for row in rows if row["revoked_us"] is None]
    kinds = (_logs, _clone, _missing_events, _silent, _queue)
    alerts = [alert for row in active for find_alerts in kinds for alert in find_alerts(row, now_us)]
    return alerts + [alert for row in active for alert in _clock(row, (estimated or {}).get(row["station"], 0))]


def of_hub_clock(doubt: str | None, suspects: int) -> Iterator[Alert]:
    """Alerts of the hub's own clock: it is in doubt, or anchors were issued with a wrong time."""
    if doubt is not None:
        yield Alert(
            "hub clock",
            "hub clock",
            (doubt.partition(". ")[0].rstrip("."),),
            "stations are given no time: set it right, then wipline-hub clock confirm",
            grave=True,
            cost=UNKNOWN_COST,
        )
    if suspects:
        times = "once" if suspects == 1 else f"{suspects} times"
        yield Alert(
            "anchors",
            "anchors",
            (f"The hub's clock was wrong when stations were given the time, {times}",),
            "times of scans are off: wipline-hub clock, then wipline-hub clock void",
            grave=True,
            cost=UNKNOWN_COST,
        )


def of_set_aside(rows: list[DeadLetter]) -> list[Alert]:
    """One alert for each event, item or code that could not be folded and is therefore missing on the pages."""
    return [
        Alert(
            "set_aside",
            f"set aside {row.part} {row.pos} {row.name}",
            (f"{row.about} could not be folded and was set aside: {row.reason}",),
            dead_letters.TO_DO,
            grave=True,
            cost=UNKNOWN_COST,
        )
        for row in rows
    ]


def of_refolds(found: Iterable[Refold], now_us: int) -> Iterator[Alert]:
    """An alert for each update of the last days that changed the state of items."""
    for refold in found:
        if now_us - refold.at_us <= REFOLD_SHOWN_US:
            one = refold.changed == 1
            yield Alert(
                "refold",
                f"refold {refold.at_us}",
                (
                    LinkedWord("changes", "", counted(refold.changed, "item")),
                    f" {'has' if one else 'have'} another state since the update to {refold.sw}",
                ),
                "the rules changed, no scan did",
            )


def of_not_permitted(rows: list[NotPermitted]) -> list[Alert]:
    """Alerts of events that a station is not permitted to record: a stolen token, or other software uses its token."""
    return [
        Alert(
            "not_permitted" if row.claimed is None else "claim",
            f"not permitted {row.log} {row.claimed or ''}",
            ("Station ", LinkedWord("station", row.station, row.station), row.item_event),
            "stored without effect; give it a new token" if row.claimed is None else "check which device it is",
            grave=row.claimed is None,
            cost=UNKNOWN_COST,
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
                "check its journal before anything is pruned",
                grave=True,
                cost=UNKNOWN_COST,
            )
        if log["forks"]:
            yield Alert(
                "fork",
                f"fork {log['log']}",
                (*_named(row), f" wrote {counted(log['forks'], 'number')} twice: it was restored or copied"),
                f"both are kept; {name} continues in a new log",
                grave=True,
                cost=UNKNOWN_COST,
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
            cost=UNKNOWN_COST,
        )


def ahead(row: dict[str, Any]) -> int:
    """The number of events of a station's open log that it counts as sent and the hub lacks, after the hub was restored.

    0 for a station with waiting events, because those may be the missing ones.
    """
    beat = row["heartbeat"]
    if beat is None or beat.get("log") is None or beat["waiting"]:
        return 0
    accepted = next((log["accepted_thru"] for log in row["logs"] if log["log"] == beat["log"]), 0)
    return max(0, (beat["tip_seq"] or 0) - accepted)


class _MissingEvents(NamedTuple):
    """One way in which a station has events that the hub lacks: the sentence after its name, and what to do."""

    kind: str
    item_event: str
    remedy: str


_AHEAD = _MissingEvents(
    "ahead",
    " has recorded {events} that are missing here",
    "this hub was restored from an older state; the station sends them when it is connected",
)
_SET_ASIDE = _MissingEvents(
    "aside",
    " keeps {events} of an earlier log that are not known to be here",
    "leave it connected: it sends what is missing",
)


def _missing_events(row: dict[str, Any], _now_us: int) -> Iterator[Alert]:
    """Events that the station has and the hub lacks: in its open log, and in earlier logs that it set aside."""
    set_aside_events = (row["heartbeat"] or {}).get("aside") or 0
    for missing, count in ((_AHEAD, ahead(row)), (_SET_ASIDE, set_aside_events)):
        if count:
            events = "1 event" if count == 1 else f"{count:,} events"
            yield Alert(
                missing.kind,
                f"{missing.kind} {row['station']}",
                (*_named(row), missing.item_event.format(events=events)),
                missing.remedy,
                grave=True,
                cost=UNKNOWN_COST,
            )


def last_seen_us(row: dict[str, Any]) -> int | None:
    """The last heartbeat or batch of events of a station; None for one without any contact."""
    heartbeat = row["heartbeat"] or {}
    seen = (heartbeat.get("seen_us"), *(log.get("seen_us") for log in row["logs"]))
    return max((at for at in seen if at is not None), default=None)


def is_silent(row: dict[str, Any], now_us: int) -> bool:
    """Whether a station that had contact once did not report when it should have: a heartbeat is due every 30 s."""
    seen_us = last_seen_us(row)
    return seen_us is not None and now_us - seen_us > SILENT_S * 1_000_000


def _silent(row: dict[str, Any], now_us: int) -> Iterator[Alert]:
    seen_us = last_seen_us(row)
    if seen_us is not None and is_silent(row, now_us):
        age = (now_us - seen_us) // 1_000_000
        safe = sum(log["accepted_thru"] for log in row["logs"])
        events = "1 event up to then is" if safe == 1 else f"{safe:,} events up to then are"
        yield Alert(
            "silent",
            f"silent {row['station']}",
            (*_named(row), f" has been silent for {duration(age)}"),
            f"its {events} safe here" if safe else "it keeps what it scans",
        )


def _queue(row: dict[str, Any], _now_us: int) -> Iterator[Alert]:
    beat = row["heartbeat"]
    if beat and beat["waiting"] and (beat["oldest_waiting_s"] or 0) > QUEUE_OLD_S:
        scans = counted(beat["waiting"], "scan")
        yield Alert(
            "queue",
            f"queue {row['station']}",
            (*_named(row), f" holds {scans} back, the oldest for {duration(beat['oldest_waiting_s'])}"),
            "these pages do not include them yet",
        )


def _clock(row: dict[str, Any], estimated: int) -> Iterator[Alert]:
    """A station without a time source: its scans are in order, but their times are estimated."""
    if estimated:
        items = counted(estimated, "item")
        yield Alert(
            "clock",
            f"clock {row['station']}",
            (*_named(row), f" had no time source when it scanned {items}"),
            "ages marked ≈ are estimated",
        )
