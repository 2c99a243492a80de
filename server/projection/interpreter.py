"""Event interpreter: the functions that read an event into the projection, as one port of the projector and the rebuild.

Each function is pure and takes an event, its ledger row, or the state of an item. An error in one of them sets that event
aside; tests pass failing functions to prove it.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from server.projection.anchor_seals import check_seal
from server.projection.bindings import BindingChange, Bindings, binds
from server.projection.boot_clocks import ClockRelations
from server.projection.checkpoints import CHECKPOINT_EVENTS
from server.projection.definitions import defined
from server.projection.event_items import EventItem, links
from server.projection.item_rows import ItemRow, item_row
from server.projection.ledger_row import LedgerRow
from server.projection.log_permissions import LogOwners, check_permission
from server.projection.tag_numbers import numbers_in
from station.core.event import Event
from station.core.ledger.fold import Apply, apply
from station.core.ledger.item_event import ItemEvent
from station.core.ledger.void_resolution import Correction, PositionKey, item_event, named_by_void
from station.core.ledger.void_resolution import correction as correction_of
from station.core.master_data import Definition


class EventInterpreter(NamedTuple):
    """One function for each thing that is read from an event, in the order of the pipeline.

    `permit`, `seal`: checks that mark a row as inert. `void`: the place that a void names. `times`: anchors and log
    parents. `numbers`: tag numbers. `correction`, `binds`, `defined`: rows about other events, codes and the shop.
    `links`: the items of an event. `item_event`, `apply`: the item event and its effect on the item's state. `item_row`: the
    row of that state. `checkpoint_events`: the number of events of an item from one checkpoint of its fold to the next.
    """

    permit: Callable[[LedgerRow, LogOwners], None] = check_permission
    seal: Callable[[LedgerRow, bytes | None], None] = check_seal
    void: Callable[[Event], PositionKey | None] = named_by_void
    times: ClockRelations = ClockRelations()
    numbers: Callable[[Event, str | None], list[str]] = numbers_in
    correction: Callable[[Event, tuple[int, str, int]], Correction | None] = correction_of
    binds: Callable[[LedgerRow, str], tuple[str, BindingChange] | None] = binds
    defined: Callable[[LedgerRow], Definition | None] = defined
    links: Callable[[LedgerRow, dict[str, Any], Bindings], list[EventItem]] = links
    item_event: Callable[..., ItemEvent] = item_event
    apply: Apply = apply
    item_row: ItemRow = item_row
    checkpoint_events: int = CHECKPOINT_EVENTS


DEFAULT_INTERPRETER = EventInterpreter()
