"""Accepted lines of a count are booked at the difference of their own scan, once, and a void takes them back."""

from concurrent.futures import ThreadPoolExecutor
from random import Random
from threading import Barrier

import pytest
from counted_shop import counted, decide, known, of_lines, opened, send
from rolled_shop import lines as money_lines
from sqlalchemy import select

from server.accounting.count_acceptance import LineDecision, decision_entries
from server.ledger.entries import Entry, EntryRefused, record_all
from server.projection.rebuild import rebuild
from server.projection.tables import folded_rows, item, move, parcel
from server.projection.worker import projected_pos
from server.queries.count_lines import LineKind
from server.queries.historical_stock import stock_at
from server.queries.roll_forward import Period, RollBy, roll_forward
from server.queries.stage_balances import StageBalances, StageQuantity


@pytest.fixture
def shop(shop_writer):
    shop_writer.small_shop()
    for number in range(1, 5):
        shop_writer.release(f"WO-{number}", qty=10)
        shop_writer.scan(f"WO-{number}", "saw", shop_writer.ago(hours=9))
    return shop_writer


def balance(shop, name):
    """What the ledger has of an item now, by state and stage."""
    shop.settle()
    query = select(parcel.c.state, parcel.c.stage, parcel.c.qty_milli).where(parcel.c.item == name)
    with shop.store.read() as connection:
        rows = connection.execute(query).all()
    found = {}
    for state, stage, milli in rows:
        found[state, stage] = found.get((state, stage), 0) + milli
    return found


def rolled(shop, from_us):
    shop.settle()
    with shop.store.read() as connection:
        now_us, pos = shop.store.clock.utc_us(), projected_pos(connection)
        return roll_forward(connection, Period(from_us, now_us, now_us, pos, pos), RollBy.STAGE)


def test_each_kind_of_line_is_booked(shop):
    opened(shop, stages=["saw", "deburr"])
    counted(shop, "WO-1", "saw", 4, qty_milli=12_000)
    counted(shop, "WO-2", "saw", 3, qty_milli=8000)
    counted(shop, "WO-3", "deburr", 3)
    shop.release("WO-6", qty=3)
    counted(shop, "WO-6", "saw", 3, qty_milli=4000)
    counted(shop, "NOTHING-7", "saw", 3)
    before_us = shop.store.clock.utc_us()
    decide(shop)
    assert [balance(shop, f"WO-{number}") for number in (1, 2, 3, 4, 6)] == [
        {("here", "saw"): 12_000},
        {("here", "saw"): 8000},
        {("here", "deburr"): 10_000},
        {},
        {("here", "saw"): 4000},
    ]
    left = known(shop).bookings
    assert [(at, one.obstacle.why) for at, one in left.items()] == [
        (("NOTHING-7", "saw"), "its code names nothing in the ledger")
    ]
    roll = rolled(shop, before_us)
    assert roll.gap == 0
    # Two more and two less of 2 a piece, ten missing, one more than the order of three; its three were issued, and the work
    # at Saw of the ten at Deburr was done.
    assert money_lines(roll.total) == {"counts": -18_000_000, "material": 6_000_000, "labour": 10_000_000}


def test_a_line_is_decided_once_and_a_void_opens_it_again(shop):
    opened(shop)
    counted(shop, "WO-2", "saw", 3, qty_milli=8000)
    at = ("WO-2", "saw")
    old = of_lines(shop, at)[0].etag
    decide(shop, at)
    with pytest.raises(EntryRefused, match="They were decided or changed"):
        send(shop, [old])
    decision = known(shop).decided[at]
    assert (decision.by, decision.difference_milli, decision.micros, decision.how) == (
        "Nora",
        -2000,
        -4_000_000,
        "accepted",
    )
    log, seq = decision.place
    shop.say("void", log=log, seq=seq)
    assert balance(shop, "WO-2") == {("here", "saw"): 10_000}
    assert at not in known(shop).decided
    decide(shop, at, how="rejected", why="counted wrongly")
    assert balance(shop, "WO-2") == {("here", "saw"): 10_000}
    assert at not in known(shop).bookings


