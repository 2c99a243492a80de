"""Append and acknowledge, batches of 500 without HTTP, against raw sqlite3 with the same hashes, chain and index."""

import shutil
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

from figure import DRIFT, Figure, median, ratio, voided

from server.db.store import Store
from server.ledger import station_logs
from server.ledger.ingest import BatchAppended, EventBatch, append
from server.ops.bootstrap import initialise
from station.core.hash_chain import genesis, ledger_link, link

BATCHES = 60
EVENTS = 500
ROUNDS = 3


def batches(log_id: bytes) -> list[EventBatch]:
    """What a station would send: scans of the usual length."""
    made, before, seq = [], genesis(log_id), 1
    for _ in range(BATCHES):
        events = [
            b'{"v":1,"kind":"scan","station":"saw-1","sw":"0.1.0","boot":"6f1c2a50-8d4e-4c09-9a51-0d2f1f3c7b11",'
            b'"mono_ns":%d,"wall_us":1790000000000000,"clk":"synced","raw":"V08tMTA0Mg==","reader":{"kind":"keyboard",'
            b'"id":"usb-05e0-1200"},"scheme":"text","stage":"saw"}' % n
            for n in range(seq, seq + EVENTS)
        ]
        prev = before
        for event in events:
            before = link(before, event)
        made.append(EventBatch(log_id, seq, prev, before, events))
        seq += EVENTS
    return made


def floor(path: Path, sent: Sequence[EventBatch]) -> float:
    """Events a second into one table, hash, chain and UNIQUE(log_id, seq), WAL and FULL, one commit a batch."""
    db = sqlite3.connect(path, isolation_level=None)
    for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL"):
        db.execute(statement)
    db.execute(
        "CREATE TABLE ledger (pos INTEGER PRIMARY KEY, log_id BLOB, seq INTEGER, bytes BLOB, prev BLOB, hash BLOB,"
        " recv_us INTEGER, chain BLOB, UNIQUE (log_id, seq))"
    )
    pos, head, start = 0, bytes(32), time.perf_counter()
    for batch in sent:
        db.execute("BEGIN IMMEDIATE")
        rows, before = [], batch.prev
        for seq, event in enumerate(batch.events, batch.from_seq):
            own = link(before, event)
            pos += 1
            head = ledger_link(head, pos, batch.log_id, seq, own)
            rows.append((pos, batch.log_id, seq, event, before, own, 1, head))
            before = own
        db.executemany("INSERT INTO ledger VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        db.execute("COMMIT")
    took_s = time.perf_counter() - start
    db.close()
    return BATCHES * EVENTS / took_s


def hub(store: Store, sent: Sequence[EventBatch]) -> float:
    """Events a second into the hub's ledger."""
    with store.write() as connection:
        station_logs.log_of(connection, sent[0].log_id, device=None, station="saw-1", now_us=1)
    start = time.perf_counter()
    for batch in sent:
        with store.write() as connection:
            assert isinstance(append(connection, batch, recv_us=1), BatchAppended)
    return BATCHES * EVENTS / (time.perf_counter() - start)


def figures(folder: Path, long: bool) -> list[Figure]:
    """One figure: the ratio, and the dup path beside it."""
    folder = folder / "ingest"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    store = Store(folder / "hub.db")
    initialise(store)
    floors, values, again = [], [], []
    for number in range(ROUNDS * (3 if long else 1)):
        sent = batches(number.to_bytes(16, "big"))
        floors.append(floor(folder / f"raw-{number}.db", sent))
        values.append(hub(store, sent))
        again.append(hub(store, sent))
    store.close()
    moved = abs(floors[0] - floors[-1]) / max(floors[0], floors[-1])
    note = f"sent again: {median(again):,.0f} events/s"
    found = ratio(
        "append and acknowledge, batches of 500", median(values), median(floors), "events/s", at_least=0.5, note=note
    )
    return [voided(found, f"VOID: the floor moved by {moved:.0%}") if moved > DRIFT else found]
