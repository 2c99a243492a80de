"""The pages in a real browser, served by the real hub: live, quiet, safe, and usable by everybody."""

import re
from typing import Any

import pytest
from browser import NARROW, WIDE, a_page, barriers, is_live
from floor_full import HOSTILE
from playwright.sync_api import expect
from waiting import HANG_S

from server.context import MAX_STREAMS
from server.locale_format import duration
from server.queries.escape import visible_bytes
from server.urls import item_url
from station.core.codes.canonical import canonical, plain_braces

pytestmark = pytest.mark.browser

PAGES = (
    "/",
    "/?as_of=2026-01-01T12:00",
    "/orders",
    "/orders?status=finished",
    "/orders?status=closed",
    "/stages/saw",
    "/stations",
    "/rules",
    "/wall",
    "/items/WO-1009",
    "/find",
    "/sheet",
    "/cards",
    "/find?q=nothing-like-it",
    "/sign-in",
)
NO_INTERVALS = "window.setInterval = () => 0"  # no refresh every 3 s or 30 s: only the event stream refreshes the page


def tile(page: Any, stage: str) -> Any:
    """The big number of a stage on the board."""
    return page.locator("li.stage").filter(has=page.get_by_role("heading", name=stage)).locator(".n")


def count(text: str | None) -> int:
    return int(re.match(r"\d+", text or "")[0])  # type: ignore[index]


def test_each_event_of_the_stream_refreshes_the_open_board_without_reload(chromium, hub):
    with a_page(chromium, hub.url) as page:
        page.add_init_script(NO_INTERVALS)
        page.goto("/")
        is_live(page)
        page.evaluate("window.same = true")
        deburr = tile(page, "Deburr")
        before = count(deburr.text_content())
        hub.scan(b"LIVE", "saw")
        for n in range(12):
            hub.scan(f"LIVE-{n}".encode(), "deburr")
            expect(deburr).to_have_text(re.compile(rf"^{before + n + 1}\b"), timeout=HANG_S * 1000)
        assert page.evaluate("window.same") is True


def test_what_a_reader_opened_or_types_survives_a_scan(chromium, hub):
    with a_page(chromium, hub.url) as page:
        page.goto("/")
        is_live(page)
        page.locator(".now summary").click()
        page.locator("#find").fill("half a co")
        before = tile(page, "Test").text_content()
        hub.scan(b"KEEP-1", "test")
        expect(tile(page, "Test")).not_to_have_text(before)
        assert page.locator(".now details").get_attribute("open") is not None
        assert page.locator("#find").input_value() == "half a co"


def test_a_scan_on_the_page_of_its_stage_adds_its_row(chromium, hub):
    with a_page(chromium, hub.url) as page:
        page.goto("/stages/test")
        is_live(page)
        hub.scan(b"ROW-1", "test")
        row = page.locator("#run tr", has_text="ROW-1")
        expect(row).to_have_count(1)
        expect(row).to_have_class("glow")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
def test_every_page_is_quiet_and_for_everybody(chromium, hub, scheme, viewport):
    before, found = hub.csp_reports(), []
    with a_page(chromium, hub.url, expected="404", color_scheme=scheme, viewport=viewport) as page:
        for address in PAGES:
            page.goto(address)
            found += [f"{address}: {each}" for each in barriers(page)]
            across = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert across <= 0, f"{address} is {across} px wider than the window"
            assert page.locator(".open-line").inner_text() == "not encrypted"
    assert found == []
    assert hub.csp_reports() == before


def test_a_person_puts_a_scan_right_in_one_step(chromium, hub):
    with a_page(chromium, hub.url) as page:
        page.goto(hub.person_link)
        page.get_by_role("button", name="Sign in").click()
        page.goto("/items/WO-1008")
        assert barriers(page) == []
        form = page.locator("form", has=page.get_by_role("heading", name="This scan was wrong"))
        form.get_by_label("At stage").select_option(label="Test")
        form.get_by_label("Reason").fill("scanned at the wrong bench")
        form.get_by_role("button", name="Put right").click()
        assert page.locator(".said").inner_text().startswith("Put right. ")
        expect(page.locator("#changes")).to_contain_text("scanned at the wrong bench")
        assert barriers(page) == []
        expect(page.locator("#where")).to_contain_text("Test")
        expect(page.locator("#events")).to_contain_text("put right")
        page.goto("/orders")
        assert barriers(page) == []


