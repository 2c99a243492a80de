"""Alerts of open calls: one for each kind of help that a place has called for, first among all alerts."""

from collections.abc import Iterable
from typing import NamedTuple

from server.locale_format import duration
from server.queries.alerts import Alert, BoardState, LinkedWord, RunningTime
from server.queries.calls import Call
from server.queries.station_alerts import UNKNOWN_COST

CALL = "call"


class OpenCall(NamedTuple):
    """The open calls of one place for one kind of help: the first of them, and their number."""

    first: Call
    times: int


def by_reason(calls: Iterable[Call]) -> list[OpenCall]:
    """Open calls, oldest first, as one row for each place and kind of help: a card scanned again is no further call."""
    found: dict[tuple[str, str, str | None], list[Call]] = {}
    for call in calls:
        found.setdefault((*call.call.place, call.call.reason), []).append(call)
    return [OpenCall(of_one[0], len(of_one)) for of_one in found.values()]


def of_calls(calls: Iterable[Call], shop: BoardState) -> list[Alert]:
    """One grave alert for each place and kind of help, ranked before alerts of lost scans: a person waits."""
    alerts = []
    for first, times in by_reason(calls):
        call = first.call
        kind, place = call.place
        name = shop.stage_name(place) if kind == "stage" else f"Station {place}"
        waited = duration(first.waited_s(shop.now_us))
        detail = [
            f"called by {shop.person_name(call.by)}" if call.by else "",
            shop.locale.clock(call.at_us, shop.now_us),
        ]
        detail += [f"{times} times"] if times > 1 else []
        alerts.append(
            Alert(
                CALL,
                f"call {kind} {place} {call.reason or ''}",
                (
                    LinkedWord(kind, place, name),
                    f" calls for {shop.reason_name(call.reason)}, waiting for "
                    if call.reason
                    else " calls, waiting for ",
                    RunningTime(call.at_us, waited),
                ),
                " · ".join(filter(None, detail)),
                grave=True,
                cost=UNKNOWN_COST + 1 + max(0, shop.now_us - call.at_us),
                answers=(kind, place),
            )
        )
    return alerts
