"""The page of costs: every price with the one before it and its person; the form enters one, or says what is wrong."""

import html
import re

import pytest


@pytest.fixture
def shop(shop_writer):
    shop_writer.small_shop()
    shop_writer.release("WO-1", qty=10)
    shop_writer.scan("WO-1", "saw", shop_writer.ago(hours=2))
    shop_writer.release("WO-2", "tube", qty=5)
    shop_writer.scan("WO-2", "saw", shop_writer.ago(hours=2))
    shop_writer.settle()
    return shop_writer


@pytest.fixture
def accountant(hub_app):
    return hub_app.person("account", "Nora Blum")


def text_of(page):
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", page))).strip()


def table(browser):
    page = browser.get("/costs").get_data(as_text=True)
    rows = re.findall(r"<tr>\s*<td.*?</tr>", page, re.DOTALL)
    return [[text_of(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL)] for row in rows]


def send(browser, shop, **typed):
    page = browser.get("/costs").get_data(as_text=True)
    fields = {name: page.partition(f'name="{name}" value="')[2].partition('"')[0] for name in ("csrf_token", "once")}
    answer = browser.post("/costs", data=fields | {"basis": "unit"} | typed)
    shop.settle()
    return answer


def said(browser):
    page = browser.get("/costs").get_data(as_text=True)
    return text_of(page.partition('<div class="said"')[2].partition("</div>")[0].partition(">")[2])


def alert(answer):
    return text_of(answer.get_data(as_text=True).partition('<p role="alert"')[2].partition("</p>")[0].partition(">")[2])


def test_each_price_is_listed_with_the_one_before_it_its_day_and_its_person(hub_app, shop, accountant):
    shop.say("cost.set", shop.ago(days=1), component="bar", basis="unit", micros=2_345_678)
    shop.say("cost.set", shop.ago(days=-9), component="bar", withdrawn=True)
    shop.settle()
    rows = table(hub_app.anonymous())
    assert [row[:5] for row in rows] == [
        ["bar", "each", "", "EUR 2.345678 a unit", "€ 2.00 a unit"],
        ["bar", "each", "", "withdrawn", "EUR 2.345678 a unit"],
        ["Labour", "Bracket", "10 Saw", "€ 1.00 a unit", "the first price"],
    ]
    assert [row[5].endswith("later") for row in rows] == [False, True, False]
    assert {row[6] for row in rows} == {"Kim"}
    lines = hub_app.anonymous().get("/costs.csv").get_data(as_text=True).splitlines()
    assert lines[1].startswith("bar,,,,2.345678,unit,2.00,unit,")
    assert "Enter a price" not in text_of(hub_app.anonymous().get("/costs").get_data(as_text=True))


def test_a_price_is_entered_and_the_answer_has_what_it_made_of_the_value(shop, accountant):
    answer = send(accountant, shop, component="bar", amount="2.50")
    assert (answer.status_code, answer.location) == (302, "/costs")
    assert said(accountant) == (
        "bar costs € 2.50 a unit from now on. The value of work in process was € 20.00 and is € 25.00: € 5.00 more."
    )
    assert table(accountant)[0][3:5] == ["€ 2.50 a unit", "€ 2.00 a unit"]
    assert table(accountant)[0][6] == "Nora Blum"
    send(accountant, shop, component="bar", withdrawn="1")
    assert "1 item more without full cost" in said(accountant)


