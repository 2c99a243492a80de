"""Shop state: the master data and the open items that the station uses now, shared between its threads.

The recording thread and the sync thread replace a part as a whole. The daemon's main thread reads it for the idle screen and
for the station's stage.
"""

from collections.abc import Sequence

from station.core.protocol import OpenItem
from station.rules.snapshot import StationDefinitions


class ShopState:
    """The snapshot and the open items in use. Each is replaced as a whole, so a reader never sees a half of one."""

    def __init__(self, snapshot: StationDefinitions, items: Sequence[OpenItem]) -> None:
        self._snapshot, self._items = snapshot, items

    @property
    def snapshot(self) -> StationDefinitions:
        """The master data of the hub's last snapshot."""
        return self._snapshot

    @property
    def items(self) -> Sequence[OpenItem]:
        """The open items of the hub's last answer."""
        return self._items

    def use_snapshot(self, snapshot: StationDefinitions) -> None:
        """Replace the master data; any thread."""
        self._snapshot = snapshot

    def use_items(self, items: Sequence[OpenItem]) -> None:
        """Replace the open items; any thread."""
        self._items = items
