"""What the hub keeps in memory of the present has the figures of the database, whatever happened since it was read."""

import random

import pytest
from drawn_shop import STAGES, drawn_shop
from live_oracle import compare_live
from shop_writer import HOUR_US
from sqlalchemy import select, update

from server.projection.item_deletion import delete_items
from server.projection.rebuild import rebuild
from server.projection.tables import item
from server.queries.live_shop import LiveShop

STEPS = 12
MINUTE_US = 60_000_000


@pytest.fixture
def live():
    return LiveShop()


@pytest.fixture
def compared(shop_writer, live):
    """(later_us) -> the sums of both, so long after the creation of the shop."""

    def compare(later_us=0):
        shop_writer.settle()
        with shop_writer.store.read() as connection:
            return compare_live(connection, live, shop_writer.now_us + later_us)

    return compare


@pytest.mark.parametrize("seed", [3, 71])
def test_scans_of_a_drawn_shop_change_the_figures_of_their_items_only(shop_writer, live, compared, seed):
    drawn_shop(shop_writer, seed)
    sums = compared()
    assert all((sums.over, sums.released, sums.with_members, sums.unvalued[None]))
    assert any(stage.held_items for stage in sums.stages.values())
    chance = random.Random(seed)
    with shop_writer.store.read() as connection:
        names = sorted(connection.execute(select(item.c.item)).scalars())
    for step in range(STEPS):
        for _ in range(chance.randint(0, 3)):
            action = chance.choice([None, None, None, "hold", "release", "scrap", "out"])
            fields = {"action": action} if action else {}
            fields |= {"qty_milli": 1000 * chance.randint(1, 9)} if chance.random() < 0.4 else {}
            at_us = shop_writer.now_us + step * MINUTE_US - chance.choice([0, 0, HOUR_US])
            shop_writer.scan(chance.choice([*names, f"NEW-{step}"]), chance.choice(STAGES), at_us, **fields)
        compared(step * MINUTE_US)
    assert live.stock.loads == 1


def test_ages_and_the_last_shift_go_on_without_an_event(shop_writer, live, compared):
    drawn_shop(shop_writer, 5)
    left = set()
    for hours in (0, 1, 5, 8, 30):
        compared(hours * HOUR_US)
        left.add(sum(live.moves.moved_on().left.values()))
    assert len(left) > 2
    assert 0 in left
    assert live.stock.loads == 1
    compared(0)  # the clock was set back


def test_every_kind_of_entry(shop_writer, live, compared):
    drawn_shop(shop_writer, 7)
    compared()
    say, ago = shop_writer.say, shop_writer.ago
    place = shop_writer.scan("WO-1", "test", ago(minutes=3))
    compared()
    shop_writer.release("WO-50", "frame", 12, items=["WO-50-A", {"item": "WO-50-B", "qty_milli": 2_000}])
    assert "WO-50" in {row.item for row in compared().with_members}
    shop_writer.scan("WO-50-A", "saw", ago(minutes=2))
    compared()
    say("correct", log=place[0], from_seq=place[1], to_seq=place[1], set={"stage": "pack"})
    compared()
    say("void", log=place[0], seq=place[1])
    compared()
    say("order.change", None, order="WO-2", qty_milli=90_000)
    compared()
    say("order.close", ago(minutes=1), order="WO-3", how="short")
    compared()
    loads = live.stock.loads
    operations = [{"op": 10, "stage": "saw"}, {"op": 30, "stage": "pack"}]
    say("routing.define", ago(days=5), routing="line", operations=operations)
    compared()
    assert live.stock.loads == loads + 1
    say("cost.set", 0, product="tube", op=10, component="labour", basis="unit", micros=7)
    say("stage.define", ago(days=2), stage="deburr", name="Deburr", target_s=7_000, limit=2)
    compared()
    assert live.stock.loads == loads + 1


