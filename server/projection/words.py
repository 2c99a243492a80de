"""Words: log ids and boot ids, each stored once; rows of `event_state` have their numbers.

A number is given at the first use in the order of the ledger, so the projector and a rebuild give the same ones.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from server.db.bulk_insert import insert_many
from server.projection.internal_tables import word

MOST_WORDS = 10_000  # cached
NAMED_AT_ONCE = 500  # in one statement


class WordNumbers:
    """The numbers of words. The cache belongs to one transaction's success: after a rollback a new object is needed."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}

    def ids(self, connection: Connection, texts: Iterable[str]) -> dict[str, int]:
        """The number of each of these words. New ones are stored in the order of `texts`, which is that of the ledger."""
        wanted = list(dict.fromkeys(texts))
        if len(self._ids) > MOST_WORDS:
            self._ids.clear()
        unknown = [text for text in wanted if text not in self._ids]
        for start in range(0, len(unknown), NAMED_AT_ONCE):
            chunk = unknown[start : start + NAMED_AT_ONCE]
            stored = connection.execute(select(word.c.text, word.c.id).where(word.c.text.in_(chunk)))
            self._ids.update((row.text, row.id) for row in stored)
        new = [text for text in unknown if text not in self._ids]
        if new:
            last = int(connection.execute(select(func.coalesce(func.max(word.c.id), 0))).scalar_one())
            numbered = list(enumerate(new, last + 1))
            insert_many(connection, word, numbered)
            self._ids.update((text, number) for number, text in numbered)
        return {text: self._ids[text] for text in wanted}


def word_id(text: str) -> ColumnElement[Any]:
    """The number of a word in a statement; NULL where no event has it."""
    named = word.alias()  # a statement may read `word` besides
    return select(named.c.id).where(named.c.text == text).scalar_subquery()
