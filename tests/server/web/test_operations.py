"""The page of operations: their times and allowances, and the form that changes one for later orders."""

import html
import re

import pytest


@pytest.fixture
def shop(shop_writer):
    operations = [
        {"op": 10, "stage": "saw", "run_ms": 45_000, "scrap_ppm": 25_000},
        {"op": 20, "stage": "pack", "optional": True},
    ]
    shop_writer.small_shop()
    shop_writer.say("routing.define", shop_writer.ago(days=9), routing="line", operations=operations)
    shop_writer.settle()
    return shop_writer


@pytest.fixture
def supervisor(hub_app):
    return hub_app.person("supervise", "Mara Weiss")


def text_of(page):
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", page))).strip()


def table(browser):
    page = browser.get("/costs/operations").text
    rows = re.findall(r"<tr>\s*<td.*?</tr>", page, re.DOTALL)
    return [[text_of(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL)][:6] for row in rows]


def send(browser, shop, **typed):
    page = browser.get("/costs/operations").text
    fields = {name: page.partition(f'name="{name}" value="')[2].partition('"')[0] for name in ("csrf_token", "once")}
    answer = browser.post("/costs/operations", data=fields | typed)
    shop.settle()
    return answer


def test_each_operation_has_its_times_and_its_allowance(hub_app, shop, supervisor):
    assert table(hub_app.anonymous()) == [
        ["line", "10", "Saw", "45s", "", "2.5 %"],
        ["line", "20", "Pack", "", "", "none"],
    ]
    assert hub_app.anonymous().get("/costs/operations.csv").text.splitlines()[1:] == [
        "line,10,saw,45,,2.5", "line,20,pack,,,0",
    ]  # fmt: skip
    assert "Change an operation" not in hub_app.anonymous().get("/costs/operations").text
    page = supervisor.get("/costs/operations?routing=line&op=10").text
    assert [re.search(rf'name="{name}"[^>]*value="([^"]*)"', page)[1] for name in ("run_time", "scrap")] == [
        "45s",
        "2.5",
    ]


def test_a_change_keeps_the_other_operations_and_fields(shop, supervisor):
    answer = send(supervisor, shop, routing="line", op="20", run_time="1.5min", setup_time="1h", scrap="0.5")
    assert (answer.status_code, answer.location) == (302, "/costs/operations")
    assert table(supervisor) == [
        ["line", "10", "Saw", "45s", "", "2.5 %"],
        ["line", "20", "Pack", "90s", "60min", "0.5 %"],
    ]
    send(supervisor, shop, routing="line", op="10", run_time="", setup_time="", scrap="")
    assert table(supervisor)[0] == ["line", "10", "Saw", "", "", "none"]


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"routing": "lane", "op": "10"}, "the routing 'lane'. Expected: a routing of the shop"),
        ({"routing": "line", "op": "11"}, "operation '11' of line. Expected: one of 10, 20"),
        ({"routing": "line", "op": "10", "run_time": "45"}, "the run time '45'. Expected: a time such as 45s"),
        ({"routing": "line", "op": "10", "scrap": "100"}, "the scrap allowance '100'"),
        ({"routing": "line", "op": "10", "run_time": "45s", "scrap": "2.5"}, "routing line as it is defined"),
        ({"routing": "<b>", "op": "10"}, "the routing '<b>'"),
    ],
)
def test_a_refused_change_keeps_what_was_typed(shop, supervisor, typed, words):
    answer = send(supervisor, shop, **typed)
    assert answer.status_code == 400
    page = answer.get_data(as_text=True)
    assert words in text_of(page.partition('<p role="alert"')[2].partition("</p>")[0].partition(">")[2])
    for name, text in typed.items():
        assert re.search(rf'name="{name}"[^>]*value="{re.escape(html.escape(text))}"', page), name


def test_an_accountant_and_a_reader_change_nothing(hub_app, shop, supervisor):
    accountant = hub_app.person("account")
    token = accountant.get("/costs").text.partition('name="csrf_token" value="')[2].partition('"')[0]
    data = {"csrf_token": token, "routing": "line", "op": "10", "scrap": "9"}
    assert accountant.post("/costs/operations", data=data).status_code == 403
    assert table(supervisor)[0][5] == "2.5 %"


def test_a_shop_without_routings_has_a_page(hub_app):
    assert "No routing yet" in text_of(hub_app.anonymous().get("/costs/operations").text)