def test_two_people_at_the_same_time_book_a_line_once(shop):
    """The second entry was made from the same reading; the transaction that writes it refuses it."""
    opened(shop)
    counted(shop, "WO-2", "saw", 3, qty_milli=8000)
    etags = [one.etag for one in of_lines(shop, ("WO-2", "saw"))]
    with shop.store.read() as connection:
        made = [
            decision_entries(connection, "C-1", LineDecision(etags, "accepted", "", by), shop.now_us)
            for by in ("Nora", "Olga")
        ]
    record_all(shop.store, made[0])
    for entries in (made[1], made[0]):
        with pytest.raises(EntryRefused, match="accepted or rejected before"):
            record_all(shop.store, entries)
    assert balance(shop, "WO-2") == {("here", "saw"): 8000}


def test_persons_who_decide_at_the_same_moment_book_a_line_once(shop):
    opened(shop)
    counted(shop, "WO-2", "saw", 3, qty_milli=8000)
    etags = [one.etag for one in of_lines(shop, ("WO-2", "saw"))]
    together = Barrier(4)

    def accept(by):
        with shop.store.read() as connection:
            entries = decision_entries(connection, "C-1", LineDecision(etags, "accepted", "", by), shop.now_us)
        together.wait()
        try:
            record_all(shop.store, entries)
        except EntryRefused as refused:
            return refused.status
        return 200

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(accept, ("Nora", "Olga", "Pia", "Nora"))) == [200, 409, 409, 409]
    assert balance(shop, "WO-2") == {("here", "saw"): 8000}


@pytest.mark.parametrize(
    ("quantity", "since", "why"),
    [
        (8000, [("deburr", 8000)], None),
        (8000, [("deburr", None)], "0 of what was at Saw is left"),
        (8000, [("deburr", 9000)], "1 of what was at Saw is left"),
        (12_000, [("deburr", 6000)], None),
        (12_000, [("deburr", None)], "all that the ledger had at Saw has left"),
        (12_000, [("deburr", 12_000)], "may be the same pieces"),
        (None, [("deburr", 4000)], "6 of what was at Saw is left"),
    ],
)
def test_what_moved_after_the_scan(shop, quantity, since, why):
    opened(shop, ended=2)
    counted(shop, "WO-1", "saw", 3)
    if quantity is not None:
        counted(shop, "WO-2", "saw", 3, qty_milli=quantity)
    for stage, moved in since:
        fields = {} if moved is None else {"qty_milli": moved}
        shop.scan("WO-2", stage, shop.ago(hours=1.5), **fields)
    booking = of_lines(shop, ("WO-2", "saw"))[0]
    if why is None:
        moved = since[0][1]
        decide(shop, ("WO-2", "saw"))
        rest = quantity - moved
        assert balance(shop, "WO-2") == {("here", "deburr"): moved} | ({("here", "saw"): rest} if rest else {})
    else:
        assert why in booking.obstacle.why
        with pytest.raises(EntryRefused, match="Count it again"):
            decide(shop, ("WO-2", "saw"))


def test_a_difference_that_two_counts_found_is_booked_once(shop):
    opened(shop)
    opened(shop, name="C-2", hours=4.5)
    counted(shop, "WO-2", "saw", 3, qty_milli=8000)
    decide(shop, ("WO-2", "saw"))
    assert "adjusted since" in known(shop, "C-2").bookings["WO-2", "saw"].obstacle.why


def test_above_the_limit_another_person_accepts(shop):
    shop.say("count.limit", micros=3_999_999)
    opened(shop)
    counted(shop, "WO-1", "saw", 4, qty_milli=9000, operator="kim")
    counted(shop, "WO-2", "saw", 3, qty_milli=8000, operator="kim")
    found = known(shop)
    assert found.bookings["WO-2", "saw"].is_above(found.limit)
    assert [one.line.item for one in found.acceptable()] == ["WO-1"]
    for by in ("Kim", "a. kim", "kim (token office)"):  # who finished the walk, and who counted
        with pytest.raises(EntryRefused, match="another person"):
            decide(shop, ("WO-2", "saw"), by=by)
    decide(shop, ("WO-1", "saw"), by="Kim")
    decide(shop, ("WO-2", "saw"), by="Nora")
    assert known(shop).decided["WO-2", "saw"].above
    assert not known(shop).decided["WO-1", "saw"].above


