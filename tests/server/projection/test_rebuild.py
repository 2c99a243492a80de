"""A rebuild reads the ledger in parts: the same rows whatever their size, few events in memory, and nothing half done."""

import gc
import random
from collections.abc import Callable
from typing import Any

import engines
import pytest
from fold_oracle import FoldOracle
from sqlalchemy import select

from server.projection.interpreter import DEFAULT_INTERPRETER
from server.projection.item_rows import has_same_head, head_of
from server.projection.ledger_row import LedgerRow
from server.projection.rebuild import rebuild
from server.projection.tables import item
from station.core.ledger.fold import attempt, empty
from station.core.ledger.void_resolution import item_event

engine = engines.both


@pytest.mark.parametrize(("seed", "at_once"), [(1, 1), (2, 3), (3, 7), (4, 50)])
def test_the_size_of_the_parts_changes_no_row(
    seed: int, at_once: int, hub_db: Any, story: Callable[[int], list[Any]]
) -> None:  # fmt: skip
    rows = story(seed)
    hub_db.deliver(*random.Random(seed).sample(rows, len(rows)))
    hub_db.drain()
    live = hub_db.everything()
    rebuild(hub_db.store, rows_at_once=at_once)
    assert hub_db.everything() == live


def test_a_rebuild_holds_the_events_of_one_part(hub_db: Any) -> None:
    office, saw = hub_db.log("hub", 1), hub_db.log("saw-1", 2)
    hub_db.deliver(office.anchor(), saw.anchor(), *[saw.scan(f"WO-{n}", "saw") for n in range(300)])
    hub_db.drain()
    most = 0

    def permit(row: LedgerRow, owners: Any) -> None:
        nonlocal most
        if row.pos % 20 == 0:
            most = max(most, sum(isinstance(one, LedgerRow) for one in gc.get_objects()))
        DEFAULT_INTERPRETER.permit(row, owners)

    rebuild(hub_db.store, DEFAULT_INTERPRETER._replace(permit=permit), rows_at_once=10)
    assert 10 <= most <= 30


def test_a_rebuild_folds_items_together_up_to_the_events_of_one_part(hub_db: Any) -> None:
    saw = hub_db.log("saw-1", 2)
    events = {**{f"WO-{n:02}": 3 for n in range(7)}, "WO-07": 25, "WO-08": 1, "WO-09": 10}
    scans = [saw.scan(name, "saw") for name, times in events.items() for _ in range(times)]
    hub_db.deliver(hub_db.log("hub", 1).anchor(), saw.anchor(), *scans)
    hub_db.drain()
    rebuild(hub_db.store, rows_at_once=10)
    together: dict[int, list[str]] = {}
    for name, changed in hub_db.show(select(item.c.item, item.c.changed).order_by(item.c.item)):
        together.setdefault(changed, []).append(name)
    assert list(together.values()) == [
        ["WO-00", "WO-01", "WO-02"], ["WO-03", "WO-04", "WO-05"], ["WO-06"], ["WO-07"], ["WO-08"], ["WO-09"],
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(6))
def test_an_event_that_surely_leaves_the_head_leaves_it(
    seed: int, hub_db: Any, story: Callable[[int], list[Any]]
) -> None:
    hub_db.deliver(*story(seed))
    hub_db.drain()
    with hub_db.store.read() as connection:
        oracle = FoldOracle(connection)
    same = 0
    for name, item_events in oracle.events.items():
        state = empty(name)
        for event in sorted(item_events, key=lambda event: event.place):
            result = attempt(state, event, oracle.master_data)
            assert not isinstance(result, str)
            before, state = state, result.state
            if has_same_head(before, state):
                same += 1
                assert head_of(before, None) == head_of(state, None)
    assert same


def test_a_rebuild_that_the_disk_ends_leaves_the_rows_from_before(
    hub_db: Any, story: Callable[[int], list[Any]]
) -> None:
    hub_db.deliver(*story(5))
    hub_db.drain()
    live = hub_db.everything()
    folded = 0

    def full(*given: Any, **named: Any) -> Any:
        nonlocal folded
        folded += 1
        if folded > 20:
            raise OSError(28, "No space left on device")
        return item_event(*given, **named)

    with pytest.raises(OSError, match="No space left"):
        rebuild(hub_db.store, DEFAULT_INTERPRETER._replace(item_event=full))
    assert hub_db.everything() == live
    rebuild(hub_db.store)
    assert hub_db.everything() == live
