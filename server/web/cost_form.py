"""Cost form: the entry `cost.set` of the form on the page of costs, from what a person typed.

A price belongs to a component, for all products or one of them, to the work of an operation of a product, or to a stage as a
work centre: its rate for a minute.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from server.api_errors import ApiError
from server.ledger.entries import Entry
from server.locale_format import LocaleFormat
from server.text import nearest
from station.core.ledger.costs import CONVERSION, RATED
from station.core.master_data import MasterData

FIELDS = ("component", "product", "op", "stage", "basis", "amount", "day", "withdrawn")
PREFILLED = ("component", "product", "op", "stage", "basis")  # those that a link to the form may give
BASES = {"unit": "a unit", "order": "an order", "minute": "a minute"}
MICRO_PLACES = 6
MAX_MICROS = 10**15  # as in a file of costs: one thousand million units of the currency
MOST_DIGITS = 9
MOST_SHOWN = 80


def entry_of(typed: Mapping[str, str], master_data: MasterData, locale: LocaleFormat, now_us: int, by: str) -> Entry:
    """The entry of a form. Raises `ApiError` 400 for the first field that is not valid."""
    component, product = typed["component"], typed["product"]
    if not component:
        raise ApiError(
            400, "a price without a component", f"a component, or {_listed(CONVERSION)}", "Write what it is for."
        )
    if typed["basis"] not in BASES:
        raise ApiError(
            400, f"the basis {_quoted(typed['basis'])}", f"one of {_listed(BASES)}", "Choose one on the page."
        )
    known = master_data.product(product, now_us)
    if product and known is None:
        products = master_data.names("product.define")
        raise ApiError(400, f"the product {_quoted(product)}", "a product of the shop", nearest(product, products))
    data: dict[str, Any] = {"component": component} | ({"product": product} if product else {})
    if typed["stage"]:
        data["stage"] = _work_centre(typed, master_data)
    elif component in CONVERSION:
        data["op"] = _operation(typed, master_data, now_us)
    else:
        _check_material(typed, master_data, now_us)
    if typed["withdrawn"] and typed["amount"]:
        do = "Empty the amount, or leave the mark of the withdrawal out."
        raise ApiError(400, f"the amount {_quoted(typed['amount'])} of a price that is withdrawn", "one of the two", do)
    if typed["withdrawn"]:
        return Entry("cost.set", data | {"withdrawn": True}, by, _from(typed["day"], locale))
    data |= {"basis": typed["basis"], "micros": amount(typed["amount"], locale)}
    return Entry("cost.set", data, by, _from(typed["day"], locale))


def amount(text: str, locale: LocaleFormat, most: int = MAX_MICROS) -> int:
    """A typed amount in micros of the currency, 0 included. Raises `ApiError` 400, with the readings where it has several.

    >>> amount("0.0425", LocaleFormat()), amount("12,50", LocaleFormat(locale="de"))
    (42500, 12500000)
    """
    plain = text.strip()
    readings = locale.readings(f"0{plain}" if plain.startswith((".", ",")) else plain, MICRO_PLACES)
    if len(readings) > 1:
        either = " or ".join(map(locale.exact_money, readings))
        raise ApiError(
            400, f"the amount {_quoted(text)}, which is {either}", "one with one reading", f"Write {either}."
        )
    if not readings or readings[0] > most:
        expected = f"a number in {locale.currency} from 0 to {locale.exact_money(most)}, with at most six decimals"
        raise ApiError(400, f"the amount {_quoted(text)}", expected, f"Write it so: {locale.exact_money(12_500_000)}")
    return readings[0]


def _work_centre(typed: Mapping[str, str], master_data: MasterData) -> str:
    """The stage whose rate a price is."""
    stage, component = typed["stage"], typed["component"]
    stages = master_data.names("stage.define")
    if stage not in stages:
        raise ApiError(400, f"the work centre {_quoted(stage)}", "a stage of the shop", nearest(stage, stages))
    if component not in RATED:
        expected, do = f"one of {_listed(RATED)}", "Choose no work centre for another price."
        raise ApiError(400, f"a rate of {_quoted(component)} of a work centre", expected, do)
    if typed["product"] or typed["op"]:
        do = "Empty product and operation, or choose no work centre for the price of an operation."
        raise ApiError(400, "a rate of a work centre for a product", "a rate for all work there", do)
    if typed["basis"] != "minute" and not typed["withdrawn"]:
        came = f"a rate of a work centre for {BASES[typed['basis']]}"
        raise ApiError(400, came, "one for a minute, at normal capacity", "Choose a minute.")
    return stage


def percent(text: str, locale: LocaleFormat, word: str, most_ppm: int) -> int:
    """A typed share in percent, with at most three decimals, in millionths. Raises `ApiError` 400; `word`: what it is.

    >>> percent("2.5", LocaleFormat(), "tolerance", 1_000_000), percent("0 %", LocaleFormat(), "tolerance", 1_000_000)
    (25000, 0)
    """
    readings = locale.readings(text.strip().removesuffix("%").strip())
    if len(readings) != 1 or readings[0] * 10 > most_ppm:
        expected = f"a share from 0 to {locale.percent(most_ppm)}, with at most three decimals"
        raise ApiError(400, f"the {word} {_quoted(text)}", expected, f"Write it so: {locale.exact(2_500)}")
    return readings[0] * 10


def _operation(typed: Mapping[str, str], master_data: MasterData, now_us: int) -> int:
    """The operation whose work a price is of."""
    component, product, op = typed["component"], typed["product"], typed["op"]
    known = master_data.product(product, now_us)
    if known is None or not op:
        lacking = "an operation" if known else "a product"
        raise ApiError(
            400, f"{component} without {lacking}", "a product and its operation", f"Write whose {component} it is."
        )
    routing = master_data.routing(known.routing, now_us)
    numbers = [operation.op for operation in routing.operations] if routing else []
    if not op.isascii() or not op.isdecimal() or len(op) > MOST_DIGITS or int(op) not in numbers:
        expected = f"one of {_listed(numbers)}" if numbers else f"none: {product} has no routing"
        raise ApiError(
            400, f"operation {_quoted(op)} of {product}", expected, "Write its number in the routing of the product."
        )
    return int(op)


def _check_material(typed: Mapping[str, str], master_data: MasterData, now_us: int) -> None:
    """A price of a material is of one unit, and a bill of the product, or of any product, has it."""
    component, product = typed["component"], typed["product"]
    if typed["op"]:
        do = f"Empty the operation, or write {' or '.join(CONVERSION)} as the component."
        raise ApiError(400, f"operation {_quoted(typed['op'])} of a material", "a price of the component alone", do)
    if typed["basis"] != "unit":
        raise ApiError(400, f"a price of a material for {BASES[typed['basis']]}", "one for a unit", "Choose a unit.")
    products = [product] if product else master_data.names("product.define")
    bills = [known.bom for name in products if (known := master_data.product(name, now_us))]
    components = {line.component for bill in bills for line in bill}
    if component not in components:
        of = f"of the bill of {product}" if product else "of a bill of the shop"
        do = nearest(component, components) if components else "Give a product its bill of material first."
        raise ApiError(400, f"the component {_quoted(component)}", f"a component {of}, or {_listed(CONVERSION)}", do)


def _from(text: str, locale: LocaleFormat) -> int | None:
    """The first instant of a typed day; None for an empty text: from now on."""
    if not text:
        return None
    try:
        return locale.day_start_us(date.fromisoformat(text))
    except ValueError:
        raise ApiError(
            400, f"the day {_quoted(text)}", "a day such as 2026-11-22", "Pick it from the calendar."
        ) from None


def _quoted(text: str) -> str:
    return repr(text[:MOST_SHOWN])


def _listed(words: Any) -> str:
    return ", ".join(map(str, words))
