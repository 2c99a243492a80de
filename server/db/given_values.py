"""Given values: the condition that a column has one of many values.

Of up to FEW values it is a list of parameters. A parameter for each of ten thousand takes the library longer than the
statement takes the database: more values are one parameter, a JSON array that the database reads as a table.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, TypeVar

import msgspec
from sqlalchemy import JSON, Column, ColumnElement, Connection, Text, cast, column, func, literal, select

FEW = 500
MANY = 20_000  # values in one statement
_Value = TypeVar("_Value", int, str)


def is_one_of(connection: Connection, of: Column[Any], values: Collection[_Value]) -> ColumnElement[bool]:
    """Whether a column of texts or integers has one of the values, at most MANY."""
    if len(values) <= FEW:
        return of.in_(values)
    array = literal(msgspec.json.encode(list(values)).decode(), Text)
    if connection.dialect.name == "sqlite":
        return of.in_(select(func.json_each(array).table_valued(column("value", of.type), name="given").c.value))
    texts = func.json_array_elements_text(cast(array, JSON)).table_valued(column("value", Text), name="given")
    return of.in_(select(cast(texts.c.value, of.type)))


def in_parts(values: Sequence[_Value]) -> Iterator[Sequence[_Value]]:
    """The values, at most MANY at a time."""
    return (values[start : start + MANY] for start in range(0, len(values), MANY))
