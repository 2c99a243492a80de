"""JSON arrays: the columns of the rows of a group in one order, the same on both engines, whatever the texts contain."""

import engines
import msgspec
import pytest
from sqlalchemy import BigInteger, cast, literal_column, null, select

from server.db.json_arrays import json_array_of
from server.projection.internal_tables import no_item

engine = engines.both
ROWS = {1: "WO-1", 7: 'a "quoted" name', 8: "back\\slash", 9: "", 2**40: "a\nline\x1d and\ttab", 2**62: "工件 🔩"}


@pytest.fixture
def connection(store):
    with store.write() as connection:
        connection.execute(no_item.insert(), [{"pos": pos, "code": code} for pos, code in ROWS.items()])
        yield connection


def test_the_arrays_of_a_group_have_its_rows_in_one_order(connection):
    c = no_item.c
    of_size = (c.pos > 2**32).label("of_size")
    query = select(of_size, json_array_of(c.pos), json_array_of(c.code)).group_by(literal_column("1"))
    found = {
        bool(large): dict(zip(msgspec.json.decode(pos), msgspec.json.decode(code), strict=True))
        for large, pos, code in connection.execute(query)
    }
    assert found == {
        large: {pos: code for pos, code in ROWS.items() if (pos > 2**32) is large} for large in (False, True)
    }


def test_a_missing_value_is_null(connection):
    arrays = connection.execute(select(json_array_of(cast(null(), BigInteger))).select_from(no_item)).scalar_one()
    assert msgspec.json.decode(arrays) == [None] * len(ROWS)
