"""A shop that was counted: what a person walks, finishes and decides, as the pages and the API do it."""

from dataclasses import replace
from typing import Any

from shop_writer import ShopWriter

from server.accounting.count_acceptance import DecidableCount, LineDecision, decidable, decision_entries
from server.ledger.entries import record_all
from server.queries.count_bookings import CountBooking
from server.queries.count_decisions import ACCEPTED
from server.queries.counts import count_named

COUNT = "C-1"


def opened(shop: ShopWriter, hours: float = 5.0, ended: float | None = 1, name: str = COUNT, **data: Any) -> None:
    """A count that was opened so many hours ago, and finished."""
    shop.say("count.open", shop.ago(hours=hours), count=name, **data)
    if ended is not None:
        shop.say("count.end", shop.ago(hours=ended), count=name, how="finished")


def counted(shop: ShopWriter, item: str, stage: str, hours: float, **fields: Any) -> tuple[str, int]:
    """A scan with the card COUNT; its place."""
    return shop.scan(item, stage, shop.ago(hours=hours), action="count", **fields)


def known(shop: ShopWriter, name: str = COUNT) -> DecidableCount:
    """The count with its lines, decisions and bookings, as they are now."""
    shop.settle()
    with shop.store.read() as connection:
        count = count_named(connection, name)
        assert count is not None
        return decidable(connection, count, shop.store.clock.utc_us())


def of_lines(shop: ShopWriter, *at: tuple[str, str], name: str = COUNT) -> list[CountBooking]:
    """The bookings of some lines, or of all that one person may accept."""
    found = known(shop, name)
    return [found.bookings[one] for one in at] if at else found.acceptable()


def decide(
    shop: ShopWriter, *at: tuple[str, str], how: str = ACCEPTED, why: str = "", by: str = "Nora", name: str = COUNT
) -> None:
    """Accept or reject lines, without `at` all that one person may accept. Raises `EntryRefused`."""
    etags = [one.etag for one in of_lines(shop, *at, name=name)]
    send(shop, etags, how, why, by, name)


def send(
    shop: ShopWriter,
    etags: list[str],
    how: str = ACCEPTED,
    why: str = "",
    by: str = "Nora",
    name: str = COUNT,
    at_us: int | None = None,
) -> None:
    """Decide about the lines that these etags name, as they were read before; `at_us`: as if it was done then."""
    with shop.store.read() as connection:
        entries = decision_entries(connection, name, LineDecision(etags, how, why, by), shop.store.clock.utc_us())
    record_all(shop.store, [replace(entry, holds_from_us=at_us) for entry in entries])
    shop.settle()
