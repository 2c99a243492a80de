"""The releases that a process keeps in memory: a bounded number, and the same answers."""

from shop_writer import ShopWriter

from server.projection import released_orders
from server.projection.released_orders import ReleasedOrders


def test_more_items_than_are_kept_have_the_same_answers(store, monkeypatch):
    monkeypatch.setattr(released_orders, "MOST_ITEMS", 4)
    shop_writer = ShopWriter(store)
    shop_writer.small_shop()
    shop_writer.release_all((f"WO-{n}", "bracket", 4, {}) for n in range(6))
    shop_writer.settle()
    orders = ReleasedOrders()
    with store.read() as connection:
        for start in range(0, 6, 2):
            orders.load(connection, [f"WO-{start}", f"WO-{start + 1}", f"X-{start}"])
            assert len(orders._known) <= 4
            assert [orders.released(connection, name) for name in ("WO-0", f"WO-{start}", f"X-{start}")] == [
                True, True, False,
            ]  # fmt: skip


def test_what_was_stated_is_kept_whatever_is_loaded(store, monkeypatch):
    monkeypatch.setattr(released_orders, "MOST_ITEMS", 2)
    orders = ReleasedOrders()
    orders.state(["WO-1"], ["WO-1", "WO-2"], any_released=True)
    with store.read() as connection:
        orders.load(connection, ["WO-1", "WO-2", "A", "B", "C"])
        assert [orders.released(connection, name) for name in ("WO-1", "WO-2", "A")] == [True, False, False]