def test_a_lacking_cost_opens_the_form_that_enters_it(shop, accountant, hub_app):
    shop.say("cost.set", shop.ago(hours=1), component="bar", withdrawn=True)
    shop.settle()
    page = accountant.get("/without-cost").get_data(as_text=True)
    links = [html.unescape(link) for link in re.findall(r'href="(/costs\?[^"]*)"', page)]
    assert sorted(links) == ["/costs?component=bar#enter", "/costs?product=tube#enter"]
    form = accountant.get("/costs?component=bar").get_data(as_text=True)
    assert re.search(r'name="component"[^>]*value="bar"', form)
    assert "/costs?" not in hub_app.anonymous().get("/without-cost").get_data(as_text=True)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"component": ""}, "a price without a component"),
        ({"component": "bra", "amount": "1"}, "the component 'bra'. Expected: a component of a bill of the shop"),
        ({"component": "bar", "amount": "1,250"}, "the amount '1,250', which is 1250.00 or 1.25"),
        ({"component": "bar", "amount": "-1"}, "the amount '-1'. Expected: a number in EUR from 0 to 1000000000.00"),
        ({"component": "bar", "amount": ""}, "the amount ''"),
        ({"component": "bar", "amount": "2", "basis": "minute"}, "a price of a material for a minute"),
        ({"component": "bar", "amount": "2", "op": "10"}, "operation '10' of a material"),
        ({"component": "bar", "amount": "2", "withdrawn": "1"}, "the amount '2' of a price that is withdrawn"),
        ({"component": "bar", "amount": "2", "product": "nut"}, "the product 'nut'"),
        ({"component": "bar", "amount": "2", "day": "32"}, "the day '32'"),
        ({"component": "labour", "amount": "2", "product": "bracket"}, "labour without an operation"),
        ({"component": "labour", "amount": "2", "product": "bracket", "op": "11"}, "operation '11' of bracket"),
        ({"component": "labour", "amount": "2", "op": "10"}, "labour without a product"),
        ({"component": "labour", "amount": "2", "stage": "oven", "basis": "minute"}, "the work centre 'oven'"),
        ({"component": "labour", "amount": "2", "stage": "saw"}, "a rate of a work centre for a unit"),
        ({"component": "outside", "amount": "2", "stage": "saw", "basis": "minute"}, "a rate of 'outside'"),
        (
            {"component": "labour", "amount": "2", "stage": "saw", "basis": "minute", "product": "bracket"},
            "a rate of a work centre for a product",
        ),
        ({"component": "<b>", "amount": "2"}, "the component '<b>'"),
        ({"component": "bar", "amount": "2.00"}, "component bar as it is defined"),
    ],
)
def test_a_refused_price_says_what_came_and_keeps_what_was_typed(shop, accountant, typed, words):
    answer = send(accountant, shop, **typed)
    assert answer.status_code == 400
    assert words in alert(answer)
    page = answer.get_data(as_text=True)
    for name, text in typed.items():
        if name not in ("basis", "stage"):
            assert re.search(rf'name="{name}"[^>]*value="{re.escape(html.escape(text))}"', page), name


def test_a_price_of_a_closed_period_is_refused_with_its_end(shop, accountant):
    shop.say("period.close", shop.ago(days=3), why="month end")
    shop.settle()
    answer = send(accountant, shop, component="bar", amount="3", day="2020-01-01")
    assert answer.status_code == 400
    assert "where the last closed period ends" in alert(answer)
    assert "Enter it as of now, or reopen the period." in alert(answer)


def test_the_same_form_twice_enters_one_price_and_only_an_accountant_enters_any(shop, accountant, hub_app, rows):
    page = accountant.get("/costs").get_data(as_text=True)
    fields = {name: page.partition(f'name="{name}" value="')[2].partition('"')[0] for name in ("csrf_token", "once")}
    fields |= {"component": "bar", "basis": "unit", "amount": "4"}
    assert [accountant.post("/costs", data=fields).status_code for _ in range(2)] == [302, 302]
    shop.settle()
    assert len([row for row in table(accountant) if row[0] == "bar"]) == 1
    supervisor = hub_app.person("supervise")
    token = supervisor.get("/orders").get_data(as_text=True).partition('name="csrf_token" value="')[2].partition('"')[0]
    assert supervisor.post("/costs", data=fields | {"csrf_token": token}).status_code == 403


