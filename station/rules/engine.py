"""Rule engine: the advice for a scan, from the state of its item and the table of rules, online and offline.

The scan is folded into the state that this station knows (`station_items`), with the ledger that the hub uses; then the
rules look at the movement. It gives no advice about unknown data: a station that never reached its hub has none to give.
"""

from collections.abc import Iterable, Sequence

import msgspec

from station.core.codes import Card, Code, Pattern, apply_binding, is_bound, read_code
from station.core.codes.bound_codes import binding_of
from station.core.codes.code import CodeType, Scheme
from station.core.codes.lookalike import cleaned, folded
from station.core.event import Event
from station.core.ledger.fold import ROWS
from station.core.ledger.fold_result import FoldResult
from station.core.ledger.item_event import BARE
from station.core.ledger.parcels import ItemState, ParcelState
from station.core.ledger.rules import BY_NAME, ON_BY_DEFAULT, Movement, Wording, advice, look_at
from station.core.ledger.times import OrderKey
from station.core.ledger.void_resolution import CountedIdentity, item_event
from station.core.protocol import OpenItem
from station.core.snapshot import NOW_US, Snapshot
from station.rules.interface import Advice
from station.rules.station_items import OWN_LOG, StationItems

NO_SNAPSHOT = Snapshot()
FIRST_KEY_US = 2**60  # own scans follow everything in the hub's rows; between them their sequence suffices
UNKNOWN_CODE = "unknown_code"


