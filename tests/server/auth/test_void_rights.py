"""Undoing needs the right of doing: `void` and `correct` need the role of the event that they act on."""

import pytest
from told import Told

from server.auth.roles import Role, needed_for
from server.context import HubLimits
from server.ledger.entries import Entry, record_all
from server.ledger.entry_schema import WHATS

FIELDS = {
    "product.define": {"product": "lid"},
    "routing.define": {"routing": "r", "operations": []},
    "stage.define": {"stage": "saw"},
    "station.define": {"station": "saw-9"},
    "person.define": {"person": "kim"},
    "pattern.define": {"name": "p", "regex": "x+", "as": "item"},
    "cost.set": {"micros": 1, "component": "bar"},
    "order.release": {"order": "WO-1"},
    "order.change": {"order": "WO-1"},
    "order.close": {"order": "WO-1", "how": "short"},
    "code.bind": {"code": "x", "to": "WO-1"},
    "rule.define": {"rule": "skipped", "on": False},
}
# Said again by name and not taken from the code under test.
ACCOUNT = {"cost.set", "cost.actual", "account.map", "period.close", "period.reopen"}
ADMINISTER = {"person.define", "pattern.define", "card.define", "rule.define", "reread"}
HOLDERS = {
    "supervise": {"supervise"},
    "account": {"account"},
    "administer": {"supervise", "account", "administer"},
    "supervise account": {"supervise", "account"},
    "view": set(),
}
UNDOINGS = ("void", "correct")


def role_of(what):
    return "account" if what in ACCOUNT else "administer" if what in ADMINISTER else "supervise"


@pytest.fixture
def told(store):
    return Told(store)


@pytest.fixture
def ask(desk):
    """Send entries with a token that has these roles; the answer."""
    tokens = {roles: desk.token(roles) for roles in HOLDERS}

    def asked(roles, *entries):
        body = {"entries": [{"what": what, "data": data} for what, data in entries]}
        return desk.nobody().post("/api/v1/entries", json=body, headers=tokens[roles])

    return asked


def void(place):
    return "void", {"log": place[0], "seq": place[1]}


def correct(log, first, last=None, **put):
    return "correct", {"log": log, "from_seq": first, "to_seq": last or first, "set": put or {"stage": "saw"}}


def plain_kinds():
    """Every kind of entry that is no undoing, closing before reopening."""
    return sorted(WHATS - set(UNDOINGS))


def entered(told, what):
    if what == "period.reopen":
        entered(told, "period.close")
    return told.say(what, **FIELDS.get(what, {}))


@pytest.mark.parametrize("what", plain_kinds())
@pytest.mark.parametrize("roles", HOLDERS)
def test_a_void_needs_the_role_of_the_kind_that_it_voids(told, ask, roles, what):
    allowed = role_of(what) in HOLDERS[roles]
    place = entered(told, what)
    assert ask(roles, void(place)).status_code == (200 if allowed else 403)
    assert ask(roles, correct(*place)).status_code == (200 if allowed else 403)


@pytest.mark.parametrize("what", plain_kinds())
@pytest.mark.parametrize("roles", HOLDERS)
def test_an_entry_needs_the_role_of_its_kind(told, ask, roles, what):
    if what == "period.reopen":
        told.say("period.close")
    answer = ask(roles, (what, FIELDS.get(what, {})))
    assert answer.status_code == (200 if role_of(what) in HOLDERS[roles] else 403)
    assert str(needed_for(what)) == role_of(what)


@pytest.mark.parametrize("what", ["note", "cost.set", "period.close", "rule.define"])
@pytest.mark.parametrize("roles", HOLDERS)
@pytest.mark.parametrize("voids", [1, 2, 3])
def test_a_void_of_a_void_needs_the_role_of_the_innermost(told, ask, roles, what, voids):
    place = entered(told, what)
    for _ in range(voids):
        place = told.say("void", log=place[0], seq=place[1])
    assert ask(roles, void(place)).status_code == (200 if role_of(what) in HOLDERS[roles] else 403)


