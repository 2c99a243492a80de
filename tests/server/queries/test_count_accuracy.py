"""The accuracy of finished counts by stage: the share of lines that agree, and the money of the others."""

from counted_shop import counted, decide, opened

from server.queries.count_accuracy import StageAccuracy, count_accuracy, finished_counts, together


def accuracies(shop, stage=None):
    shop.settle()
    with shop.store.read() as connection:
        return [count_accuracy(connection, count, stage) for count in finished_counts(connection)]


def walked(shop):
    """Two finished counts, one that goes on and a cancelled one."""
    shop.small_shop()
    for number in range(1, 6):
        shop.release(f"WO-{number}", qty=10)
        shop.scan(f"WO-{number}", "saw", shop.ago(hours=30))
    shop.release("NO-COST", product="tube", qty=5)
    shop.scan("NO-COST", "saw", shop.ago(hours=30))
    opened(shop, hours=25, ended=20, name="C-1", stages=["saw", "deburr"])
    counted(shop, "WO-1", "saw", 24)
    counted(shop, "WO-2", "saw", 23, qty_milli=8000)
    counted(shop, "WO-3", "saw", 23, qty_milli=13_000)
    counted(shop, "WO-4", "deburr", 22)  # and WO-5 and NO-COST are missing at Saw
    opened(shop, hours=5, ended=1, name="C-2", stages=["saw"])
    counted(shop, "WO-1", "saw", 4)
    counted(shop, "WO-2", "saw", 4)
    counted(shop, "WO-3", "saw", 4)
    counted(shop, "WO-4", "saw", 4)
    counted(shop, "WO-5", "saw", 4)
    counted(shop, "NO-COST", "saw", 4)
    opened(shop, hours=4, ended=None, name="C-3")
    opened(shop, hours=4, ended=None, name="C-4")
    shop.say("count.end", shop.ago(hours=2), count="C-4", how="cancelled")


def test_each_finished_count_has_its_stages(shop_writer):
    walked(shop_writer)
    newest, first = accuracies(shop_writer)
    assert (newest.of.name, first.of.name) == ("C-2", "C-1")
    assert newest.stages == [StageAccuracy("saw", 6, 6, 0, 0, 0)]
    assert first.stages == [
        StageAccuracy("deburr", 1, 0, 0, 0, 0),  # at another stage: no sum of money
        StageAccuracy("saw", 5, 1, -18_000_000, 30_000_000, 1),  # -2 and +3 and -10 of 2 a piece; no cost of the tube
    ]
    assert [one.agree_ppm for one in first.stages] == [0, 200_000]
    assert together([newest, first]) == [
        StageAccuracy("deburr", 1, 0, 0, 0, 0),
        StageAccuracy("saw", 11, 7, -18_000_000, 30_000_000, 1),
    ]
    assert [one.stages for one in accuracies(shop_writer, "deburr")] == [[], first.stages[:1]]


def test_what_is_booked_does_not_change_it_and_a_late_scan_that_explains_a_difference_does(shop_writer):
    walked(shop_writer)
    before = accuracies(shop_writer)[1]
    decide(shop_writer, ("WO-2", "saw"), name="C-1")
    assert accuracies(shop_writer)[1] == before
    shop_writer.scan("WO-2", "deburr", shop_writer.ago(hours=24), station="late", qty_milli=2000)
    explained = accuracies(shop_writer)[1].stages[1]
    assert (explained.agree, explained.net_micros) == (2, -14_000_000)
