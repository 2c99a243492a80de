"""Past board: the snapshot of the shop as of a time, as known at a ledger position, with the moves that it reads."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, and_

from server.locale_format import LocaleFormat
from server.projection.tables import DAY_US, move
from server.queries.alerts import BoardState
from server.queries.as_known_at import known_stock, known_without_members, shop_known_at
from server.queries.board_state import board_state_at, board_state_now
from server.queries.stage_summary import moved_on, summarize_line
from server.queries.valuation import Valuation

MOVES_US = 2 * DAY_US  # a shift and a day of the site before the time, and the rest of that day behind it


@contextmanager
def past_board(
    connection: Connection, locale: LocaleFormat, known: int | None, at_us: int | None, now_us: int
) -> Iterator[tuple[BoardState, Connection]]:
    """The snapshot, and the connection to the moves around its time.

    `known`: as known at this position, None: now. `at_us`: as of this time (UTC us), None: now.
    """
    if known is None:
        is_now = at_us is None
        shop = board_state_now(connection, locale, now_us) if is_now else board_state_at(connection, locale, at_us or 0)
        yield shop, connection
        return
    time_us = now_us if at_us is None else at_us
    with shop_known_at(connection, known) as known_shop:
        valuation = Valuation(known_shop.master_data, time_us)
        stock, differ = known_stock(connection, known_shop, at_us)
        stock = known_without_members(connection, known_shop, stock, valuation, at_us)
        around = and_(move.c.at_us > time_us - MOVES_US, move.c.at_us <= time_us + MOVES_US, move.c.pos <= known)
        known_shop.copy_rows(move, around, differ | known_shop.folded)
        line = summarize_line(stock, valuation, moved_on(known_shop.scratch, time_us))
        yield BoardState(stock, line, valuation, locale, time_us), known_shop.scratch
