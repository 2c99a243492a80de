"""The live word in a browser: it follows the age of the last good picture, whatever failed, and recovers by itself."""

import re
from typing import Any

import pytest
from browser import a_page, is_live
from playwright.sync_api import expect
from waiting import HANG_S

from server.context import MAX_STREAMS

pytestmark = pytest.mark.browser

WAIT_MS = HANG_S * 1000
PAGE = re.compile(r"/$")


def word(page: Any) -> Any:
    return page.locator("#live-state")


def tile(page: Any, stage: str) -> Any:
    return page.locator("li.stage").filter(has=page.get_by_role("heading", name=stage)).locator(".n")


def follows(page: Any, hub: Any, label: bytes) -> None:
    """A scan changes the open page."""
    before = tile(page, "Saw").text_content()
    hub.scan(label, "saw")
    expect(tile(page, "Saw")).not_to_have_text(before, timeout=WAIT_MS)


def test_one_request_that_hangs_is_given_up_and_the_next_brings_the_page_up_to_date(chromium, hub):
    with a_page(chromium, hub.url) as page:
        page.clock.install()
        page.goto("/")
        is_live(page)
        hung: list[Any] = []
        page.route(PAGE, lambda route: hung.append(route) if not hung else route.continue_())
        before = tile(page, "Saw").text_content()
        with page.expect_request(PAGE):
            hub.scan(b"HUNG-1", "saw")
        page.clock.run_for(15_000)
        expect(word(page)).to_have_text(re.compile(r"^hub away, as of \d\d \w+ \d\d:\d\d:\d\d$"))
        page.clock.run_for(5_000)
        expect(tile(page, "Saw")).not_to_have_text(before, timeout=WAIT_MS)
        page.clock.run_for(5_000)
        is_live(page)
        assert len(hung) == 1


def test_a_page_that_has_the_newest_picture_gets_no_other_and_stays_live(chromium, hub):
    with a_page(chromium, hub.url) as page:
        page.goto("/")
        is_live(page)
        answers: list[int] = []
        page.on("response", lambda answer: answers.append(answer.status) if PAGE.search(answer.url) else None)
        for number in range(
            20
        ):  # the second request after a scan, unless the machine took longer than a picture is kept
            follows(page, hub, f"SAME-{number}".encode())
            page.wait_for_timeout(2_000)
            if 304 in answers:
                break
        assert 304 in answers
        assert set(answers) == {200, 304}
        is_live(page)
        follows(page, hub, b"SAME-LAST")


@pytest.mark.parametrize(
    ("status", "text"), [(400, "hub error 400"), (404, "hub error 404"), (500, "hub error 500"), (503, "hub error 503")]
)
def test_an_answer_that_is_no_picture_is_named_until_a_picture_comes(chromium, hub, status, text):
    with a_page(chromium, hub.url, expected=str(status)) as page:
        page.goto("/")
        is_live(page)
        page.route(PAGE, lambda route: route.fulfill(status=status, body="no picture"))
        hub.scan(f"ERROR-{status}".encode(), "saw")
        expect(word(page)).to_contain_text(f"{text}, as of", timeout=WAIT_MS)
        page.unroute(PAGE)
        expect(word(page)).to_have_text("live", timeout=WAIT_MS)
        follows(page, hub, f"AFTER-{status}".encode())


REFUSED = {"status": 401, "body": "no session"}
LED_AWAY = {"status": 302, "headers": {"location": "/sign-in?next=%2F"}}


@pytest.mark.parametrize("answer", [REFUSED, LED_AWAY], ids=["refused", "led to the sign-in"])
def test_an_ended_session_asks_to_sign_in_beside_the_page_and_keeps_what_is_typed(chromium, hub, answer):
    with a_page(chromium, hub.url, expected="401") as page:
        page.goto("/")
        is_live(page)
        page.locator("#find").fill("half a co")
        page.route(PAGE, lambda route: route.fulfill(**answer))
        hub.scan(f"ENDED-{answer['status']}".encode(), "saw")
        link = word(page).get_by_role("link")
        expect(link).to_contain_text("sign in again, as of", timeout=WAIT_MS)
        assert link.get_attribute("href") == "/sign-in?next=%2F"
        assert link.get_attribute("target") == "_blank"
        page.unroute(PAGE)
        expect(word(page)).to_have_text("live", timeout=WAIT_MS)
        assert page.locator("#find").input_value() == "half a co"


