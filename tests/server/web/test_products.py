"""The page of products, and the form that withdraws or replaces one of them."""

import html
import re

import pytest


@pytest.fixture
def shop(shop_writer):
    shop_writer.small_shop()
    shop_writer.settle()
    return shop_writer


@pytest.fixture
def supervisor(hub_app):
    return hub_app.person("supervise", "Mara Weiss")


def text_of(page):
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", page))).strip()


def send(browser, shop, **typed):
    page = browser.get("/products").text
    fields = {name: page.partition(f'name="{name}" value="')[2].partition('"')[0] for name in ("csrf_token", "once")}
    answer = browser.post("/products", data=fields | typed)
    shop.settle()
    return answer


def test_a_product_is_withdrawn_replaced_and_made_again(hub_app, shop, supervisor):
    before = hub_app.anonymous().get("/products.csv").text.splitlines()
    assert before[1:] == ["bracket,Bracket,pcs,0,line,no,", "tube,Tube,m,1,line,no,"]
    assert "Withdraw or replace" not in hub_app.anonymous().get("/products").text
    answer = send(supervisor, shop, product="bracket", withdrawn="yes", replaced_by="tube")
    assert (answer.status_code, answer.location) == (302, "/products")
    assert supervisor.get("/products.csv").text.splitlines()[1] == "bracket,Bracket,pcs,0,line,yes,tube"
    page = supervisor.get("/products?product=bracket").text
    assert "replaced by tube" in text_of(page)
    assert re.search(r'name="withdrawn" value="yes" checked', page)
    send(supervisor, shop, product="bracket", replaced_by="")
    assert supervisor.get("/products.csv").text.splitlines() == before


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"product": "lid"}, "the product 'lid'. Expected: a product of the shop"),
        ({"product": "tube", "replaced_by": "<b>"}, "that is replaced with the product '<b>'"),
        ({"product": "tube", "replaced_by": "tube"}, "product.define of tube replaced by tube"),
        ({"product": "tube"}, "product tube as it is defined"),
    ],
)
def test_a_refused_change_keeps_what_was_typed(shop, supervisor, typed, words):
    answer = send(supervisor, shop, **typed)
    assert answer.status_code == 400
    page = answer.get_data(as_text=True)
    assert words in text_of(page.partition('<p role="alert"')[2].partition("</p>")[0].partition(">")[2])
    for name, text in typed.items():
        assert re.search(rf'name="{name}"[^>]*value="{re.escape(html.escape(text))}"', page), name


def test_an_accountant_and_a_reader_change_nothing(hub_app, shop):
    accountant = hub_app.person("account")
    token = accountant.get("/costs").text.partition('name="csrf_token" value="')[2].partition('"')[0]
    data = {"csrf_token": token, "product": "tube", "withdrawn": "yes"}
    assert accountant.post("/products", data=data).status_code == 403
    assert hub_app.anonymous().get("/products.csv").text.splitlines()[2] == "tube,Tube,m,1,line,no,"


def test_a_shop_without_products_has_a_page(hub_app):
    assert "No product yet" in text_of(hub_app.anonymous().get("/products").text)


@pytest.mark.parametrize("name", ["\u202egnp.renn", "p" * 64, "<b>part</b>"])
def test_the_answer_to_a_change_shows_each_character_of_the_name(shop, supervisor, name):
    shop.say("product.define", product=name, name="Part", routing="line")
    shop.settle()
    assert send(supervisor, shop, product=name, withdrawn="yes").status_code == 302
    said = supervisor.get("/products").text.partition('class="said"')[2].partition("</")[0]
    assert "is changed from now on" in said
    assert "\u202e" not in said
    assert "<b>" not in said
