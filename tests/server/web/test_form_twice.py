"""A form that is sent twice, as by a double click, writes its entries once and is answered as the first time."""

import pytest
from shop_writer import ShopWriter
from sqlalchemy import func, select

from server.context import HubLimits
from server.db import schema


@pytest.fixture
def limits():
    return HubLimits(shown_within_s=0)


@pytest.fixture
def shop_writer(store):
    shop_writer = ShopWriter(store)
    shop_writer.small_shop()
    shop_writer.say("rule.define", 0, rule="skipped", on=True)
    shop_writer.release("WO-1")
    shop_writer.scan("WO-1", "test", shop_writer.ago(hours=2))
    shop_writer.scan("WIP:CALL:help", "saw", shop_writer.ago(minutes=5), action="call", reason="help", scheme="command")
    shop_writer.settle()
    return shop_writer


@pytest.fixture
def browser(hub_app):
    return hub_app.person("supervise administer", "Mara Weiss")


@pytest.fixture
def form_of(browser):
    """The hidden fields that every form of a page has: its token, its key and the findings that it shows."""

    def fields(page):
        text = browser.get(page).get_data(as_text=True)
        return {
            name: text.partition(f'name="{name}" value="')[2].partition('"')[0]
            for name in ("csrf_token", "once", "shown")
        }

    return fields


@pytest.fixture
def ledger_pos(rows):
    return lambda: rows(select(func.max(schema.ledger.c.pos)))[0][0]


def place(shop_writer):
    return f"{shop_writer.log('test-1').log_id.hex()}:2"


@pytest.mark.parametrize(
    ("page", "to", "fields"),
    [
        (
            "/items/WO-1",
            None,
            {"do": "add", "stage": "saw", "quantity": "3", "at": "2026-01-02T10:00", "why": "forgotten"},
        ),
        ("/items/WO-1", None, {"do": "put-right", "scan": place, "quantity": "3", "why": "counted"}),
        ("/items/WO-1", None, {"do": "void", "scan": place, "why": "by mistake"}),
        ("/items/WO-1", None, {"do": "note", "text": "crack"}),
        ("/orders", "/orders/change", {"do": "priority", "priority": "1", "order": "WO-1"}),
        ("/orders", "/orders/close", {"how": "short", "order": "WO-1"}),
        ("/items/WO-1", "/findings", {"item": "WO-1", "rule": "skipped"}),
        ("/", "/calls", {"kind": "stage", "place": "saw"}),
        ("/rules", "/rules", {"rule": "skipped"}),
    ],
)
def test_a_form_that_is_sent_twice_is_written_once(browser, shop_writer, form_of, ledger_pos, page, to, fields):
    form = {name: value(shop_writer) if callable(value) else value for name, value in fields.items()} | form_of(page)
    before, answers, said = ledger_pos(), [], []
    for _ in range(2):
        answer = browser.post(to or page, data=form, headers={"Accept": "text/html"})
        answers.append((answer.status_code, answer.headers.get("Location"), answer.get_data()))
        shop_writer.settle()
        with browser.session_transaction() as session:
            said.append(session.pop("_flashes", []))
    assert answers[0][0] == 302
    assert answers[0] == answers[1]
    assert said[0] == said[1] != []
    assert ledger_pos() == before + 1


def test_a_form_of_the_page_loaded_again_is_another_one(browser, shop_writer, form_of, ledger_pos):
    note, before = {"do": "note", "text": "crack"}, ledger_pos()
    for _ in range(2):
        assert browser.post("/items/WO-1", data={**note, **form_of("/items/WO-1")}).status_code == 302
    assert ledger_pos() == before + 2


def test_a_form_that_is_changed_after_going_back_is_another_one(browser, shop_writer, form_of, ledger_pos):
    hidden, before = form_of("/items/WO-1"), ledger_pos()
    for text in ("crack", "no crack"):
        assert browser.post("/items/WO-1", data={"do": "note", "text": text, **hidden}).status_code == 302
    assert ledger_pos() == before + 2


def test_the_same_form_is_written_again_when_its_answer_is_old(browser, shop_writer, form_of, ledger_pos, monkeypatch):
    form = {"do": "priority", "priority": "1", "order": "WO-1", **form_of("/orders")}
    assert browser.post("/orders/change", data=form).status_code == 302
    shop_writer.say("order.change", order="WO-1", priority=5)
    shop_writer.settle()
    before = ledger_pos()
    browser.post("/orders/change", data=form)
    assert ledger_pos() == before
    monkeypatch.setattr("server.web.form_results.KEEP_S", 0.0)
    browser.post("/orders/change", data=form)
    assert ledger_pos() == before + 1


def test_a_second_form_does_not_wait_for_ever_for_the_first(browser, shop_writer, form_of, monkeypatch):
    monkeypatch.setattr("server.web.form_results.FIRST_S", 0.01)
    form, answers = {"do": "note", "text": "crack", **form_of("/items/WO-1")}, []

    def slowly(_entries):
        answers.append(browser.post("/items/WO-1", data=form))
        return []

    monkeypatch.setattr("server.web.item.enter", slowly)
    assert browser.post("/items/WO-1", data=form).status_code == 302
    (second,) = answers
    assert (second.status_code, second.headers["Retry-After"]) == (503, "5")
    assert "it shows whether it was written" in second.get_data(as_text=True)


def test_a_refused_form_is_refused_again_and_written_when_it_is_right(browser, shop_writer, form_of, ledger_pos):
    hidden, before = form_of("/items/WO-1"), ledger_pos()
    wrong = {"do": "add", "stage": "saw", "quantity": "1.5", "why": "x", **hidden}
    assert [browser.post("/items/WO-1", data=wrong).status_code for _ in range(2)] == [400, 400]
    assert ledger_pos() == before
    assert browser.post("/items/WO-1", data={**wrong, "quantity": "2"}).status_code == 302


def test_a_form_without_a_key_is_written_each_time(browser, shop_writer, form_of, ledger_pos):
    form, before = {"do": "note", "text": "crack", "csrf_token": form_of("/items/WO-1")["csrf_token"]}, ledger_pos()
    assert [browser.post("/items/WO-1", data=form).status_code for _ in range(2)] == [302, 302]
    assert ledger_pos() == before + 2
