"""A station may say anything of what is plugged into it: the page shows it, and obeys none of it."""

import pytest

from server.queries.escape import visible

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "\u202egnp.renn\u2066ac",
    "\x1b[2J\x9b\x00",
    "{{7*7}}",
]
WITHOUT_NUL = [said for said in HOSTILE if "\0" not in said]  # a NUL in a query is refused before any view reads it


@pytest.mark.parametrize("said", HOSTILE)
def test_what_a_station_says_of_its_readers_is_shown_as_text(hub_app, said):
    token = hub_app.station()
    reader = dict.fromkeys(("id", "kind", "state", "why", "evidence", "mend", "taught"), said)
    beat = {"sw": said, "clock": said, "readers": [reader, said, {"id": said * 40}]}
    assert hub_app.anonymous().post("/api/v1/heartbeat", json=beat, headers=token).status_code == 200
    page = hub_app.anonymous().get("/stations")
    assert page.status_code == 200
    body = page.get_data(as_text=True)
    for unsafe in ("<script>alert", "<img src", '" onmouseover="', "\u202e", "\u2066", "\x1b", "\x9b", "\x00", ">49<"):
        assert unsafe not in body
    shown = visible(said.replace("\0", "{00}")).replace("<", "&lt;").replace(">", "&gt;").replace('"', "&#34;")
    assert shown in body


PAPER_PAGES = ["/sheet", "/sheet.svg", "/sheet.pdf", "/cards", "/cards.svg", "/cards.pdf"]


@pytest.mark.parametrize("roles", ["", "view", "supervise", "administer"])
@pytest.mark.parametrize("page", PAPER_PAGES)
def test_pages_for_paper_answer_every_role_alike_and_take_nothing(hub_app, page, roles):
    browser = hub_app.person(roles) if roles else hub_app.anonymous()
    told_twice = [browser.get(f"{page}?paper=letter").status_code for _ in range(2)]
    assert told_twice == [200, 200]
    for refused in ("paper=a4&paper=letter", "paper=a4&unknown=1"):
        assert browser.get(f"{page}?{refused}").status_code == 400
    assert [browser.open(page, method=verb).status_code for verb in ("POST", "PUT", "DELETE", "PATCH")] == [405] * 4


@pytest.mark.parametrize("paper", ["", "A4", "x" * 9_999, "\u202e", "a4\r\nX: y", "../a4", *WITHOUT_NUL], ids=ascii)
@pytest.mark.parametrize("page", PAPER_PAGES)
def test_a_paper_that_there_is_not_is_refused_with_those_that_there_are(hub_app, page, paper):
    answer = hub_app.anonymous().get(page, query_string={"paper": paper})
    assert answer.status_code == 400
    body = answer.get_data(as_text=True)
    assert "letter" in body
    assert answer.mimetype == "application/json" or not any(each in body for each in HOSTILE[:3])


@pytest.mark.parametrize(
    "number",
    ["", "0", "-1", "9" * 5_000, "1.5", "\u0661", "\u00b2", "1\n", " 1", "+1", "NaN", "1e0", *WITHOUT_NUL],
    ids=ascii,
)
def test_a_page_of_cards_that_there_is_not_is_refused(hub_app, number):
    answer = hub_app.anonymous().get("/cards.svg", query_string={"page": number})
    assert (answer.status_code, answer.json["error"]["do"]) == (404, "Open /cards to see them all.")


@pytest.mark.parametrize("due", ["0001-01-01", "9999-12-31"])
def test_a_due_day_at_an_end_of_the_calendar_is_shown(hub_app, shop_writer, due):
    shop_writer.release("WO-1", qty=10, due=due)
    shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=2))
    shop_writer.settle()
    for page in ("/items/WO-1", "/orders", "/", "/value", "/obsolete"):
        answer = hub_app.anonymous().get(page)
        assert answer.status_code == 200, page
