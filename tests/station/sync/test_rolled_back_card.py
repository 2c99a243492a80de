"""A card that was put back to an older image while scans go on: each green is at the hub once, whatever the hub asks for.

Between the introduction of a log and the hub's answer the station scans on. The hub then asks for a new log. It begins at
the tip that was introduced, and what was recorded since is sent again in it, named by its origin.
"""

import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from station.core.event import decode
from tests.station.fixtures.fake_hub import TOKEN, FakeHub
from tests.station.fixtures.station_process import Daemon

pytestmark = [pytest.mark.host, pytest.mark.xdist_group("daemon")]

SCANS = 50
EVERY_S = 0.05  # the pace of the operator; no verdict depends on it
SENT_S = 120.0


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    """A hub that behaves until it is told otherwise."""
    with FakeHub() as fake_hub:
        yield fake_hub


@pytest.fixture
def daemon(tmp_path: Path, hub: FakeHub) -> Iterator[Daemon]:
    """A station with this hub, not yet started."""
    (tmp_path / "token").write_text(TOKEN + "\n")
    with Daemon(tmp_path, f'[hub]\nurl = "{hub.url}"\ntoken_file = "{tmp_path}/token"\n') as station:
        yield station


def slow_sessions(delay_s: float) -> Callable[[str], float]:
    """The reply to a session takes so long."""
    return lambda path: delay_s if path == "/session" else 0.0


def scan(daemon: Daemon, name: str, count: int, every_s: float = 0.0) -> None:
    """So many scans, one after the other, each answered green or amber."""
    before = len(daemon.answers())
    for number in range(count):
        daemon.scan(f"{name}-{number}")
        threading.Event().wait(every_s)
    states = {answer["state"] for answer in daemon.answered(before + count, SENT_S)[before:]}
    assert states == {"green"}


def counted(hub: FakeHub) -> dict[tuple[str, int, str], str]:
    """Every scan of the hub by the identity that counts: its origin, else its own place. Each was sent once."""
    found: list[tuple[tuple[str, int, str], str]] = []
    with hub.lock:
        logs = {log: list(events) for log, events in hub.logs.items()}
    for log, events in logs.items():
        for seq, (encoded, digest) in enumerate(events, 1):
            event = decode(encoded)
            own = (log, seq, digest.hex())
            first = (event.origin.log, event.origin.seq, event.origin.hash) if event.origin else own
            if event.kind == "scan" and event.raw is not None:
                found.append((first, event.raw.decode()))
    twice = [first for first, times in Counter(first for first, _ in found).items() if times > 1]
    assert twice == []
    return dict(found)


def all_arrive(daemon: Daemon, hub: FakeHub) -> None:
    """Every green of this station comes to the hub, and counts once."""
    greens = sorted((answer["code"], answer["seq"]) for answer in daemon.answers())

    def there() -> list[tuple[str, int]]:
        return sorted((code, seq) for (_, seq, _), code in counted(hub).items())

    daemon.until(lambda: len(there()) >= len(greens), SENT_S)
    assert there() == greens


def rolled_back(daemon: Daemon, hub: FakeHub) -> str:
    """A card that lacks the last scans of its log, which the hub has; the station is ended. Returns the log."""
    daemon.start()
    scan(daemon, "OLD", 3)
    daemon.until(lambda: daemon.status()["hub"]["state"] == "ok" and not daemon.status()["waiting"], SENT_S)
    daemon.end()
    image = daemon.folder / "image"
    image.mkdir()
    for path in daemon.folder.glob("journal.db*"):
        shutil.copy(path, image)
    daemon.start()
    scan(daemon, "LATER", 20)
    all_arrive(daemon, hub)
    daemon.end()
    for path in daemon.folder.glob("journal.db*"):
        path.unlink()
    for path in image.iterdir():
        shutil.copy(path, daemon.folder)
    (log,) = hub.logs
    return log


def introduced(hub: FakeHub) -> list[Any]:
    """The bodies of all sessions from now on."""
    bodies: list[Any] = []
    whole = hub._session

    def noted(body: Any) -> dict[str, Any]:
        bodies.append(body)
        return whole(body)

    hub._session = noted  # type: ignore[method-assign]
    return bodies


@pytest.mark.parametrize("delay_s", [0.3, 1.0])
def test_scans_during_the_session_of_a_rolled_back_card_arrive_once(
    daemon: Daemon, hub: FakeHub, delay_s: float
) -> None:
    old = rolled_back(daemon, hub)
    bodies = introduced(hub)
    hub.delay_s = slow_sessions(delay_s)
    daemon.start()
    scan(daemon, "AFTER", SCANS, EVERY_S)
    all_arrive(daemon, hub)
    (new,) = set(hub.logs) - {old}
    first = next(body for body in bodies if body["log"] == old)
    assert hub.parents[new] == {"log": old, "seq": first["tip_seq"], "hash": first["tip_hash"]}
    assert hub.forks == []


def test_scans_before_the_answer_to_a_session_are_carried_to_the_new_log(daemon: Daemon, hub: FakeHub) -> None:
    """The reply comes when ten scans are green: these stand in the old log, behind the tip that was introduced."""
    old = rolled_back(daemon, hub)
    green = len(daemon.answers())
    may_reply = threading.Event()

    def held(path: str) -> float:
        if path == "/session":
            may_reply.wait(SENT_S)
        return 0.0

    hub.delay_s = held
    daemon.start()
    scan(daemon, "AFTER", 10)
    assert {answer["log"] for answer in daemon.answers()[green:]} == {old}
    may_reply.set()
    all_arrive(daemon, hub)
    (new,) = set(hub.logs) - {old}
    scans = [event for event in (decode(encoded) for encoded, _ in hub.logs[new]) if event.kind == "scan"]
    assert [event.origin.log for event in scans if event.origin is not None] == [old] * 10


@pytest.mark.parametrize("delay_s", [0.3, 1.0])
def test_scans_during_the_session_of_a_log_with_another_past_arrive_once(
    daemon: Daemon, hub: FakeHub, delay_s: float
) -> None:
    old = rolled_back(daemon, hub)
    hub.fate = lambda _path: "500"
    daemon.start()
    scan(daemon, "BRANCH", 5)  # at places where the hub has others
    daemon.end()
    hub.fate = lambda _path: None
    hub.delay_s = slow_sessions(delay_s)
    daemon.start()
    scan(daemon, "AFTER", SCANS, EVERY_S)
    all_arrive(daemon, hub)
    (new,) = set(hub.logs) - {old}
    assert hub.parents[new]["log"] == old


@pytest.mark.parametrize("have", ["all of it", "less of it"])
def test_a_hub_that_says_it_is_ahead_and_is_not_begins_no_new_log(daemon: Daemon, hub: FakeHub, have: str) -> None:
    daemon.start()
    scan(daemon, "FIRST", 5)
    all_arrive(daemon, hub)
    daemon.end()
    (log,) = hub.logs
    hub.do[log] = "log_ahead"
    if have == "less of it":
        with hub.lock:
            del hub.logs[log][2:]
    daemon.start()
    scan(daemon, "AFTER", 5)
    all_arrive(daemon, hub)
    assert list(hub.logs) == [log]
    assert not (daemon.folder / "earlier").exists()