def test_a_form_of_an_ended_session_is_kept_and_is_sent_after_a_new_sign_in(chromium, hub):
    with a_page(chromium, hub.url) as page:
        page.goto(hub.person_link)
        page.get_by_role("button", name="Sign in").click()
        page.goto("/items/WO-1007")
        is_live(page)
        page.get_by_label("Text of the note").fill("kept over the sign-in")
        cookies = page.context.cookies()
        page.context.clear_cookies()
        hub.scan(b"WO-1007", "saw")
        expect(word(page)).to_have_text("sign in again", timeout=WAIT_MS)
        page.get_by_role("button", name="Write").click()
        assert page.get_by_label("Text of the note").input_value() == "kept over the sign-in"
        page.context.add_cookies(cookies)
        hub.scan(b"WO-1007", "deburr")
        expect(word(page)).to_have_text("live", timeout=WAIT_MS)
        page.get_by_role("button", name="Write").click()
        expect(page.locator("#events")).to_contain_text("kept over the sign-in")


@pytest.mark.parametrize(
    "missing",
    [
        tuple(f"{kind}.prototype.replaceChildren" for kind in ("Element", "Document", "DocumentFragment")),
        ("Element.prototype.replaceWith", "CharacterData.prototype.replaceWith"),
        ("Element.prototype.remove", "CharacterData.prototype.remove"),
        ("String.prototype.replaceAll", "Array.prototype.flat", "Array.prototype.at", "Promise.prototype.finally"),
        ("window.AbortController", "window.AbortSignal"),
        ("window.EventSource",),
        ("Object.fromEntries", "Promise.allSettled", "window.queueMicrotask", "window.structuredClone", "window.globalThis"),
    ],
    ids=lambda names: names[0],
)  # fmt: skip
def test_a_browser_without_newer_functions_follows(chromium, hub, missing):
    with a_page(chromium, hub.url) as page:
        page.add_init_script("\n".join(f"delete {name};" for name in missing))
        page.goto("/")
        expect(word(page)).to_have_text("every 3 s" if "window.EventSource" in missing else "live", timeout=WAIT_MS)
        for number in range(2):
            follows(page, hub, f"OLD-{missing[0]}-{number}".encode())


@pytest.mark.parametrize(
    "missing", ["window.fetch", "window.DOMParser", "Element.prototype.matches", "Node.prototype.isEqualNode"]
)
def test_a_browser_that_cannot_follow_is_named(chromium, hub, missing):
    with a_page(chromium, hub.url, expected="is not a function") as page:
        page.add_init_script(f"delete {missing};")
        page.goto("/")
        hub.scan(f"TOO-OLD-{missing}".encode(), "saw")
        expect(word(page)).to_contain_text("this browser is too old to follow: reload, as of", timeout=WAIT_MS)


def test_a_picture_that_grew_old_while_the_machine_slept_is_not_live(chromium, hub):
    with a_page(chromium, hub.url) as page:
        page.clock.install()
        page.goto("/")
        is_live(page)
        page.route(PAGE, lambda _route: None)
        page.clock.fast_forward(50_000)
        expect(word(page)).to_contain_text("as of", timeout=WAIT_MS)
        expect(word(page)).to_have_class(re.compile("off"))


def test_a_hub_that_is_started_again_is_found_again(chromium, hub):
    with a_page(chromium, hub.url, expected="ERR_|Failed to load") as page:
        page.goto("/")
        is_live(page)
        hub.running.stop()
        expect(word(page)).to_contain_text("hub away, as of", timeout=WAIT_MS)
        hub.running.start()
        expect(word(page)).to_have_text("live", timeout=WAIT_MS)
        follows(page, hub, b"RESTARTED")


def test_a_part_of_the_page_that_did_not_exist_is_added(chromium, hub):
    with a_page(chromium, hub.url) as page:
        hub.scan(b"GROWS", "saw")
        page.goto("/items/GROWS")
        is_live(page)
        expect(page.locator("#changes")).to_have_count(0)
        page.evaluate("document.getElementById('visits').remove()")
        hub.scan(b"GROWS", "deburr")
        expect(page.locator("#path + #visits")).to_have_count(1, timeout=WAIT_MS)


def test_without_a_seat_at_the_stream_the_word_is_the_interval(chromium, hub):
    hub.empty_house()
    seats = [hub.take_a_seat() for _ in range(MAX_STREAMS)]
    with a_page(chromium, hub.url, expected="503") as page:
        page.goto("/")
        expect(word(page)).to_have_text("every 3 s", timeout=WAIT_MS)
    for seat in seats:
        seat.close()
