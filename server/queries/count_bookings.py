"""Count bookings: what accepting a line of a count books, and why a line cannot be booked.

What is booked is the difference that was found at the moment of the scan, not the quantity that was counted: what moved
since then moved by the ledger and on the floor alike, and the difference stays. It stays true only while the pieces that it
concerns are where they were counted. A line whose pieces left since, or whose item was adjusted since, is not booked.

- `differs`: more or less at its stage. `missing`: less, what never left the stage.
- `elsewhere`: what the ledger has at another stage, where it was not counted, moves from there; the rest is more.
- `found`: what the order has not started moves from there; the rest is more.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, and_, select

from server.db.given_values import in_parts, is_one_of
from server.projection.tables import item as item_table
from server.projection.tables import move
from server.queries.count_decisions import CountDecision
from server.queries.count_lines import CountLine, LineKind
from server.queries.counts import Count
from server.queries.current_stock import stock_of
from server.queries.stage_balances import IN_PROCESS, At
from station.core.ledger.parcels import ParcelState
from station.core.master_data import MasterData
from station.core.quantity import decimal_text

DECIDED = frozenset({LineKind.DIFFERS, LineKind.MISSING, LineKind.ELSEWHERE, LineKind.FOUND, LineKind.UNKNOWN})
ADJUSTED, OVERRUN = "adjusted", "overrun"
AGAIN = "Count it again in a new count, and reject this line with the reason."


class Obstacle(NamedTuple):
    """Why a line cannot be booked, and what to do."""

    why: str
    do: str


CLOSED = Obstacle("its order is closed", "Take the closing back, or reject the line with the reason.")


class CountBooking(NamedTuple):
    """A line without a decision, and the parts that accepting it books: `stage`, `qty_milli`, `from` of moved pieces.

    `etag` names the line as it is now: another scan, another difference or other parts give another one.
    """

    line: CountLine
    parts: tuple[dict[str, Any], ...]
    obstacle: Obstacle | None
    etag: str

    def is_above(self, limit: int | None) -> bool:
        """Whether a second person has to accept it: its value without sign is above the limit in micros, or not known."""
        return limit is not None and (self.line.micros is None or abs(self.line.micros) > limit)


class _Since(NamedTuple):
    """A move after a scan; a place is a stage in process, or an account in brackets."""

    at_us: int
    pos: int
    milli: int | None
    source: str
    target: str


def count_bookings(
    connection: Connection,
    count: Count,
    lines: Iterable[CountLine],
    decided: Mapping[At, CountDecision],
    shop: MasterData,
) -> dict[At, CountBooking]:
    """The bookings of the lines of a finished count that need a decision and have none, by item and stage."""
    waiting = [line for line in lines if line.kind in DECIDED and (line.item, line.stage) not in decided]
    if count.ended_us is None or not waiting:
        return {}
    items = sorted({line.item for line in waiting})
    released = _released(connection, sorted({line.item for line in waiting if line.kind is LineKind.FOUND}))
    own = {decision.pos for decision in decided.values()}
    since = _moves(connection, items, min(_counted_us(count, line) for line in waiting), own)
    closed, found, name_of = _closed(connection, items), {}, partial(shop.stage_name, at_us=count.ended_us)
    for line in waiting:
        parts = _parts(line, released.get(line.item, 0))
        released[line.item] = released.get(line.item, 0) - sum(
            part["qty_milli"] for part in parts if part.get("from") == ""
        )
        later = [one for one in since.get(line.item, ()) if one.at_us > _counted_us(count, line)]
        obstacle = (
            CLOSED
            if line.item in closed
            else _uncertain(line, shop, count.ended_us) or _moved(line, parts, later, name_of)
        )
        found[line.item, line.stage] = CountBooking(line, parts, obstacle, _etag(count, line, parts))
    return found


def _counted_us(count: Count, line: CountLine) -> int:
    return line.scan.at_us if line.scan is not None else count.ended_us or 0


def _parts(line: CountLine, released: int) -> tuple[dict[str, Any], ...]:
    if not line.difference_milli or line.kind is LineKind.UNKNOWN:
        return ()
    taken = line.taken
    if line.kind is LineKind.FOUND and released > 0:
        taken = (("", min(released, line.difference_milli)),)
    parts: list[dict[str, Any]] = [{"from": source, "stage": line.stage, "qty_milli": part} for source, part in taken]
    rest = line.difference_milli - sum(part for _, part in taken)
    return (*parts, {"stage": line.stage, "qty_milli": rest}) if rest else tuple(parts)


def _released(connection: Connection, items: list[str]) -> dict[str, int]:
    """What of each item is not started, in thousandths."""
    found: dict[str, int] = {}
    for part in in_parts(items):
        for row in stock_of(connection, list(part)):
            if row.state == ParcelState.RELEASED:
                found[row.item] = found.get(row.item, 0) + (row.qty_milli or 0)
    return found


def _closed(connection: Connection, items: list[str]) -> set[str]:
    """Of these items, those whose order is closed."""
    found: set[str] = set()
    for part in in_parts(items):
        query = select(item_table.c.item).where(is_one_of(connection, item_table.c.item, part))
        found.update(connection.execute(query.where(item_table.c.closed_us.is_not(None))).scalars())
    return found


def _moves(connection: Connection, items: list[str], after_us: int, own: set[int]) -> dict[str, list[_Since]]:
    """The moves of items after a time, without those of the decisions of this count and those within a place."""
    c, found = move.c, dict[str, list[_Since]]()
    columns = (c.item, c.at_us, c.pos, c.qty_milli, c.from_state, c.from_stage, c.to_state, c.to_stage)
    for part in in_parts(items):
        query = select(*columns).where(and_(is_one_of(connection, c.item, part), c.at_us > after_us))
        for item, at_us, pos, milli, *ends in connection.execute(query.order_by(c.item, c.n)):
            source, target = _place(ends[0], ends[1]), _place(ends[2], ends[3])
            if source != target and pos not in own:
                found.setdefault(item, []).append(_Since(at_us, pos, milli, source, target))
    return found


def _place(state: str, stage: str | None) -> str:
    return stage or "" if state in IN_PROCESS else f"({state})"


def _uncertain(line: CountLine, shop: MasterData, at_us: int) -> Obstacle | None:
    """What keeps a line from having a difference that can be booked."""
    name_of = partial(shop.stage_name, at_us=at_us)
    if line.kind is LineKind.UNKNOWN:
        return Obstacle(
            "its code names nothing in the ledger", "Release the order, or bind the code; then accept the line."
        )
    if line.difference_milli is None:
        return Obstacle("its difference is not known", "Count it with a card QTY in a new count, and reject this line.")
    if line.twice:
        stages = ", ".join(name_of(stage) for stage, _ in line.also)
        return Obstacle(
            f"it was counted at {stages} too, which together is more than there is",
            "Take back the scan at the stage where it is not, on the page of the item.",
        )
    product = shop.at("product.define", line.product, at_us) if line.product else None
    decimals = 0 if product is None else product.data.get("decimals") or 0
    counted = line.scan.qty_milli if line.scan is not None else None
    if product is not None and counted is not None and counted % 10 ** (3 - decimals):
        return Obstacle(
            f"{decimal_text(counted)} were counted, and its unit has {decimals or 'no'} decimals",
            "Take back the scan with the wrong quantity, on the page of the item.",
        )
    return None


def _moved(
    line: CountLine, parts: tuple[dict[str, Any], ...], later: list[_Since], name_of: Callable[[str], str]
) -> Obstacle | None:
    """What moved since the scan in a way that makes the difference wrong."""
    there = {stage: milli or 0 for stage, milli in line.elsewhere} | {line.stage: line.expected_milli or 0}
    touched = {line.stage, *(part["from"] for part in parts if part.get("from"))}
    if any(f"({ADJUSTED})" in (one.source, one.target) and touched & {one.source, one.target} for one in later):
        return Obstacle("it was adjusted since, by hand or by another count", AGAIN)
    if any(one.milli is None for one in later):
        return Obstacle("it moved since, in an unknown quantity", AGAIN)
    if line.kind is LineKind.FOUND and any(one.target != f"({ParcelState.RELEASED})" for one in later):
        return Obstacle("it was scanned since and has moved", AGAIN)
    gone = {stage: sum(one.milli or 0 for one in later if one.source == stage) for stage in touched}
    for part in parts:
        source, milli = part.get("from", line.stage), part["qty_milli"]
        if source and ("from" in part or milli < 0) and there.get(source, 0) - gone[source] < abs(milli):
            left = max(there.get(source, 0) - gone[source], 0)
            why = f"it moved since: {decimal_text(left)} of what was at {name_of(source)} is left there"
            return Obstacle(why, AGAIN)
        if milli > 0 and any(one.source == f"({OVERRUN})" for one in later):
            return Obstacle("more than the ledger had was scanned since, which may be the same pieces", AGAIN)
        if milli > 0 and line.expected_milli and there[line.stage] <= gone[line.stage]:
            return Obstacle(f"all that the ledger had at {name_of(line.stage)} has left since", AGAIN)
        if milli > 0 and not line.expected_milli and any(line.stage in (one.source, one.target) for one in later):
            return Obstacle(f"it was scanned at {name_of(line.stage)} since", AGAIN)
    return None


def _etag(count: Count, line: CountLine, parts: tuple[dict[str, Any], ...]) -> str:
    scan = None if line.scan is None else line.scan.pos
    content = msgspec.json.encode(
        (count.name, line.item, line.stage, line.kind, line.difference_milli, scan, parts), order="sorted"
    )
    return sha256(content).hexdigest()[:20]
