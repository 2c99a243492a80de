"""Who may do what: every address of the hub against everybody who could knock at it."""

import pytest

from server.auth.gate import FOR_PROGRAMS, AccessRule
from server.auth.roles import Role
from server.config import HubConfig, WebConfig

EVERYBODY = ("nobody", "stranger", "view", "supervise", "account", "administer", "token", "read link", "station")
IN = "in"  # let in, whatever it then answers to an empty request
READERS = {"view", "supervise", "account", "administer", "token", "read link", "station"}


def answered(hub_app, who, method, path):
    """How `who` is received at an address."""
    headers, browser = {}, hub_app.anonymous()
    if who == "stranger":
        headers = {"Authorization": "Bearer " + "x" * 43}
    elif who == "station":
        headers = hub_app.headers["station"]
    elif who == "token":
        headers = hub_app.headers["token"]
    elif who != "nobody":
        browser = hub_app.browsers[who]
        headers = {"X-CSRFToken": hub_app.csrf[who]}
    answer = browser.open(path, method=method, headers=headers, json={} if method != "GET" else None, buffered=False)
    status = answer.status_code
    answer.close()
    turned_away = status in (401, 403) or (status == 302 and "/sign-in" in answer.headers["Location"])
    return status if turned_away else IN


@pytest.fixture
def app_with_callers(open_hub_app, csrf_of):
    """A hub where only those may read who signed in, and one of every kind of caller."""
    hub_app = open_hub_app(HubConfig(web=WebConfig("signed-in")))
    hub_app.headers = {"station": hub_app.station(), "token": hub_app.token("supervise account")}
    hub_app.browsers = {role: hub_app.person(role) for role in map(str, Role)}
    link = hub_app.token("view")["Authorization"].removeprefix("Bearer ")
    reader = hub_app.anonymous()
    reader.post(f"/read/{link}", data={"csrf_token": csrf_of(reader, f"/read/{link}")})
    hub_app.browsers["read link"] = reader
    hub_app.csrf = {who: csrf_of(browser, "/sign-in") for who, browser in hub_app.browsers.items()}
    return hub_app


def routes(app):
    """(method, path, view) of every address, a 1 in the place of each variable part; of a file, its form csv."""
    for rule in app.url_map.iter_rules():
        built = rule.build({argument: "csv" if argument == "form" else "1" for argument in rule.arguments})
        assert built is not None, rule
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
            yield method, built[1], app.view_functions[rule.endpoint]


def may_enter(access):
    if access.anybody:
        return set(EVERYBODY)
    if access.devices:
        return {"station"}
    if access.readers:
        return READERS
    roles = {
        "view": {"view"},
        "read link": {"view"},
        "supervise": {"view", "supervise"},
        "account": {"view", "account"},
        "administer": set(map(str, Role)),
        "token": {"view", "supervise", "account"},
    }
    return {who for who, has in roles.items() if has & {str(role) for role in access.roles}}


def test_every_address_lets_in_whom_it_says_and_nobody_else(app_with_callers):
    size, wrong = 0, []
    for method, path, view in routes(app_with_callers.app):
        fallback = AccessRule(readers=True) if method == "GET" else AccessRule(roles=frozenset({Role.SUPERVISE}))
        expected = may_enter(getattr(view, "access", fallback))
        for who in EVERYBODY:
            if path == "/sign-out":
                continue  # it would end the very sessions that this test uses
            size += 1
            seen = answered(app_with_callers, who, method, path)
            bad_proof = who == "stranger" and not getattr(view, "access", fallback).anybody
            wanted = IN if who in expected and not bad_proof else {"nobody": 401, "stranger": 401}.get(who, 403)
            redirected = who == "nobody" and method == "GET" and not path.startswith(FOR_PROGRAMS) and wanted == 401
            if path == "/sign-in" and method == "POST" and seen == 401:
                seen = IN  # its own 401: a wrong password
            if seen != (302 if redirected else wanted):
                wrong.append((who, method, path, seen, wanted))
    print(f"role x route: {size} knocks")
    assert wrong == []


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/healthz", set(EVERYBODY)),
        ("GET", "/metrics", READERS),
        ("GET", "/openapi.json", READERS),
        ("GET", "/api/v1/stations", READERS),
        ("GET", "/api/v1/events", READERS),
        ("GET", "/api/v1/snapshot", READERS),
        ("GET", "/api/v1/items/changes", READERS),
        ("POST", "/api/v1/session", {"station"}),
        ("POST", f"/api/v1/logs/{'0' * 32}/events", {"station"}),
        ("POST", "/api/v1/heartbeat", {"station"}),
        ("POST", "/api/v1/entries", {"view", "supervise", "account", "administer", "token", "read link"}),
    ],
)
def test_the_addresses_of_the_contract_let_in_whom_the_contract_says(app_with_callers, method, path, expected):
    """Said once more by name: a decorator taken off or put wrong shows here. (Entries then ask for the kind's own role.)"""
    assert {who for who in EVERYBODY if answered(app_with_callers, who, method, path) == IN} == expected


