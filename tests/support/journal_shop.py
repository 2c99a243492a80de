"""A shop with a scan in each of three periods and an account for each line of a journal; its closes and journals."""

from server.accounting.period_close import record_entries
from server.ledger.entries import Entry
from server.ledger.journal_check import recorded_journals, standing

LINES = ("late", "material", "labour", "overhead", "outside", "finished", "normal_scrap", "abnormal_scrap", "counts",
         "closes", "revaluation", "rounding")  # fmt: skip


def journal_shop(shop_writer):
    """10 pieces reach the saw 90, 60 and 30 hours ago: 20.00 of bar each time."""
    for number, hours in enumerate((90, 60, 30)):
        shop_writer.release(f"WO-{number}", qty=10, at_us=shop_writer.ago(hours=hours + 2))
        shop_writer.scan(f"WO-{number}", "saw", shop_writer.ago(hours=hours))
    shop_writer.settle()
    for number, line in enumerate(LINES, 4000):
        enter(shop_writer, "account.map", line=line, account=str(number))
    enter(shop_writer, "account.map", line="wip", account="1300")
    return shop_writer


def enter(shop, what, at_us=None, **data):
    """Write an entry and project it; its position."""
    place = record_entries(shop.store, [Entry(what, data, "Kim", at_us)])[0]
    shop.settle()
    return place.pos


def close(shop, hours):
    """Close the period that ended some hours ago; the position of the close."""
    return enter(shop, "period.close", shop.ago(hours=hours), why="month end")


def journals(shop):
    """The fields of all journals."""
    with shop.store.read() as connection:
        return recorded_journals(connection)


def stands(shop):
    """The numbers of the journals that stand."""
    return [data["number"] for data in standing(journals(shop))]
