"""JSON arrays: the values of a column of many rows as one text, which both databases write and `msgspec` reads.

A group of a statement then is one row, however many rows it has: a driver takes longer to make a row of each than the
database to write the array.
"""

from typing import Any

from sqlalchemy import ColumnElement, Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction


class json_array_of(GenericFunction[str]):  # noqa: N801  a function of SQL
    """The values of a group in the order in which the rows are read, the same for every array of a statement."""

    type = Text()
    inherit_cache = True


@compiles(json_array_of, "sqlite")
def _sqlite(function: ColumnElement[Any], compiler: SQLCompiler, **kw: Any) -> str:
    return f"json_group_array({compiler.process(function.clauses, **kw)})"


@compiles(json_array_of, "postgresql")
def _postgresql(function: ColumnElement[Any], compiler: SQLCompiler, **kw: Any) -> str:
    return f"json_agg({compiler.process(function.clauses, **kw)})::text"
