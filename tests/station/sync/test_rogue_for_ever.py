"""A hub that asks for the same for ever: new logs, requests and bytes on the card stay within bounds.

In an hour: at most 13 new logs (the pause before the next one doubles from 1 s to an hour; 12 in 20 minutes), at most 120
requests in any minute but the first, and at most 384 KiB on the card for the scans (100, and one a minute) and for each log
that carries them again. An ordinary run simulates 20 minutes, `nightly` the hour.
"""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.simulation.world import S
from tests.station.fixtures.rogue_hub import endpoint
from tests.station.sync.test_rogue_hub import Rogue

MOST_REQUESTS = 120
LOG_BYTES = 384 * 1024
Change = Callable[[Rogue, str, dict[str, Any]], None]


def log_ahead(_rogue: Rogue, path: str, answer: dict[str, Any]) -> None:
    if path == "/session":
        answer.update(do="log_ahead", accepted_thru=2**40)
    less_of_the_log_in_each_heartbeat(_rogue, path, answer)


def reidentify(_rogue: Rogue, path: str, answer: dict[str, Any]) -> None:
    if path == "/session":
        answer.update(do="reidentify", accepted_thru=0)
    less_of_the_log_in_each_heartbeat(_rogue, path, answer)


def fork(rogue: Rogue, path: str, answer: dict[str, Any]) -> None:
    reidentify(rogue, path, answer)
    for verdict in answer.get("verdicts", ()):
        verdict["verdict"] = "fork"


def accept_one_and_fork(rogue: Rogue, path: str, answer: dict[str, Any]) -> None:
    """The session asks for nothing until the hub has something of the log; then it is a fork."""
    if path == "/session" and answer["accepted_thru"]:
        answer.update(do="reidentify")
    for verdict in answer.get("verdicts", ())[1:]:
        verdict["verdict"] = "fork"


def fork_and_ask_for_nothing(_rogue: Rogue, path: str, answer: dict[str, Any]) -> None:
    if path == "/session":
        answer.update(do=None, accepted_thru=0, accepted_hash="")
    for verdict in answer.get("verdicts", ()):
        verdict["verdict"] = "fork"


def another_epoch_each_time(rogue: Rogue, _path: str, answer: dict[str, Any]) -> None:
    for name in ("hub_epoch", "epoch"):
        if name in answer:
            answer[name] = len(rogue.asked)


def less_of_the_log_in_each_heartbeat(_rogue: Rogue, path: str, answer: dict[str, Any]) -> None:
    if path == "/heartbeat":
        answer.update(accepted_thru=0)


def other_definitions_each_time(rogue: Rogue, _path: str, answer: dict[str, Any]) -> None:
    if "snapshot_version" in answer:
        answer["snapshot_version"] = f"v{len(rogue.asked)}"


def conflict(seq: int | None) -> Change:
    """409 for each batch, over this event; None: the first one of the batch."""

    def change(_rogue: Rogue, path: str, answer: dict[str, Any]) -> None:
        if path == "/logs":
            first = answer["verdicts"][0]["seq"] if answer.get("verdicts") else 1
            answer.clear()
            answer["error"] = {"came": "a", "expected": "b", "do": "c", "seq": seq or first}

    return change


WAYS: dict[str, Change] = {
    "log_ahead": log_ahead, "reidentify": reidentify, "fork": fork, "accept one": accept_one_and_fork,
    "fork without a word": fork_and_ask_for_nothing, "another epoch": another_epoch_each_time,
    "less of the log": less_of_the_log_in_each_heartbeat, "other definitions": other_definitions_each_time,
    "409 of the first": conflict(None), "409 of the past": conflict(1), "409 of the future": conflict(2**62),
}  # fmt: skip


def card_bytes(folder: Path) -> int:
    """What the station's files take, but for the ballast."""
    return sum(
        path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".ballast")
    )


@pytest.mark.parametrize(("minutes", "most_logs"), [(20, 12), pytest.param(60, 13, marks=pytest.mark.nightly)])
@pytest.mark.parametrize("way", WAYS)
def test_what_is_asked_for_ever_stays_within_bounds(tmp_path: Path, way: str, minutes: int, most_logs: int) -> None:
    rogue = Rogue(tmp_path)
    rogue.station.boot()
    rogue.scan("FIRST", 3)
    rogue.settle()

    def alter(path: str, answer: tuple[int, dict[str, str], bytes]) -> tuple[int, dict[str, str], bytes]:
        status, headers, content = answer
        try:
            told = json.loads(content)
        except ValueError:
            return answer
        WAYS[way](rogue, endpoint(path), told)
        return (409 if "error" in told else status), headers, json.dumps(told).encode()

    rogue.alter = alter
    before = card_bytes(rogue.station.folder)
    began, began_us = len(rogue.asked), rogue.world.now_us
    requests: Counter[int] = Counter()  # by minute
    whole = rogue._honest

    def counted(*request: Any) -> Any:
        minute = (rogue.world.now_us - began_us) // (60 * S)
        requests[minute] += 1
        if requests[minute] > 10 * MOST_REQUESTS:
            pytest.fail(f"{requests[minute]} requests in minute {minute}: {Counter(rogue.asked[-200:])}")
        return whole(*request)

    rogue._honest = counted  # type: ignore[assignment]
    rogue.scan("BACKLOG", 100)
    for minute in range(minutes):
        rogue.station.read(f"MINUTE-{minute}".encode())
        rogue.world.advance(60 * S)
    assert len(rogue.asked) > began
    logs = len(list((rogue.station.folder / "earlier").glob("*")))
    size = card_bytes(rogue.station.folder)
    print(f"{way}: {logs} logs, {size // 1024} KiB, requests a minute {sorted(requests.values())[-3:]}")
    assert rogue.station.reds == 0
    assert logs <= most_logs
    assert max(count for minute, count in requests.items() if minute) <= MOST_REQUESTS
    assert size - before <= (1 + logs) * LOG_BYTES
    rogue.is_right_again()
