"""Stage pieces: the pieces at one stage in the order of their arrival, from which all its ages are computed.

>>> pieces = StagePieces()
>>> for name, arrived_us in (("A", 3_000_000), ("B", 1_000_000), ("C", 2_000_000)):
...     pieces.add(name, arrived_us, held=name == "C")
>>> pieces.sum(2_000_000)
StageSum(held_items=1, late_items=2, rows=3, oldest_us=1000000, median_us=2000000)
>>> pieces.bars(9_000_000, 20, 2_000_000)
[AgeBar(bar=12, rows=1, late=False, held=False), AgeBar(bar=14, rows=1, late=True, held=True), \
AgeBar(bar=16, rows=1, late=True, held=False)]
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from server.queries.stage_ages import BARS, SECOND_US, AgeBar, PieceAge, StageSum


class StagePieces:
    """The arrivals (UTC us) of the begun pieces at a stage, ascending, with their items and whether they are held."""

    __slots__ = ("_arrived_us", "_held", "_names")

    def __init__(self) -> None:
        self._arrived_us = array("q")
        self._names: list[str] = []
        self._held = bytearray()

    def __len__(self) -> int:
        return len(self._names)

    def copy(self) -> "StagePieces":
        """The same pieces."""
        other = StagePieces()
        other._arrived_us, other._names, other._held = self._arrived_us[:], self._names[:], self._held[:]
        return other

    def append(self, name: str, arrived_us: int, *, held: bool) -> None:
        """Add a piece out of order; `sort` must follow."""
        self._arrived_us.append(arrived_us)
        self._names.append(name)
        self._held.append(held)

    def sort(self) -> None:
        """Order what was appended."""
        arrived_us = self._arrived_us
        places = sorted(range(len(arrived_us)), key=arrived_us.__getitem__)
        self._arrived_us = array("q", [arrived_us[place] for place in places])
        self._names = [self._names[place] for place in places]
        self._held = bytearray(self._held[place] for place in places)

    def add(self, name: str, arrived_us: int, *, held: bool) -> None:
        """Add a piece at its place."""
        place = bisect_right(self._arrived_us, arrived_us)
        self._arrived_us.insert(place, arrived_us)
        self._names.insert(place, name)
        self._held.insert(place, held)

    def remove(self, name: str, arrived_us: int, *, held: bool) -> None:
        """Remove a piece. Raises `ValueError` for one that is not here."""
        place = bisect_left(self._arrived_us, arrived_us)
        end = bisect_right(self._arrived_us, arrived_us, place)
        while True:
            place = self._names.index(name, place, end)
            if self._held[place] == held:
                break
            place += 1
        del self._arrived_us[place], self._names[place], self._held[place]

    def arrived_until(self, time_us: int) -> set[str]:
        """The items with a piece that arrived at or before a time."""
        return set(self._names[: bisect_right(self._arrived_us, time_us)])

    def held(self) -> set[str]:
        """The items with a held piece."""
        return {self._names[place] for place in self._held_places()}

    def _held_places(self) -> Iterator[int]:
        place = self._held.find(1)
        while place >= 0:
            yield place
            place = self._held.find(1, place + 1)

    def sum(self, late_us: int | None) -> StageSum:
        """`late_us`: the last arrival that is past the target; None for a stage without one. There must be a piece."""
        late = 0 if late_us is None else len(self.arrived_until(late_us))
        arrived_us = self._arrived_us
        return StageSum(len(self.held()), late, len(arrived_us), arrived_us[0], arrived_us[len(arrived_us) // 2])

    def ages(self, late_us: int | None) -> list[PieceAge]:
        """Each piece."""
        pieces = zip(self._names, self._arrived_us, self._held, strict=True)
        return [PieceAge(name, us, late_us is not None and us <= late_us, bool(held)) for name, us, held in pieces]

    def bars(self, at_us: int, span_s: int, late_us: int | None) -> list[AgeBar]:
        """The pieces by age at a time, in BARS bars that together are `span_s` seconds; without the empty ones.

        Bar b has the ages from b * span_s / BARS on, rounded up to a second, the last one all older ones.
        """
        found = []
        end = len(self._arrived_us)
        for bar in range(BARS):
            to_us = at_us - -(-(bar + 1) * span_s // BARS) * SECOND_US  # the last arrival of the next bar
            begin = bisect_right(self._arrived_us, to_us, 0, end) if bar < BARS - 1 else 0
            if begin < end:
                late = late_us is not None and self._arrived_us[end - 1] <= late_us
                held = self._held.count(0, begin, end) == 0
                found.append(AgeBar(bar, end - begin, late, held))
            end = begin
        return found
