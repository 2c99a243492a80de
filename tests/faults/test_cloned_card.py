"""A card that was copied, and a card that was put back to an old image: real stations, a real hub, no scan lost or twice."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from running_hub import RunningHub

from tests.faults.hub_ledger import events, promised, scans
from tests.faults.machine import on_board
from tests.station.fixtures.station_process import Daemon

pytestmark = [pytest.mark.host, pytest.mark.xdist_group("wire")]

BEFORE, EACH = 20, 30
SENT_S = 90.0


class Shop:
    """A hub, and as many stations as are started, each in a folder of its own and with the token of `saw-1`."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self.hub = RunningHub(folder / "hub.db")
        self._token = self.hub.command("station", "add", "saw-1").stdout
        self.hub.start().ready()
        stack.callback(self.hub.stop)

    def station(self, name: str, *, board: int = 0, image: Path | None = None) -> Daemon:
        """A station on this board; `image` is the folder of which its card is a copy."""
        folder = self._folder / name
        folder.mkdir()
        (folder / "token").write_text(self._token)
        if image is not None:
            put(image, folder)
        within = on_board(board, self._folder) if board else ()
        more = f'[hub]\nurl = "{self.hub.url}"\ntoken_file = "{folder}/token"\n'
        return self._stack.enter_context(Daemon(folder, more, within=within))


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A hub without stations."""
    with ExitStack() as stack:
        yield Shop(tmp_path, stack)


def put(card: Path, into: Path) -> None:
    """Copy a card's journal, as an image of the whole card would."""
    for path in into.glob("journal.db*"):
        path.unlink()
    for path in card.glob("journal.db*"):
        shutil.copy2(path, into / path.name)


def scan(station: Daemon, name: str, count: int) -> dict[tuple[str, int], str]:
    """Scan so many codes; the places that were promised for all of this station so far."""
    before = len(station.answers())
    station.scan(*(f"{name}-{number}" for number in range(count)))
    return promised(station.answered(before + count)[before:])


def sent(station: Daemon) -> None:
    """Wait until the hub has all that this station recorded."""
    station.until(lambda: station.status()["hub"]["state"] == "ok" and not station.status()["waiting"], SENT_S)


def arrived(shop: Shop, *told: dict[tuple[str, int], str]) -> None:
    """Every promised scan is in the ledger once. Two cards may have promised one place: each code counts for itself."""
    codes = sorted(code for each in told for code in each.values())
    assert sorted(scans(shop.hub).values()) == codes
    assert shop.hub.command("verify").returncode == 0


def test_a_card_that_is_copied_to_another_board_goes_on_in_a_log_of_its_own(shop: Shop) -> None:
    first = shop.station("first", board=1)
    first.start()
    before = scan(first, "BOTH", BEFORE)
    sent(first)
    first.end()
    second = shop.station("second", board=2, image=first.folder)
    first.start()
    second.start()
    mine, other = scan(first, "A", EACH), scan(second, "B", EACH)
    assert {log for log, _ in mine} == {log for log, _ in before}
    assert {log for log, _ in other}.isdisjoint({log for log, _ in before})
    for station in (first, second):
        sent(station)
    arrived(shop, before, mine, other)


@pytest.mark.parametrize("offline", [False, True], ids=["both online", "one offline for a time"])
def test_two_devices_with_one_identity_keep_both_their_scans(shop: Shop, offline: bool) -> None:
    """Copied where nothing tells the boards apart: the hub sees two events at one place, and one device begins a new log.

    Of two that are online, the one of which the hub gets the second event begins it. Offline for three days or for these
    seconds, it is the one that was offline: nothing here counts time.
    """
    first = shop.station("first")
    first.start()
    before = scan(first, "BOTH", BEFORE)
    sent(first)
    first.end()
    second = shop.station("second", image=first.folder)
    hidden = second.folder / "token.away"
    if offline:
        (second.folder / "token").rename(hidden)
        (second.folder / "token").write_text("0" * 43)
    first.start()
    second.start()
    mine, other = scan(first, "A", EACH), scan(second, "B", EACH)
    sent(first)
    if offline:
        other |= scan(second, "C", EACH)
        hidden.rename(second.folder / "token")
    sent(second)
    more, after = scan(first, "D", EACH), scan(second, "E", EACH)  # both go on, on their own
    (kept,), (of_first,), (of_second,) = ({log for log, _ in promises} for promises in (before, more, after))
    assert (of_first == kept) != (of_second == kept)
    assert of_first == kept or not offline
    for station in (first, second):
        sent(station)
    arrived(shop, before, mine, more, other, after)


def test_a_station_put_back_to_an_old_image_begins_a_new_log_and_never_uses_a_place_twice(shop: Shop) -> None:
    station = shop.station("one")
    station.start()
    before = scan(station, "OLD", BEFORE)
    sent(station)
    station.end()
    image = station.folder / "image"
    image.mkdir()
    put(station.folder, image)
    station.start()
    later = scan(station, "LATER", EACH)
    sent(station)
    station.end()
    put(image, station.folder)
    station.start()
    station.until(lambda: station.status()["hub"]["state"] == "ok", SENT_S)
    after = scan(station, "AFTER", EACH)
    sent(station)
    assert set(after).isdisjoint(before | later)
    assert {log for log, _ in after}.isdisjoint({log for log, _ in before})
    arrived(shop, before, later, after)
    logs = {log for log, *_ in events(shop.hub)}
    assert len(logs & {log for log, _ in before | later | after}) == 2
