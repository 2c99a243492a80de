"""Balance of one item while one item event is posted: its parcels and accounts, and every quantity that moved.

A withdrawal splits a parcel; a put makes the parcel at its new account, and a move. Outer accounts may become negative, the
accounts of parcels never do: a quantity that upstream does not have comes from `overrun`.
"""

from collections.abc import Sequence, ValuesView

import msgspec

from station.core.ledger.item_event import START, ItemEvent
from station.core.ledger.moves import FIRST_SEEN, Move
from station.core.ledger.parcel_spots import NONE, ParcelSpots
from station.core.ledger.parcels import BETWEEN, ENDED, LIVE, Account, ItemState, Parcel, ParcelState
from station.core.ledger.routing import Routing

Piece = Parcel  # a withdrawn parcel: still with the state and the account that it came from


class ItemBalance:
    """A working copy of an item's parcels and outer accounts, with the moves of one item event."""

    def __init__(self, state: ItemState, event: ItemEvent) -> None:
        self.item = state.item
        self._spots = ParcelSpots.of(state.parcels)
        self._written: list[int] = []  # the numbers of the parcels that this item event made or changed
        self.outer = dict(state.outer)
        self.routing = state.routing
        # An item that is tracked under an order has no quantity of its own that could be exceeded.
        self.released = state.released_us is not None and state.header.order in (None, state.item)
        self.closed = state.closed
        self.product = state.header.product
        self.scanned_at: int | None = None  # the operation at which this scan sees the pieces that it moves
        self.event = event
        self.moves: list[Move] = []
        self._earlier_moves = state.moves

    @property
    def parcels(self) -> ValuesView[Parcel]:
        """All parcels in their order."""
        return self._spots.numbered.values()

    def state_parcels(self) -> tuple[Parcel, ...]:
        """The parcels for the state after this item event, which ends the use of this balance."""
        return self._spots.state_parcels()

    def accounts(self, *states: str) -> list[Account]:
        """The accounts that hold parcels in any of these states, in the order of their first parcels."""
        return self._spots.accounts(*states)

    def at(self, account: Account) -> list[Parcel]:
        """The parcels at an account in the order of withdrawal: this carrier's, this station's, then first in, first out."""
        numbered = self._spots.numbered
        return [numbered[number] for number in self._numbers_at(account)]

    def _numbers_at(self, account: Account) -> Sequence[int]:
        numbers = self._spots.at.get(account, NONE)
        if len(numbers) < 2:
            return numbers
        event, numbered = self.event, self._spots.numbered
        carrier, station = event.carrier, event.station

        def order(number: int) -> tuple[bool, bool, int]:
            parcel = numbered[number]
            return (carrier is not None and parcel.carrier != carrier, parcel.station != station, parcel.since_us)

        return sorted(numbers, key=order)

    def holds(self, account: Account) -> bool:
        """Whether there is any parcel at an account, of known quantity or not."""
        return account in self._spots.at

    def withdraw(self, account: Account, want: int | None = None, reached_at_least: int | None = None) -> list[Piece]:
        """Withdraw `want` thousandths, or all (None), from an account; less where there is less.

        A parcel of unknown quantity is withdrawn only as a whole, where all is withdrawn. `reached_at_least` excludes the
        parcels that have not reached that operation.
        """
        pieces: list[Piece] = []
        for number in self._numbers_at(account):
            if want is not None and want <= 0:
                break
            parcel = self._spots.numbered[number]
            if reached_at_least is not None and (parcel.reached is None or parcel.reached < reached_at_least):
                continue
            piece = _part_of(parcel, want)
            if piece is None:
                continue
            want = None if want is None else want - (piece.qty_milli or 0)
            self._remove(account, number, piece)
            pieces.append(piece)
        return pieces

    def withdraw_newest(self, account: Account, qty_milli: int | None) -> list[Piece]:
        """Withdraw the parcel that was added last where it is at this account with this quantity; else nothing."""
        number, newest = next(reversed(self._spots.numbered.items()))
        if newest.account != account or newest.qty_milli != qty_milli:
            return []
        self._spots.remove(account, number)
        return [newest]

    def _remove(self, account: Account, number: int, piece: Piece) -> None:
        parcel = self._spots.numbered[number]
        if piece is parcel:
            self._spots.remove(account, number)
        else:
            left = (parcel.qty_milli or 0) - (piece.qty_milli or 0)
            self._replace(number, msgspec.structs.replace(parcel, qty_milli=left))

    def _replace(self, number: int, parcel: Parcel) -> None:
        self._spots.numbered[number] = parcel
        self._written.append(number)

    def first_seen(self) -> Piece:
        """A piece of an item that was never scanned before: of unknown quantity and without a source."""
        return Parcel(state=FIRST_SEEN, since_us=self.event.key_us, at_stage_since_us=self.event.key_us)

    def from_outer(self, account: str, qty_milli: int) -> Piece:
        """Withdraw a quantity from an outer account."""
        self.outer[account] = self.outer.get(account, 0) - qty_milli
        key_us = self.event.key_us
        return Parcel(state=account, qty_milli=qty_milli, since_us=key_us, at_stage_since_us=key_us)

    def to_outer(self, pieces: list[Piece], account: str) -> int:
        """Put pieces to an outer account; returns their quantity in thousandths."""
        for piece in pieces:
            self.outer[account] = self.outer.get(account, 0) + (piece.qty_milli or 0)
            self._moved(piece, Parcel(state=account, qty_milli=piece.qty_milli))
        return sum(piece.qty_milli or 0 for piece in pieces)

    def put(
        self, pieces: list[Piece], target: Account, held_from: str | None = None, reason: str | None = None
    ) -> None:
        """Put pieces to an account, with this item event's station, operator and carrier."""
        for piece in pieces:
            parcel = self._arrived(piece, target, held_from, reason)
            self._moved(piece, parcel)
            self._add(target, parcel)

    def _arrived(self, piece: Piece, target: Account, held_from: str | None, reason: str | None) -> Parcel:
        event, routing = self.event, self.routing
        entered, reached = piece.entered, piece.reached
        if routing is not None and (target.op is not None or target.state == ParcelState.FINISHED):
            passed: int | None = routing.operations[-1].op
            stood = passed
            if target.op is not None:
                before = routing.before(target.op)
                passed = before.op if before else None
                stood = target.op if target.state in (ParcelState.HERE, ParcelState.HELD) else passed
            if target.state != ParcelState.SCRAPPED:
                entered, reached = _further(entered, stood), _further(reached, passed)
        scanned = piece.scanned if self.scanned_at is None else with_operation(piece.scanned, self.scanned_at)
        same_place = (piece.op, piece.stage) == (target.op, target.stage)
        started = piece.started_us
        if started is None and target.state not in (ParcelState.RELEASED, ParcelState.SCRAPPED):
            started = event.key_us
        return Parcel(
            state=target.state,
            op=target.op,
            stage=target.stage,
            qty_milli=piece.qty_milli,
            since_us=event.key_us,
            at_stage_since_us=piece.at_stage_since_us if same_place else event.key_us,
            started_us=started,
            entered=entered,
            reached=reached,
            scanned=scanned,
            held_from=held_from,
            done_at=piece.stage if target == BETWEEN else None,
            carrier=event.carrier or piece.carrier,
            station=event.station or None,
            work_centre=event.work_centre or piece.work_centre,
            operator=event.operator,
            reason=reason,
            put_by=event.log,
            lo_us=event.lo_us,
            hi_us=event.hi_us,
            put=self._next_move(),
            placed_us=event.key_us,
            run_since_us=event.key_us if event.verb == START and target.state == ParcelState.HERE else None,
        )

    def start_run(self, account: Account, want: int | None = None) -> list[Piece]:
        """Begin the run of `want` thousandths, or all (None), that are at an account and wait to run; nothing moves.

        Returns the pieces whose run began.
        """
        begun: list[Piece] = []
        for number in self._numbers_at(account):
            parcel = self._spots.numbered[number]
            if parcel.run_since_us is not None:
                continue
            piece = _part_of(parcel, want)
            if piece is None:
                continue
            want = None if want is None else want - (piece.qty_milli or 0)
            self._remove(account, number, piece)
            self._add(account, self._restate(piece, msgspec.structs.replace(piece, run_since_us=self.event.key_us)))
            begun.append(piece)
        return begun

    def _add(self, account: Account, parcel: Parcel) -> None:
        """Add a parcel to its account, joined with one there that differs in nothing but its quantity and its move."""
        if parcel.qty_milli is not None:
            ended, since_us = parcel.state in ENDED, parcel.since_us
            for number in self._spots.at.get(account, NONE):
                other = self._spots.numbered[number]
                if other.qty_milli is None:
                    continue
                # Most parcels in process came at a time of their own, and need no further comparison.
                if _ends_as(other, parcel) if ended else other.since_us == since_us and _is_alike(other, parcel):
                    self._replace(number, msgspec.structs.replace(parcel, qty_milli=other.qty_milli + parcel.qty_milli))
                    return
        self._written.append(self._spots.add(account, parcel))

    def _moved(self, source: Parcel, target: Parcel, *, restated: bool = False, gives_quantity: bool = False) -> None:
        event = self.event
        self.moves.append(
            Move(
                number=self._next_move(),
                at_us=event.key_us,
                log=event.log,
                seq=event.seq,
                source=source,
                target=target,
                restated=restated,
                gives_quantity=gives_quantity,
            )
        )

    def _next_move(self) -> int:
        return self._earlier_moves + len(self.moves) + 1

    def _restate(self, parcel: Parcel, coordinates: Parcel) -> Parcel:
        """Record that a parcel has other coordinates from now on; returns it with them."""
        restated = msgspec.structs.replace(coordinates, put=self._next_move(), placed_us=self.event.key_us)
        self._moved(parcel, restated, restated=True)
        return restated

    def give_quantity(self, presence: Parcel, qty_milli: int, account: str) -> None:
        """Replace the parcel of unknown quantity by one with a quantity from an outer account, with the same times."""
        self._remove_unknown(presence)
        piece = self.from_outer(account, qty_milli)
        parcel = msgspec.structs.replace(presence, qty_milli=qty_milli)
        self._written.append(self._spots.add(parcel.account, parcel))
        self._moved(piece, parcel, gives_quantity=True)

    def drop_presence(self, presence: Parcel) -> None:
        """Remove the parcel of unknown quantity: all pieces of the item are in its other parcels."""
        self._remove_unknown(presence)
        self._moved(presence, Parcel(state=FIRST_SEEN), restated=True)

    def _remove_unknown(self, presence: Parcel) -> None:
        number = self._spots.unknown
        assert number is not None  # the caller has the parcel from `presence`
        self._spots.remove(presence.account, number)

    def unscanned_beyond(self, op: int) -> list[Parcel]:
        """The parcels of known quantity that passed an operation without a scan there, the nearest first."""
        numbered = self._spots.numbered
        return [numbered[number] for number in self._unscanned_beyond(op)]

    def _unscanned_beyond(self, op: int) -> list[int]:
        numbered = self._spots.numbered
        passed = [
            number
            for number, parcel in numbered.items()
            if parcel.entered is not None and parcel.entered > op and op not in parcel.scanned and parcel.qty_milli
        ]

        def order(number: int) -> tuple[bool, int, int]:
            parcel = numbered[number]
            return (parcel.op is None, parcel.op or 0, parcel.since_us)

        return sorted(passed, key=order) if len(passed) > 1 else passed

    def mark_scanned(self, op: int, want: int) -> int:
        """Mark `want` thousandths that passed an operation as scanned there; nothing moves. Returns how many there were."""
        left = want
        for number in self._unscanned_beyond(op):
            piece = _part_of(self._spots.numbered[number], left)
            if piece is None:
                break
            account = piece.account
            self._remove(account, number, piece)
            scanned = msgspec.structs.replace(piece, scanned=with_operation(piece.scanned, op))
            self._add(account, self._restate(piece, scanned))
            left -= piece.qty_milli or 0
        return want - left

    def greatest_milli(self) -> int:
        """The greatest quantity, on either side of zero, in an outer account or a parcel that this item event wrote."""
        numbered = self._spots.numbered
        greatest = 0
        for number in self._written:
            parcel = numbered.get(number)
            if parcel is not None and parcel.qty_milli is not None and parcel.qty_milli > greatest:
                greatest = parcel.qty_milli
        for quantity in self.outer.values():
            if not -greatest <= quantity <= greatest:
                greatest = abs(quantity)
        return greatest

    def has_moved(self, before: ItemState) -> bool:
        """Whether this item event changed a parcel of the item as it was `before`."""
        for move in self.moves:
            if not move.restated or move.posting is not None:
                return True
        return len(self.parcels) != len(before.parcels)

    def known(self) -> bool:
        """Whether anything of the item has been scanned or counted before."""
        return bool(self._spots.numbered) or bool(self.outer)

    def live(self) -> bool:
        """Whether any of it is in process."""
        return not LIVE.isdisjoint([account[0] for account in self._spots.at])

    def route(self) -> None:
        """Assign parcels from before the order had its routing to operations of the routing, without moving them."""
        for number, parcel in list(self._spots.numbered.items()):
            routed = routed_parcel(parcel, self.routing) if self.routing and parcel.op is None else parcel
            if routed != parcel:
                self._spots.move(parcel.account, number, self._restate(parcel, routed))
                self._written.append(number)

    def presence(self) -> Parcel | None:
        """The parcel of unknown quantity, where the item has one."""
        number = self._spots.unknown
        return None if number is None else self._spots.numbered[number]


