"""What the office does to an order: release it, change it, close it, and put right what was counted differently.

Like a scan, each entry is a row of the posting table; unlike a scan it also changes what the order says of itself.
"""

from collections.abc import Callable

import msgspec

from station.core import postings
from station.core.catalogue import Catalogue
from station.core.fact import Fact
from station.core.parcel import RELEASED, Header, In, ItemState, Parcel, Spot
from station.core.postings import Bench, Marks
from station.core.stock import Stock

SHORT = ("short", "cancelled")


def headed(state: ItemState, fact: Fact, catalogue: Catalogue) -> ItemState:
    """The item with what the entry says of it; at its release an order gets the routing that it keeps."""
    if fact.verb not in ("order.release", "order.change"):
        return state
    said = {
        name: value
        for name, value in (fact.data or {}).items()
        if name in Header.__struct_fields__ and value is not None
    }
    try:
        header = msgspec.convert({**msgspec.to_builtins(state.header), **said}, Header)
    except msgspec.ValidationError:
        header = state.header
    state = msgspec.structs.replace(state, header=header)
    if fact.verb == "order.release" and state.released_us is None:
        product = catalogue.product(header.product, fact.key_us)
        routing = catalogue.routing(product.routing, fact.key_us) if product else None
        state = msgspec.structs.replace(state, released_us=fact.key_us, routing=routing)
    return state


def dated(state: ItemState, fact: Fact) -> ItemState:
    """The item with the time at which the office closed it."""
    if fact.verb != "order.close" or state.closed:
        return state
    return msgspec.structs.replace(state, closed_us=fact.key_us, how=str((fact.data or {}).get("how", "complete")))


def release(stock: Stock, marks: Marks) -> None:
    """`order.release`: ordered to released; of an item already present at once to where it is. Again: as a change."""
    quantity = _whole(stock.fact, "qty_milli")
    if quantity is None:
        return
    if stock.outer.get("ordered"):
        _change_to(stock, marks, quantity)
        return
    presence = stock.presence()
    if presence is not None:
        stock.parcels.remove(presence)
        presence = _routed(stock, presence)
    rest = _release(stock, quantity, to_released=presence is None)
    if presence is not None and rest:
        stock.outer["ordered"] = stock.outer.get("ordered", 0) - rest
        postings.give_quantity(stock, presence, rest, "ordered")


def change(stock: Stock, marks: Marks) -> None:
    """`order.change` of quantity: the difference, released or taken back from what is not started."""
    quantity = _whole(stock.fact, "qty_milli")
    if quantity is not None and stock.released and not stock.closed:
        _change_to(stock, marks, quantity)


def close(stock: Stock, marks: Marks) -> None:
    """`order.close`: complete finishes what runs; short and cancelled adjust all that is in process away."""
    if stock.closed:
        return
    if (stock.fact.data or {}).get("how") in SHORT:
        live = [each.spot for each in stock.parcels if each.state not in (In.FINISHED, In.SCRAPPED)]
        stock.to_outer([piece for spot in dict.fromkeys(live) for piece in stock.take(spot)], "adjusted")
        return
    bench = Bench(stock=stock, spot=Spot(In.HERE), marks=marks, quantity=None)
    postings.finish(bench)


def adjust(stock: Stock, marks: Marks) -> None:
    """`adjust`: a physical difference; more stands at `stage` (positive) or less (negative) than was thought."""
    quantity = _whole(stock.fact, "qty_milli", signed=True)
    if not quantity:
        return
    stage = (stock.fact.data or {}).get("stage")
    operations = stock.routing.at_stage(stage) if stock.routing else ()
    spot = Spot(In.HERE, operations[0].op, operations[0].stage) if operations else Spot(In.HERE, None, stage)
    if not stage:
        spot = RELEASED
    if quantity > 0:
        stock.put([stock.from_outer("adjusted", quantity)], spot)
        return
    wanted = -quantity
    for source in (spot, Spot(In.WAITING, spot.op, spot.stage), Spot(In.HELD, spot.op, spot.stage)):
        pieces = stock.take(source, wanted)
        wanted -= stock.to_outer(pieces, "adjusted")
    marks.uncut_milli = max(wanted, 0)


def _release(stock: Stock, quantity: int, *, to_released: bool) -> int:
    """Post a released quantity: first what the floor was ahead of the office, the rest to released; the rest."""
    ahead = min(-stock.outer.get("overrun", 0), quantity)
    if ahead > 0:
        stock.to_outer([stock.from_outer("ordered", ahead)], "overrun")
    rest = quantity - max(ahead, 0)
    if rest and to_released:
        stock.put([stock.from_outer("ordered", rest)], RELEASED)
    return rest


def _change_to(stock: Stock, marks: Marks, quantity: int) -> None:
    difference = quantity + stock.outer.get("ordered", 0)
    if difference > 0:
        _release(stock, difference, to_released=True)
    elif difference < 0:
        cut = stock.to_outer(stock.take(RELEASED, -difference), "ordered")
        marks.uncut_milli = -difference - cut


def _routed(stock: Stock, presence: Parcel) -> Parcel:
    """A parcel that was there before its order, at the operation of the routing that is done at its stage."""
    operations = stock.routing.at_stage(presence.stage) if stock.routing else ()
    if not operations or stock.routing is None:
        return presence
    first, before = operations[0], stock.routing.before(operations[0].op)
    return msgspec.structs.replace(presence, op=first.op, entered=first.op, reached=before.op if before else None)


def _whole(fact: Fact, name: str, *, signed: bool = False) -> int | None:
    value = (fact.data or {}).get(name)
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > 10**12:
        return None
    return value if signed or value > 0 else None


ROWS: dict[str, Callable[[Stock, Marks], None]] = {
    "order.release": release,
    "order.change": change,
    "order.close": close,
    "adjust": adjust,
}
