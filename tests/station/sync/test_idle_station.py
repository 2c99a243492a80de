"""An idle station and a hub that went back: what the board says until all is there, and what prunes nothing."""

import re
from pathlib import Path

import pytest

from server.locale_format import NBSP
from tests.simulation.world import DAY, S
from tests.station.fixtures.simulated_station import SimRoom

MISSING = "Station saw-1 has recorded 60 events that are missing here"


@pytest.fixture
def room(tmp_path: Path) -> SimRoom:
    """A hub, and a station that has sent 20 scans."""
    room = SimRoom(tmp_path)
    room.station.boot()
    room.scan("BEFORE", 20)
    room.settle()
    return room


def page(room: SimRoom, path: str) -> str:
    """The words of a page of the hub."""
    html = room.hub.client.get(path).get_data(as_text=True).replace(NBSP, " ")
    return " ".join(re.sub("<[^>]+>", "", html).split())


def board(room: SimRoom) -> str:
    """The hub's first page."""
    return page(room, "/")


def stations(room: SimRoom) -> str:
    """The hub's page of the stations."""
    return page(room, "/stations")


def cut_after_the_heartbeat(room: SimRoom) -> None:
    """The network goes with the first answer to a heartbeat."""
    whole = room.hub.answer

    def answer(method: str, path: str, body: bytes | None, headers: object) -> object:
        if path == "/heartbeat":
            room.station.weather.away = True
        return whole(method, path, body, headers)  # type: ignore[arg-type]

    room.hub.answer = answer  # type: ignore[method-assign,assignment]
    room.world.advance(60 * S)
    room.hub.answer = whole  # type: ignore[method-assign]


@pytest.mark.parametrize("how", ["restored", "put back"])
def test_a_station_ahead_of_the_hub_is_a_line_on_the_board_until_it_has_sent(room: SimRoom, how: str) -> None:
    room.hub.back_up()
    room.hub.image(room.folder / "image")
    room.scan("AFTER", 60)
    room.settle()
    assert MISSING not in board(room)
    standing = room.station.link.state
    while standing.next_beat_ns > standing.next_items_ns:  # the heartbeat is the next request
        room.world.advance(S)
        standing = room.station.link.state
    if how == "restored":
        room.hub.restore(next(room.hub.backups.glob("*.db")))
    else:
        room.hub.put_back(room.folder / "image")
    cut_after_the_heartbeat(room)
    assert MISSING in board(room)
    assert "60 events not here yet" in stations(room)
    room.station.weather.away = False
    room.world.advance(180 * S)
    assert MISSING not in board(room)
    assert "not here yet" not in stations(room)
    room.all_counted_once()


@pytest.mark.parametrize("how", ["restored", "put back"])
def test_an_idle_station_sends_what_the_hub_lacks_within_a_minute(room: SimRoom, how: str) -> None:
    """Between two requests the hub goes back: no request fails, so only its answers show it."""
    room.hub.back_up()
    room.hub.image(room.folder / "image")
    room.scan("AFTER", 60)
    room.settle()
    if how == "restored":
        room.hub.restore(next(room.hub.backups.glob("*.db")))
    else:
        room.hub.put_back(room.folder / "image")
    room.world.advance(60 * S)
    room.all_counted_once()


@pytest.mark.parametrize("ahead_us", [100 * DAY, 30 * 365 * DAY, -10 * 365 * DAY])
def test_a_hub_clock_that_is_far_ahead_prunes_nothing(room: SimRoom, ahead_us: int) -> None:
    """Its times stand in every session (t2, t3), and all is durable: only the station's own time makes events old."""
    pruned: list[tuple[int, int]] = []
    room.station.on_prune = lambda _station, _log, first, last: pruned.append((first, last))
    room.hub.back_up()
    sessions: list[int] = []

    def alter(path: str, answer: dict[str, object]) -> dict[str, object]:
        if path != "/session":
            return answer
        sessions.append(room.world.now_us + len(sessions) // 20 * ahead_us)
        return answer | {"t2": sessions[-1], "t3": sessions[-1], "hub_clk": "synced", "mac": "0" * 64}

    room.station.weather.alter = alter
    for _ in range(6):
        room.world.jump(2 * 3600 * S)
        room.world.advance(70 * S)
        room.station.work_queue.submit(room.station.journal.count_time)
        room.scan(f"AT-{room.world.now_us}", 2)
    assert len(sessions) > 40, "its clock jumped twice at least"
    assert room.station.link.status().durable_thru >= 20, "the hub gives all of it free"
    assert pruned == []


def test_ninety_days_of_boot_time_with_scans_prune_what_is_durable(room: SimRoom) -> None:
    pruned: list[tuple[int, int]] = []
    room.station.on_prune = lambda _station, _log, first, last: pruned.append((first, last))
    room.hub.back_up()
    for day in range(95):
        room.world.jump(DAY)
        room.world.advance(5 * S)
        room.station.work_queue.submit(room.station.journal.count_time)
        room.scan(f"DAY-{day}", 1)
        if day < 85:
            assert pruned == [], f"day {day}"
    room.hub.back_up()
    room.world.jump(2 * 3600 * S)
    room.world.advance(70 * S)
    assert pruned
    assert max(last for _, last in pruned) >= 20
    assert max(last for _, last in pruned) < room.station.journal.tip.seq - 85
