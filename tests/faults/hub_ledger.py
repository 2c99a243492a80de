"""What a hub holds, by its own commands: its ledger as lines, and every scanned code in it with its place."""

import base64
import json
from collections.abc import Iterable
from typing import Any

from running_hub import RunningHub

from station.core.event import Event, decode

PositionKey = tuple[str, int, str]  # log, seq, hash: two copies of one card use a seq twice, for two events


def exported(hub: RunningHub) -> list[dict[str, Any]]:
    """The ledger by `wipline-hub export`: pos, log, seq, prev, hash, bytes."""
    return [json.loads(line) for line in hub.command("export").stdout.splitlines()]


def events(hub: RunningHub) -> dict[PositionKey, Event]:
    """Every event of the ledger by its place."""
    rows = exported(hub)
    assert [row["pos"] for row in rows] == list(range(1, len(rows) + 1)), "positions have gaps"
    return {(row["log"], row["seq"], row["hash"]): decode(base64.b64decode(row["bytes"])) for row in rows}


def scans(hub: RunningHub) -> dict[PositionKey, str]:
    """The scanned texts by the place where each was first recorded: what is sent again in a new log names its origin."""
    found: dict[PositionKey, str] = {}
    for own, event in events(hub).items():
        if event.kind == "scan" and event.raw is not None:
            first = own if event.origin is None else (event.origin.log, event.origin.seq, event.origin.hash)
            assert found.setdefault(first, event.raw.decode()) == event.raw.decode()
    return found


def promised(answers: Iterable[dict[str, Any]]) -> dict[tuple[str, int], str]:
    """The codes by (log, seq) of all answers that gave a place in a log."""
    return {(each["log"], each["seq"]): each["code"] for each in answers if each.get("seq")}