def _part_of(parcel: Parcel, want: int | None) -> Piece | None:
    """What of a parcel meets `want` thousandths, or all of it (None); None where it is nothing."""
    if want is None:
        return parcel
    if parcel.qty_milli is None or want <= 0:
        return None
    return parcel if parcel.qty_milli <= want else msgspec.structs.replace(parcel, qty_milli=want)


def _is_alike(other: Parcel, parcel: Parcel) -> bool:
    """Whether two parcels differ in nothing but their quantity and their move."""
    return msgspec.structs.replace(other, qty_milli=parcel.qty_milli, put=parcel.put) == parcel


def routed_parcel(parcel: Parcel, routing: Routing) -> Parcel:
    """A parcel assigned to a routing: at the operation of its stage, or behind the operation that it was done at."""
    if parcel.state == ParcelState.FINISHED:
        last = routing.operations[-1].op
        return msgspec.structs.replace(parcel, entered=last, reached=last)
    operations = routing.at_stage(parcel.stage or parcel.done_at)
    if not operations:
        return parcel
    op = operations[0].op
    seen = with_operation(parcel.scanned, op)  # the scan that put it there was at this stage
    if parcel.state == ParcelState.WAITING:
        following = routing.after(op)
        if following is None:
            return msgspec.structs.replace(parcel, entered=op, reached=op, scanned=seen)
        return msgspec.structs.replace(
            parcel, op=following.op, stage=following.stage, entered=op, reached=op, done_at=None, scanned=seen
        )
    before = routing.before(op)
    return msgspec.structs.replace(parcel, op=op, entered=op, reached=before.op if before else None, scanned=seen)


def with_operation(scanned: tuple[int, ...], op: int) -> tuple[int, ...]:
    """The operations with one more, in ascending order."""
    return scanned if op in scanned else tuple(sorted((*scanned, op)))


def _ends_as(other: Parcel, parcel: Parcel) -> bool:
    """Whether two ended parcels of one account count as one."""
    return (
        other.entered == parcel.entered
        and other.reached == parcel.reached
        and other.scanned == parcel.scanned
        and other.reason == parcel.reason
    )


def _further(first: int | None, second: int | None) -> int | None:
    if first is None or second is None:
        return first if second is None else second
    return max(first, second)
