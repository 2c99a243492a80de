"""Entry checks: refuse an entry that has no effect, or that contradicts the present state of the hub.

The present state of an order or item is its projected state, then the hub's own entries that are not projected yet, then the
entries of the same request, in this order. The fold of the ledger applies each of them (`station.core.ledger.fold`).

A check refuses only what is certain. It is skipped where the state is not certain: the item waits for a refold, a void or
correction is not projected yet, or more than MOST_PENDING own entries are not projected. Scans without projection are not
in the state: an entry that contradicts them is recorded, and the rules make a finding, as for a scan that arrives later.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, func, select

from server.db import schema
from server.ledger.candidates import MOST_PENDING, Candidate, Refusal, pending_entries
from server.ledger.count_check import ACCEPT, COUNTS, count_refusal
from server.ledger.near_names import DEFINED, NearNames, new_names
from server.ledger.unchanged import BIND, NAME, UNCHANGED, CurrentDefinitions, Unchanged, answered, named
from server.projection.internal_tables import void_mark
from server.projection.item_states import StoredItem
from server.projection.pipeline import projected_pos
from server.projection.tables import definition, dirty, event_state, item
from station.core.codes import identity_of_written
from station.core.ledger.fold import attempt, empty
from station.core.ledger.fold_result import FoldResult
from station.core.ledger.item_event import ItemEvent
from station.core.ledger.parcels import ItemState, ParcelState
from station.core.master_data import MasterData
from station.core.quantity import decimal_text

AT_ONCE = 500  # names in one statement
HUB = "hub"  # the station of the hub's own logs
OF_ORDER = frozenset({"order.release", "order.change", "order.close"})
OF_ITEM = OF_ORDER | {"adjust", ACCEPT}
OF_EVENT = frozenset({"void", "correct"})
ANSWER = "finding.answer"
CHECKED = OF_ITEM | OF_EVENT | UNCHANGED | {ANSWER, *DEFINED}
_STORED = msgspec.msgpack.Decoder(StoredItem)


class EntryChecks:
    """The checks of the entries of one request, in their order, in the transaction that writes them."""

    def __init__(
        self, connection: Connection, entries: Sequence[Candidate], now_us: int, most_pending: int = MOST_PENDING
    ) -> None:
        self._connection, self._now_us = connection, now_us
        self._voided: set[tuple[str, int]] = set()
        self._products: dict[str, dict[str, Any]] | None = None
        self._items: dict[str, ItemState | None] = {}
        self._names: dict[str, str | None] = {}
        self._definitions = CurrentDefinitions(connection, now_us)
        self._uncertain: set[str] = set()
        self._certain = True
        self._needed = any(entry.what in CHECKED for entry in entries)
        if not self._needed:
            return
        self._pending = pending_entries(connection, most_pending, CHECKED)
        self._certain = len(self._pending) <= most_pending
        concerned = list(entries)
        if any(entry.what == "product.define" for entry in entries):
            concerned += self._pending  # orders that are closed or released since, which the projection does not show
        self._load({name for entry in concerned if (name := _named(entry)) is not None})
        self._near_names = NearNames(
            connection, (name for entry in entries for name in new_names(entry.what, entry.data))
        )
        for entry in self._pending:
            self._follow(entry)
        self._voided.clear()  # a void that is not projected may be void itself

    def refusal(self, entry: Candidate) -> Refusal | None:
        """The reason to refuse an entry; None for an accepted one, which then counts for the entries after it."""
        if not self._needed:
            return None
        words = self._near_names.refusal(entry.what, entry.data) if self._certain else None
        refused = Refusal(*words) if words is not None else None
        if refused is None and entry.what in _CHECKS:
            refused = _CHECKS[entry.what](self, entry)
        if refused is None:
            self._follow(entry)
        return refused

    def _load(self, names: set[str]) -> None:
        ordered = sorted(names)
        self._items = dict.fromkeys(ordered)
        for start in range(0, len(ordered), AT_ONCE):
            chunk = ordered[start : start + AT_ONCE]
            rows = self._connection.execute(select(item.c.item, item.c.state).where(item.c.item.in_(chunk)))
            for row in rows:
                stored = _STORED.decode(row.state)
                self._items[row.item], self._names[row.item] = stored.state, stored.name
            waiting = self._connection.execute(select(dirty.c.item).where(dirty.c.item.in_(chunk)))
            self._uncertain.update(waiting.scalars())

    def _follow(self, entry: Candidate) -> None:
        """Apply an entry to the state that the checks after it use."""
        if entry.what in OF_EVENT:
            self._certain = False  # its effect is known when it is projected
            if entry.what == "void":
                self._voided.add((str(entry.data.get("log")), entry.data.get("seq", 0)))
        self._near_names.follow(entry.what, entry.data)
        self._definitions.follow(entry.what, entry.data, entry.holds_from_us)
        name = _named(entry)
        if entry.what == NAME and name is not None:
            self._names[name] = entry.data.get("name")
        elif entry.what in OF_ITEM and name in self._items:
            step = self._step(entry, self._items[name] or empty(name))
            if isinstance(step, str):
                self._uncertain.add(name)
            else:
                self._items[name] = step.state
        if entry.what == "product.define" and self._products is not None:
            self._products[str(entry.data.get("product"))] = entry.data

    def _step(self, entry: Candidate, state: ItemState) -> FoldResult | str:
        """One more entry on a state, at its end; for an entry that cannot be folded the reason."""
        at_us = max(entry.holds_from_us or self._now_us, state.last[0])
        event = ItemEvent(key_us=at_us, lo_us=at_us, hi_us=at_us, log="~", seq=0, verb=entry.what, data=entry.data)
        return attempt(state, event, MasterData())

    def _is_certain(self, name: str) -> bool:
        return self._certain and name not in self._uncertain

    def _is_last(self, entry: Candidate, state: ItemState) -> bool:
        """Whether an entry takes effect after all that is known of its item, so that the present state is what it meets."""
        return entry.holds_from_us is None or entry.holds_from_us >= state.last[0]

    def answer(self, entry: Candidate) -> Refusal | None:
        """Check an answer against the finding that it names."""
        if not self._certain or entry.data["item"] in self._uncertain or self._is_behind():
            return None  # a scan that is not projected yet may have the finding
        found = answered(self._connection, entry.data)
        return None if found is None else Refusal(*found)

    def _is_behind(self) -> bool:
        last = self._connection.execute(select(func.max(schema.ledger.c.pos))).scalar()
        return projected_pos(self._connection) < (last or 0)

    def order(self, entry: Candidate) -> Refusal | None:
        """Check a release, a change or a closing of an order against the order."""
        name = str(entry.data.get("order"))
        state = self._items.get(name)
        if not self._is_certain(name):
            return None
        if entry.what == "order.release":
            return None if state is None or state.released_us is None else self._changed(entry, name, state)
        if state is None or state.released_us is None:
            do = "Release it first, or correct the number."
            return Refusal(f"{entry.what} of {name}", "an order that was released", do)
        return self._closed(entry, name, state) if entry.what == "order.close" else self._changed(entry, name, state)

    def _changed(self, entry: Candidate, name: str, state: ItemState) -> Refusal | None:
        if not self._is_last(entry, state):
            return None
        step = self._step(entry, state)
        if isinstance(step, str):
            return Refusal(f"{entry.what} of {name}", "a quantity within the limits of an account", f"{step}.")
        move, quantity = step.movement, entry.data.get("qty_milli")
        if move is not None and move.closed:
            came = f"{entry.what} of {name} to {decimal_text(quantity or 0)}"
            return Refusal(came, "an order that is not closed", "Take its closing back first, by a void.")
        if move is not None and move.uncut_milli:
            least = decimal_text((quantity or 0) + move.uncut_milli)
            return Refusal(
                f"{entry.what} of {name} to {decimal_text(quantity or 0)}",
                f"at least {least}: that quantity is started",
                "Enter what is started or more, or scrap or adjust the pieces first.",
            )
        if _content(step.state) == _content(state) and _items_of(entry) <= {name}:
            return Refusal(
                f"{entry.what} of {name} without effect",
                "a field with a new value",
                "It is so already.",
                unchanged=True,
            )
        return None

    def _closed(self, entry: Candidate, name: str, state: ItemState) -> Refusal | None:
        if state.closed:
            came = f"order.close of {name}, which is closed as {state.how}"
            return Refusal(came, "an order that is not closed", "To close it otherwise, take that closing back first.")
        if entry.data.get("how") != "complete" or entry.data.get("leave") == "adjust":
            return None
        left = [parcel for parcel in state.parcels if parcel.state in (ParcelState.HELD, ParcelState.RELEASED)]
        if not left:
            return None
        return Refusal(
            f"order.close complete of {name} with {_amounts(state)}",
            "all pieces started and none on hold",
            'Send `"leave": "adjust"` to adjust these pieces away, or close it as short, or finish them first.',
            409,
        )

    def adjust(self, entry: Candidate) -> Refusal | None:
        """Check an adjustment: it must not take more than is there."""
        name, quantity = str(entry.data.get("item")), entry.data.get("qty_milli")
        if not isinstance(quantity, int) or isinstance(quantity, bool) or quantity == 0:
            came = f"adjust of {name} by {quantity!r} thousandths"
            return Refusal(came, "a difference, such as 5000 or -5000 in `qty_milli`", "Send the difference.")
        state = self._items.get(name)
        if not self._is_certain(name):
            return None
        if state is None:
            return Refusal(f"adjust of {name}", "an item that was scanned or released", "Correct the number.")
        if not self._is_last(entry, state):
            return None
        step = self._step(entry, state)
        move = None if isinstance(step, str) else step.movement
        place = entry.data.get("stage") or "what is not started"
        if move is not None and move.closed:
            return Refusal(f"adjust of {name}, which is closed", "an open order", "Take its closing back first.")
        if move is not None and move.missing_milli:
            there = decimal_text(-quantity - move.missing_milli)
            came = f"adjust of {name} by {decimal_text(quantity)} at {place}"
            return Refusal(came, f"at most {there} less: no more is there", "Count again, or name the right stage.")
        return None

    def product(self, entry: Candidate) -> Refusal | None:
        """Check a product: unit and decimals are kept while an order is open, and it does not contain itself."""
        name = str(entry.data.get("product"))
        before = self._all_products().get(name)
        if before is not None:
            for field, default in (("unit", "pcs"), ("decimals", 0)):
                old, new = before.get(field), entry.data.get(field)
                old, new = default if old is None else old, default if new is None else new
                if old != new and self._certain and (order := self._open_order(name)) is not None:
                    return Refusal(
                        f"product.define of {name} with {field} {new}",
                        f"{old}, as long as an order of it is open: {order}",
                        "Close its orders first, or define a new product.",
                    )
        path = self._path(name, entry.data)
        if path is None:
            return self.unchanged(entry)
        came = f"product.define of {name} made of {' of '.join(path)}"
        return Refusal(came, "no product that contains itself", "Remove one of these components.")

    def unchanged(self, entry: Candidate) -> Refusal | None:
        """Check a definition, a price, a binding or a name against the one that holds already."""
        if not self._certain:
            return None
        found: Unchanged | None
        if entry.what == NAME:
            name = str(entry.data.get("item"))
            known = name in self._names and name not in self._uncertain and entry.holds_from_us is None
            found = named(name, entry.data, self._names[name]) if known else None
        elif entry.what == BIND:
            found = None if self._is_behind() else self._definitions.bound(entry.data, entry.holds_from_us)
        else:
            found = self._definitions.defined(entry.what, entry.data, entry.holds_from_us)
        return None if found is None else Refusal(*found, unchanged=True)

    def count(self, entry: Candidate) -> Refusal | None:
        """Check an entry about a count; a line is booked only where the state of its item is certain."""
        found = count_refusal(self._definitions, entry.what, entry.data) if self._certain else None
        if found is not None:
            return Refusal(*found, 409)
        return self._booked(entry) if entry.what == ACCEPT else None

    def _booked(self, entry: Candidate) -> Refusal | None:
        name = str(entry.data.get("item"))
        came = f"count.accept of {name} at {entry.data.get('stage')}"
        if not self._is_certain(name):
            return Refusal(came, "an item that is up to date", "Try again in a moment.", 409)
        if not entry.data.get("booked"):
            return None
        state = self._items.get(name)
        if state is None:
            return Refusal(came, "an item that was scanned or released", "Release it, or bind its code first.", 409)
        step = self._step(entry, state)
        if isinstance(step, str):
            return Refusal(came, "a quantity within the limits of an account", f"{step}.")
        move = step.movement
        if move is not None and move.closed:
            return Refusal(f"{came}, which is closed", "an open order", "Take its closing back first.", 409)
        if move is not None and move.missing_milli:
            do = "It moved since it was counted: count it again, or reject the line with the reason."
            return Refusal(came, f"{decimal_text(move.missing_milli)} more than is there now", do, 409)
        return None

    def _all_products(self) -> dict[str, dict[str, Any]]:
        """The newest definition of each product: projected, then pending."""
        if self._products is None:
            c = definition.c
            query = select(c.name, c.data).where(c.what == "product.define").order_by(c.holds_from_us, c.key_us, c.id)
            rows = self._connection.execute(query)
            self._products = {row.name: msgspec.json.decode(row.data) for row in rows}
            for entry in self._pending:
                if entry.what == "product.define":
                    self._products[str(entry.data.get("product"))] = entry.data
        return self._products

    def _open_order(self, product: str) -> str | None:
        """An order of a product that is not closed."""
        c = item.c
        query = select(c.item).where(and_(c.product == product, c.status != "closed", c.released_us.is_not(None)))
        known = [name for name, state in self._items.items() if state is not None and state.closed]
        for name in self._connection.execute(query.order_by(c.item).limit(len(known) + 1)).scalars():
            if name not in known:
                return str(name)
        for name, state in self._items.items():
            is_open = state is not None and state.released_us is not None and not state.closed
            if is_open and state is not None and state.header.product == product:
                return name
        return None

    def _path(self, goal: str, data: dict[str, Any]) -> list[str] | None:
        """The chain of components from a new bill back to its product; None where there is none."""
        bills = {**self._all_products(), goal: data}
        came_from: dict[str, str] = {}
        queue = [goal]
        for product in queue:
            for component in _components(bills.get(product, {})):
                if component == goal:
                    path = [goal, product]
                    while path[-1] != goal:
                        path.append(came_from[path[-1]])
                    return path[-2::-1]
                if component not in came_from:
                    came_from[component] = product
                    queue.append(component)
        return None

    def void(self, entry: Candidate) -> Refusal | None:
        """Check a void: no void of the hub takes the event back already.

        A void of an event that has not arrived is accepted: it waits for the event.
        """
        log, seq = entry.data["log"], entry.data["seq"]
        mark, log_row, state = void_mark.c, schema.log.c, event_state.c
        same = and_(mark.target_log == bytes.fromhex(log), mark.target_seq == seq)
        own = and_(log_row.device.is_(None), log_row.station == HUB, state.status == "ok")
        query = select(mark.pos).join(event_state, state.pos == mark.pos)
        query = query.join(schema.log, log_row.log_id == mark.log_id).where(and_(same, own)).limit(1)
        if (log, seq) not in self._voided and self._connection.execute(query).first() is None:
            return None
        came = f"void of {log}:{seq}, which is taken back already"
        return Refusal(came, "an event with effect", "To bring it back, void the void that names it.")


_CHECKS: dict[str, Callable[[EntryChecks, Candidate], Refusal | None]] = {
    **dict.fromkeys(UNCHANGED, EntryChecks.unchanged),
    **dict.fromkeys(OF_ORDER, EntryChecks.order),
    **dict.fromkeys(COUNTS, EntryChecks.count),
    "adjust": EntryChecks.adjust,
    "product.define": EntryChecks.product,
    "void": EntryChecks.void,
    ANSWER: EntryChecks.answer,
}


def _named(entry: Candidate) -> str | None:
    name = entry.data.get("order") if entry.what in OF_ORDER else entry.data.get("item")
    return name if entry.what in OF_ITEM | {NAME} and isinstance(name, str) else None


def _items_of(entry: Candidate) -> set[str]:
    """The names of the items that a release adds."""
    items = entry.data.get("items")
    names = [one.get("item") if isinstance(one, dict) else one for one in items] if isinstance(items, list) else []
    return {identity_of_written(name) for name in names if isinstance(name, str)}


def _content(state: ItemState) -> ItemState:
    """The state without the time of its last event."""
    return msgspec.structs.replace(state, last=(0, "", 0), first_us=None)


def _amounts(state: ItemState) -> str:
    """The quantities on hold and not started, in words."""
    words = ((ParcelState.HELD, "on hold"), (ParcelState.RELEASED, "not started"))
    parts = []
    for name, word in words:
        parcels = [parcel for parcel in state.parcels if parcel.state == name]
        if parcels:
            known = all(parcel.qty_milli is not None for parcel in parcels)
            parts.append(f"{decimal_text(state.quantity(name)) if known else 'an unknown quantity'} {word}")
    return " and ".join(parts)


def _components(data: dict[str, Any]) -> Iterable[str]:
    return [str(line["component"]) for line in data.get("bom") or [] if isinstance(line, dict) and "component" in line]


def held_or_unstarted(connection: Connection, orders: Sequence[str]) -> dict[str, str]:
    """Of these orders, the ones with pieces on hold or not started: order -> the quantities in words."""
    left = {}
    for start in range(0, len(orders), AT_ONCE):
        chunk = list(orders[start : start + AT_ONCE])
        for row in connection.execute(select(item.c.item, item.c.state).where(item.c.item.in_(chunk))):
            words = _amounts(_STORED.decode(row.state).state)
            if words:
                left[row.item] = words
    return left
