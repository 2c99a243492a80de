"""Carriers: the reusable totes and pallets of the shop, what each holds now, and where it is.

A carrier is known to the shop where a code is bound to it (`as` = `carrier`), where a scanned or bound code matches a
pattern for carriers, where a bench bound it to an item, or where it holds a quantity in process.

As of a past time the same is read of the scans and bindings up to it, with the stock of that time. A binding of the office
also holds for the time before it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, true

from server.projection.internal_tables import no_item
from server.projection.ledger_row import rows_at
from server.projection.tables import binding, event_item, event_state, parcel
from server.queries.current_stock import StockRow, merged, stock_of
from station.core.codes import CodeType, binding_key
from station.core.ledger.parcels import LIVE
from station.core.printing import ShopCodes

AT_ONCE = 500  # names in one statement


class Content(NamedTuple):
    """What a carrier holds: an item, its quantity in thousandths (None: unknown), its place, and since when (UTC us).

    `since_us` None: the office bound it after the time of the page.
    """

    item: str
    product: str | None
    qty_milli: int | None
    stage: str | None
    state: str | None
    since_us: int | None


class Carrier(NamedTuple):
    """A carrier with its codes and its contents; `seen_us`, `seen_at`: its newest scan, None without one."""

    carrier: str
    codes: tuple[str, ...]
    contents: tuple[Content, ...] = ()
    seen_us: int | None = None
    seen_at: str | None = None


class PastStock(NamedTuple):
    """All stock as of a time (UTC us)."""

    at_us: int
    rows: Sequence[StockRow]


def carrier_codes(connection: Connection, shop: ShopCodes, past: PastStock | None = None) -> dict[str, tuple[str, ...]]:
    """Every known carrier, by name, with the codes that name it or are bound to what it holds; now or at a past time.

    `shop`: the codes at that time.
    """
    codes: dict[str, set[str]] = {}
    scanned = select(no_item.c.code)
    if past is not None:
        of_scan = event_state.c.pos == no_item.c.pos
        scanned = scanned.join(event_state, of_scan).where(event_state.c.key_us <= past.at_us)
    written = (select(binding.c.code).where(_holds(past)), scanned)
    for code in {code for query in written for code in connection.execute(query.distinct()).scalars()}:
        now = shop.bound.get(binding_key(code))
        if now is not None and now.as_ == CodeType.CARRIER:
            codes.setdefault(now.to, set()).add(code)
        elif now is None or now.as_ == CodeType.ITEM:
            for name in _carriers_of(code, shop):
                codes.setdefault(name, set()).add(code)
    bound = and_(_at_a_bench(past), binding.c.item.is_not(None))
    for name in connection.execute(select(binding.c.code).where(bound).distinct()).scalars():
        codes.setdefault(name, set()).add(name)
    for name in _holding(connection, past):
        codes.setdefault(name, set()).add(name)
    return {name: tuple(sorted(codes[name], key=lambda code: (len(code), code))) for name in sorted(codes)}


def _holds(past: PastStock | None) -> ColumnElement[bool]:
    """The condition for the bindings that hold, or held before another one, at the time."""
    return true() if past is None else or_(binding.c.from_office, binding.c.key_us <= past.at_us)


def _at_a_bench(past: PastStock | None) -> ColumnElement[bool]:
    """The condition for the bindings of scans up to the time."""
    at_a_bench = binding.c.from_office.is_(False)
    return at_a_bench if past is None else and_(at_a_bench, binding.c.key_us <= past.at_us)


def _holding(connection: Connection, past: PastStock | None) -> set[str]:
    """The carriers with a quantity in process."""
    if past is not None:
        return {row.carrier for row in past.rows if row.carrier is not None}
    held = select(parcel.c.carrier).where(and_(parcel.c.carrier.is_not(None), parcel.c.state.in_(LIVE)))
    return set(connection.execute(held.distinct()).scalars())


def _carriers_of(code: str, shop: ShopCodes) -> set[str]:
    """The carrier that the shop's patterns read in a code; empty where they read another thing or nothing."""
    matches = {(pattern.as_, match[0]) for pattern in shop.patterns if (match := pattern.match(code)) is not None}
    return {name for as_, name in matches if as_ == CodeType.CARRIER} if len(matches) == 1 else set()


def carriers(
    connection: Connection, codes: Mapping[str, tuple[str, ...]], shop: ShopCodes, past: PastStock | None = None
) -> list[Carrier]:
    """These carriers with their contents and their newest scan, in their order. The others are those of `carrier_codes`."""
    held = _held(connection, list(codes)) if past is None else _held_then(past)
    bound = _bound(connection, codes, shop, past)
    seen = _seen(connection, [code for of_carrier in codes.values() for code in of_carrier], past)
    found = []
    for name, of_carrier in codes.items():
        contents = [*held.get(name, ()), *bound.get(name, ())]
        unique = {(each.item, each.stage, each.state): each for each in reversed(contents)}
        newest = max((seen[code] for code in of_carrier if code in seen), default=None, key=lambda scan: scan[0])
        ordered = tuple(sorted(unique.values(), key=lambda each: (each.since_us or 0, each.item)))
        found.append(Carrier(name, of_carrier, ordered, *(newest or (None, None))))
    return found


