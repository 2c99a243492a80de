"""The board of the present is computed once for all viewers, at most every 250 ms, and no viewer keeps an old one."""

import threading
import time

import pytest
from shop_writer import ShopWriter

from server.context import HubLimits
from server.locale_format import LocaleFormat
from server.queries import shared_board
from server.queries.board_state import AlertList, board_state_now
from server.queries.lag import lag_of
from server.queries.shared_board import BoardAnswer, SharedBoard, stamp_of
from server.queries.stage_summary import StockSummary

REFRESH = {"X-Refresh": "1"}


@pytest.fixture
def shop_writer(store):
    made = ShopWriter(store)
    made.small_shop()
    made.settle()
    return made


class Clock:
    """A clock that only a pause advances."""

    def __init__(self):
        self.now, self.pauses = 100.0, []

    def sleep(self, seconds):
        self.pauses.append(round(seconds, 3))
        self.now += seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def look(shop_writer, clock):
    """(follows) -> the number of items at Saw, whether a scan came since, and the number of computations so far."""
    board = SharedBoard(now_s=lambda: clock.now, sleep=clock.sleep)

    def compute(connection):
        shop = board_state_now(connection, LocaleFormat(), shop_writer.now_us)
        return BoardAnswer(shop, AlertList([], 0, False), StockSummary(0, ()), 0, 0, lag_of(connection, shop.now_us))

    def looked(*, follows):
        answer = board.answer(shop_writer.store, compute, follows=follows)
        return answer.shop.line.tiles[0].items, answer.behind, board.computed

    looked.board, looked.compute = board, compute
    return looked


def scan(shop_writer, item):
    shop_writer.scan(item, "saw", shop_writer.ago(hours=1))
    shop_writer.settle()


def test_viewers_of_one_position_share_one_computation(look, clock):
    assert look(follows=True) == (0, False, 1)
    clock.now += 0.2
    assert look(follows=False) == look(follows=True) == (0, False, 1)
    clock.now += 1.5
    assert look(follows=True) == (0, False, 1)


def test_a_page_that_follows_shares_a_young_board_and_learns_that_a_scan_came(look, clock, shop_writer):
    look(follows=True)
    scan(shop_writer, "WO-1")
    clock.now += 0.1
    assert look(follows=True) == look(follows=True) == (0, True, 1)
    clock.now += 0.15
    assert look(follows=True) == look(follows=True) == (1, False, 2)
    assert clock.pauses == [0.0]


def test_a_viewer_who_opens_the_board_sees_the_newest_scan(look, clock, shop_writer):
    look(follows=True)
    scan(shop_writer, "WO-1")
    clock.now += 0.1
    assert look(follows=False) == (1, False, 2)
    assert clock.pauses == [0.15]


def test_ages_are_computed_again_while_nothing_is_scanned(look, clock):
    look(follows=True)
    clock.now += 2.0
    assert look(follows=True) == (0, False, 2)


def test_viewers_who_wait_for_a_computation_share_it(look, shop_writer):
    begun, go = threading.Event(), threading.Event()
    answers = []

    def slow(connection):
        begun.set()
        go.wait(10)
        return look.compute(connection)

    def view(compute):
        answers.append(look.board.answer(shop_writer.store, compute, follows=False))

    first = threading.Thread(target=view, args=(slow,))
    first.start()
    assert begun.wait(10)
    others = [threading.Thread(target=view, args=(look.compute,)) for _ in range(4)]
    for thread in others:
        thread.start()
    go.set()
    for thread in (first, *others):
        thread.join(10)
    assert len(answers) == 5
    assert look.board.computed == 1


def test_viewers_who_wait_share_the_question_whether_a_scan_came(look, shop_writer, monkeypatch):
    arrived, go, asked = threading.Semaphore(0), threading.Event(), []

    def now_s():
        arrived.release()
        return time.monotonic()

    def asks(connection):
        asked.append(threading.current_thread())
        assert go.wait(10)
        return stamp_of(connection)

    board = SharedBoard(every_s=60, keep_s=60, now_s=now_s)
    first = board.answer(shop_writer.store, look.compute, follows=True)
    monkeypatch.setattr(shared_board, "stamp_of", asks)
    while arrived.acquire(blocking=False):
        pass
    answers = []
    viewers = [
        threading.Thread(
            target=lambda: answers.append(board.answer(shop_writer.store, look.compute, follows=True).behind)
        )
        for _ in range(6)
    ]
    for viewer in viewers:
        viewer.start()
    for _ in range(2 * len(viewers) + 1):  # each has arrived, and the first one asks
        assert arrived.acquire(timeout=10)
    go.set()
    for viewer in viewers:
        viewer.join(10)
    assert answers == [first.behind] * len(viewers)
    assert len(asked) <= 2


class TestPages:
    @pytest.fixture
    def limits(self):
        return HubLimits(board_every_s=60.0, board_keep_s=60.0)

    def test_a_page_says_that_a_scan_came_since(self, hub_app, shop_writer):
        viewers = [hub_app.anonymous() for _ in range(2)]
        pages = [viewer.get("/", headers=REFRESH).get_data(as_text=True) for viewer in viewers]
        assert pages[0] == pages[1]
        scan(shop_writer, "WO-1")
        assert 'data-behind="1"' in viewers[0].get("/", headers=REFRESH).get_data(as_text=True)
        assert 'data-behind="1"' in viewers[1].get("/wall", headers=REFRESH).get_data(as_text=True)
        assert 'data-behind="1"' not in pages[0]
