"""The verification of rows: a projection as it was folded has no break, and each planted defect is named."""

import secrets
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner
from shop_writer import ShopWriter

from server.cli.commands import main
from server.projection.verify_rows import verify_rows

DEFECTS = {
    "a move is gone": ("DELETE FROM move WHERE n = 2", "of 6 moves 5 are there; missing: [2]"),
    "a quantity of a move": (
        "UPDATE move SET qty_milli = 9000 WHERE n = 3",
        "its moves sum to 1 at here@10, its state has 2",
    ),
    "more left than came": (
        "UPDATE move SET qty_milli = 90000 WHERE n = 4",
        "move 4 takes more pieces than move 3 brought: 82",
    ),
    "an account of a move": ("UPDATE move SET to_operation = 30 WHERE n = 2", "at here@30, its state has"),
    "a form of a piece": (
        "UPDATE move SET entered = 30 WHERE n = 4",
        "move 4 takes pieces in another form than move 3 gave them",
    ),
    "where a piece was scanned": (
        "UPDATE move SET to_scanned = NULL WHERE n = 2",
        "move 3 takes pieces in another form",
    ),
    "a move of the future": (
        "UPDATE move SET put = 9 WHERE n = 4",
        "takes pieces that move 9 brought, which is not before it",
    ),
    "a time of a move": ("UPDATE move SET at_us = 1 WHERE n = 3", "move 3 is earlier than move 2"),
    "a time of a piece": (
        "UPDATE move SET since_us = since_us - 1 WHERE n = 4",
        "placed at another time than that of move 3",
    ),
    "an event of a move": (
        "UPDATE move SET pos = 77777 WHERE n = 3",
        "move 3 names position 77777, which has no event",
    ),
    "a parcel is gone": ("DELETE FROM parcel WHERE state = 'scrapped'", "a parcel scrapped at deburr is missing"),
    "a quantity of a parcel": (
        "UPDATE parcel SET qty_milli = 1 WHERE state = 'here'",
        "a parcel here at deburr is in no state",
    ),
    "a day is gone": ("DELETE FROM open_at", "of move 4 is missing from open_at"),
    "a day too many": ("INSERT INTO open_at VALUES (5, 'WO-1', 2)", "day 5 of move 2 is in open_at"),
    "a head": ("UPDATE head SET product = 'cover'", "its last head differs from its state in product"),
    "a head is gone": ("DELETE FROM head", "its last head differs from its state in name, product"),
    "a product of a move": (
        "UPDATE move SET product = 'cover' WHERE n = 1",
        "its moves have another product than its state",
    ),
    "a column of an item": ("UPDATE item SET ordered_milli = 5", "its row differs from its state in ordered_milli"),
    "an item is gone": ("DELETE FROM item", "it has rows of move, and no row of item"),
}
OPERATIONS = [{"op": 10, "stage": "saw"}, {"op": 20, "stage": "deburr"}, {"op": 30, "stage": "pack"}]


@pytest.fixture
def order(hub_db: Any) -> Any:
    """An order of ten pieces, eight of them at Deburr over three nights, then one scrapped and two finished."""
    office, saw = hub_db.log("hub", 1), hub_db.log("saw-1", 2)
    hub_db.deliver(
        office.anchor(),
        saw.anchor(),
        office.entry("routing.define", {"routing": "r", "operations": OPERATIONS}),
        office.entry("product.define", {"product": "bracket", "routing": "r"}),
        office.entry("order.release", {"order": "WO-1", "product": "bracket", "qty_milli": 10_000}),
        saw.scan("WO-1", "saw", after_s=60),
        saw.scan("WO-1", "deburr", after_s=60, qty_milli=8_000),
        saw.scan("WO-1", "deburr", after_s=3 * 86_400, action="scrap", qty_milli=1_000),
        saw.scan("WO-1", "pack", after_s=60, qty_milli=2_000),
    )
    hub_db.drain()
    return hub_db


def breaks(hub_db: Any) -> list[str]:
    with hub_db.store.read() as connection:
        return [str(each) for each in verify_rows(connection)]


@pytest.mark.parametrize("seed", [3, 988083, "new"])
def test_rows_as_they_were_folded_have_no_break(
    seed: int | str, new_hub_db: Callable[[], Any], story: Callable[[int], list[Any]]
) -> None:
    drawn = seed if isinstance(seed, int) else secrets.randbelow(10**6)
    print(f"seed {drawn}")
    hub_db = new_hub_db()
    for row in story(drawn):
        hub_db.deliver(row)
        hub_db.projector.step()
    hub_db.drain()
    assert breaks(hub_db) == []


@pytest.mark.parametrize("planted", DEFECTS)
def test_a_planted_defect_is_named_with_its_item(planted: str, order: Any) -> None:
    assert breaks(order) == []
    statement, said = DEFECTS[planted]
    with order.store.write() as connection:
        assert connection.exec_driver_sql(statement).rowcount > 0
    found = breaks(order)
    assert all(each.startswith("item WO-1: ") for each in found)
    assert any(said in each for each in found), found


def test_the_command_prints_the_breaks_and_a_rebuild_mends_them(hub_db: Any) -> None:
    shop_writer = ShopWriter(hub_db.store)
    shop_writer.small_shop()
    shop_writer.release("WO-1")
    shop_writer.scan("WO-1", "saw", shop_writer.ago(days=1))
    shop_writer.settle()
    where = ["--db", shop_writer.store.url.render_as_string(hide_password=False)]
    with shop_writer.store.write() as connection:
        connection.exec_driver_sql("UPDATE move SET qty_milli = 9000 WHERE n = 2")
    shop_writer.store.close()
    ran = CliRunner().invoke(main, ["verify", *where])
    assert ran.exit_code == 1
    assert "item WO-1: its moves sum to 9 at here@10, its state has 40" in ran.output
    assert "its projection has" in ran.output
    assert CliRunner().invoke(main, ["rebuild", *where]).exit_code == 0
    ran = CliRunner().invoke(main, ["verify", *where])
    assert (ran.exit_code, "verified, no break" in ran.output) == (0, True)