def _held(connection: Connection, names: Sequence[str]) -> dict[str, list[Content]]:
    """The quantities in process on these carriers."""
    contents: dict[str, list[Content]] = {}
    c = parcel.c
    for start in range(0, len(names), AT_ONCE):
        on_them = and_(c.carrier.in_(names[start : start + AT_ONCE]), c.state.in_(LIVE))
        for row in connection.execute(select(parcel).where(on_them).order_by(c.since_us, c.item)):
            one = Content(row.item, row.product, row.qty_milli, row.stage, row.state, row.since_us)
            contents.setdefault(row.carrier, []).append(one)
    return contents


def _held_then(past: PastStock) -> dict[str, list[Content]]:
    """The quantities in process on each carrier at a past time."""
    contents: dict[str, list[Content]] = {}
    for row in sorted(past.rows, key=lambda row: (row.since_us, row.item)):
        if row.carrier is not None:
            one = Content(row.item, row.product, row.qty_milli, row.stage, row.state, row.since_us)
            contents.setdefault(row.carrier, []).append(one)
    return contents


def _bound(
    connection: Connection, codes: Mapping[str, tuple[str, ...]], shop: ShopCodes, past: PastStock | None
) -> dict[str, list[Content]]:
    """The items to which a code of these carriers is bound, with the places of each."""
    item_of = {
        (name, code): bound.to
        for name, of_carrier in codes.items()
        for code in of_carrier
        if (bound := shop.bound.get(binding_key(code))) is not None and bound.as_ == CodeType.ITEM
    }
    since = _bound_since(connection, sorted({code for _, code in item_of}), past)
    stock: dict[str, list[Content]] = {}
    for row in merged(_stock_of(connection, set(item_of.values()), past)):
        one = Content(row.item, row.product, row.qty_milli, row.stage, row.state, row.there_since_us)
        stock.setdefault(row.item, []).append(one)
    contents: dict[str, list[Content]] = {}
    for (name, code), item in item_of.items():
        places = stock.get(item, [Content(item, None, None, None, None, 0)])
        contents.setdefault(name, []).extend(place._replace(since_us=since.get(code)) for place in places)
    return contents


def _stock_of(connection: Connection, items: Collection[str], past: PastStock | None) -> list[StockRow]:
    if past is not None:
        return [row for row in past.rows if row.item in items]
    ordered = sorted(items)
    starts = range(0, len(ordered), AT_ONCE)
    return [row for start in starts for row in stock_of(connection, ordered[start : start + AT_ONCE])]


def _bound_since(connection: Connection, codes: Sequence[str], past: PastStock | None) -> dict[str, int]:
    """The time of the newest binding of each code, UTC us; none where all came after the past time."""
    up_to = true() if past is None else binding.c.key_us <= past.at_us
    since: dict[str, int] = {}
    for start in range(0, len(codes), AT_ONCE):
        chunk = codes[start : start + AT_ONCE]
        query = select(binding.c.code, func.max(binding.c.key_us).label("us"))
        query = query.where(and_(binding.c.code.in_(chunk), up_to))
        since.update({row.code: row.us for row in connection.execute(query.group_by(binding.c.code))})
    return since


def _seen(connection: Connection, codes: Iterable[str], past: PastStock | None) -> dict[str, tuple[int, str | None]]:
    """The time and the stage of the newest scan of each code that was scanned, or bound at a bench."""
    wanted = sorted(set(codes))
    newest: dict[str, tuple[int, int]] = {}
    for start in range(0, len(wanted), AT_ONCE):
        chunk = wanted[start : start + AT_ONCE]
        linked = select(event_item.c.code, event_item.c.key_us, event_item.c.pos).where(event_item.c.code.in_(chunk))
        unlinked = (
            select(no_item.c.code, event_state.c.key_us, no_item.c.pos)
            .join(event_state, event_state.c.pos == no_item.c.pos)
            .where(no_item.c.code.in_(chunk))
        )
        at_a_bench = select(binding.c.code, binding.c.key_us, binding.c.pos).where(
            and_(binding.c.code.in_(chunk), binding.c.from_office.is_(False))
        )
        for query in (linked, unlinked, at_a_bench):
            scans = query.subquery()
            up_to = true() if past is None else scans.c.key_us <= past.at_us
            rank = func.row_number().over(
                partition_by=scans.c.code, order_by=(scans.c.key_us.desc(), scans.c.pos.desc())
            )
            ranked = select(scans, rank.label("rank")).where(up_to).subquery()
            for row in connection.execute(select(ranked).where(ranked.c.rank == 1)):
                newest[row.code] = max(newest.get(row.code, (0, 0)), (row.key_us, row.pos))
    events = {row.pos: row.event for row in rows_at(connection, {pos for _, pos in newest.values()})}
    return {
        code: (key_us, event.stage if (event := events.get(pos)) is not None else None)
        for code, (key_us, pos) in newest.items()
    }