FIELDS = {"period.close": {"why": "month end"}, "note": {"item": "WO-1", "text": "x"}, "reread": {"code": "x"}}


@pytest.mark.parametrize(
    ("who", "what", "status"),
    [
        ("view", "note", 403),
        ("supervise", "note", 200),
        ("account", "note", 403),
        ("administer", "note", 200),
        ("supervise", "period.close", 403),
        ("account", "period.close", 200),
        ("supervise", "reread", 403),
        ("administer", "reread", 200),
        ("read link", "note", 403),
    ],
)
def test_each_kind_of_entry_needs_its_role(app_with_callers, who, what, status):
    answer = app_with_callers.browsers[who].post(
        "/api/v1/entries",
        json={"what": what, "data": FIELDS.get(what, {})},
        headers={"X-CSRFToken": app_with_callers.csrf[who]},
    )
    assert answer.status_code == status


def test_what_comes_with_a_cookie_must_come_from_our_pages(app_with_callers):
    browser, token = app_with_callers.browsers["supervise"], {"X-CSRFToken": app_with_callers.csrf["supervise"]}
    note = {"what": "note", "data": FIELDS["note"]}
    assert browser.post("/api/v1/entries", json=note).status_code == 400
    assert browser.post("/api/v1/entries", json=note, headers={"X-CSRFToken": "x"}).status_code == 400
    elsewhere = browser.post("/api/v1/entries", json=note, headers={**token, "Sec-Fetch-Site": "cross-site"})
    assert (elsewhere.status_code, elsewhere.json["error"]["came"]) == (
        403,
        "a request from another site (cross-site)",
    )
    assert (
        browser.post("/api/v1/entries", json=note, headers={**token, "Sec-Fetch-Site": "same-origin"}).status_code
        == 200
    )


def test_a_view_that_says_nothing_opens_no_door(app_with_callers):
    app_with_callers.app._got_first_request = False
    app_with_callers.app.add_url_rule("/forgotten", "forgotten", lambda: "x", methods=["GET", "POST"])
    assert [who for who in EVERYBODY if answered(app_with_callers, who, "POST", "/forgotten") == IN] == [
        "supervise",
        "administer",
        "token",
    ]
    assert {who for who in EVERYBODY if answered(app_with_callers, who, "GET", "/forgotten") == IN} == READERS


def test_open_reading_is_open_to_nobody_in_particular_but_not_for_writing(hub_app):
    assert hub_app.anonymous().get("/api/v1/stations").status_code == 200
    assert hub_app.anonymous().post("/api/v1/entries", json={}).status_code == 401


def test_every_answer_carries_the_headers(hub_app):
    for path in ("/healthz", "/nowhere", "/api/v1/stations", "/sign-in"):
        headers = hub_app.anonymous().get(path).headers
        assert headers["Content-Security-Policy"].startswith(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
            " base-uri 'none'; object-src 'none'; frame-ancestors 'none'; form-action 'self'"
        )
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"


def test_a_report_of_a_broken_policy_is_counted(hub_app):
    assert hub_app.anonymous().post("/csp-report", data=b"{}").status_code == 204
    assert "wipline_csp_reports_total 1.0" in hub_app.anonymous().get("/metrics").get_data(as_text=True)