def test_an_order_gains_lots_and_loses_them(shop_writer, live, compared):
    shop_writer.small_shop()
    shop_writer.release("WO-1")
    assert compared().with_members == []
    place = shop_writer.say("order.release", order="WO-1", product="bracket", qty_milli=40_000, items=["LOT-1"])
    assert [row.item for row in compared().with_members] == ["WO-1"]
    shop_writer.say("void", log=place[0], seq=place[1])
    assert compared().with_members == []
    assert "LOT-1" not in live.stock.items
    assert live.stock.loads == 1


def test_a_deleted_item_and_a_rebuild_are_noticed(shop_writer, live, compared):
    drawn_shop(shop_writer, 9)
    compared()
    shop_writer.scan("WO-1", "saw", shop_writer.now_us)
    compared()
    for deleted in ("WO-2", "WO-1"):  # the second one was written last
        with shop_writer.store.write() as connection:
            delete_items(connection, [(deleted,)])
        compared()
        assert deleted not in live.stock.items
    rebuild(shop_writer.store)
    compared()
    assert {"WO-1", "WO-2"} <= live.stock.items.keys()
    assert live.stock.loads == 1
    with shop_writer.store.write() as connection:  # as in a copy that was restored
        connection.execute(update(item).values(changed=1))
    compared()
    assert live.stock.loads == 2


def test_a_deleted_item_that_was_not_open_leaves_no_moves(shop_writer, live, compared):
    say, ago = shop_writer.say, shop_writer.ago
    shop_writer.small_shop()
    shop_writer.release("WO-1")
    released = say("order.release", ago(minutes=3), order="X", product="bracket", qty_milli=5_000)
    finished = shop_writer.scan("X", None, ago(minutes=2), station="office-1", action="finish")
    compared()
    shop_writer.scan("WO-1", "saw", ago(minutes=1))
    compared()
    assert live.moves.moved_on().left == {"": 2}
    for log, seq in (finished, released):
        say("void", log=log, seq=seq)
    compared()
    assert live.moves.moved_on().left == {"": 1}
    assert live.stock.loads == 1


def test_an_item_that_no_change_names_is_noticed(shop_writer, live, compared):
    drawn_shop(shop_writer, 9)
    with shop_writer.store.write() as connection:
        connection.execute(update(item).where(item.c.item == "WO-3").values(status="closed", changed=1))
    compared()
    with shop_writer.store.write() as connection:
        connection.execute(update(item).where(item.c.item == "WO-3").values(status="open"))
    compared()
    assert live.stock.loads == 2


def test_a_number_of_a_change_that_is_given_again_is_noticed(shop_writer, live, compared):
    drawn_shop(shop_writer, 9)
    for name in ("WO-1", "WO-3"):
        shop_writer.scan(name, "saw", shop_writer.now_us)
        compared()
    with shop_writer.store.write() as connection:
        newest = connection.execute(select(item.c.changed).where(item.c.item == "WO-3")).scalar_one()
        delete_items(connection, [("WO-3",)])
        connection.execute(update(item).where(item.c.item == "WO-4").values(changed=newest, due="2026-01-01"))
    compared()
    assert live.stock.items["WO-4"].due == "2026-01-01"
    assert live.stock.loads == 1


def test_above_a_number_of_moves_none_is_kept(shop_writer, live, compared, monkeypatch):
    drawn_shop(shop_writer, 5)
    compared()
    with monkeypatch.context() as fewer:
        fewer.setattr("server.queries.live_moves.MOST_MOVES", 3)
        for _ in range(2):
            shop_writer.scan("NEW", "saw", shop_writer.now_us)
            shop_writer.scan("NEW", "test", shop_writer.now_us)
            compared()
            assert live.moves.moved_on() is None
    compared()
    assert live.moves.moved_on() is not None


def test_an_error_leaves_nothing_half_done(shop_writer, live, compared, monkeypatch):
    drawn_shop(shop_writer, 11)
    compared()
    shop_writer.scan("WO-1", "saw", shop_writer.now_us)
    shop_writer.settle()
    with monkeypatch.context() as broken, shop_writer.store.read() as connection:
        broken.setattr("server.queries.live_stock.open_items", lambda _connection: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            compare_live(connection, live, shop_writer.now_us)
    compared()
    assert live.stock.loads == 2
