"""Pages say true things of themselves: what is not included yet, what the hub knows to be wrong, what is not known."""

import html
import re

import pytest
from shop_writer import ShopWriter


@pytest.fixture
def shop_writer(store):
    shop_writer = ShopWriter(store)
    shop_writer.small_shop()
    return shop_writer


def page_of(hub_app, address, status=200):
    """The text of a page as a reader sees it."""
    answer = hub_app.anonymous().get(address, headers={"Accept": "text/html"})
    assert answer.status_code == status
    return text_of(answer.get_data(as_text=True))


def text_of(page):
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", "", page)))


@pytest.mark.parametrize("address", ["/", "/wall", "/orders", "/stations", "/find?q=WO-1"])
def test_a_page_that_is_behind_the_ledger_says_how_far(hub_app, shop_writer, address):
    behind = r"Recalculating: \d+ events are not included yet, \d+ (s|min) behind\."
    shop_writer.projector.drain()
    assert not re.search(behind, page_of(hub_app, address, 404 if "find" in address else 200))
    for number in range(3):
        shop_writer.release(f"WO-{number}")
    assert re.search(behind, page_of(hub_app, address, 404 if "find" in address else 200))


def test_a_shop_that_is_being_imported_is_not_called_empty(hub_app, shop_writer):
    assert "Not known yet" in page_of(hub_app, "/")
    assert "the shop is empty" not in page_of(hub_app, "/")
    assert "No open" not in page_of(hub_app, "/orders")
    assert "Recalculating" in page_of(hub_app, "/items/WO-1", 404)
    shop_writer.projector.drain()
    assert "No open" in page_of(hub_app, "/orders")
