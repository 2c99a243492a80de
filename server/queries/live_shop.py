"""Live shop: what a hub process keeps in memory of the present, so that a board costs what changed since the last one."""

from dataclasses import dataclass, field

from sqlalchemy import Connection

from server.projection.definitions import change_count
from server.projection.tables import ITEM_DELETIONS
from server.queries.live_moves import LiveMoves
from server.queries.live_stock import LiveStock
from server.queries.valuation import Valuation


@dataclass(slots=True)
class LiveShop:
    """The open pieces and the moves of the day. Not thread-safe: `SharedBoard` uses it in its lock."""

    stock: LiveStock = field(default_factory=LiveStock)
    moves: LiveMoves = field(default_factory=LiveMoves)
    deletions: int = 0  # that were counted when the moves were read

    def refresh(self, connection: Connection, valuation: Valuation, day_us: int) -> None:
        """Bring both to the connection's snapshot and the time of the valuation. `day_us`: the begin of today (UTC us)."""
        changed, deletions = self.stock.refresh(connection, valuation), change_count(connection, ITEM_DELETIONS)
        if deletions != self.deletions:
            changed = None  # an item that was deleted while it was not open has moves, and no row tells so
        self.deletions = deletions
        self.moves.refresh(connection, changed, valuation.at_us, day_us)
