"""Value entries: what a move adds to the value of work in process or takes from it, by line and component.

A move is a posting of pieces from one form to another. Its pieces have a value before and after it, at the standard costs of
its time. The difference is what it added: material that was issued, labour, overhead, outside work. Where the pieces leave
the work in process, their whole value leaves it too. So the entries of all moves of a period, and the changes of costs
between them, are the difference of the values at its ends, exactly.

>>> bar, labour = {"bar": 2}, {"bar": 2, "labour": 1}
>>> here = PricedForm("here", "saw", None, None, None, 0, "WO-1", "", None, None, ())
>>> packed = here._replace(state="finished", stage="pack")
>>> [(entry.line.value, entry.component, entry.amount) for entry in move_entries(here, packed, bar, labour, 1000, False)]
[('finished', 'bar', -2000), ('labour', 'labour', 1000), ('finished', 'labour', -1000)]
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

from server.queries.current_stock import StockRow
from server.queries.valuation import Valuation
from station.core.ledger.costs import CONVERSION
from station.core.ledger.parcels import ENDED, LIVE, ParcelState

IN_PROCESS = LIVE - {ParcelState.RELEASED}
ADJUSTED = "adjusted"
CLOSE = "order.close"


class ValueLine(StrEnum):
    """A line of the roll-forward between the opening and the closing value, in the order of the page.

    MOVED: from one row to another one, zero over all rows. LATE: what was recorded after the opening about earlier times.
    """

    LATE = "late"
    MATERIAL = "material"
    LABOUR = "labour"
    OVERHEAD = "overhead"
    OUTSIDE = "outside"
    FINISHED = "finished"
    NORMAL_SCRAP = "normal_scrap"
    SCRAPPED = "abnormal_scrap"
    COUNTS = "counts"
    CLOSES = "closes"
    REVALUED = "revaluation"
    MOVED = "moved"


_END = {ParcelState.FINISHED: ValueLine.FINISHED, ParcelState.SCRAPPED: ValueLine.SCRAPPED}


class PricedForm(NamedTuple):
    """One thousandth of an item in one form: what its value depends on, and what its row in a table is.

    `item` is empty where pieces of several items are one sum.
    """

    state: str
    stage: str | None
    product: str | None
    routing: str | None
    released_us: int | None
    ordered_milli: int
    order: str
    item: str
    entered: int | None
    reached: int | None
    scanned: tuple[int, ...]
    operation_number: int | None = None
    customer: str | None = None

    @property
    def qty_milli(self) -> int:
        """One thousandth: a value is then in micros of one unit."""
        return 1

    @property
    def in_process(self) -> bool:
        """Whether it counts as work in process."""
        return self.state in IN_PROCESS

    @property
    def operation(self) -> str | None:
        """The operation with its routing, which gives the number its meaning."""
        return None if self.operation_number is None else f"{self.routing or ''}/{self.operation_number}"

    @property
    def place(self) -> tuple[str | None, ...]:
        """What the rows by stage, operation, product, order and customer are."""
        return (self.stage, self.operation, self.product, self.order, self.customer)


class Grain(NamedTuple):
    """Which pieces are kept apart beyond what their value depends on.

    `stage`: with the operation; `order`: with its customer; `item`: each posting too; `scrap`: that of scrap.
    """

    stage: bool = False
    order: bool = False
    item: bool = False
    scrap: bool = False


class Posting(NamedTuple):
    """The move of an entry: its number within its item, its event, both accounts, and its thousandths."""

    number: int
    pos: int
    source: str
    target: str
    milli: int


class ValueEntry(NamedTuple):
    """An amount on a line, in thousandths of micros, of one component; `form`: the pieces whose row it is in.

    `at_us` and `posting` None: of a sum of moves; `posting` None: standing pieces whose value changed. `scrap`: item and
    number of a move to or from scrap, where these moves are kept apart.
    """

    line: ValueLine
    component: str
    amount: int
    form: PricedForm
    at_us: int | None = None
    posting: Posting | None = None
    scrap: tuple[str, int] | None = None


def part_of(posting: Posting | None, line: ValueLine, normal_milli: int) -> Posting | None:
    """The posting of an entry: of a move to or from scrap the pieces that are on its line, normal or abnormal."""
    if posting is None or not normal_milli or line not in (ValueLine.NORMAL_SCRAP, ValueLine.SCRAPPED):
        return posting
    normal = line == ValueLine.NORMAL_SCRAP
    return posting._replace(milli=normal_milli if normal else posting.milli - normal_milli)


def account(state: str, stage: str | None) -> str:
    """The account of a posting as text; that of pieces which no scan had seen before is empty."""
    return f"{state}@{stage}" if stage else state


def form_of(row: StockRow, grain: Grain) -> PricedForm:
    """The form of a stock row."""
    return PricedForm(
        row.state, (row.stage or None) if grain.stage else None, row.product, row.routing, row.released_us,
        row.ordered_milli, row.order if grain.order else "", row.item if grain.item else "",
        row.entered, row.reached, row.scanned, row.operation if grain.stage else None,
        row.customer if grain.order else None,
    )  # fmt: skip


def unit_value(form: PricedForm, valuation: Valuation) -> dict[str, int]:
    """The micros of one unit in a form, by component."""
    value = valuation.of(form)
    return {} if value is None else value.leaves


def cost_line(component: str) -> ValueLine:
    """The line on which a component enters the work in process."""
    return ValueLine(component) if component in CONVERSION else ValueLine.MATERIAL


def move_entries(
    source: PricedForm,
    target: PricedForm,
    before: Mapping[str, int],
    after: Mapping[str, int],
    milli: int,
    by_close: bool,
    normal_milli: int = 0,
) -> Iterator[ValueEntry]:
    """The entries of a move of `milli` thousandths. `before`, `after`: micros of one unit in each form, by component.

    `by_close`: the move to `adjusted` is that of a closed order, not of a count. `normal_milli`: how many of them are normal
    scrap, of a move to scrap or back from it.
    """
    for entry in _entries(source, target, before, after, milli, by_close):
        if normal_milli and entry.line == ValueLine.SCRAPPED:
            normal = entry.amount // milli * normal_milli  # exact: the amount is that of one thousandth, times `milli`
            yield entry._replace(line=ValueLine.NORMAL_SCRAP, amount=normal)
            entry = entry._replace(amount=entry.amount - normal)  # noqa: PLW2901
        if entry.amount:
            yield entry


def _entries(
    source: PricedForm,
    target: PricedForm,
    before: Mapping[str, int],
    after: Mapping[str, int],
    milli: int,
    by_close: bool,
) -> Iterator[ValueEntry]:
    was, ends = source.in_process, _END.get(target.state)
    if not was and not target.in_process and (ends is None or not _is_origin(source)):
        return
    adjusts = ADJUSTED in (source.state, target.state)
    for component in sorted(before.keys() | after.keys()):
        old, new = before.get(component, 0) * milli, after.get(component, 0) * milli
        if adjusts:
            line = ValueLine.CLOSES if by_close else ValueLine.COUNTS
            entries = [ValueEntry(line, component, -old, source) if was else ValueEntry(line, component, new, target)]
        elif was and target.in_process:
            entries = _within(source, target, component, old, new)
        elif was:
            # Pieces that go back to an account of what is not started take back what was issued.
            added = new - old if ends else -old
            entries = [ValueEntry(cost_line(component), component, added, source)]
            entries += [ValueEntry(ends, component, -new, source)] if ends else []
        else:
            entries = _entering(source, target, component, old, new)
        yield from entries


def _is_origin(form: PricedForm) -> bool:
    """Whether pieces in it are not in process yet: ordered, released, beyond the order, or not seen by any scan."""
    return form.state not in ENDED and not form.in_process and form.state != ADJUSTED


def _within(source: PricedForm, target: PricedForm, component: str, old: int, new: int) -> list[ValueEntry]:
    """Work is earned where the pieces were, material is issued where they are."""
    is_work = component in CONVERSION
    entries = [ValueEntry(cost_line(component), component, new - old, source if is_work else target)]
    if source.place != target.place:
        carried = new if is_work else old
        entries.append(ValueEntry(ValueLine.MOVED, component, -carried, source))
        entries.append(ValueEntry(ValueLine.MOVED, component, carried, target))
    return entries


def _entering(source: PricedForm, target: PricedForm, component: str, old: int, new: int) -> list[ValueEntry]:
    """Pieces that come from outside of the process into it, or pass through it in one move to their end."""
    came_back, ends = _END.get(source.state), _END.get(target.state)
    if came_back is not None:
        return [
            ValueEntry(came_back, component, old, target),
            ValueEntry(cost_line(component), component, new - old, target),
        ]
    entries = [ValueEntry(cost_line(component), component, new, target)]
    return [*entries, ValueEntry(ends, component, -new, target)] if ends is not None else entries


def revaluation(
    old: PricedForm, new: PricedForm, before: Mapping[str, int], after: Mapping[str, int], milli: int
) -> Iterator[ValueEntry]:
    """The entries of standing pieces whose costs changed, or what is known of their order."""
    for component in sorted(before.keys() | after.keys()):
        was, now = before.get(component, 0) * milli, after.get(component, 0) * milli
        if was and old.place != new.place:
            yield ValueEntry(ValueLine.MOVED, component, -was, old)
            yield ValueEntry(ValueLine.MOVED, component, was, new)
        if now != was:
            yield ValueEntry(ValueLine.REVALUED, component, now - was, new)
