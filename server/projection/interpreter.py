"""Meaning: the functions by which an event is read into the projection, as one port of the projector and of a rebuild.

Each is pure and takes the event or its row of the ledger; an error in one sets that event aside. A test passes some that
fail.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from server.projection.anchor_seals import check_seal
from server.projection.bindings import BindingChange, Bindings, binds
from server.projection.clock_sync import ClockFacts
from server.projection.definitions import defined
from server.projection.event_items import EventItem, links
from server.projection.ledger_row import LedgerRow
from server.projection.log_permissions import LogOwners, check_permission
from server.projection.tag_numbers import numbers_in
from station.core.event import Event
from station.core.ledger.fold import Apply, apply
from station.core.ledger.item_event import ItemEvent
from station.core.ledger.void_resolution import Correction, Place, fact, named_by_void
from station.core.ledger.void_resolution import correction as correction_of
from station.core.master_data import Definition


class EventInterpreter(NamedTuple):
    """What an event can mean: a permission and a seal to check, a void, times, numbers of tags, a correction, a binding,
    a definition, the items that it is about, the fact that it states about one, and what that fact does to the item.
    """

    permit: Callable[[LedgerRow, LogOwners], None] = check_permission
    seal: Callable[[LedgerRow, bytes | None], None] = check_seal
    void: Callable[[Event], Place | None] = named_by_void
    times: ClockFacts = ClockFacts()
    numbers: Callable[[Event, str | None], list[str]] = numbers_in
    correction: Callable[[Event, tuple[int, str, int]], Correction | None] = correction_of
    binds: Callable[[LedgerRow, str], tuple[str, BindingChange] | None] = binds
    defined: Callable[[LedgerRow], Definition | None] = defined
    links: Callable[[LedgerRow, dict[str, Any], Bindings], list[EventItem]] = links
    fact: Callable[..., ItemEvent] = fact
    apply: Apply = apply


MEANING = EventInterpreter()
