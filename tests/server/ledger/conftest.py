"""These tests run on both database engines. A small shop, and entries that are sent as one request."""

import engines
import pytest
from shop_writer import ShopWriter
from sqlalchemy import func, select

from server.db import schema
from server.ledger.entries import Entry, EntryRefused, record_all

engine = engines.both


@pytest.fixture
def shop_writer(store):
    shop_writer = ShopWriter(store)
    shop_writer.small_shop()
    shop_writer.settle()
    return shop_writer


@pytest.fixture(params=["projected", "not projected"])
def settle(request, shop_writer):
    """Project the ledger, or leave the projector behind: the refusals are equal for what the hub entered itself."""
    return shop_writer.settle if request.param == "projected" else lambda: None


@pytest.fixture
def refused(store):
    """Send entries in one request; (what came, what was expected) of the refusal, None for accepted entries."""

    def sent(*entries):
        with store.read() as connection:
            before = connection.execute(select(func.max(schema.ledger.c.pos))).scalar_one()
        try:
            record_all(store, [Entry(what, data, "Kim") for what, data in entries])
        except EntryRefused as error:
            with store.read() as connection:
                assert connection.execute(select(func.max(schema.ledger.c.pos))).scalar_one() == before
            return error.status, error.came, error.expected
        return None

    return sent
