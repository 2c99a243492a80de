"""Parcel spots: the parcels of one item in their order, keyed by their spot, so that a step looks at one spot only.

A spot is the account of a parcel. Each parcel has a number that keeps its place in the order of all parcels: one that
replaces another takes over its number, a new one is the last.

>>> saw = Account("here", None, "saw")
>>> spots = ParcelSpots.of((Parcel(state="here", stage="saw", qty_milli=2), Parcel(state="finished", qty_milli=3)))
>>> number = spots.add(saw, Parcel(state="here", stage="saw", qty_milli=5))
>>> spots.at[saw], [str(account) for account in spots.accounts("finished", "here")]
((0, 2), ['here@saw', 'finished'])
>>> spots.remove(saw, 0)
>>> [parcel.qty_milli for parcel in spots.numbered.values()]
[3, 5]
"""

from collections.abc import Iterable

from station.core.ledger.parcels import Account, Parcel, account_at

FEW = 4  # an index of so few parcels is made as fast as it is copied
NONE: tuple[int, ...] = ()


class ParcelSpots:
    """The parcels of an item by their numbers, in their order, and `at` each spot their numbers, ascending.

    `unknown`: the number of the parcel of unknown quantity; an item has at most one.
    """

    __slots__ = ("at", "following", "numbered", "unknown")

    def __init__(
        self, numbered: dict[int, Parcel], at: dict[Account, tuple[int, ...]], unknown: int | None, following: int
    ) -> None:
        self.numbered, self.at, self.unknown, self.following = numbered, at, unknown, following

    @classmethod
    def of(cls, parcels: Iterable[Parcel]) -> "ParcelSpots":
        """The index of the parcels of a state; a copy of the index that the state already has."""
        if isinstance(parcels, IndexedParcels):
            spots = parcels.spots
            return cls(spots.numbered.copy(), spots.at.copy(), spots.unknown, spots.following)
        numbered = dict(enumerate(parcels))
        at: dict[Account, tuple[int, ...]] = {}
        unknown = None
        for number, parcel in numbered.items():
            account = account_at(parcel.state, parcel.op, parcel.stage)
            at[account] = (*at[account], number) if account in at else (number,)
            if parcel.qty_milli is None:
                unknown = number
        return cls(numbered, at, unknown, len(numbered))

    def state_parcels(self) -> tuple[Parcel, ...]:
        """The parcels as a state has them; of more than a few, with their index for the next event."""
        if len(self.numbered) <= FEW:
            return tuple(self.numbered.values())
        made = IndexedParcels(self.numbered.values())
        made.spots = self
        return made

    def accounts(self, *states: str) -> list[Account]:
        """The spots of these states that hold any, in the order of their first parcels."""
        found = [account for account in self.at if account[0] in states]
        return sorted(found, key=lambda account: self.at[account][0]) if len(found) > 1 else found

    def add(self, account: Account, parcel: Parcel) -> int:
        """Append a parcel of this account; returns its number."""
        number = self.following
        self.following = number + 1
        self.numbered[number] = parcel
        self.at[account] = (*self.at[account], number) if account in self.at else (number,)
        if parcel.qty_milli is None:
            self.unknown = number
        return number

    def move(self, account: Account, number: int, parcel: Parcel) -> None:
        """Replace a parcel of this account in its place by one of any account."""
        self._leave(account, number)
        self.numbered[number] = parcel
        self.at[parcel.account] = tuple(sorted((*self.at.get(parcel.account, NONE), number)))

    def remove(self, account: Account, number: int) -> None:
        """Remove a parcel of this account."""
        self._leave(account, number)
        del self.numbered[number]
        if number == self.unknown:
            self.unknown = None

    def _leave(self, account: Account, number: int) -> None:
        numbers = self.at[account]
        if len(numbers) == 1:
            del self.at[account]
        else:
            place = numbers.index(number)
            self.at[account] = numbers[:place] + numbers[place + 1 :]


class IndexedParcels(tuple[Parcel, ...]):  # noqa: SLOT001 - a tuple cannot have slots with content
    """The parcels of a state, equal to a plain tuple of them, with the index by spot that led to them.

    The index is not changed any more: `ParcelSpots.of` copies it, which takes no look at each parcel.
    """

    spots: ParcelSpots
