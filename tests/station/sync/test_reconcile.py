"""What lies aside comes to the hub: a real station and a real hub on simulated machines, and every green counted once."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from server.locale_format import NBSP
from station.core.event import decode
from station.journal import JournalFull
from station.journal.earlier_logs import set_aside
from station.sync.client import HubClient
from station.sync.reconcile import EpochChanged, ReconcileContext, reconcile
from tests.simulation.network import SimWire
from tests.simulation.world import S
from tests.station.fixtures.journals import a_scan
from tests.station.fixtures.simulated_station import SimRoom, as_the_version_before, make_unreadable

EARLIER, QUARANTINE = "earlier/1/journal.db", "quarantine/1/journal.db"


@pytest.fixture
def room(tmp_path: Path) -> SimRoom:
    """A hub, and a station that is off."""
    return SimRoom(tmp_path)


def sent(room: SimRoom, name: str, count: int) -> None:
    """So many scans that the hub has; the station is off then."""
    room.station.boot()
    room.scan(name, count)
    room.settle()
    room.station.power_off()


def put_back(room: SimRoom) -> None:
    """A card as it was before the last scans, of which the hub has all; the station is off."""
    sent(room, "OLD", 5)
    image, kept = room.folder / "image", len(room.station.promises)
    room.station.image(image)
    sent(room, "LATER", 10)
    room.ledger.card_goes_back(room.station, kept)
    room.station.put_card(image)


def backup(room: SimRoom) -> Path:
    """A backup of the hub on its other disk."""
    room.hub.back_up()
    return max(room.hub.backups.glob("hub-*.db"))


def durable(room: SimRoom, name: str, count: int) -> int:
    """So many scans that a backup has, as the station knows; the last of them. The station is off then."""
    sent(room, name, count)
    backup(room)
    room.station.boot()
    room.settle()
    thru = room.station.link.status().durable_thru
    room.station.power_off()
    assert thru > count
    return thru


def comes_together(room: SimRoom) -> None:
    """The station starts, nobody scans, and all that was green comes to count once; nothing is owed then."""
    room.station.boot()
    room.settle()
    assert room.station.link.aside == 0
    room.all_counted_once()


def test_scans_that_the_version_before_left_in_an_earlier_log_are_sent(room: SimRoom) -> None:
    """A card was rolled back. Scans of the session's round trip stayed in the old log, where the hub has others."""
    put_back(room)
    with room.journal() as journal:
        room.commit(journal, "STAYED", 3)
        journal.new_log("log_ahead")
        room.commit(journal, "NEW", 2)
    as_the_version_before(room.station.folder / "journal.db")
    comes_together(room)


def test_a_fork_that_the_version_before_carried_counts_once(room: SimRoom) -> None:
    put_back(room)
    with room.journal() as journal:
        common = journal.tip.seq
        room.commit(journal, "BRANCH", 3)
        journal.new_log("reidentify", common)
    as_the_version_before(room.station.folder / "journal.db")
    comes_together(room)


def test_a_damaged_journal_gives_back_what_a_restored_hub_lacks(room: SimRoom) -> None:
    sent(room, "OLD", 3)
    old = backup(room)
    thru = durable(room, "DURABLE", 10)
    with closing(sqlite3.connect(room.station.folder / "journal.db")) as db:
        db.execute("DROP TRIGGER event_stays_as_it_is")
        db.execute("UPDATE event SET bytes = ? WHERE seq = ?", (a_scan(99), thru - 1))
        db.execute("DELETE FROM verified")
        db.commit()
    hit = next(each for each in room.station.promises if each.seq == thru - 1)
    room.station.promises.remove(hit)  # its bytes are gone on both sides: nothing can bring them back
    room.hub.restore(old)
    room.station.boot()
    assert (room.station.folder / QUARANTINE).exists()
    assert room.station.link.aside == thru, "of the new log's hub nothing is known yet"
    room.settle()
    assert room.station.link.aside == 0
    room.all_counted_once()


def test_a_hub_restored_from_before_an_earlier_log_gets_that_log_again(room: SimRoom) -> None:
    empty = backup(room)
    durable(room, "FIRST", 4)
    room.station.board = "another board"
    sent(room, "SECOND", 4)
    log = set_aside(room.station.folder / "journal.db")[0]
    room.hub.restore(empty)
    comes_together(room)
    place = (log.log_id, log.duty_thru, log.hash_at(log.duty_thru))
    assert room.hub.has(*place), "it came under its own name"  # type: ignore[arg-type]


