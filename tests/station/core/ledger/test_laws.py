"""Laws of the ledger: what holds whatever is told of an item, in whatever order it arrives."""

import random
from collections import Counter
from itertools import count

import hypothesis.strategies as st
import msgspec
from hypothesis import given, settings
from shop import MINUTE_US, STAGES, Story, definition, routing, shop

from station.core.bounds import MAX_BALANCE_MILLI
from station.core.ledger.costs import add, parcel_value, unit_costs
from station.core.ledger.fold import BALANCE, apply, attempt, balances, empty, fold
from station.core.ledger.fold_result import FoldResult
from station.core.ledger.item_event import ItemEvent
from station.core.ledger.moves import FIRST_SEEN
from station.core.ledger.parcel_spots import IndexedParcels, ParcelSpots
from station.core.ledger.parcels import LIVE, ItemState, Parcel
from station.core.ledger.routing import Operation

VERBS = ("", "", "in", "out", "start", "done", "scrap", "rework", "hold", "release", "finish", "count", "call")
OUTER = {"ordered", "overrun", "adjusted", "transferred"}
CATALOGUE = shop(
    routing("twice", "saw", "deburr", "weld", "deburr", "pack", weld={"scan_means": "both"}),
    routing("boxes", "saw", "weld", "pack", saw={"transfer_qty_milli": 25_000}, weld={"scan_means": "done"}),
    definition("stage.define", stage="pack", name="Pack", type="done"),
    definition("product.define", product="twice", routing="twice"),
    definition("product.define", product="boxed", routing="boxes"),
    *(
        definition("cost.set", product="bracket", op=op, component="labour", basis="unit", micros=op * 7_001)
        for op in (10, 20, 30, 40, 50)
    ),
    definition("cost.set", product="bracket", op=60, component="labour", basis="minute", micros=5),
)
COSTS = unit_costs("bracket", (10, 20, 30, 40, 50, 60), CATALOGUE, 0, routed=[Operation(40, "paint", optional=True)])


@st.composite
def scans(draw: st.DrawFn) -> dict[str, object]:
    """A scan, with whatever the cards before it said."""
    return {
        "verb": draw(st.sampled_from(VERBS)),
        "stage": draw(st.sampled_from((*STAGES, *STAGES, "oven", None))),
        "qty_milli": draw(st.one_of(st.none(), st.none(), st.integers(1, 60_000))),
        "to": draw(st.sampled_from((None, None, *STAGES))),
        "all": draw(st.integers(0, 3)) == 0,
        "carrier": draw(st.sampled_from((None, None, "tote-1", "tote-2"))),
        "log": draw(st.sampled_from(("a", "a", "b"))),
        "repeat": draw(st.integers(0, 9)) == 0,
        "unread": draw(st.sampled_from((None,) * 9 + ("too long",))),
        "unknown": draw(st.integers(0, 5)) == 0,
    }


@st.composite
def entries(draw: st.DrawFn, product: str) -> dict[str, object]:
    """What the office says of the order; sometimes nonsense."""
    said: dict[str, object] = {"order": "WO-1", "product": product}
    said |= {"how": draw(st.sampled_from(("complete", "short", "cancelled", "lost")))}
    said |= {"qty_milli": draw(st.one_of(st.integers(-40_000, 120_000), st.sampled_from((None, "10", True, 10**13))))}
    said |= {"stage": draw(st.sampled_from((*STAGES, "oven", None, 5)))}
    return {"verb": draw(st.sampled_from(("order.release", "order.change", "order.close", "adjust"))), "data": said}


@st.composite
def told(draw: st.DrawFn) -> list[ItemEvent]:
    """Up to 25 facts of one item, in order; some so close that nobody knows which of two logs came first.

    Most begin with a release: a story without one has little to lose.
    """
    product = draw(st.sampled_from(("bracket", "bracket", "twice", "boxed", "one-off")))
    events = []
    key_us = MINUTE_US
    told = draw(st.lists(st.one_of(scans(), scans(), scans(), entries(product)), max_size=24))
    if draw(st.integers(0, 3)):
        data = {"order": "WO-1", "product": product, "qty_milli": 100_000}
        told.insert(0, {"verb": "order.release", "data": data})
    for seq, fields in enumerate(told):
        key_us += draw(st.sampled_from((0, 1, MINUTE_US)))
        events.append(
            ItemEvent(
                key_us=key_us,
                lo_us=key_us - 30,
                hi_us=key_us + 30,
                seq=seq + 1,
                station=f"{fields.get('stage')}-1",
                **{"log": "hub", **fields},  # type: ignore[arg-type]
            )
        )
    return events


def steps(events: list[ItemEvent]) -> list[tuple[ItemState, FoldResult]]:
    """Each state with what the next fact made of it."""
    state = empty("WO-1")
    found = []
    for event in sorted(events, key=lambda each: each.place):
        step = apply(state, event, CATALOGUE)
        found.append((state, step))
        state = step.state
    return found


