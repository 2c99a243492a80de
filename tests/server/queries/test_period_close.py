"""A closed period keeps the figures and the listing that it was closed with, whatever arrives later."""

import json
import random
import zlib
from hashlib import sha256

import pytest
from drawn_shop import STAGES, drawn_shop
from restated_close import restated
from sqlalchemy import select, update

from server.accounting.period_close import close_period, record_entries
from server.db.schema import ledger, period_listing
from server.ledger.entries import Entry, EntryRefused, last_close, record_all
from server.ledger.period_listings import listing_at
from server.ledger.verify import verify
from server.projection.rebuild import rebuild
from server.projection.worker import projected_pos
from server.queries.closed_periods import close_that_holds, closed_period, closed_periods, stored_lines
from server.queries.roll_forward import Period, RollBy, roll_forward
from server.queries.stock_listing import encode_listing, figures_of, read_listing
from server.queries.value_entries import ValueLine
from station.core.event import decode

WHY = {"why": "month end"}


@pytest.fixture
def small(shop_writer):
    shop_writer.small_shop()
    shop_writer.release("WO-1", qty=10)
    shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=9))
    shop_writer.settle()
    return shop_writer


def closed(shop, at_us=None):
    """Close at a time: the position of the entry."""
    place = close_period(shop.store, Entry("period.close", WHY, "Kim", shop.ago(hours=6) if at_us is None else at_us))
    shop.settle()
    return place.pos


def stored(shop, pos):
    """The fields of a close and its listing."""
    with shop.store.read() as connection:
        encoded = connection.execute(select(ledger.c.bytes).where(ledger.c.pos == pos)).scalar_one()
        return decode(encoded).data, listing_at(connection, pos)


def breaks(shop):
    with shop.store.read() as connection:
        return [found.text for found in verify(connection)]


def test_a_close_has_the_totals_the_position_and_the_hash_of_its_listing(small):
    with small.store.read() as connection:
        pos = projected_pos(connection)
        head = connection.execute(select(ledger.c.chain).where(ledger.c.pos == pos)).scalar_one()
    data, listing = stored(small, closed(small))
    assert data["why"] == "month end"
    assert (data["pos"], data["head"], data["listing"]) == (pos, head.hex(), sha256(listing).hexdigest())
    assert (data["value_micros"], data["components"]) == (20_000_000, {"bar": 20_000_000})
    assert data["stages"] == [{"stage": "saw", "value_micros": 20_000_000}]
    assert data["quantities"] == [{"unit": "pcs", "qty_milli": 10_000, "items": 1}]
    assert (data["items"], data["unvalued_items"], data["lines"]) == (1, 0, 1)


def test_the_bytes_of_a_listing_are_canonical(small):
    _, listing = stored(small, closed(small))
    heading, *lines = listing.splitlines(keepends=True)
    assert lines == sorted(lines)
    for line in (heading, *lines):
        assert json.dumps(json.loads(line), sort_keys=True, separators=(",", ":")).encode() + b"\n" == line
    assert encode_listing(json.loads(heading), reversed(read_listing(listing))) == listing
    assert figures_of(read_listing(listing)).value_micros == 20_000_000


def test_no_later_scan_and_no_rebuild_changes_what_was_stored(small):
    at_us = small.ago(hours=6)
    pos = closed(small, at_us)
    before = stored(small, pos)
    for number in range(20):
        small.scan(f"LATE-{number}", "saw", small.ago(hours=8))
    small.scan("WO-1", "pack", small.ago(hours=7))
    small.settle()
    rebuild(small.store)
    assert stored(small, pos) == before
    assert breaks(small) == []
    with small.store.read() as connection:
        for by, sums in ((RollBy.COMPONENT, before[0]["components"]), (RollBy.STAGE, {"saw": 20_000_000})):
            period = Period(at_us, small.now_us, small.now_us, before[0]["pos"], projected_pos(connection))
            roll = roll_forward(connection, period, by)
            assert {row.key: row.opening for row in roll.rows if row.opening} == sums
            assert roll.total.opening == before[0]["value_micros"]


def test_what_arrives_after_the_close_about_an_earlier_time_is_not_in_it(small):
    with small.store.read() as connection:
        known = projected_pos(connection)
    small.scan("WO-2", "saw", small.ago(hours=8))  # in the ledger, and not folded yet
    data, listing = stored(small, closed(small))
    assert data["pos"] == known
    assert [line.form.item for line in read_listing(listing)] == ["WO-1"]


def test_an_empty_shop_is_closed_with_nothing(shop_writer):
    data, listing = stored(shop_writer, closed(shop_writer))
    assert (data["value_micros"], data["components"], data["quantities"], data["lines"]) == (0, {}, [], 0)
    assert len(listing.splitlines()) == 1


