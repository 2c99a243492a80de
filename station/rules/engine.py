"""Rule engine: advice for a scan from the last snapshot and the open items, online and offline.

It folds what the hub last said of an item, then this station's own scans, with the same ledger that the hub uses. What it
does not know it does not judge: a station that never reached its hub says nothing.
"""

from collections import OrderedDict

import msgspec

from station.core.codes import Code
from station.core.event import Event
from station.core.ledger.fold import ROWS, apply, empty
from station.core.ledger.item_event import BARE
from station.core.ledger.parcels import ItemState, Parcel, ParcelState
from station.core.ledger.rules import ON_BY_DEFAULT, Movement, listed
from station.core.ledger.times import OrderKey
from station.core.ledger.void_resolution import CountedIdentity, fact
from station.core.protocol import OpenItem
from station.core.snapshot import NOW_US, Snapshot
from station.rules.interface import Advice

MAX_ITEMS = 50_000
HERE = "here"  # the log of this station's own scans
OUT_OF_TURN = frozenset({"held", "closed", "skipped", "out_of_order"})  # what a strict stage stops the work for
NO_SNAPSHOT = Snapshot()
ASKED = frozenset({"text", "uid"})  # a code that only names itself: somebody must have said what it is


class ShopRules:
    """The rules of one shop, as far as this station knows them. Used by the scan thread alone."""

    def __init__(self, snapshot: Snapshot = NO_SNAPSHOT) -> None:
        self._bindings = snapshot.bindings
        self._catalogue = snapshot.master_data()
        self._items: OrderedDict[str, ItemState] = OrderedDict()
        self._released: set[str] = set()  # items that the office knows, not only the floor
        self._complete = False
        self._knows = bool(self._catalogue.names("pattern.define"))
        self._order = 0

    def know(self, rows: list[OpenItem], *, complete: bool) -> None:
        """Take what the hub says of open items; it replaces what was known of each item named."""
        self._complete = complete
        parcels: dict[str, list[OpenItem]] = {}
        for row in rows:
            parcels.setdefault(row.item, []).append(row)
        self._released.update(row.item for row in rows if row.product is not None or row.qty_milli is not None)
        self._knows = self._knows or bool(self._released)
        for item, found in parcels.items():
            self._keep(self._as_state(item, found))

    def pieces(self, code: Code, stage: str | None) -> bool:
        """Whether each scan of this code here is a piece or a box of its own, so that none is a repeat."""
        state = self._items.get(self._item(code))
        operations = state.routing.at_stage(stage) if state and state.routing else ()
        return any(operation.transfer_qty_milli for operation in operations)

    def advise(self, code: Code, event: Event) -> Advice:
        """What to say about a scan that was just recorded; the item moves on as the scan says."""
        item = self._item(code)
        state = self._items.get(item)
        verb = event.action or BARE
        if verb not in ROWS and verb != BARE:
            return Advice(name=item)
        asked = self._knows and self._complete and code.scheme in ASKED and code.code not in self._bindings
        unknown = asked and item not in self._released
        self._order += 1
        # The order is that of this station's scans; the true time is not needed.
        counted, key = CountedIdentity(HERE, self._order, ""), OrderKey(self._order, self._order, self._order)
        scanned = fact(event, counted, key, {}, unknown=unknown)
        step = apply(state or empty(item), scanned, self._catalogue)
        self._keep(step.state)
        rule, look = (self._advice(step.movement) if step.movement else None) or (None, None)
        stage = self._catalogue.stage(event.stage, NOW_US)
        return Advice(
            look=look,
            stop=rule in OUT_OF_TURN and stage is not None and stage.strict,
            name=item,
            next_stage=self._next(step.state, event.stage),
        )

    def _item(self, code: Code) -> str:
        return self._bindings.get(code.code) or code.item or code.code

    def _keep(self, state: ItemState) -> None:
        self._items[state.item] = state
        self._items.move_to_end(state.item)
        while len(self._items) > MAX_ITEMS:
            self._items.popitem(last=False)

    def _as_state(self, item: str, rows: list[OpenItem]) -> ItemState:
        product = self._catalogue.product(rows[0].product, NOW_US)
        routing = self._catalogue.routing(product.routing, NOW_US) if product else None
        parcels = []
        for row in rows:
            operation = routing.operation(row.operation) if routing else None
            before = routing.before(operation.op) if routing and operation else None
            passed = before.op if before else None
            parcels.append(
                Parcel(
                    state=row.state,
                    op=operation.op if operation else None,
                    stage=operation.stage if operation else row.stage,
                    qty_milli=row.qty_milli,
                    entered=operation.op if operation and row.state in (ParcelState.HERE, ParcelState.HELD) else passed,
                    reached=passed,
                    held_from=ParcelState.HERE if row.state == ParcelState.HELD else None,
                )
            )
        return msgspec.structs.replace(empty(item), routing=routing, released_us=0, parcels=tuple(parcels))

    def _is_on(self, rule: str) -> bool:
        return self._catalogue.rule_is_on(rule, NOW_US, ON_BY_DEFAULT[rule])

    def _advice(self, move: Movement) -> tuple[str, str] | None:
        """The one thing to tell the operator, and the rule behind it, of those that are on; what stops the work first."""
        said = (
            ("held", move.held, "is on hold"),
            ("closed", move.closed or move.ended, "has ended: nothing was moved"),
            ("skipped", bool(move.passed), f"goes to {listed(move.passed)} first"),
            ("out_of_order", move.foreign, f"does not go to {move.place}"),
            ("out_of_order", move.back_from is not None, f"was already at {move.back_from}"),
            ("which_quantity", move.several, "stands in several places: scan a quantity"),
            ("overrun", move.over_milli > 0, "more than was there: count again"),
            ("unknown_code", move.unknown, "not known here"),
        )
        return next(((rule, text) for rule, applies, text in said if applies and self._is_on(rule)), None)

    def _next(self, state: ItemState, stage: str | None) -> str | None:
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
        waits = newest.state == ParcelState.WAITING
        following = routing.operation(newest.op) if waits else routing.after(newest.op)
        if following is None or following.stage == stage:
            return None
        return self._catalogue.stage_name(following.stage, NOW_US)