@settings(max_examples=150, deadline=None)
@given(told())
def test_all_accounts_sum_to_zero_and_are_what_the_postings_say(events: list[ItemEvent]) -> None:
    end = fold("WO-1", events, CATALOGUE)
    posted: Counter[str] = Counter()
    for source, target, qty in end.postings:
        assert qty > 0
        posted[source] -= qty
        posted[target] += qty
    stands = balances(end.state)
    assert {account: qty for account, qty in posted.items() if qty} == stands
    assert sum(stands.values()) == 0
    assert [account for account, qty in stands.items() if qty < 0 and account not in OUTER] == []
    assert [each for each in end.state.parcels if each.qty_milli is not None and each.qty_milli <= 0] == []
    assert [each.qty_milli for each in end.state.parcels].count(None) <= 1


@settings(max_examples=80, deadline=None)
@given(told())
def test_the_moves_so_far_sum_to_what_is_there_after_every_event(events: list[ItemEvent]) -> None:
    """With the quantity that an unknown one became, of which no account is left over."""
    found = steps(events)
    became = next((move.qty_milli for _, step in found for move in step.moves if move.gives_quantity), None)
    sums: Counter[str] = Counter()
    numbers = count(1)
    for _, step in found:
        for move in step.moves:
            assert move.number == next(numbers)
            quantity = move.qty_milli if move.qty_milli is not None else became or 0
            sums[str(move.source.account)] -= quantity
            sums[FIRST_SEEN if move.gives_quantity else str(move.target.account)] += quantity
        stands = Counter(balances(step.state))
        if became is not None:
            for presence in (each for each in step.state.parcels if each.qty_milli is None):
                stands[str(presence.account)] += became
                stands[FIRST_SEEN] -= became
        assert {account: qty for account, qty in sums.items() if qty} == {a: qty for a, qty in stands.items() if qty}


@settings(max_examples=80, deadline=None)
@given(told())
def test_every_parcel_in_process_is_what_its_move_brought_less_what_left(events: list[ItemEvent]) -> None:
    """So the stock at any past time can be read from moves: each leads from the form that the move `put` gave."""
    forms: dict[int, Parcel] = {}
    left: Counter[int] = Counter()
    for _, step in steps(events):
        for move in step.moves:
            if move.source.state in LIVE:
                form = forms[move.source.put]
                assert msgspec.structs.replace(move.source, qty_milli=form.qty_milli) == form
                left[move.source.put] += move.qty_milli or (1 if form.qty_milli is None else 0)
            if move.target.state not in LIVE:
                continue
            forms[move.target.put] = move.target
            assert move.gives_quantity or (move.target.put, move.target.placed_us) == (move.number, move.at_us)
        there: Counter[int] = Counter()
        for number, form in forms.items():
            there[number] += (1 if form.qty_milli is None else form.qty_milli) - left[number]
        live: Counter[int] = Counter()
        for parcel in step.state.parcels:
            if parcel.state in LIVE:
                merged = [n for n, form in forms.items() if _same_form(form, parcel)]
                assert parcel.put in merged
                assert parcel.since_us <= parcel.placed_us
                live[parcel.put] += 1 if parcel.qty_milli is None else parcel.qty_milli
        same = {n: next(m for m, other in forms.items() if _same_form(other, form)) for n, form in forms.items()}
        by_form: Counter[int] = Counter()
        for number, quantity in there.items():
            by_form[same[number]] += quantity
        assert {n: qty for n, qty in by_form.items() if qty} == dict(_summed(live, same))


def _same_form(one: Parcel, other: Parcel) -> bool:
    return msgspec.structs.replace(one, qty_milli=other.qty_milli, put=other.put) == other


def _summed(live: Counter[int], same: dict[int, int]) -> Counter[int]:
    sums: Counter[int] = Counter()
    for number, quantity in live.items():
        sums[same[number]] += quantity
    return sums


@settings(max_examples=60, deadline=None)
@given(told(), st.integers(0, 2**32))
def test_the_same_facts_give_the_same_item_in_whatever_order_they_arrive(events: list[ItemEvent], seed: int) -> None:
    shuffled = list(events)
    random.Random(seed).shuffle(shuffled)
    assert fold("WO-1", shuffled, CATALOGUE) == fold("WO-1", events, CATALOGUE)


@settings(max_examples=60, deadline=None)
@given(told())
def test_a_later_fact_changes_nothing_of_the_past_but_a_quantity_that_became_known(events: list[ItemEvent]) -> None:
    past = fold("WO-1", [], CATALOGUE)
    in_order = sorted(events, key=lambda each: each.place)
    for number, (_, step) in enumerate(steps(events), start=1):
        now = fold("WO-1", in_order[:number], CATALOGUE)
        became = step.quantity_became
        then = [
            msgspec.structs.replace(each, qty_milli=became) if became and each.qty_milli is None else each
            for each in past.visits
        ]
        assert list(now.visits[: len(then)]) == then
        assert now.findings[: len(past.findings)] == past.findings
        assert now.postings[: len(past.postings)] == past.postings
        past = now