@pytest.mark.parametrize("raw", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_label_is_only_text(chromium, hub, raw):
    before, address = hub.csp_reports(), item_url(plain_braces(canonical(raw)))
    with a_page(chromium, hub.url) as page:
        page.goto("/unknown-codes")
        assert page.evaluate("window.pwned") is None
        links = page.locator("#unknown a[href^='/items']")
        addresses = [links.nth(n).get_attribute("href") for n in range(links.count())]
        links.nth(addresses.index(address)).click()
        page.wait_for_selector("#events")
        assert page.evaluate("window.pwned") is None
        assert page.locator("td.raw").first.inner_text() == visible_bytes(raw)
        page.goto("/")
        assert page.evaluate("window.pwned") is None
    assert hub.csp_reports() == before


def test_a_call_appears_at_once_its_time_runs_and_an_answer_ends_it(chromium, hub):
    with a_page(chromium, hub.url) as board, a_page(chromium, hub.url) as wall:
        for page, path in ((board, "/"), (wall, "/wall")):
            page.goto(path)
            is_live(page)
        hub.scan(b"WIP:CALL:supervisor", "saw", action="call", reason="supervisor", scheme="command")
        for page in (board, wall):
            line = page.get_by_text("Saw calls for supervisor, waiting for")
            expect(line).to_be_visible(timeout=HANG_S * 1000)
            time = line.locator("time.running")
            text = time.text_content()
            expect(time).not_to_have_text(text, timeout=HANG_S * 1000)
        hub.scan(b"WIP:ANSWER", "saw", action="answer", scheme="command")
        for page in (board, wall):
            expect(page.get_by_text("Saw calls for")).to_have_count(0, timeout=HANG_S * 1000)


def test_the_page_writes_a_running_time_as_the_hub_does(chromium, hub):
    seconds = (0, 1, 59, 60, 61, 3599, 3600, 3660, 86_399, 86_400, 90_000, 86_400 * 100 + 3600)
    with a_page(chromium, hub.url) as page:
        page.goto("/")
        assert [page.evaluate(f"durationText({each})") for each in seconds] == [duration(each) for each in seconds]


def test_the_search_box_takes_a_scan_from_anywhere(chromium, hub):
    with a_page(chromium, hub.url) as page:
        page.goto("/")
        assert page.evaluate("document.activeElement.id") == "find"
        page.evaluate("document.activeElement.blur()")
        page.keyboard.type("zzz")
        assert page.locator("#find").input_value() == "zzz"
        page.keyboard.press("Escape")
        assert page.locator("#find").input_value() == ""
        page.keyboard.type("wo-1008")
        page.keyboard.press("Enter")
        page.wait_for_url("**/items/WO-1008")


def test_two_scans_into_the_search_box_are_two_while_the_first_page_loads(chromium, hub):
    with a_page(chromium, hub.url) as page:
        page.goto("/")
        held: list[str] = []

        def hold(route: Any) -> None:
            held.append(route.request.url)  # and never answer it

        page.route(re.compile(r"/find\?q=wo-1008$"), hold)
        with page.expect_request(re.compile(r"/find\?q=")):
            page.keyboard.type("wo-1008")
            page.keyboard.press("Enter")
        page.keyboard.type("wo-1009")
        page.keyboard.press("Enter")
        page.wait_for_url("**/items/WO-1009")
        assert len(held) == 1


def test_motion_is_left_out_for_whoever_asks(chromium, hub):
    with a_page(chromium, hub.url, reduced_motion="reduce") as page:
        page.goto("/")
        name = page.evaluate(
            "() => { document.body.className = 'glow'; return getComputedStyle(document.body).animationName }"
        )
        assert name == "none"


def test_the_wall_shows_one_question_after_another_until_it_is_paused(chromium, hub):
    with a_page(chromium, hub.url) as page:
        page.clock.install()
        page.goto("/wall")
        panels = page.locator(".panel:visible h2")
        expect(panels).to_have_text(["Needs someone now"])
        page.clock.run_for(10_000)
        expect(panels).to_have_text(["In process"])
        page.get_by_role("button", name="Pause").click()
        page.clock.run_for(30_000)
        expect(panels).to_have_text(["In process"])


def test_a_page_without_a_seat_at_the_stream_asks_every_three_seconds(chromium, hub):
    hub.empty_house()
    seats = [hub.take_a_seat() for _ in range(MAX_STREAMS + 1)]
    assert seats[-1].status == 503
    with a_page(chromium, hub.url, expected="503") as page:
        page.goto("/")
        expect(page.locator("#live-state")).to_have_text("every 3 s", timeout=8000)
        before = tile(page, "Saw").text_content()
        hub.scan(b"POLLED-1", "saw")
        expect(tile(page, "Saw")).not_to_have_text(before, timeout=6000)
    for seat in seats:
        seat.close()


def test_the_date_field_steps_by_day_with_the_keyboard(chromium, hub):
    with a_page(chromium, hub.url) as page:
        page.goto("/?as_of=2026-01-10T08:30&against=2026-01-02T08:30")
        field = page.locator("#as_of")
        values = []
        for key in ("ArrowUp", "ArrowDown", "PageDown", "PageUp"):
            field.press(key)
            values.append(field.input_value()[:10])
        assert values == ["2026-01-11", "2026-01-10", "2026-01-03", "2026-01-10"]
        field.fill(str(field.get_attribute("max")))
        field.press("ArrowUp")
        assert field.input_value() == field.get_attribute("max")
        page.get_by_role("link", name="Day before").click()
        expect(page.locator("#against")).to_have_value("2026-01-02T08:30")
        expect(field).to_have_value("2026-01-09T08:30")