def test_a_rate_of_a_work_centre_is_entered_once_for_all_its_work(shop, accountant, hub_app):
    operations = [{"op": 10, "stage": "saw", "run_ms": 30_000}, {"op": 20, "stage": "pack"}]
    shop.say("routing.define", shop.ago(days=20), routing="line", operations=operations)
    shop.scan("WO-2", "saw", shop.ago(hours=1), action="out")
    shop.settle()
    send(accountant, shop, component="labour", stage="saw", basis="minute", amount="3")
    # A tube takes half a minute; the labour of the bracket at this operation has a price of its own.
    assert said(accountant).startswith(
        "Labour at saw costs € 3.00 a minute from now on. The value of work in process was"
    )
    assert table(accountant)[1][:4] == ["Labour", "each at Saw", "", "€ 3.00 a minute"]
    rows = hub_app.anonymous().get("/value.csv?by=product&across=component").get_data(as_text=True).splitlines()
    assert [row.split(",")[4] for row in rows[1:]] == ["20.00", "7.50"]
    page = text_of(accountant.get("/costs?component=labour&stage=saw&basis=minute").get_data(as_text=True))
    assert "Work centre" in page


def test_amounts_are_typed_as_the_site_writes_numbers(shop, accountant):
    shop.say("site.define", locale="de")
    shop.settle()
    send(accountant, shop, component="bar", amount="1.234,5678")
    assert table(accountant)[0][3] == "EUR 1234,5678 a unit"


def test_a_shop_without_prices_has_a_page(hub_app):
    assert "No price yet" in text_of(hub_app.anonymous().get("/costs").get_data(as_text=True))
    assert len(hub_app.anonymous().get("/costs.csv").get_data(as_text=True).splitlines()) == 1


@pytest.fixture
def made_here(shop):
    """A frame of two brackets, whose bill says 3.00 a bracket."""
    bom = [{"component": "bracket", "qty_milli": 2000, "operation": 10}]
    shop.say("product.define", 0, product="frame", name="Frame", routing="line", bom=bom)
    shop.say("cost.set", 0, component="bracket", basis="unit", micros=3_090_000)
    shop.settle()
    return shop


def test_a_price_that_differs_from_its_bill_by_more_than_the_tolerance_is_shown(hub_app, made_here, accountant):
    page = text_of(accountant.get("/costs").get_data(as_text=True))
    assert "€ 3.09 a unit € 0.09 more than its bill" in page
    missing = accountant.get("/without-cost").get_data(as_text=True)
    assert "Prices that differ from their bill" in missing
    assert "/costs?component=bracket#enter" in html.unescape(missing)
    assert "which is more than the tolerance of 1 %" in text_of(accountant.get("/value/bill?component=bracket").text)
    rows = hub_app.anonymous().get("/without-cost.csv?list=differences").get_data(as_text=True).splitlines()
    assert rows[1:] == ["bracket,,3.09,3.00,0.09"]

    token = accountant.get("/costs").text.partition('name="csrf_token" value="')[2].partition('"')[0]
    answer = accountant.post("/costs/tolerance", data={"csrf_token": token, "tolerance": "3"})
    made_here.settle()
    assert answer.status_code == 302
    assert said(accountant) == "A price is shown where it differs by more than 3 % from its bill."
    for address in ("/costs", "/without-cost"):
        assert "than its bill" not in accountant.get(address).text
        assert "differ from their bill" not in accountant.get(address).text
    assert "within the tolerance of 3 %" in text_of(accountant.get("/value/bill?component=bracket").text)
    assert hub_app.anonymous().get("/without-cost.csv?list=differences").text.splitlines()[1:] == []


@pytest.mark.parametrize("typed", ["", "-1", "101", "two", "1,000"])
def test_a_tolerance_that_is_none_is_refused(made_here, accountant, typed):
    token = accountant.get("/costs").text.partition('name="csrf_token" value="')[2].partition('"')[0]
    assert accountant.post("/costs/tolerance", data={"csrf_token": token, "tolerance": typed}).status_code == 400
