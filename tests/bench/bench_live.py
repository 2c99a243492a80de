"""Green to the open board: a real scan, its green on `lines`, and the moment the stage changed in Chromium."""

import json
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from figure import Figure, bound, median, quantile

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "support"), str(TESTS / "station" / "fixtures")]

from browser import a_browser, a_page, is_live  # noqa: E402 - the folders are on the path only now
from running_hub import RunningHub  # noqa: E402
from shop_writer import ShopWriter  # noqa: E402
from station_process import Daemon  # noqa: E402

from server.db.store import Store  # noqa: E402
from server.ops.bootstrap import initialise  # noqa: E402

SCANS = 200
PAUSE_S = 0.6  # about two scans a second would be a busy bench
PATIENCE_S = 5.0
WATCH = """
window.changed = [];
const tile = document.querySelector('[data-key="stage saw"]');
new MutationObserver(() => window.changed.push(performance.timeOrigin + performance.now()))
  .observe(tile, {attributes: true, attributeFilter: ["data-mark"]});
"""


def shop(path: Path) -> str:
    """A hub's database with the small shop and its orders; the token of the station."""
    store = Store(path)
    initialise(store)
    shop_writer = ShopWriter(store)
    shop_writer.small_shop()
    for number in range(SCANS):
        shop_writer.release(f"WO-{number}")
    token = shop_writer.station("saw-1")
    shop_writer.settle()
    store.close()
    return token


def figures(folder: Path, long: bool) -> Iterator[Figure]:
    """The 95th percentile and the median, milliseconds of one machine's clock."""
    place = folder / "live"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    (place / "token").write_text(shop(place / "hub.db"))
    with ExitStack() as stack:
        hub = RunningHub(place / "hub.db").start()
        stack.callback(hub.stop)
        daemon = Daemon(place, f'[hub]\nurl = "{hub.url}"\ntoken_file = "{place}/token"').start()
        stack.callback(daemon.end)
        browser = stack.enter_context(a_browser())
        page = stack.enter_context(a_page(browser, hub.url))
        page.goto("/")
        is_live(page)
        page.evaluate(WATCH)
        took = [each for number in range(SCANS) if (each := _one(daemon, page, number)) is not None]
    missing = SCANS - len(took)
    note = f"{missing} scans never changed the board" if missing else ""
    yield bound("green to row changed on the board, p95", quantile(took, 0.95), "ms", at_most=500, note=note)
    yield bound("green to row changed on the board, median", median(took), "ms", at_most=500)


def _one(daemon: Daemon, page: object, number: int) -> float | None:
    """Milliseconds from the green of one scan to the change on the page."""
    answers = daemon.answers_path
    lines = answers.read_bytes().count(b"\n") if answers.exists() else 0
    page.evaluate("window.changed = []")  # type: ignore[attr-defined]
    daemon.scan(f"WO-{number}")
    deadline = time.monotonic() + PATIENCE_S
    while not answers.exists() or answers.read_bytes().count(b"\n") == lines:
        time.sleep(0.002)
    green = json.loads(answers.read_bytes().splitlines()[-1])
    green_ms = (time.time_ns() - (time.clock_gettime_ns(time.CLOCK_BOOTTIME) - green["boot_ns"])) / 1e6
    while time.monotonic() < deadline:
        changed = page.evaluate("window.changed")  # type: ignore[attr-defined]
        if changed:
            time.sleep(PAUSE_S)
            return changed[0] - green_ms
        time.sleep(0.01)
    return None
