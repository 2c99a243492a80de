"""Value movements: what happened to the value of work in process between two times, by line, component and stage.

They are the sums of the entries of the roll-forward, not divided: opening + lines = closing, to the thousandth of a micro. A
close stores those since the close before it in the heading of its listing, so that its journal stays as it was.
"""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection

from server.queries.closed_periods import ClosedPeriod, close_that_holds, stored_lines
from server.queries.roll_forward import Period, RollBy, ends_of, grain_of, position_at
from server.queries.value_entries import ValueEntry, ValueLine

Cell = tuple[str, str | None]
"""A component and a stage; None: between stages."""


class Movements(NamedTuple):
    """The value at the begin of a period and what changed it, in thousandths of micros. Ends UTC us.

    `known`: the position of the ledger at which the opening was known. `lines`: by line and cell.
    """

    from_us: int
    to_us: int
    known: int
    opening: dict[Cell, int]
    lines: dict[tuple[ValueLine, Cell], int]

    @property
    def closing(self) -> dict[Cell, int]:
        """The value at the end by cell."""
        sums = Counter(self.opening)
        for (_, cell), amount in self.lines.items():
            sums[cell] += amount
        return {cell: amount for cell, amount in sums.items() if amount}


def movements_since(connection: Connection, from_us: int | None, to_us: int, now_us: int, pos: int) -> Movements:
    """The movements between two times (UTC us), as known at the projected position; `from_us` None: from the first event.

    Where a close ends at `from_us`, the opening is what it stored; how far that differs from what is read as known at its
    position is late.
    """
    from_us = min(from_us or 0, to_us)
    closed = close_that_holds(connection, from_us)
    known = position_at(connection, from_us, pos, now_us) if closed is None else closed.known
    ends = ends_of(connection, Period(from_us, to_us, now_us, known, pos), grain_of(RollBy.STAGE))
    opening, lines = Counter[Cell](), Counter[tuple[ValueLine, Cell]]()
    for entry in ends.opening:
        opening[_cell(entry)] += entry.amount
    for entry in ends.between:
        lines[entry.line, _cell(entry)] += entry.amount
    stored = None if closed is None else _stored_cells(connection, closed)
    if stored is not None:
        for cell in stored.keys() | opening.keys():
            lines[ValueLine.LATE, cell] += opening[cell] - stored[cell]
        opening = stored
    return Movements(from_us, to_us, known, _plain(opening), _plain(lines))


def _cell(entry: ValueEntry) -> Cell:
    return entry.component, entry.form.stage


def _stored_cells(connection: Connection, closed: ClosedPeriod) -> Counter[Cell] | None:
    lines = stored_lines(connection, closed)
    if lines is None:
        return None
    cells: Counter[Cell] = Counter()
    for line in lines:
        for component, amount in line.leaves.items():
            cells[component, line.form.stage] += amount
    return cells


def _plain(sums: Mapping[Any, int]) -> dict[Any, int]:
    return {key: sums[key] for key in sorted(sums, key=_place) if sums[key]}


def _place(key: Any) -> tuple[str, ...]:
    line, (component, stage) = key if isinstance(key[0], ValueLine) else ("", key)
    return (str(line), component, "" if stage is None else f"+{stage}")


def heading_of(movements: Movements) -> dict[str, Any]:
    """The fields that the heading of a listing has of them."""
    return {
        "opened_us": movements.from_us,
        "opening_known": movements.known,
        "opening": [[*cell, amount] for cell, amount in movements.opening.items()],
        "movements": [[line.value, *cell, amount] for (line, cell), amount in movements.lines.items()],
    }


def stored_movements(encoded: bytes) -> Movements | None:
    """The movements in the heading of a listing; None in that of an earlier version, which stored none."""
    heading = json.loads(encoded.partition(b"\n")[0])
    if "movements" not in heading:
        return None
    opening = {(component, stage): amount for component, stage, amount in heading["opening"]}
    lines = {(ValueLine(line), (component, stage)): amount for line, component, stage, amount in heading["movements"]}
    return Movements(heading["opened_us"], heading["closed_us"], heading["opening_known"], opening, lines)
