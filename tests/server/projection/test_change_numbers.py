"""The change number of items ascends over deletions, restarts of the projector and rebuilds: stations ask from one on."""

import pytest
from shop_writer import ShopWriter
from sqlalchemy import func, select

from server.db.position_signal import PositionSignal
from server.projection.item_states import last_change
from server.projection.rebuild import rebuild
from server.projection.tables import item
from server.projection.worker import Projector


@pytest.mark.parametrize("again", ["restart", "rebuild"])
def test_the_number_of_a_deleted_item_is_not_given_again(store, again):
    shop_writer = ShopWriter(store)
    shop_writer.small_shop()
    shop_writer.release("WO-1")
    shop_writer.settle()
    released = shop_writer.say("order.release", 0, order="X", product="bracket", qty_milli=5_000)
    shop_writer.settle()
    with store.read() as connection:
        of_x = connection.execute(select(item.c.changed).where(item.c.item == "X")).scalar_one()
        assert of_x == connection.execute(select(func.max(item.c.changed))).scalar_one()
    shop_writer.say("void", log=released[0], seq=released[1])
    shop_writer.settle()
    with store.read() as connection:
        assert connection.execute(select(item.c.item).where(item.c.item == "X")).first() is None
        assert last_change(connection) >= of_x
    if again == "rebuild":
        rebuild(store)
    shop_writer.projector = Projector(store, PositionSignal())
    shop_writer.scan("WO-1", "saw", shop_writer.ago(minutes=1))
    shop_writer.settle()
    with store.read() as connection:
        assert connection.execute(select(item.c.changed).where(item.c.item == "WO-1")).scalar_one() > of_x
