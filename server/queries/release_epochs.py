"""Release epochs: the spans of time in which no routing and no bill of material changed.

An item keeps the routing and the bill of its release. Items that were released in one epoch have the same ones, so their
stock is summed together whatever the time of each release.

>>> epochs = Epochs((1_000, 2_000))
>>> [epochs.number(us) for us in (None, 999, 1_000, 1_999, 2_000)]
[-1, 0, 1, 1, 2]
>>> [epochs.number(epochs.time(number)) for number in (-1, 0, 1, 2)]
[-1, 0, 1, 2]
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, case, literal, literal_column

from station.core.master_data import MasterData

NOT_RELEASED = -1


class Epochs(NamedTuple):
    """The times (UTC us, ascending) at which an epoch ends and the next one begins; the first epoch is number 0."""

    begins: tuple[int, ...]

    @classmethod
    def of(cls, master_data: MasterData) -> "Epochs":
        """The epochs of the shop. The first version of a definition also holds for the time before it."""
        begins = {
            version.holds_from_us
            for what in ("product.define", "routing.define")
            for name in master_data.names(what)
            for version in master_data.versions(what, name)[1:]
        }
        return cls(tuple(sorted(begins)))

    def number(self, released_us: int | None) -> int:
        """The number of the epoch of a release; NOT_RELEASED for None."""
        return NOT_RELEASED if released_us is None else bisect_right(self.begins, released_us)

    def time(self, number: int) -> int | None:
        """A time in an epoch; None for NOT_RELEASED."""
        if number == NOT_RELEASED:
            return None
        return self.begins[number - 1] if number else (self.begins[0] - 1 if self.begins else 0)

    def column(self, released_us: ColumnElement[Any]) -> ColumnElement[Any]:
        """The number of the epoch of a column, by bisection."""
        return case(
            (released_us.is_(None), literal_column(str(NOT_RELEASED))),
            else_=_bisection(released_us, self.begins, 0),
        )


def _bisection(released_us: ColumnElement[Any], begins: Sequence[int], before: int) -> ColumnElement[Any]:
    if not begins:
        return literal_column(str(before))
    middle = len(begins) // 2
    return case(
        (released_us < literal(begins[middle], BigInteger), _bisection(released_us, begins[:middle], before)),
        else_=_bisection(released_us, begins[middle + 1 :], before + middle + 1),
    )
