"""Rule engine: advice for a scan from the last snapshot and the open items, online and offline.

It begins with the last state of an item from the hub, and applies this station's own scans with the same ledger that the
hub uses. It gives no advice about unknown data: a station that never reached its hub has none to give.
"""

from collections import OrderedDict

import msgspec

from station.core.codes import Code
from station.core.event import Event
from station.core.ledger.fold import ROWS, apply, empty
from station.core.ledger.item_event import BARE
from station.core.ledger.parcels import ItemState, Parcel, ParcelState
from station.core.ledger.rules import BY_NAME, ON_BY_DEFAULT, Movement, Wording, advice, look_at
from station.core.ledger.times import OrderKey
from station.core.ledger.void_resolution import CountedIdentity, item_event
from station.core.protocol import OpenItem
from station.core.snapshot import NOW_US, Snapshot
from station.rules.interface import Advice

MAX_ITEMS = 50_000
HERE = "here"  # the log id of this station's own scans in the fold
NO_SNAPSHOT = Snapshot()
NEEDS_RELEASE = frozenset({"text", "uid"})  # such a code identifies no item by itself: it must be released or bound


class ShopRules:
    """The rules of one shop, with the definitions that this station has. Used by the recording thread alone."""

    def __init__(self, snapshot: Snapshot = NO_SNAPSHOT) -> None:
        self._bindings = snapshot.bindings
        self._master_data = snapshot.master_data()
        self._items: OrderedDict[str, ItemState] = OrderedDict()
        self._released: set[str] = set()  # items that the office has released
        self._complete = False
        self._has_master_data = bool(self._master_data.names("pattern.define"))
        self._order = 0

    def know(self, rows: list[OpenItem], *, complete: bool) -> None:
        """Apply open items from the hub: `rows` replace the state of each item in them."""
        self._complete = complete
        parcels: dict[str, list[OpenItem]] = {}
        for row in rows:
            parcels.setdefault(row.item, []).append(row)
        self._released.update(row.item for row in rows if row.product is not None or row.qty_milli is not None)
        self._has_master_data = self._has_master_data or bool(self._released)
        for item, item_rows in parcels.items():
            self._store(self._state_from(item, item_rows))

    def pieces(self, code: Code, stage: str | None) -> bool:
        """Whether each scan of this code at this stage is a piece or a box of its own, so that none is a repeat."""
        state = self._items.get(self._item(code))
        operations = state.routing.at_stage(stage) if state and state.routing else ()
        return any(operation.transfer_qty_milli for operation in operations)

    def advise(self, code: Code, event: Event) -> Advice:
        """The advice for a scan that was just recorded; the scan is applied to its item."""
        item = self._item(code)
        state = self._items.get(item)
        verb = event.action or BARE
        if verb not in ROWS and verb != BARE:
            return Advice(name=item)
        must_be_released = (
            self._has_master_data
            and self._complete
            and code.scheme in NEEDS_RELEASE
            and code.code not in self._bindings
        )
        unknown = must_be_released and item not in self._released
        self._order += 1
        # The order of this station's scans suffices; the fold needs no wall time.
        counted, key = CountedIdentity(HERE, self._order, ""), OrderKey(self._order, self._order, self._order)
        scanned = item_event(event, counted, key, {}, unknown=unknown)
        step = apply(state or empty(item), scanned, self._master_data)
        self._store(step.state)
        rule, look = (self._advice(step.movement) if step.movement else None) or (None, None)
        stage = self._master_data.stage(event.stage, NOW_US)
        return Advice(
            look=look,
            stop=rule is not None and BY_NAME[rule].stops and stage is not None and stage.strict,
            name=item,
            next_stage=self._next_stage(step.state, event.stage),
        )

    def _item(self, code: Code) -> str:
        return self._bindings.get(code.code) or code.item or code.code

    def _store(self, state: ItemState) -> None:
        self._items[state.item] = state
        self._items.move_to_end(state.item)
        while len(self._items) > MAX_ITEMS:
            self._items.popitem(last=False)

    def _state_from(self, item: str, rows: list[OpenItem]) -> ItemState:
        product = self._master_data.product(rows[0].product, NOW_US)
        routing = self._master_data.routing(product.routing, NOW_US) if product else None
        parcels = []
        for row in rows:
            operation = routing.operation(row.operation) if routing else None
            previous = routing.before(operation.op) if routing and operation else None
            passed_op = previous.op if previous else None
            parcels.append(
                Parcel(
                    state=row.state,
                    op=operation.op if operation else None,
                    stage=operation.stage if operation else row.stage,
                    qty_milli=row.qty_milli,
                    entered=operation.op
                    if operation and row.state in (ParcelState.HERE, ParcelState.HELD)
                    else passed_op,
                    reached=passed_op,
                    held_from=ParcelState.HERE if row.state == ParcelState.HELD else None,
                )
            )
        return msgspec.structs.replace(empty(item), routing=routing, released_us=0, parcels=tuple(parcels))

    def _is_on(self, rule: str) -> bool:
        return self._master_data.rule_is_on(rule, NOW_US, ON_BY_DEFAULT[rule])

    def _advice(self, move: Movement) -> tuple[str, str] | None:
        """The first rule that holds, is on and has advice: (rule, text); where nothing was moved, also one that is off."""
        wording = Wording(lambda stage: self._master_data.stage_name(stage, NOW_US))
        place = wording.stage(move.stage) if move.stage else move.station
        for rule, args in look_at(move):
            text = advice(rule, args, wording, place)
            if text is not None and (self._is_on(rule) or not move.moved):
                return rule, text
        return None

    def _next_stage(self, state: ItemState, stage: str | None) -> str | None:
        routing = state.routing
        newest = max(
            (
                parcel
                for parcel in state.parcels
                if parcel.op is not None and parcel.state in (ParcelState.HERE, ParcelState.WAITING)
            ),
            key=lambda parcel: parcel.since_us,
            default=None,
        )
        if routing is None or newest is None or newest.op is None:
            return None
        is_waiting = newest.state == ParcelState.WAITING
        next_operation = routing.operation(newest.op) if is_waiting else routing.after(newest.op)
        if next_operation is None or next_operation.stage == stage:
            return None
        return self._master_data.stage_name(next_operation.stage, NOW_US)