def test_the_person_who_opened_the_count_is_not_another_one(shop):
    shop.say("count.limit", micros=0)
    record_all(shop.store, [Entry("count.open", {"count": "C-1"}, "Olga", shop.ago(hours=5))])
    counted(shop, "WO-2", "saw", 3, qty_milli=8000)
    record_all(shop.store, [Entry("count.end", {"count": "C-1", "how": "finished"}, "Pia")])
    for by in ("Olga", "Pia"):
        with pytest.raises(EntryRefused, match="another person"):
            decide(shop, ("WO-2", "saw"), by=by)
    decide(shop, ("WO-2", "saw"), by="Nora")


def test_the_limit_is_compared_with_the_value_without_its_sign(shop):
    """Until a site enters one it is 500.00; without an amount there is none."""
    for number, milli in ((11, 250_000), (12, 251_000), (13, -250_000), (14, -251_000)):
        shop.release(f"WO-{number}", qty=300)
        shop.scan(f"WO-{number}", "saw", shop.ago(hours=9))
        counted(shop, f"WO-{number}", "saw", 3, qty_milli=300_000 + milli)
    opened(shop)
    found = known(shop)
    assert found.limit == 500_000_000
    above = {at[0] for at, one in found.bookings.items() if one.is_above(found.limit)}
    assert above == {"WO-12", "WO-14"}
    shop.say("count.limit")
    found = known(shop)
    assert not any(one.is_above(found.limit) for one in found.bookings.values())


def test_an_item_of_a_closed_order_is_not_booked_and_does_not_keep_the_others(shop):
    opened(shop)
    counted(shop, "WO-1", "saw", 4, qty_milli=8000)
    counted(shop, "WO-2", "saw", 3, qty_milli=8000)
    counted(shop, "WO-3", "saw", 3, qty_milli=9500)
    shop.say("order.close", shop.ago(minutes=30), order="WO-1", how="short")
    found = known(shop).bookings
    assert found["WO-1", "saw"].obstacle.why == "its order is closed"
    assert found["WO-3", "saw"].obstacle.why == "9.5 were counted, and its unit has no decimals"
    decide(shop)
    assert balance(shop, "WO-2") == {("here", "saw"): 8000}


def test_a_booking_is_in_the_open_period(shop):
    opened(shop, hours=8, ended=6)
    counted(shop, "WO-2", "saw", 7, qty_milli=8000)
    shop.settle()
    closed_us = shop.ago(hours=1)
    shop.say("period.close", closed_us, why="month end")
    decide(shop, ("WO-2", "saw"))
    roll = rolled(shop, closed_us)
    assert roll.gap == 0
    assert money_lines(roll.total) == {"counts": -4_000_000}


def test_pieces_that_join_others_have_their_form(shop):
    """What waits or is on hold at a stage is more of the same: its value is that of the others there."""
    shop.scan("WO-1", "saw", shop.ago(hours=8), action="out")
    shop.scan("WO-2", "saw", shop.ago(hours=8), action="hold", reason="burr")
    opened(shop)
    counted(shop, "WO-1", "deburr", 3, qty_milli=12_000)
    counted(shop, "WO-2", "saw", 3, qty_milli=11_000)
    before_us = shop.store.clock.utc_us()
    decide(shop, ("WO-1", "deburr"), ("WO-2", "saw"))
    assert balance(shop, "WO-1") == {("waiting", "deburr"): 12_000}
    assert balance(shop, "WO-2") == {("held", "saw"): 11_000}
    assert money_lines(rolled(shop, before_us).total) == {"counts": 2 * 3_000_000 + 2_000_000}


@pytest.mark.parametrize(
    ("figures", "said"),
    [({}, "lines that the hub compares"), ({"booked": [{"stage": "saw", "qty_milli": -1}]}, "unknown field")],
)
def test_an_entry_that_a_person_writes_has_no_figures_and_is_refused(shop, figures, said):
    opened(shop)
    counted(shop, "WO-2", "saw", 3, qty_milli=8000)
    shop.settle()
    with pytest.raises(EntryRefused, match=said):
        shop.say("count.accept", count="C-1", item="WO-2", stage="saw", how="accepted", **figures)
    assert balance(shop, "WO-2") == {("here", "saw"): 10_000}


def test_a_count_that_goes_on_or_was_cancelled_books_nothing(shop):
    opened(shop, ended=None)
    counted(shop, "WO-2", "saw", 3, qty_milli=8000)
    assert not known(shop).bookings
    with pytest.raises(EntryRefused, match="Finish the walk first"):
        send(shop, ["x"])
    shop.say("count.end", count="C-1", how="cancelled")
    shop.settle()
    with pytest.raises(EntryRefused, match="A cancelled count books nothing"):
        send(shop, ["x"])