def test_an_unknown_quantity_and_a_hostile_name_are_listed(small):
    name = '\u2028=cmd|"\u00e9'
    small.say("order.release", small.ago(hours=9), order=name, product="bracket")
    small.scan(name, "saw", small.ago(hours=8), all=True)
    small.settle()
    data, listing = stored(small, closed(small))
    unknown = [line for line in read_listing(listing) if line.qty_milli is None]
    assert [line.form.item for line in unknown] == [name]
    assert (data["items"], data["unvalued_items"], data["value_micros"]) == (2, 1, 20_000_000)
    assert listing.isascii()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (period_listing.delete(), "is missing or cannot be read"),
        (update(period_listing).values(content=b"x"), "is missing or cannot be read"),
    ],
)
def test_verify_names_a_listing_that_is_not_the_stored_one(small, change, said):
    closed(small)
    assert breaks(small) == []
    with small.store.write() as connection:
        connection.execute(change)
    assert breaks(small) == [f"the listing of the closed period {said}"]


def planted(shop, make):
    """The content of the only listing, as another one would be stored."""
    with shop.store.write() as connection:
        content = zlib.decompress(bytes(connection.execute(select(period_listing.c.content)).scalar_one()))
        connection.execute(update(period_listing).values(content=zlib.compress(make(content))))


@pytest.mark.parametrize(
    "make",
    [
        lambda content: content.replace(b"20000000", b"90000000"),
        lambda _content: b"a\nb\n",
        lambda content: content + b'{"form":1}\n',
        lambda _content: b"",
    ],
)
def test_a_listing_with_another_hash_is_no_figure_of_the_close(small, make):
    pos = closed(small)
    planted(small, make)
    assert breaks(small) == ["the listing of the closed period is not the one that was stored with it"]
    with small.store.read() as connection:
        close = closed_period(connection, pos)
        assert close.value_micros == 20_000_000
        assert stored_lines(connection, close) is None


def test_a_listing_of_no_close_and_one_of_another_time_are_named_and_close_nothing(small):
    pos = closed(small)
    stray = {"pos": pos - 1, "closed_us": small.ago(hours=7), "content": zlib.compress(b"{}\n")}
    with small.store.write() as connection:
        connection.execute(period_listing.insert(), [stray])
    assert breaks(small) == [f"the listing at position {pos - 1} is of no closed period"]
    with small.store.read() as connection:
        assert [close.pos for close in closed_periods(connection)] == [pos]
        assert close_that_holds(connection, small.ago(hours=7)) is None
    with small.store.write() as connection:
        connection.execute(period_listing.delete().where(period_listing.c.pos == pos - 1))
        connection.execute(update(period_listing).values(closed_us=small.ago(hours=7)))
    assert breaks(small) == ["the listing of the closed period is not the one that was stored with it"]
    with small.store.read() as connection:
        assert closed_periods(connection) == []


def test_a_ledger_before_its_migration_is_verified_without_the_table_of_listings(small):
    with small.store.write() as connection:
        period_listing.drop(connection)
    try:
        assert breaks(small) == []
    finally:
        with small.store.write() as connection:
            period_listing.create(connection)


def test_verify_names_a_listing_that_was_exchanged(small):
    first = closed(small)
    second = closed(small, small.ago(hours=5))
    with small.store.write() as connection:
        other = select(period_listing.c.content).where(period_listing.c.pos == first).scalar_subquery()
        connection.execute(update(period_listing).where(period_listing.c.pos == second).values(content=other))
    assert breaks(small) == ["the listing of the closed period is not the one that was stored with it"]


def test_of_two_closes_at_once_one_is_written(small, monkeypatch):
    compute = close_period.__globals__["_compute"]

    def overtaken(connection, until_us):
        computed = compute(connection, until_us)
        monkeypatch.undo()
        closed(small, small.ago(hours=5))
        return computed

    monkeypatch.setitem(close_period.__globals__, "_compute", overtaken)
    with pytest.raises(EntryRefused, match="no other close or reopening at the same time") as caught:
        closed(small, small.ago(hours=4))
    assert caught.value.status == 409
    with small.store.read() as connection:
        assert last_close(connection) == small.ago(hours=5)


@pytest.mark.parametrize(
    ("data", "at_us", "said"),
    [
        ({}, 5, "missing required field `why`"),
        ({"why": " "}, 5, "why"),
        ({"why": "x", "value_micros": 1}, 5, "unknown field `value_micros`"),
        ({"why": "x", "listing": "00"}, 5, "unknown field `listing`"),
        ({"why": "x"}, 2**62, "in the future"),
    ],
)
def test_a_close_without_a_reason_with_figures_or_in_the_future_is_refused(store, data, at_us, said):
    with pytest.raises(EntryRefused, match=said):
        record_entries(store, [Entry("period.close", data, "Kim", at_us)])


def test_a_close_ends_before_what_is_entered_next(store):
    with pytest.raises(EntryRefused, match="in the future"):
        record_entries(store, [Entry("period.close", WHY, "Kim", store.clock.utc_us() + 30_000_000)])


def test_a_close_is_entered_alone(store):
    close = Entry("period.close", WHY, "Kim", 5)
    with pytest.raises(EntryRefused, match="among other entries"):
        record_all(store, [Entry("note", {"item": "WO-1", "text": "x"}, "Kim"), close])


