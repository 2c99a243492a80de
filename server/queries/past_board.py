"""Past board: the snapshot of the shop as of a time, as known at a ledger position, with the moves that it reads."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from sqlalchemy import Connection, and_

from server.locale_format import LocaleFormat
from server.projection.tables import DAY_US, move
from server.queries.alerts import BoardState
from server.queries.as_known_at import known_stock, known_without_members, past_stock, shop_known_at
from server.queries.board_state import board_state_at, board_state_now, board_state_of
from server.queries.current_stock import StockRow
from server.queries.valuation import Valuation

MOVES_US = 2 * DAY_US  # a shift and a day of the site before the time, and the rest of that day behind it


class PastBoard(NamedTuple):
    """The snapshot; `moves`: the connection to the moves around its time; `stock`: reads the stock row by row."""

    shop: BoardState
    moves: Connection
    stock: Callable[[], list[StockRow]]


@contextmanager
def past_board(
    connection: Connection,
    locale: LocaleFormat,
    known: int | None,
    at_us: int | None,
    now_us: int,
    shop: BoardState | None = None,
) -> Iterator[PastBoard]:
    """The snapshot of a past time, or of the present as it was known.

    `known`: as known at this position, None: now. `at_us`: as of this time (UTC us), None: now. `shop`: the snapshot as
    it is known now, where the caller has it.
    """
    time_us = now_us if at_us is None else at_us
    if known is None:
        if shop is None:
            is_now = at_us is None
            shop = (
                board_state_now(connection, locale, now_us) if is_now else board_state_at(connection, locale, time_us)
            )
        yield PastBoard(shop, connection, lambda: past_stock(connection, None, at_us, now_us)[1])
        return
    with shop_known_at(connection, known) as known_shop:
        valuation = Valuation(known_shop.master_data, time_us)
        stock, differ = known_stock(connection, known_shop, at_us)
        stock = known_without_members(connection, known_shop, stock, valuation, at_us)
        around = and_(move.c.at_us > time_us - MOVES_US, move.c.at_us <= time_us + MOVES_US, move.c.pos <= known)
        known_shop.copy_rows(move, around, differ | known_shop.folded)
        then = board_state_of(known_shop.scratch, stock, valuation, locale)
        yield PastBoard(then, known_shop.scratch, lambda: stock)