@settings(max_examples=120, deadline=None)
@given(told())
def test_how_far_it_came_and_what_it_is_worth_never_fall(events: list[ItemEvent]) -> None:
    for before, step in steps(events):
        adjusted = sum(qty for _, target, qty in step.postings if target in OUTER)
        for op in (10, 20, 30, 40, 50, 60):
            for law in ("entered", "reached"):
                was, now = (
                    sum(each.qty_milli or 0 for each in state.parcels if (getattr(each, law) or 0) >= op)
                    for state in (before, step.state)
                )
                assert now >= was - adjusted, (law, op)
        if not adjusted:
            was, now = (
                add(
                    value
                    for each in state.parcels
                    if (value := parcel_value(COSTS, each.qty_milli, each.entered, each.reached, each.scanned))
                    is not None
                ).total
                for state in (before, step.state)
            )
            assert now >= was
        for each in step.state.parcels:
            assert each.reached is None or each.reached <= (each.entered or 0)


@settings(max_examples=60, deadline=None)
@given(told())
def test_a_state_that_was_stored_and_read_back_goes_on_alike(events: list[ItemEvent]) -> None:
    for event, (state, step) in zip(sorted(events, key=lambda each: each.place), steps(events), strict=True):
        again = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=ItemState)
        assert again == state
        assert apply(again, event, CATALOGUE) == step


@settings(max_examples=60, deadline=None)
@given(told())
def test_every_visit_has_its_times_in_order_and_ends_where_the_next_begins(events: list[ItemEvent]) -> None:
    for event, (before, step) in zip(sorted(events, key=lambda each: each.place), steps(events), strict=True):
        for visit in step.visits:
            assert MINUTE_US <= visit.at_stage_since_us <= visit.entered_us <= visit.left_us == event.key_us
            assert (visit.log, visit.seq) == (event.log, event.seq)
        assert all(MINUTE_US <= each.at_stage_since_us <= each.since_us <= event.key_us for each in step.state.parcels)
        assert len({(each.rule, str(each.args)) for each in step.findings}) == len(step.findings)
        if not step.postings and not step.visits and step.quantity_became is None and before.parcels:
            # A filled gap divides a parcel and moves nothing.
            assert {each.since_us for each in step.state.parcels} == {each.since_us for each in before.parcels}


def test_a_story_told_by_hand_obeys_them_too() -> None:
    story = Story(CATALOGUE)
    story.release(100)
    story.scan("saw", "weld", "deburr", "test", "pack")
    assert fold("WO-1", story.item_events[::-1], CATALOGUE) == story.end
    assert story.stands == {"finished": 100}


@settings(max_examples=80, deadline=None)
@given(told())
def test_the_index_that_a_state_has_is_that_of_its_parcels(events: list[ItemEvent]) -> None:
    """A state that was stored has none, and the next event gives the same from it."""
    for before, step in steps(events):
        plain = tuple(before.parcels)
        if isinstance(before.parcels, IndexedParcels):
            kept, made = before.parcels.spots, ParcelSpots.of(plain)
            assert tuple(kept.numbered.values()) == plain == tuple(made.numbered.values())
            assert list(kept.numbered) == sorted(kept.numbered)
            assert kept.accounts(*LIVE) == made.accounts(*LIVE)
            assert kept.at.keys() == made.at.keys()
            for account in made.at:
                assert [kept.numbered[n] for n in kept.at[account]] == [made.numbered[n] for n in made.at[account]]
            unknown = None if kept.unknown is None else kept.numbered[kept.unknown]
            assert unknown == next((parcel for parcel in plain if parcel.qty_milli is None), None)
        stored = msgspec.msgpack.decode(msgspec.msgpack.encode(before), type=ItemState)
        event = next(each for each in events if each.place == step.state.last)
        assert apply(stored, event, CATALOGUE) == step


def test_a_state_of_many_parcels_keeps_its_index_and_a_failed_event_leaves_it_as_it_was() -> None:
    story = [
        ItemEvent(key_us=n, log="a", seq=n, verb="in", stage="saw", qty_milli=1000, station=f"saw-{n}")
        for n in range(1, 9)
    ]
    state = fold("WO-1", story, CATALOGUE).state
    assert isinstance(state.parcels, IndexedParcels)
    before = list(state.parcels.spots.numbered.items())
    event = ItemEvent(key_us=9, log="a", seq=9, verb="out", stage="saw", qty_milli=3000)
    over = ItemEvent(key_us=10, log="a", seq=10, verb="in", stage="saw", qty_milli=MAX_BALANCE_MILLI + 1)
    assert attempt(state, over, CATALOGUE) == BALANCE
    first, again = apply(state, event, CATALOGUE), apply(state, event, CATALOGUE)
    assert first == again
    assert list(state.parcels.spots.numbered.items()) == before