@pytest.mark.parametrize("roles", HOLDERS)
def test_a_scan_is_undone_by_those_that_supervise(told, ask, roles):
    told.release("WO-1")
    log, seq = told.scan("WO-1", "saw", told.ago(hours=2))
    benched = told.scan("void", None, told.ago(hours=1), "saw-1", action="void", ref={"log": log, "seq": seq})
    told.settle()
    expected = 200 if "supervise" in HOLDERS[roles] else 403
    assert [ask(roles, undoing).status_code for undoing in (void((log, seq)), correct(log, seq), void(benched))] == [
        expected
    ] * 3


@pytest.mark.parametrize("roles", HOLDERS)
def test_what_is_not_in_the_ledger_is_undone_by_an_administrator_only(told, ask, roles):
    """A void that waits for its event would act on whatever arrives there."""
    told.scan("WO-1", "saw", told.ago(hours=2))
    told.settle()
    log, seq = told.say("note", text="x")
    station, last = told.scan("WO-2", "saw", told.ago(hours=1))
    expected = 200 if roles == "administer" else 403
    places = [(log, seq + 40), ("ab" * 16, 1), (station, last)]
    assert [ask(roles, void(place)).status_code for place in places] == [expected] * 3
    ranges = [(log, seq, seq + 40), ("ab" * 16, 1, 2), (station, 1, last), (station, 1, 2**63 - 1)]
    assert [ask(roles, correct(*each)).status_code for each in ranges] == [expected] * 4


def test_a_void_sent_before_its_entry_in_one_request_does_not_pass(told, ask, rows):
    """The next number of the hub's own log can be guessed."""
    log, seq = told.say("note", text="x")
    answer = ask("supervise", void((log, seq + 2)), ("note", {"text": "y"}))
    assert answer.status_code == 403
    assert told.say("note", text="z")[1] == seq + 1, "nothing of the request was written"


def test_a_correction_over_a_range_needs_the_roles_of_all_that_is_in_it(told, ask):
    log, first = told.say("note", text="x")
    told.say("cost.set", component="bar", micros=1)
    assert ask("supervise", correct(log, first, first)).status_code == 200
    assert ask("supervise", correct(log, first, first + 1)).status_code == 403
    assert ask("account", correct(log, first, first + 1)).status_code == 403
    assert ask("supervise account", correct(log, first, first + 1)).status_code == 200


def test_the_void_of_a_correction_needs_what_the_correction_needed(told, ask):
    priced = told.say("cost.set", component="bar", micros=1)
    wrong = told.say("correct", log=priced[0], from_seq=priced[1], to_seq=priced[1], set={"stage": "saw"})
    assert ask("supervise", void(wrong)).status_code == 403
    assert ask("account", void(wrong)).status_code == 200


def test_an_anchor_is_voided_by_an_administrator_only(told, ask):
    told.scan("WO-1", "saw", told.ago(hours=2))
    told.settle()
    anchor = (told.log("saw-1").log_id.hex(), 1)
    assert [ask(roles, void(anchor)).status_code for roles in ("supervise account", "administer")] == [403, 200]


def test_voids_that_name_each_other_end(told, ask, store):
    log, seq = told.say("note", text="x")
    entries = [Entry("void", {"log": log, "seq": seq + 2}, "Kim"), Entry("void", {"log": log, "seq": seq + 1}, "Kim")]
    record_all(store, entries)
    assert ask("supervise", void((log, seq + 1))).status_code == 200


def test_a_refusal_names_the_missing_role(told, ask):
    place = told.say("rule.define", rule="skipped", on=False)
    error = ask("supervise", void(place)).json["error"]
    assert (error["came"].partition(" by ")[0], error["expected"]) == ("void", f"the role {Role.ADMINISTER}")


@pytest.mark.parametrize("limits", [HubLimits(shown_within_s=0)])
def test_the_button_on_a_page_takes_back_no_more_than_the_api(told, desk, csrf_of):
    told.release("WO-1")
    scanned = told.scan("WO-1", "saw", told.ago(hours=2))
    priced = told.say("cost.set", component="bar", micros=1)
    told.settle()
    browser = desk.person("supervise")

    def taken_back(log, seq, **form):
        form = {"csrf_token": csrf_of(browser, "/items/WO-1"), "do": "void", "scan": f"{log}:{seq}", "why": "x"} | form
        return browser.post("/items/WO-1", data=form).status_code

    assert taken_back(*scanned) == 302
    assert taken_back(*priced) == 403
    assert taken_back(*priced, do="put-right", stage="saw") == 403