def test_a_hub_restored_while_logs_are_compared_gets_them_in_the_new_epoch(room: SimRoom) -> None:
    empty = backup(room)
    durable(room, "FIRST", 4)
    room.station.board = "another board"
    sent(room, "SECOND", 4)
    (log,) = set_aside(room.station.folder / "journal.db")
    whole, restored = room.hub.answer, list[bool]()

    def answer(method: str, path: str, body: bytes | None, headers: object) -> object:
        if not restored and path == "/session" and body is not None and log.log_id.hex().encode() in body:
            restored.append(True)
            room.hub.restore(empty)
        return whole(method, path, body, headers)  # type: ignore[arg-type]

    room.hub.answer = answer  # type: ignore[method-assign,assignment]
    log.path.with_name("hub.json").unlink()  # this start compares it
    comes_together(room)
    assert restored == [True]


def test_a_restore_between_two_answers_ends_the_comparison(room: SimRoom) -> None:
    put_back(room)
    with room.journal() as journal:
        room.commit(journal, "STAYED", 3)
        journal.new_log("log_ahead")
    logs = set_aside(room.station.folder / "journal.db")
    carried: list[bytes] = []
    with pytest.raises(EpochChanged):
        reconcile(a_context(room, carried, epoch=room.hub.epoch() + 1), logs)
    assert carried == []


def a_context(room: SimRoom, carried: list[bytes], epoch: int) -> ReconcileContext:
    """A context whose open log is a list."""
    station = room.station
    wire = SimWire(room.world, room.answer, lambda: True)  # type: ignore[arg-type]
    token = station.token_file.read_text().strip()
    return ReconcileContext(HubClient("http://hub", token, wire), epoch, station.recorder, carried.extend)


def test_what_was_cut_off_while_it_was_carried_goes_on_where_it_was(room: SimRoom) -> None:
    room.station.boot()
    room.settle()
    room.station.power_off()
    image, kept = room.folder / "image", len(room.station.promises)
    room.station.image(image)
    sent(room, "HUB", 30)
    room.ledger.card_goes_back(room.station, kept)
    room.station.put_card(image)
    with room.journal() as journal:
        room.commit(journal, "BRANCH", 120)
        journal.new_log("log_ahead")
    carried: list[bytes] = []
    space = iter((50, 50, 0, 50))

    def carry(events: list[bytes]) -> None:
        if next(space) < len(events):
            msg = "The disk is full."
            raise JournalFull(msg)
        carried.extend(events)

    context = replace(a_context(room, carried, room.hub.epoch()), carry=carry)
    journal_path = room.station.folder / "journal.db"
    assert reconcile(context, set_aside(journal_path)) == (0, True), "no room for the last portion"
    assert len(carried) == 100
    assert reconcile(context, set_aside(journal_path)) == (20, False)
    assert sorted(decode(each).raw for each in carried) == sorted(f"BRANCH-{number}".encode() for number in range(120))


def test_the_last_common_event_of_a_fork_is_found_in_a_few_sessions(room: SimRoom) -> None:
    """2,000 events are shared, then both went on: what stands behind the last common one is sent again, and no more."""
    room.station.boot()
    room.settle()
    room.station.power_off()
    with room.journal() as journal:
        room.commit(journal, "SHARED", 2_000)
        common = journal.tip
    image, kept = room.folder / "image", len(room.station.promises)
    room.station.image(image)
    sent(room, "HUB", 30)
    room.ledger.card_goes_back(room.station, kept)
    room.station.put_card(image)
    with room.journal() as journal:
        room.commit(journal, "BRANCH", 7)
        journal.new_log("log_ahead")
    logs = set_aside(room.station.folder / "journal.db")
    bodies: list[str] = []
    whole = room.hub.answer

    def answer(method: str, path: str, body: bytes | None, headers: object) -> object:
        bodies.append(path)
        return whole(method, path, body, headers)  # type: ignore[arg-type]

    room.hub.answer = answer  # type: ignore[method-assign,assignment]
    carried: list[bytes] = []
    assert reconcile(a_context(room, carried, room.hub.epoch()), logs).sent == 7
    assert [decode(each).raw for each in carried] == [f"BRANCH-{number}".encode() for number in range(7)]
    first = decode(carried[0]).origin
    assert first is not None
    assert first.seq == common.seq + 1
    assert len(bodies) <= 13, "one for the log and one for each halving of 2,000"
    (log,) = set_aside(room.station.folder / "journal.db")
    assert log.unconfirmed(room.hub.epoch()) == 0