class ShopRules:
    """The rules of one shop, with the definitions that this station has. Used by the recording thread alone."""

    def __init__(self, snapshot: Snapshot = NO_SNAPSHOT, patterns: Sequence[Pattern] = ()) -> None:
        self._bound, self._patterns = snapshot.bound(), patterns
        self._master_data = snapshot.master_data()
        self.items = StationItems(self._master_data)
        self._complete = False
        self._has_patterns, self._has_orders = bool(self._master_data.names("pattern.define")), False
        self._known_names: dict[str, str] = {}  # released items and bound codes by their folded form
        self._remember(self._bound)
        self._stages = frozenset(self._master_data.names("stage.define"))
        self._reasons = frozenset(self._master_data.names("reason.define"))
        self._badges = frozenset(str(data["badge"]) for data in snapshot.of("person.define") if data.get("badge"))
        self._wording = Wording(lambda stage: self._master_data.stage_name(stage, NOW_US))

    def know(self, rows: list[OpenItem], *, complete: bool, afresh: bool = False) -> None:
        """Apply items from the hub: `rows` replace the state of each item in them; `afresh`, of all items."""
        self._complete = complete
        if afresh:
            self.items.forget()
            self._known_names.clear()
            self._remember(self._bound)
        self.items.know(rows)
        released = [row.item for row in rows if row.released or row.product is not None]
        self._has_orders = self._has_orders or bool(released)
        self._remember(released)

    def pieces(self, code: Code, stage: str | None) -> bool:
        """Whether each scan of this code at this stage is a piece or a box of its own, so that none is a repeat."""
        item = self._item(code)
        routing = self.items.state(item).routing if self.items.knows(item) else None
        return routing is not None and any(operation.transfer_qty_milli for operation in routing.at_stage(stage))

    def knows(self, code: Code) -> bool:
        """Whether the office has released what this code names."""
        return code.item is not None and self.items.released(self._item(code))

    def unknown(self, code: Code) -> str | None:
        """What the operator reads of a code that names nothing here; None where it names something, as by a pattern."""
        if code.scheme is Scheme.OWN or not self._is_unknown(code):
            return None
        return self._unknown_text(code)

    def _is_unknown(self, code: Code) -> bool:
        """Whether nothing that the office has entered names this code. Without any release, a pattern is enough."""
        if not (self._complete and (self._has_patterns or self._has_orders)) or is_bound(code, self._bound):
            return False
        if code.scheme is Scheme.OWN and not self._has_orders:
            return False
        return not self.items.released(self._item(code))

    def _unknown_text(self, code: Code) -> str:
        near = self._near(code)
        return "not known here" if near is None else f"not known; {near} is"

    def _remember(self, names: Iterable[str]) -> None:
        self._known_names.update((folded(name), name) for name in names)

    def _near(self, code: Code) -> str | None:
        """The known code that a person takes this one for; None without one."""
        for text in (str(code.item), code.code):
            name = self._known_names.get(folded(text))
            if name is not None and name != text and (name in self._bound or self.items.released(name)):
                return name
        meant = cleaned(code.code)
        for text in (meant, meant.upper()):
            own = apply_binding(read_code(text.encode(), None, self._patterns), self._bound)
            if text != code.code and own.scheme is Scheme.OWN and self.items.released(self._item(own)):
                return text
        return None

    def remark(self, code: Code) -> str | None:
        """What is unknown about a card or badge: its stage, reason or person; None where all is known."""
        if code.badge is not None:
            return _remark("this badge is not known here", code.badge, self._badges)
        if code.card is Card.STAGE:
            return _remark("no stage of the shop", code.argument, self._stages)
        if code.card is Card.REASON:
            return _remark("this reason is not known here", code.argument, self._reasons)
        return None

    def judge(self, code: Code, event: Event, seq: int) -> Advice:
        """The advice for the scan that was just recorded under `seq`; the scan is applied to its item."""
        item, verb = self._item(code), event.action or BARE
        if verb not in ROWS and verb != BARE:
            return Advice(name=item)
        result = self.apply(code, event, seq)
        if event.repeat or event.seen is not None:
            return Advice(name=item)
        stage = self._master_data.stage(event.stage, NOW_US)
        rule, look = self._first_advice(self._movement(result, item, event)) or (None, None)
        if rule == UNKNOWN_CODE:
            look = self._unknown_text(code)
        stands = result.movement is not None and not result.movement.moved and look is None
        return Advice(
            look=look,
            stop=rule is not None and BY_NAME[rule].stops and stage is not None and stage.strict,
            name=item,
            next_stage=self._next_stage(result.state, event.stage),
            already_here=stands,
        )

    def apply(self, code: Code, event: Event, seq: int) -> FoldResult:
        """Fold a recorded scan into its item."""
        item = self._item(code)
        key_us = FIRST_KEY_US + seq
        counted, key = CountedIdentity(OWN_LOG, seq, ""), OrderKey(key_us, key_us, key_us)
        return self.items.scan(item, seq, item_event(event, counted, key, {}, unknown=self._is_unknown(code)))

    def void(self, seq: int, by_seq: int) -> None:
        """Take a recorded scan back, because the event `by_seq` voids it."""
        self.items.void(seq, by_seq)

    def _item(self, code: Code) -> str:
        binding = binding_of(code, self._bound)
        return binding.to if binding is not None and binding.as_ is CodeType.ITEM else code.item or code.identity

    def _movement(self, result: FoldResult, item: str, event: Event) -> Movement | None:
        """The movement, with what only the station tells: whether the stage is one of the shop's."""
        undefined = bool(self._stages) and event.stage is not None and event.stage not in self._stages
        if not undefined:
            return result.movement
        move = result.movement or Movement(item=item, stage=event.stage, station=event.station)
        return msgspec.structs.replace(move, undefined=True)

    def _first_advice(self, move: Movement | None) -> tuple[str, str] | None:
        """The first rule that holds, is on and has advice: (rule, text); where nothing was moved, also one that is off."""
        if move is None:
            return None
        place = self._wording.stage(move.stage) if move.stage else move.station
        for rule, args in look_at(move):
            text = advice(rule, args, self._wording, place)
            if text is not None and (self._is_on(rule) or not move.moved):
                return rule, text
        return None

    def _is_on(self, rule: str) -> bool:
        return self._master_data.rule_is_on(rule, NOW_US, ON_BY_DEFAULT[rule])

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


def _remark(text: str, name: str | None, known: frozenset[str]) -> str | None:
    """The remark about a name that is none of the known ones, with the one that a person takes it for."""
    if name is None or not known or name in known:
        return None
    form = folded(name)
    near = next((other for other in sorted(known) if folded(other) == form), None)
    return text if near is None else f"{text}; {near} is"
