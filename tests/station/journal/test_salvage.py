"""Carving and salvage as pure functions: whatever bytes come, whichever row is hit, its neighbours vouch for the rest."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.core.event import Event, EventIdentity, decode
from station.core.hash_chain import genesis, link
from station.journal import StoredEvent, Tip
from station.journal.page_recovery import RecoveredRow, carve
from station.journal.salvage import UNKNOWN_HASH, SalvagedEvent, in_order, resent_event, salvage_event
from station.journal.verify_chain import walk
from station.journal.wal import commits_behind
from tests.station.fixtures.journals import a_scan, open_journal

LOG = bytes(range(16))
START = Tip(0, genesis(LOG))
TEMPLATE = Event(kind="salvage", station="saw-1", sw="2", boot="boot-b", mono_ns=9)


def a_log(length: int) -> list[RecoveredRow]:
    """A log of whole rows."""
    rows, prev = [], genesis(LOG)
    for seq in range(1, length + 1):
        digest = link(prev, a_scan(seq))
        rows.append(RecoveredRow(seq, a_scan(seq), prev, digest, whole=True))
        prev = digest
    return rows


def hit(row: RecoveredRow, **changes: object) -> RecoveredRow:
    """A row with damage: it is whole no more, unless only its row id was hit."""
    fields = {"seq": row.seq, "encoded": row.encoded, "prev": row.prev, "hash": row.hash} | changes
    found = RecoveredRow(**fields, whole=False)  # type: ignore[arg-type]  # the names are checked above
    return RecoveredRow(found.seq, found.encoded, found.prev, found.hash, link(found.prev, found.encoded) == found.hash)


def flipped(raw: bytes) -> bytes:
    """One bit wrong."""
    return bytes([raw[0] ^ 4]) + raw[1:]


ROWS = a_log(6)
WHOLE = [SalvagedEvent(row.seq or 0, row.hash, row.encoded) for row in ROWS]


@pytest.mark.parametrize("place", range(6))
@pytest.mark.parametrize(
    "changes",
    [{}, {"seq": None}, {"seq": 2**40}, {"prev": b"hit"}, {"hash": b"hit"}, {"seq": None, "hash": b"hit"}],
    ids=["nothing", "row id lost", "row id wrong", "prev", "hash", "row id and hash"],
)
def test_damage_beside_an_events_bytes_costs_nothing(place: int, changes: dict[str, object]) -> None:
    row = ROWS[place]
    damage = {name: flipped(getattr(row, name)) if value == b"hit" else value for name, value in changes.items()}
    rows = [*ROWS[:place], hit(row, **damage), *ROWS[place + 1 :]]
    if place == 5 and changes == {"seq": None, "hash": b"hit"}:
        assert in_order(rows, start=START) in (WHOLE, WHOLE[:5]), (
            "the last one, with nothing left to say where it stood"
        )
    else:
        assert in_order(rows, start=START) == WHOLE


@pytest.mark.parametrize("place", range(5))
def test_a_damaged_event_keeps_its_place_and_loses_its_bytes(place: int) -> None:
    row = ROWS[place]
    rows = [*ROWS[:place], hit(row, encoded=flipped(row.encoded)), *ROWS[place + 1 :]]
    assert in_order(rows) == [*WHOLE[:place], SalvagedEvent(place + 1, row.hash, None), *WHOLE[place + 1 :]]


def test_a_lost_page_leaves_named_gaps() -> None:
    assert in_order([ROWS[0], ROWS[4], ROWS[5]]) == [
        WHOLE[0],
        SalvagedEvent(2, UNKNOWN_HASH, None),
        SalvagedEvent(3, UNKNOWN_HASH, None),
        SalvagedEvent(4, ROWS[3].hash, None),
        *WHOLE[4:],
    ]


def test_what_is_durable_is_not_told_again() -> None:
    assert in_order(ROWS, after=4) == WHOLE[4:]


def test_a_failed_commit_beside_the_one_that_took_its_number_is_left_out() -> None:
    other = b'{"v":1,"kind":"scan","station":"saw-1","sw":"red"}'
    failed = RecoveredRow(4, other, ROWS[2].hash, link(ROWS[2].hash, other), whole=True)
    assert in_order([*ROWS, failed]) == WHOLE
    assert in_order([failed, *ROWS]) == WHOLE


@given(st.binary(max_size=20_000), st.binary(max_size=20_000))
def test_any_bytes_are_carved_without_an_error(database: bytes, wal: bytes) -> None:
    assert [row for row in carve(database, wal) if row.whole] == []


@given(st.lists(st.builds(RecoveredRow, st.none() | st.integers(1, 9), st.binary(min_size=1),
                          st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32),
                          st.booleans())))  # fmt: skip
def test_any_rows_are_put_in_order_without_an_error(rows: list[RecoveredRow]) -> None:
    told = in_order(rows)
    assert [event.seq for event in told] == list(range(told[0].seq, told[-1].seq + 1)) if told else told == []


@given(st.binary(max_size=30_000), st.integers(0, 10))
def test_any_write_ahead_log_is_counted_without_an_error(wal: bytes, believed: int) -> None:
    assert commits_behind(wal, believed) >= 0


@pytest.mark.parametrize("size", [0, 2_900, 3_000, 3_100, 4_296, 20_000, 32_000 * 3 // 4 - 200])
def test_rows_of_every_length_are_carved_whole(tmp_path: Path, size: int) -> None:
    with open_journal(tmp_path) as journal:
        for number in range(1, 30):
            journal.commit(a_scan(number, size=size if number % 3 else 0))
    found = [row for row in carve((tmp_path / "journal.db").read_bytes()) if row.whole]
    assert {row.seq: row.encoded for row in found} == {n: a_scan(n, size=size if n % 3 else 0) for n in range(1, 30)}


def test_a_long_row_whose_pages_point_nowhere_is_found_by_trying(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.commit(a_scan(1, size=12_000))
    raw = bytearray((tmp_path / "journal.db").read_bytes())
    with closing(sqlite3.connect(tmp_path / "journal.db")) as db:
        (page_bytes,) = db.execute("PRAGMA page_size").fetchone()
    here = raw.index(a_scan(1, size=12_000)[600:700])  # in an overflow page, whose first four bytes name the next
    start = here - here % page_bytes
    raw[start : start + 4] = b"\xff\xff\xff\xff"
    assert [row.encoded for row in carve(bytes(raw)) if row.whole] == [a_scan(1, size=12_000)]


@pytest.mark.parametrize("back", range(1, 9))
def test_a_row_whose_head_is_hit_is_found_by_its_text(tmp_path: Path, back: int) -> None:
    with open_journal(tmp_path) as journal:
        for number in range(1, 10):
            journal.commit(a_scan(number))
        start = Tip(0, genesis(journal.log_id))
    raw = bytearray((tmp_path / "journal.db").read_bytes())
    raw[raw.index(a_scan(5)) - back] ^= 16  # the record's head, the row id, the record's length
    assert [event.encoded for event in in_order(carve(bytes(raw)), start=start)] == [a_scan(n) for n in range(1, 10)]


def test_a_salvage_names_and_holds_the_old_event() -> None:
    event = decode(salvage_event(WHOLE[1], LOG.hex(), TEMPLATE))
    assert event == Event(
        kind="salvage", station="saw-1", sw="2", boot="boot-b", mono_ns=9,
        from_=EventIdentity(LOG.hex(), 2, ROWS[1].hash.hex()), body=a_scan(2),
    )  # fmt: skip
    unreadable = decode(salvage_event(SalvagedEvent(2, ROWS[1].hash, None), LOG.hex(), TEMPLATE))
    assert (unreadable.from_, unreadable.body) == (event.from_, None)


def test_a_salvage_of_a_salvage_repeats_the_inner_one() -> None:
    inner = salvage_event(WHOLE[1], LOG.hex(), TEMPLATE)
    assert salvage_event(SalvagedEvent(7, b"h" * 32, inner), "f" * 32, TEMPLATE) == inner


def test_an_event_at_its_size_limit_is_sent_again_as_a_salvage() -> None:
    long = a_scan(1, size=24_400)
    again = decode(resent_event(SalvagedEvent(1, link(genesis(LOG), long), long), LOG.hex(), TEMPLATE))
    assert (again.kind, again.body) == ("salvage", long)


def test_the_walk_names_every_break() -> None:
    rows = [StoredEvent(row.seq or 0, row.encoded, row.prev, row.hash) for row in ROWS]
    rows[1] = rows[1]._replace(encoded=a_scan(9))
    rows[3] = rows[3]._replace(prev=bytes(32), hash=link(bytes(32), rows[3].encoded))
    breaks, last = walk([rows[0], rows[1], rows[3], rows[5]], Tip(0, genesis(LOG)))
    assert [found.sentence for found in breaks] == [
        "Event 2 is not as it was recorded: its hash differs.",
        "Event 3 is missing: the next one here is 4.",
        "Event 5 is missing: the next one here is 6.",
    ]
    assert last == Tip(6, rows[5].hash)
    assert [found.sentence for found in walk([rows[3]], Tip(3, rows[2].hash))[0]] == [
        "Event 4 does not follow event 3 as it is now."
    ]