STAGES = ("saw", "deburr", "test")


def walk(shop, draw, number):
    """One order: where the ledger has it, what is there, and what moves before and after its scan.

    Each scan has a station of its own, because the order of a log is that of its scans.
    """
    name, place, hours = f"WO-{number}", draw.randrange(3), draw.uniform(2.5, 9)

    def scan(stage, at, **fields):
        shop.scan(name, stage, shop.ago(hours=at), station=f"{stage}-{number}-{at}", **fields)

    shop.release(name, qty=10)
    for stage in STAGES[: place + 1]:
        scan(stage, 40 - STAGES.index(stage))
    if draw.random() < 0.3 and place < 2:
        scan(STAGES[place + 1], draw.uniform(2.5, 9), qty_milli=draw.randint(1, 9) * 1000)
    seen = draw.random()
    if seen > 0.2:
        stage = STAGES[place] if seen < 0.8 else draw.choice(STAGES)
        quantity = {} if draw.random() < 0.3 else {"qty_milli": draw.randint(1, 14) * 1000}
        scan(stage, hours, action="count", **quantity)
    if draw.random() < 0.4:
        moved = {} if draw.random() < 0.4 else {"qty_milli": draw.randint(1, 6) * 1000}
        scan(draw.choice(STAGES), draw.uniform(0.5, 1.9), **moved)


def balances(connection, from_us, to_us):
    return StageBalances(connection, stock_at(connection, from_us), from_us, to_us)


@pytest.mark.parametrize("seed", range(4))
def test_after_accepting_all_the_ledger_agrees_with_what_was_counted_and_what_moved(shop_writer, seed):
    """The law on drawn walks: the ledger has what was counted, and what came and went since by scans; the sums close."""
    draw, shop = Random(seed), shop_writer
    shop.small_shop()
    opened(shop, hours=10, ended=2)
    for number in range(24):
        walk(shop, draw, number)
    shop.settle()
    from_us, until_us = shop.ago(hours=60), shop.ago(hours=2)
    plain_us = shop.store.clock.utc_us()
    lines = {(line.item, line.stage): line for line in known(shop).lines}
    chosen = [(one.line.item, one.line.stage) for one in known(shop).acceptable()]
    assert {lines[at].kind for at in chosen} >= {LineKind.DIFFERS, LineKind.MISSING}
    found_elsewhere = {}
    for at in chosen:
        for stage, part in lines[at].taken:
            found_elsewhere[at[0], stage] = found_elsewhere.get((at[0], stage), 0) + part
    decide(shop)
    now_us = shop.store.clock.utc_us()
    with shop.store.read() as connection:
        for at in chosen:
            line, scan = lines[at], lines[at].scan
            moved = balances(connection, scan.at_us if scan else until_us, plain_us)
            came = moved.at(*at, plain_us).milli - moved.opening.get(at, StageQuantity()).milli
            total = balances(connection, from_us, now_us)
            here = line.counted_milli
            if line.kind is LineKind.MISSING:  # some of it may have been counted at another stage
                here = moved.opening[at].milli + line.difference_milli - found_elsewhere.get(at, 0)
            assert total.at(*at, now_us).milli == here + came, at
    roll = rolled(shop, from_us)
    assert roll.gap == 0
    assert roll.total.opening + sum(roll.total.lines.values()) == roll.total.closing
    tables = (item, parcel, move)
    with shop.store.read() as connection:
        before = [sorted(map(repr, connection.execute(folded_rows(table)))) for table in tables]
    decided = known(shop).decided
    rebuild(shop.store)
    assert known(shop).decided == decided
    with shop.store.read() as connection:
        assert [sorted(map(repr, connection.execute(folded_rows(table)))) for table in tables] == before
        stood = balances(connection, from_us, plain_us)
    for decision in decided.values():
        shop.say("void", log=decision.place[0], seq=decision.place[1])
    assert [(one.line.item, one.line.stage) for one in known(shop).acceptable()] == chosen
    with shop.store.read() as connection:
        again = balances(connection, from_us, shop.store.clock.utc_us())
    assert {at: again.at(*at, 2**62) for at in lines} == {at: stood.at(*at, 2**62) for at in lines}
