"""Checkpoints: an item that is folded from one of them has the rows of a fold from its first event."""

import random
import re
import secrets
from collections.abc import Callable
from typing import Any

import engines
import msgspec
import pytest
from click.testing import CliRunner
from shop_writer import ShopWriter
from sqlalchemy import select

from server.cli.commands import main
from server.db.position_signal import PositionSignal
from server.projection.checkpoints import CHECKPOINT_EVENTS, Checkpoint
from server.projection.internal_tables import checkpoint
from server.projection.interpreter import EventInterpreter
from server.projection.rebuild import compare
from server.projection.tables import dirty, finding, item, move
from server.projection.verify_checkpoints import verify_checkpoints
from server.projection.verify_rows import verify_rows
from server.projection.worker import Projector
from station.core.ledger.fold import apply
from station.core.ledger.fold_result import FoldResult

engine = engines.both_at_night

NIGHTLY = [(42, 4), ("new", 1), ("another", 1), ("another", 2), ("another", 3)]
SEEDS = [(11, 1), ("new", 4), *(pytest.param(seed, every, marks=pytest.mark.nightly) for seed, every in NIGHTLY)]
RELEASE = {"order": "WO-1", "product": "bracket", "qty_milli": 40_000}


class Counted:
    """The fold of one event, with the number of its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, *args: Any) -> FoldResult:
        self.calls += 1
        return apply(*args)


def projector(hub_db: Any, every: int, fold: Any = apply) -> tuple[Projector, EventInterpreter]:
    interpreter = EventInterpreter(apply=fold, checkpoint_events=every)
    return Projector(hub_db.store, PositionSignal(), interpreter), interpreter


@pytest.mark.parametrize(("seed", "every"), SEEDS)
def test_after_every_part_of_a_story_the_rows_are_those_of_a_whole_fold(
    seed: int | str, every: int, new_hub_db: Callable[[], Any], story: Callable[[int], list[Any]]
) -> None:
    """The story has late events, voids, corrections, bindings, definitions and clocks that move; it arrives in any order."""
    seed = seed if isinstance(seed, int) else secrets.randbelow(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    hub_db, rows = new_hub_db(), story(seed)
    chance.shuffle(rows)
    worker, interpreter = projector(hub_db, every)
    made = 0
    while rows:
        part, rows = rows[:20], rows[20:]
        hub_db.deliver(*part)
        worker.drain()
        made = max(made, len(hub_db.show(select(checkpoint))))
        assert compare(hub_db.store, interpreter) == []
    assert made


def long_item(hub_db: Any, events: int = 40) -> tuple[Any, Any, list[Any]]:
    """An order that a station scans many times, 10 s apart: the logs of the station and the office, and the scans."""
    saw, office = hub_db.log("saw-1", 2), hub_db.log("hub", 1)
    released = [office.anchor(), office.entry("order.release", RELEASE)]
    scans = [saw.anchor()]
    scans += [saw.scan("WO-1", ("saw", "pack")[n % 2], qty_milli=1000, after_s=10) for n in range(events)]
    hub_db.deliver(*released, *scans)
    return saw, office, scans


def test_a_late_event_is_folded_from_the_checkpoint_before_it(hub_db: Any) -> None:
    fold = Counted()
    worker, interpreter = projector(hub_db, 4, fold)
    long_item(hub_db)
    other = hub_db.log("deburr-1", 3)
    late = [other.anchor(), other.scan("WO-1", "deburr", qty_milli=2000, after_s=375)]
    worker.drain()
    assert fold.calls == 41
    assert [n for (n,) in hub_db.show(select(checkpoint.c.n).order_by(checkpoint.c.n))] == list(range(4, 41, 4))
    before = hub_db.show(select(move).order_by(move.c.n))
    fold.calls = 0
    hub_db.deliver(*late)
    worker.drain()
    assert 2 < fold.calls <= 8
    after = hub_db.show(select(move).order_by(move.c.n))
    assert after[:35] == before[:35]
    assert len(after) > len(before)
    assert compare(hub_db.store, interpreter) == []


@pytest.mark.parametrize("change", ["void", "correct", "name"])
def test_a_change_of_a_past_event_makes_the_checkpoints_after_it_anew(hub_db: Any, change: str) -> None:
    fold = Counted()
    worker, interpreter = projector(hub_db, 4, fold)
    _, office, scans = long_item(hub_db)
    worker.drain()
    fold.calls = 0
    target = scans[33]
    entries = {
        "void": ("void", target.place),
        "correct": ("correct", {"log": target.place["log"], "from_seq": target.seq, "to_seq": target.seq,
                                "set": {"qty_milli": 7000}}),
        "name": ("item.name", {"item": "WO-1", "name": "Bracket, left"}),
    }  # fmt: skip
    office.mono_ns = 340 * 10**9
    what, data = entries[change]
    hub_db.deliver(office.entry(what, data))
    worker.drain()
    assert 0 < fold.calls < 16
    assert hub_db.show(select(dirty)) == []
    assert compare(hub_db.store, interpreter) == []


def test_a_definition_that_an_item_looked_up_folds_it_from_its_first_event(hub_db: Any) -> None:
    fold = Counted()
    worker, interpreter = projector(hub_db, 4, fold)
    _, office, _ = long_item(hub_db)
    worker.drain()
    fold.calls = 0
    office.mono_ns = 900 * 10**9
    routing = {"routing": "r", "operations": [{"op": 10, "stage": "saw"}, {"op": 20, "stage": "pack"}]}
    hub_db.deliver(
        office.entry("product.define", {"product": "bracket", "name": "B", "routing": "r"}, holds_from_us=0),
        office.entry("routing.define", routing, holds_from_us=0),
    )
    worker.drain()
    assert fold.calls >= 41
    assert hub_db.show(select(item.c.routing)) == [("r",)]
    assert compare(hub_db.store, interpreter) == []


def test_the_first_stated_quantity_of_an_item_reaches_the_moves_before_a_checkpoint(hub_db: Any) -> None:
    """A late scan states it for all earlier moves, so that the item is folded from its first event."""
    worker, interpreter = projector(hub_db, 4)
    saw = hub_db.log("saw-1", 2)
    scans = [saw.scan("X-1", ("saw", "pack")[n % 2], after_s=10) for n in range(20)]
    first = saw.scan("X-1", "saw", qty_milli=9000, after_s=10)
    hub_db.deliver(saw.anchor(), *scans, first)
    worker.drain()
    assert {milli for (milli,) in hub_db.show(select(move.c.qty_milli))} == {9000}
    other = hub_db.log("deburr-1", 3)
    hub_db.deliver(other.anchor(), other.scan("X-1", "pack", qty_milli=5000, after_s=185))
    worker.drain()
    assert {milli for (milli,) in hub_db.show(select(move.c.qty_milli).where(move.c.n < 18))} == {5000}
    assert compare(hub_db.store, interpreter) == []


def test_an_answer_before_a_checkpoint_holds_for_a_finding_after_it(hub_db: Any) -> None:
    worker, interpreter = projector(hub_db, 4)
    saw, office, _ = long_item(hub_db)
    over = saw.scan("WO-1", "saw", qty_milli=90_000, after_s=10)
    again = [saw.scan("WO-1", "pack", qty_milli=1000, after_s=10) for _ in range(3)]
    office.mono_ns = 200 * 10**9
    answer = {"item": "WO-1", "rule": "overrun", "log": over.place["log"], "seq": over.seq, "note": "counted"}
    hub_db.deliver(office.entry("finding.answer", answer), over, *again)
    worker.drain()
    other = hub_db.log("deburr-1", 3)
    hub_db.deliver(other.anchor(), other.scan("WO-1", "deburr", qty_milli=1000, after_s=395))
    worker.drain()
    rows = hub_db.show(select(finding.c.note).where(finding.c.rule == "overrun"))
    assert rows == [("counted",)]
    assert compare(hub_db.store, interpreter) == []


def test_an_item_of_few_events_has_no_checkpoint(hub_db: Any) -> None:
    long_item(hub_db, events=CHECKPOINT_EVENTS)
    hub_db.drain()
    assert hub_db.show(select(checkpoint.c.item, checkpoint.c.n)) == [("WO-1", CHECKPOINT_EVENTS)]
    saw = hub_db.log("saw-2", 4)
    hub_db.deliver(saw.anchor(), *(saw.scan("WO-2", "saw", qty_milli=1000) for _ in range(CHECKPOINT_EVENTS)))
    hub_db.drain()
    assert len(hub_db.show(select(checkpoint))) == 1


def breaks(hub_db: Any, interpreter: EventInterpreter) -> list[str]:
    with hub_db.store.read() as connection:
        assert list(verify_rows(connection)) == []
        return [str(each) for each in verify_checkpoints(connection, interpreter)]


def test_a_checkpoint_that_does_not_agree_with_the_fold_is_named(hub_db: Any) -> None:
    worker, interpreter = projector(hub_db, 4)
    long_item(hub_db)
    worker.drain()
    assert breaks(hub_db, interpreter) == []
    c = checkpoint.c
    with hub_db.store.write() as connection:
        content = connection.execute(select(c.content).where(c.n == 8)).scalar_one()
        good = msgspec.msgpack.decode(content, type=Checkpoint)
        state = msgspec.structs.replace(good.state, moves=5, outer={"overrun": -1})
        bad = msgspec.msgpack.encode(msgspec.structs.replace(good, state=state, name="X"))
        connection.execute(checkpoint.update().where(c.n == 8).values(content=bad))
        connection.execute(checkpoint.update().where(c.n == 12).values(content=b"\xc1"))
        connection.execute(checkpoint.delete().where(c.n == 16))
        connection.execute(checkpoint.update().where(c.n == 20).values(n=21))
        connection.execute(checkpoint.update().where(c.n == 24).values(key_us=0))
    found = [re.sub(r"read \(.+\)", "read (unknown byte)", each) for each in breaks(hub_db, interpreter)]
    assert found == [
        "item WO-1: its checkpoint after event 8 differs from its fold in name, outer, moves",
        "item WO-1: its checkpoint after event 12 differs from its fold in its content, which cannot be read (unknown byte)",
        "item WO-1: its checkpoint after event 16 is missing",
        "item WO-1: its checkpoint after event 20 is missing",
        "item WO-1: it has a checkpoint after event 21, where its fold has none",
        "item WO-1: its checkpoint after event 24 differs from its fold in its time",
    ]


def test_the_command_names_the_checkpoint_and_a_rebuild_mends_it(hub_db: Any) -> None:
    shop_writer = ShopWriter(hub_db.store)
    shop_writer.small_shop()
    shop_writer.release("WO-1")
    for n in range(CHECKPOINT_EVENTS):
        shop_writer.scan("WO-1", "saw", shop_writer.ago(days=1) + n, action="in")
    shop_writer.settle()
    where = ["--db", shop_writer.store.url.render_as_string(hide_password=False)]
    with shop_writer.store.write() as connection:
        assert connection.execute(checkpoint.update().values(n=255)).rowcount == 1
    shop_writer.store.close()
    ran = CliRunner().invoke(main, ["verify", *where])
    assert (ran.exit_code, "item WO-1: its checkpoint after event 256 is missing" in ran.output) == (1, True)
    assert CliRunner().invoke(main, ["rebuild", *where]).exit_code == 0
    ran = CliRunner().invoke(main, ["verify", *where])
    assert (ran.exit_code, "verified, no break" in ran.output) == (0, True)
