"""The feed of all open streams: what it has read, and what it reads again."""

import random

import engines
import pytest
from shop_writer import ShopWriter
from statements import counted_statements

from server.api.event_feed import EventFeed, ledger_events

engine = engines.both


@pytest.fixture
def events(store):
    """Some scans of a shop that are projected; the events of a span of positions, read from the tables."""
    writer = ShopWriter(store)
    writer.small_shop()
    writer.release("WO-1")
    for number in range(30):
        writer.scan("WO-1" if number % 3 else f"no order {number}", "saw", writer.ago(minutes=60 - number))
    writer.settle()

    def between(after, thru):
        with store.read() as connection:
            return b"".join(ledger_events(connection, 1, after, thru))

    between.last = writer.projector.pos
    return between


def test_fifty_streams_share_one_statement_a_position(store, events):
    feed = EventFeed()
    with counted_statements() as counted:
        for thru in range(11, events.last + 1):
            sent = {feed.read(store, 1, 0, thru - 1, thru) for _ in range(50)}
            assert len(sent) == 1
    assert len(counted.texts) == events.last - 10
    assert feed.read(store, 1, 0, 10, events.last) == events(10, events.last)


def test_every_span_is_what_the_tables_have(store, events):
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance, feed = random.Random(seed), EventFeed()
    for again in range(6):
        for _ in range(8):
            after = chance.randrange(events.last)
            thru = chance.randint(after, events.last)
            assert feed.read(store, 1, again, after, thru) == events(after, thru), f"seed {seed}: {after} to {thru}"


def test_a_refold_and_another_epoch_discard_what_was_read(store, events):
    feed, statements = EventFeed(), []
    for epoch, again in ((1, 0), (1, 0), (1, 1), (2, 1)):
        with counted_statements() as counted:
            assert f"id: {epoch}:8\n".encode() in feed.read(store, epoch, again, 5, 9)
        statements.append(len(counted.texts))
    assert statements == [1, 0, 1, 1]


def test_a_feed_keeps_the_newest_positions_and_reads_older_ones_again(store, events):
    feed = EventFeed(most=10)
    for thru in range(1, events.last + 1):
        feed.read(store, 1, 0, thru - 1, thru)
    for after, statements in ((events.last - 10, 0), (events.last - 11, 1), (0, 1)):
        with counted_statements() as counted:
            assert feed.read(store, 1, 0, after, events.last) == events(after, events.last)
        assert len(counted.texts) == statements + 1
