"""Coming in: the first person, passwords, links, cookies, and what wrong passwords cost."""

from urllib.parse import urlsplit

import pytest
from sqlalchemy import select

from server.auth import accounts
from server.auth.accounts import AccountError
from server.db import schema
from station.system import clock

PASSWORD = "four words in a row"  # noqa: S105  a test's


@pytest.fixture
def first_link(store):
    with store.write() as connection:
        return f"/sign-in/{accounts.make_link(connection, None, clock.utc_us())}"


def come_in(browser, path, csrf_of, **form):
    return browser.post(path, data={"csrf_token": csrf_of(browser, path), **form})


def test_a_fresh_hub_has_no_account(store):
    with store.read() as connection:
        assert not accounts.anyone(connection)
        assert connection.execute(select(schema.token)).all() == []


def test_the_first_person_comes_in_by_the_printed_link_once(hub_app, first_link, csrf_of, rows):
    browser = hub_app.anonymous()
    assert "You are the first person of this hub" in browser.get(first_link).get_data(as_text=True)
    weak = come_in(browser, first_link, csrf_of, name="Kim", password="short")  # noqa: S106
    assert weak.status_code == 400
    assert "A password of 5 characters; expected at least 12." in weak.get_data(as_text=True)
    assert come_in(browser, first_link, csrf_of, name="Kim", password=PASSWORD).status_code == 302
    assert rows(select(schema.person.c.name, schema.person.c.roles)) == [("Kim", "administer")]
    assert hub_app.anonymous().get(first_link).status_code == 410
    note = {"what": "reread", "data": {"code": "x"}}
    answer = browser.post("/api/v1/entries", json=note, headers={"X-CSRFToken": csrf_of(browser, "/sign-in")})
    assert answer.status_code == 200


@pytest.mark.parametrize(("age_us", "status"), [(accounts.LINK_US - 60_000_000, 200), (accounts.LINK_US, 410)])
def test_a_link_works_for_a_quarter_of_an_hour(hub_app, store, age_us, status):
    with store.write() as connection:
        secret = accounts.make_link(connection, None, clock.utc_us() - age_us)
    assert hub_app.anonymous().get(f"/sign-in/{secret}").status_code == status


def test_looking_at_a_link_spends_nothing(hub_app, first_link):
    for _ in range(3):
        assert hub_app.anonymous().get(first_link).status_code == 200


@pytest.fixture
def kim(store, hub_app):
    with store.write() as connection:
        accounts.add_person(connection, "Kim", "supervise", PASSWORD, clock.utc_us())
    return hub_app


def sign_in(browser, csrf_of, password=PASSWORD, name="Kim", **options):
    token = csrf_of(browser, "/sign-in")
    return browser.post("/sign-in", data={"csrf_token": token, "name": name, "password": password}, **options)


def test_a_person_comes_in_with_their_password_and_out_again(kim, csrf_of, rows):
    browser = kim.anonymous()
    answer = sign_in(browser, csrf_of)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")
    key = rows(select(schema.session.c.key_hash))
    assert len(key) == 1
    copy = kim.anonymous()
    copy.set_cookie("wipline", browser.get_cookie("wipline").value)
    token = csrf_of(browser, "/sign-in")
    assert copy.post("/api/v1/entries", json={}, headers={"X-CSRFToken": token}).status_code == 400, "let in"
    assert browser.post("/sign-out", data={"csrf_token": token}).status_code == 302
    assert rows(select(schema.session.c.key_hash)) == []
    assert copy.post("/api/v1/entries", json={}).status_code == 401, "a copied cookie is worth nothing afterwards"


def test_signing_in_makes_a_new_session(kim, csrf_of):
    browser = kim.anonymous()
    csrf_of(browser, "/sign-in")
    before = browser.get_cookie("wipline").value
    sign_in(browser, csrf_of)
    assert browser.get_cookie("wipline").value != before


@pytest.mark.parametrize(("scheme", "name", "secure"), [("http", "wipline", False), ("https", "__Host-wipline", True)])
def test_the_cookie_is_named_for_how_the_request_came(kim, scheme, name, secure):
    answer = kim.anonymous().get("/sign-in", base_url=f"{scheme}://hub.lan")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith(f"{name}=")
    assert ("Secure;" in cookie, "HttpOnly;" in cookie, "SameSite=Lax" in cookie, "Domain" in cookie) == (
        secure,
        True,
        True,
        False,
    )
    assert "Path=/" in cookie


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/stages/saw?x=1", "/stages/saw?x=1"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
    ],
)
def test_signing_in_leads_back_to_our_own_pages_only(kim, csrf_of, target, location):
    answer = sign_in(kim.anonymous(), csrf_of, query_string={"next": target})
    assert urlsplit(answer.headers["Location"]).geturl() == location


def test_wrong_passwords_cost_time_and_lock_nobody_else_out(kim, csrf_of):
    attacker = kim.anonymous()
    statuses = [sign_in(attacker, csrf_of, "wrong password!").status_code for _ in range(6)]
    assert statuses == [401, 401, 401, 401, 429, 429]
    late = sign_in(attacker, csrf_of, PASSWORD)
    assert (late.status_code, int(late.headers["Retry-After"]) >= 1) == (429, True)
    elsewhere = sign_in(kim.anonymous(), csrf_of, environ_base={"REMOTE_ADDR": "192.0.2.7"})
    assert elsewhere.status_code == 302, "the victim comes in from another address"


def test_a_session_that_slept_no_longer_administers_and_ends_after_half_a_day(store):
    now_us = 10**15
    with store.write() as connection:
        key = accounts.add_person(connection, "Kim", "administer", None, now_us)
        session = accounts.start_session(connection, now_us, person=key)

        def someone(after_min):
            return accounts.principal_of(connection, session, now_us + after_min * 60_000_000)

        assert someone(10)[0].fresh
        accounts.touch_session(connection, session, now_us + 10 * 60_000_000)
        assert someone(20)[0].fresh
        assert not someone(30)[0].fresh
        accounts.touch_session(connection, session, now_us + 30 * 60_000_000)
        assert not someone(31)[0].fresh, "coming back does not wake it"
        assert someone(30 + 12 * 60 + 1) is None
        accounts.end_person(connection, "Kim", now_us)
        assert someone(31) is None


@pytest.mark.parametrize("password", ["elevenchars", "aaaaaaaaaaaaaaaa", "x" * 1025, "password1234"])
def test_a_password_that_is_none_is_refused(store, password):
    with store.write() as connection, pytest.raises(AccountError):
        accounts.add_person(connection, "Kim", "view", password, 1)


def test_a_revoked_read_link_no_longer_reads(store, open_hub_app, csrf_of):
    from server.config import HubConfig, WebConfig

    hub_app = open_hub_app(HubConfig(web=WebConfig("signed-in")))
    link = hub_app.token("view")["Authorization"].removeprefix("Bearer ")
    browser = hub_app.anonymous()
    assert come_in(browser, f"/read/{link}", csrf_of).status_code == 302
    assert browser.get("/api/v1/stations").status_code == 200
    with store.write() as connection:
        accounts.end_token(connection, "token-1", clock.utc_us())
    assert browser.get("/api/v1/stations").status_code == 401