@pytest.mark.parametrize("what", ["period.close", "period.reopen"])
def test_what_was_decided_before_another_close_is_refused(small, what):
    before_us, last_us = small.ago(hours=6), small.ago(hours=5)
    closed(small, before_us)
    closed(small, last_us)
    at_us = small.ago(hours=4) if what == "period.close" else None
    for seen_us in (0, before_us, last_us + 1):
        with pytest.raises(EntryRefused, match="Look at it again") as caught:
            small.say(what, at_us, why="x", last_us=seen_us)
        assert caught.value.status == 409
    small.say(what, at_us, why="x", last_us=last_us)


def test_the_first_close_expects_that_none_is_closed(small):
    with pytest.raises(EntryRefused, match="no period is closed"):
        small.say("period.close", small.ago(hours=6), why="x", last_us=5)
    small.say("period.close", small.ago(hours=6), why="x", last_us=0)


@pytest.mark.parametrize("entered", ["before the close", "after the close"])
def test_a_price_from_the_end_of_a_period_on_is_of_the_next_one(small, entered):
    at_us = small.ago(hours=6)
    small.scan("EARLY", "saw", small.ago(hours=9))
    small.settle()
    small.say(
        "order.release", small.ago(hours=5), order="EARLY", product="bracket", qty_milli=10_000
    )  # later than its scan
    small.settle()
    pos = closed(small, at_us) if entered == "after the close" else None
    small.say("cost.set", at_us, component="bar", basis="unit", micros=3_000_000)
    small.settle()
    assert restated(small, pos or closed(small, at_us)) == (40, {}, 40)
    with small.store.read() as connection:
        known, revalued = projected_pos(connection), []
        for begin_us, end_us in ((small.ago(hours=8), at_us), (at_us, small.now_us)):
            roll = roll_forward(connection, Period(begin_us, end_us, small.now_us, known, known), RollBy.COMPONENT)
            assert roll.gap == 0
            revalued.append(roll.total.lines.get(ValueLine.REVALUED, 0))
    assert revalued == [0, 20_000_000]


AT_THE_END = {
    "adjust": {"item": "WO-1", "stage": "saw", "qty_milli": 1000},
    "note": {"item": "WO-1", "text": "x"},
    "order.change": {"order": "WO-1", "qty_milli": 20_000},
    "order.close": {"order": "WO-1", "how": "short"},
}


@pytest.mark.parametrize("what", AT_THE_END)
def test_what_is_entered_about_the_very_end_of_a_closed_period_is_refused(small, what):
    at_us = small.ago(hours=6)
    closed(small, at_us)
    with pytest.raises(EntryRefused, match="expected a time after"):
        small.say(what, at_us, **AT_THE_END[what])
    small.say(what, at_us + 1, **AT_THE_END[what])


def test_an_order_released_from_the_end_of_a_period_on_is_not_in_it(small):
    at_us = small.ago(hours=6)
    pos = closed(small, at_us)
    before = restated(small, pos)
    small.release("WO-2", qty=5, at_us=at_us)
    small.settle()
    assert restated(small, pos) == before


@pytest.mark.parametrize("seed", range(4))
def test_a_thousand_late_scans_and_a_rebuild_change_no_stored_figure_and_their_causes_add_up(shop_writer, seed):
    drawn_shop(shop_writer, seed)
    at_us, chance = shop_writer.ago(hours=40), random.Random(seed)
    pos = closed(shop_writer, at_us)
    before = stored(shop_writer, pos)
    late = sorted(shop_writer.ago(hours=chance.randint(1, 90), minutes=chance.randint(0, 59)) for _ in range(1_000))
    for number, us in enumerate(late):
        code, stage = f"WO-{chance.randrange(26)}", chance.choice(STAGES)
        place = shop_writer.scan(code, stage, us, station=f"late-{stage}")
        if number % 40 == 0:
            shop_writer.settle()
            shop_writer.say("void", log=place[0], seq=place[1])
    shop_writer.settle()
    rebuild(shop_writer.store)
    assert stored(shop_writer, pos) == before
    assert breaks(shop_writer) == []
    value, causes, now = restated(shop_writer, pos)
    assert value == before[0]["value_micros"] / 1e6
    assert value != now
    assert causes
    with shop_writer.store.read() as connection:
        close = close_that_holds(connection, at_us)
        period = Period(at_us, shop_writer.now_us, shop_writer.now_us, close.known, projected_pos(connection))
        roll = roll_forward(connection, period, RollBy.COMPONENT)
    assert {row.key: row.opening for row in roll.rows if row.opening} == before[0]["components"]
    assert roll.gap == 0


def test_a_close_holds_until_it_is_reopened_or_closed_again(small):
    at_us = small.ago(hours=6)
    first = closed(small, at_us)
    small.say("period.reopen", why="a price was missing")
    with small.store.read() as connection:
        assert close_that_holds(connection, at_us) is None
    second = closed(small, at_us)
    with small.store.read() as connection:
        assert close_that_holds(connection, at_us).pos == second
        found = [(close.pos, close.holds, close.by, close.why) for close in closed_periods(connection)]
    assert found == [(second, True, "Kim", "month end"), (first, False, "Kim", "month end")]
