"""Carriers: the reusable totes and pallets of the shop, what each holds now, and where it is.

A carrier is known to the shop where a code is bound to it (`as` = `carrier`), where a scanned or bound code matches a
pattern for carriers, where a bench bound it to an item, or where it holds a quantity in process.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, and_, func, select

from server.projection.internal_tables import no_item
from server.projection.ledger_row import rows_at
from server.projection.tables import binding, event_item, event_state, parcel
from server.queries.current_stock import merged, stock_of
from station.core.codes import CodeType, binding_key
from station.core.ledger.parcels import LIVE
from station.core.printing import ShopCodes

AT_ONCE = 500  # names in one statement


class Content(NamedTuple):
    """What a carrier holds: an item, its quantity in thousandths (None: unknown), its place, and since when (UTC us)."""

    item: str
    product: str | None
    qty_milli: int | None
    stage: str | None
    state: str | None
    since_us: int


class Carrier(NamedTuple):
    """A carrier with its codes and its contents; `seen_us`, `seen_at`: its newest scan, None without one."""

    carrier: str
    codes: tuple[str, ...]
    contents: tuple[Content, ...] = ()
    seen_us: int | None = None
    seen_at: str | None = None


def carrier_codes(connection: Connection, shop: ShopCodes) -> dict[str, tuple[str, ...]]:
    """Every known carrier, by name, with the codes that name it or are bound to what it holds."""
    codes: dict[str, set[str]] = {}
    written = (connection.execute(select(table.c.code).distinct()).scalars() for table in (binding, no_item))
    for code in {code for of_table in written for code in of_table}:
        now = shop.bound.get(binding_key(code))
        if now is not None and now.as_ == CodeType.CARRIER:
            codes.setdefault(now.to, set()).add(code)
        elif now is None or now.as_ == CodeType.ITEM:
            for name in _carriers_of(code, shop):
                codes.setdefault(name, set()).add(code)
    at_a_bench = select(binding.c.code).where(and_(binding.c.from_office.is_(False), binding.c.item.is_not(None)))
    held = select(parcel.c.carrier).where(and_(parcel.c.carrier.is_not(None), parcel.c.state.in_(LIVE)))
    for name in (*connection.execute(at_a_bench.distinct()).scalars(), *connection.execute(held.distinct()).scalars()):
        codes.setdefault(name, set()).add(name)
    return {name: tuple(sorted(codes[name], key=lambda code: (len(code), code))) for name in sorted(codes)}


def _carriers_of(code: str, shop: ShopCodes) -> set[str]:
    """The carrier that the shop's patterns read in a code; empty where they read another thing or nothing."""
    matches = {(pattern.as_, match[0]) for pattern in shop.patterns if (match := pattern.match(code)) is not None}
    return {name for as_, name in matches if as_ == CodeType.CARRIER} if len(matches) == 1 else set()


def carriers(connection: Connection, codes: Mapping[str, tuple[str, ...]], shop: ShopCodes) -> list[Carrier]:
    """These carriers with their contents and their newest scan, in their order. `codes`: of `carrier_codes`."""
    held = _held(connection, list(codes))
    bound = _bound(connection, codes, shop)
    seen = _seen(connection, [code for of_carrier in codes.values() for code in of_carrier])
    found = []
    for name, of_carrier in codes.items():
        contents = [*held.get(name, ()), *bound.get(name, ())]
        unique = {(each.item, each.stage, each.state): each for each in reversed(contents)}
        newest = max((seen[code] for code in of_carrier if code in seen), default=None, key=lambda scan: scan[0])
        ordered = tuple(sorted(unique.values(), key=lambda each: (each.since_us, each.item)))
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


def _bound(connection: Connection, codes: Mapping[str, tuple[str, ...]], shop: ShopCodes) -> dict[str, list[Content]]:
    """The items to which a code of these carriers is bound now, with the places of each."""
    item_of = {
        (name, code): bound.to
        for name, of_carrier in codes.items()
        for code in of_carrier
        if (bound := shop.bound.get(binding_key(code))) is not None and bound.as_ == CodeType.ITEM
    }
    since = _bound_since(connection, sorted({code for _, code in item_of}))
    stock: dict[str, list[Content]] = {}
    items = sorted(set(item_of.values()))
    for start in range(0, len(items), AT_ONCE):
        for row in merged(stock_of(connection, items[start : start + AT_ONCE])):
            one = Content(row.item, row.product, row.qty_milli, row.stage, row.state, row.there_since_us)
            stock.setdefault(row.item, []).append(one)
    contents: dict[str, list[Content]] = {}
    for (name, code), item in item_of.items():
        places = stock.get(item, [Content(item, None, None, None, None, 0)])
        contents.setdefault(name, []).extend(place._replace(since_us=since[code]) for place in places)
    return contents


def _bound_since(connection: Connection, codes: Sequence[str]) -> dict[str, int]:
    """The time of the newest binding of each code, UTC us."""
    since: dict[str, int] = {}
    for start in range(0, len(codes), AT_ONCE):
        chunk = codes[start : start + AT_ONCE]
        query = select(binding.c.code, func.max(binding.c.key_us).label("us")).where(binding.c.code.in_(chunk))
        since.update({row.code: row.us for row in connection.execute(query.group_by(binding.c.code))})
    return since


def _seen(connection: Connection, codes: Iterable[str]) -> dict[str, tuple[int, str | None]]:
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
            rank = func.row_number().over(
                partition_by=scans.c.code, order_by=(scans.c.key_us.desc(), scans.c.pos.desc())
            )
            ranked = select(scans, rank.label("rank")).subquery()
            for row in connection.execute(select(ranked).where(ranked.c.rank == 1)):
                newest[row.code] = max(newest.get(row.code, (0, 0)), (row.key_us, row.pos))
    events = {row.pos: row.event for row in rows_at(connection, {pos for _, pos in newest.values()})}
    return {
        code: (key_us, event.stage if (event := events.get(pos)) is not None else None)
        for code, (key_us, pos) in newest.items()
    }
