"""Given values: a condition with many values finds the rows that one with few values finds, on both engines."""

import engines
import pytest
from sqlalchemy import select

from server.db.given_values import FEW, is_one_of
from server.projection.internal_tables import no_item

engine = engines.both
ROWS = {1: "WO-1", 7: 'a "quoted" name', 8: "back\\slash", 2**40: "Nut Ø 8 mm", 2**62: "工件 🔩"}


@pytest.fixture
def connection(store):
    with store.write() as connection:
        connection.execute(no_item.insert(), [{"pos": pos, "code": code} for pos, code in ROWS.items()])
        yield connection


@pytest.mark.parametrize("others", [0, FEW + 1])
def test_texts_are_found_one_by_one_and_as_an_array(connection, others):
    wanted = [*list(ROWS.values())[1:], *(f"other {n}" for n in range(others))]
    found = select(no_item.c.code).where(is_one_of(connection, no_item.c.code, wanted)).order_by(no_item.c.pos)
    assert list(connection.execute(found).scalars()) == list(ROWS.values())[1:]


@pytest.mark.parametrize("others", [0, FEW + 1])
def test_numbers_are_found_one_by_one_and_as_an_array(connection, others):
    wanted = [*list(ROWS)[1:], *range(1_000, 1_000 + others)]
    found = select(no_item.c.pos).where(is_one_of(connection, no_item.c.pos, wanted)).order_by(no_item.c.pos)
    assert list(connection.execute(found).scalars()) == list(ROWS)[1:]