def a_foreign_log(room: SimRoom) -> int:
    """Put a log that belongs to another device into `earlier/1`, and one of this station's own into `earlier/2`.

    Returns how many events the foreign one holds.
    """
    other = room.add("saw-2", "pi-2")
    other.boot()
    for number in range(6):
        other.read(f"OTHER-{number}".encode())
        room.world.advance(S)
    room.world.advance(60 * S)
    other.power_off()
    sent(room, "OWN", 3)
    with room.journal() as journal:
        room.commit(journal, "STAYED", 3)
        journal.new_log("log_ahead")
    shutil.move(room.station.folder / "earlier" / "1", room.station.folder / "earlier" / "2")
    shutil.copytree(other.folder, room.station.folder / "earlier" / "1")
    with closing(sqlite3.connect(room.station.folder / EARLIER)) as db:
        db.execute("DELETE FROM mark")  # what the hub has of it is not known here
        db.commit()
    logs = set_aside(room.station.folder / "journal.db")
    foreign = next(log for log in logs if log.path.parent.name == "1")
    return foreign.duty_thru


def test_an_earlier_log_that_the_hub_refuses_keeps_neither_the_others_nor_the_heartbeat(room: SimRoom) -> None:
    owed = a_foreign_log(room)
    room.station.boot()
    room.world.advance(180 * S)
    standing = room.station.link.state
    assert (standing.session, standing.accepted_thru) == (True, room.station.journal.tip.seq)
    assert room.station.link.aside == owed
    room.all_counted_once()
    page = room.hub.client.get("/stations").get_data(as_text=True).replace(NBSP, " ")
    assert f"{owed} events of earlier logs" in page
    board = room.hub.client.get("/").get_data(as_text=True).replace(NBSP, " ")
    assert f"keeps {owed} events of an earlier log that are not known to be here" in board
    rows = json.loads(room.hub.client.get("/api/v1/stations").get_data())["stations"]
    assert [row["heartbeat"]["aside"] for row in rows if row["station"] == "saw-1"] == [owed]


@pytest.mark.parametrize("cut", ["committed", "commit"])
def test_a_power_cut_between_carrying_and_noting_counts_each_event_once(room: SimRoom, cut: str) -> None:
    put_back(room)
    with room.journal() as journal:
        room.commit(journal, "STAYED", 120)
        journal.new_log("log_ahead")
        before = journal.tip.seq
    room.station.boot()
    carry = room.station.link._carry
    portions: list[int] = []

    def carried(events: list[bytes]) -> None:
        portions.append(len(events))
        if len(portions) == 2:
            room.station.journal.cut_next = cut
        carry(events)

    room.station.link._carry = carried  # type: ignore[method-assign]
    room.world.advance(120 * S)
    assert not room.station.on, "the power went while the second portion was committed"
    comes_together(room)
    twice = room.station.journal.tip.seq - before - 1  # one of them is the anchor
    assert twice > 120, "the first portion was committed twice"


@pytest.mark.parametrize("harm", [make_unreadable, Path.unlink, lambda path: path.write_bytes(b"")])
def test_a_file_that_cannot_be_read_stops_nothing_and_is_sent_as_lost(
    room: SimRoom, harm: Callable[[Path], object]
) -> None:
    put_back(room)
    kept = len(room.station.promises)
    with room.journal() as journal:
        room.commit(journal, "STAYED", 3)
        journal.new_log("log_ahead", journal.tip.seq)
    harm(room.station.folder / EARLIER)
    del room.station.promises[kept:]
    room.station.boot()
    room.scan("NEXT", 3)
    room.settle()
    room.all_counted_once()


def test_an_earlier_log_with_a_damaged_page_is_sent_but_for_that_page(room: SimRoom) -> None:
    empty = backup(room)
    durable(room, "FIRST", 300)
    room.station.board = "another board"
    sent(room, "SECOND", 3)
    (log,) = set_aside(room.station.folder / "journal.db")
    with log.path.open("r+b") as file:
        file.seek(log.path.stat().st_size // 8192 * 4096)
        file.write(b"\xff" * 4096)
    room.hub.restore(empty)
    room.station.boot()
    room.settle()
    room.hub.project()
    here = {row.raw for row in room.ledger._rows() if row.status == "ok"}
    lost = [promise.raw for promise in room.station.promises if promise.raw not in here]
    assert 0 < len(lost) < 30, "the events of one page"
    assert room.station.link.aside == 0
