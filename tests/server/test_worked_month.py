"""The worked month of docs/value.md is right: what is computed there by hand is what the hub answers, to the cent."""

from collections import Counter
from typing import Any

import engines
import pytest
from shop_writer import ShopWriter
from worked_page import PAGE, STAGE_VALUES, Tables, changed_digits, micros, tables, wrong_equations, wrong_tables
from worked_shop import NOW_US, START_US, WorkedShop, time_of

engine = engines.both
MARCH, APRIL, MAY = "2025-03-01T00:00:00Z", "2025-04-01T00:00:00Z", "2025-05-01T00:00:00Z"
ENTERED = ("Bills of material", "Operations", "Accounts", "Other events")


class Answers:
    """What the hub answers about the month, and what the page has for it, by the name of the table."""

    def __init__(self, hub_app: Any) -> None:
        self._reader = hub_app.anonymous()
        self.found: dict[str, Any] = {}

    def get(self, address: str, **words: Any) -> Any:
        answer = self._reader.get(f"/api/v1/{address}", query_string=words)
        assert answer.status_code == 200, answer.get_json()
        return answer.get_json()

    def roll(self, from_: str, to: str, by: str = "component") -> Any:
        rolled = self.get("rollforward", **{"from": from_, "to": to, "by": by})
        assert rolled["gap_millis"] == 0
        rows = [*rolled["rows"], {**rolled["totals"], "key": "all"}]
        return {row["key"]: (row["opening_micros"], row["lines"], row["closing_micros"]) for row in rows}

    def stock(self, as_of: str) -> Any:
        answer = self.get("value", by="order", across="stage", as_of=as_of)
        values = {row["key"]: row["parts"] for row in answer["rows"] if row["value_micros"]}
        return values, answer["totals"]["value_micros"]

    def stages(self, as_of: str) -> Any:
        answer = self.get("value", by="stage", across="component", as_of=as_of)
        rows = [*answer["rows"], {**answer["totals"], "key": "all"}]
        return {row["key"]: (row["parts"], row["value_micros"]) for row in rows if row["value_micros"]}

    def days(self, found: Tables) -> Any:
        """The value at the end of each day of the day book."""
        ends = {row["day"]: time_of(row["day"], 24) - 1 for row in found["Day book of March"]}
        return {day: self.get("value", as_of=at_us)["totals"]["value_micros"] for day, at_us in ends.items()}

    def read_at_close(self, found: Tables) -> None:
        """What is read when March is closed, before the late scans."""
        periods = self.get("periods")["periods"]
        self.found["Stock on 1 March"] = self.stock(MARCH)
        self.found["Stock on 31 March"] = self.stock(APRIL)
        self.found[STAGE_VALUES] = self.stages(APRIL)
        self.found["Roll-forward of March"] = self.roll(MARCH, APRIL)
        self.found["Day book of March"] = self.days(found)
        self.found["Expense of March"] = self.expense()
        self.found["stored"] = [period["value_micros"] for period in periods]

    def expense(self) -> Any:
        rows = self.get("rollforward/expense", **{"from": MARCH, "to": APRIL})["rows"]
        causes = {"abnormal_scrap": "scrap", "rework": "rework"}
        return sorted(
            (causes[row["cause"]], row["reason"], str(row["op"] or ""), row["qty_milli"] // 1000, row["micros"])
            for row in rows
        )

    def read_at_end(self) -> None:
        """What is read when April is closed too."""
        april, march = self.get("periods")["periods"][:2]
        restated = self.get(f"periods/{march['id']}")["restatement"]
        self.found["Restated value of March"] = (
            restated["stored_micros"], {cause: of for cause, of in restated["causes"].items() if of}, restated["now_micros"],
        )  # fmt: skip
        self.found["Roll-forward of April"] = self.roll(APRIL, MAY)
        made = {"March": self.get("journal", period=march["id"]), "April": self.get("journal", period=april["id"])}
        assert all(journal["unmapped"] == [] for journal in made.values())
        self.found["Journal"] = Counter(
            (month, line["line"], line["account"], line["debit_micros"] - line["credit_micros"])
            for month, journal in made.items()
            for line in journal["lines"]
        )
        self.found["Accounts of work in process"] = {
            (month, one["account"]): (one["opening_micros"], one["closing_micros"])
            for month, journal in made.items()
            for one in journal["balances"]
        }


def roll_of(found: Tables, name: str) -> Any:
    """A roll-forward of the page as the hub answers it."""
    rolled = {}
    for row in found[name]:
        first, *lines, last = list(row)[1:]
        of_lines = {line.replace(" ", "_"): micros(row[line]) for line in lines if micros(row[line])}
        rolled[row["component"].strip("*")] = micros(row[first]), of_lines, micros(row[last])
    return rolled


def stock_of(found: Tables, name: str) -> Any:
    *rows, total = found[name]
    return {row["order"]: {row["stage"]: micros(row["value"])} for row in rows}, micros(total["value"])


def stages_of(found: Tables) -> Any:
    return {
        row["stage"].strip("*"): (
            {name: micros(row[name]) for name in list(row)[1:-1] if micros(row[name])},
            micros(row["all"]),
        )
        for row in found[STAGE_VALUES]
    }


def journal_of(found: Tables) -> Any:
    sides: Counter[tuple[str, str, str, int]] = Counter()
    for row in found["Journal"]:
        line = row["line"].replace(" ", "_")
        sides[row["month"], line, row["debit"], micros(row["amount"])] += 1
        sides[row["month"], line, row["credit"], -micros(row["amount"])] += 1
    return sides


def on_page(found: Tables) -> dict[str, Any]:
    """What the page has, in the form of the answers."""
    stored, late, now = (row["value"] for row in found["Restated value of March"])
    of_march, of_april = (roll_of(found, f"Roll-forward of {month}") for month in ("March", "April"))
    return {
        "Stock on 1 March": stock_of(found, "Stock on 1 March"),
        "Stock on 31 March": stock_of(found, "Stock on 31 March"),
        STAGE_VALUES: stages_of(found),
        "Roll-forward of March": of_march,
        "Roll-forward of April": of_april,
        "Day book of March": {
            row["day"]: micros(row["value at the end of the day"]) for row in found["Day book of March"]
        },
        "Expense of March": sorted(
            (row["cause"], row["reason"], row["operation"], int(row["pieces"]), micros(row["amount"]))
            for row in found["Expense of March"]
        ),
        "stored": [micros(stored), of_march["all"][0]],
        "Restated value of March": (micros(stored), {"late_scans": micros(late)}, micros(now)),
        "Journal": journal_of(found),
        "Accounts of work in process": {
            (row["month"], row["account"]): (micros(row["begin"]), micros(row["end"]))
            for row in found["Accounts of work in process"]
        },
    }


@pytest.fixture
def answers(store, hub_app):
    """The hub's answers about the month that the page tells."""
    found, office = tables(PAGE.read_text(encoding="utf-8")), hub_app.token("supervise account")

    def enter(entries: list[dict[str, Any]]) -> None:
        answer = hub_app.anonymous().post("/api/v1/entries", json={"entries": entries}, headers=office)
        assert answer.status_code == 200, answer.get_json()

    shop = WorkedShop(found, ShopWriter(store, now_us=NOW_US, start_us=START_US), enter)
    read = Answers(hub_app)
    shop.begin()
    shop.month("Feb")
    shop.close("1 Mar")
    shop.month("Mar")
    shop.close("1 Apr")
    read.read_at_close(found)
    shop.late()
    shop.month("Apr")
    shop.close("1 May")
    read.read_at_end()
    return read.found


def test_every_sum_of_the_page_is_right():
    page = PAGE.read_text(encoding="utf-8")
    assert wrong_equations(page) + wrong_tables(tables(page)) == []


def test_the_hub_gives_every_figure_of_the_page(answers):
    assert answers == on_page(tables(PAGE.read_text(encoding="utf-8")))


def test_a_changed_digit_of_the_page_is_found():
    """Of the tables that are entered into the hub the test above finds it."""
    page = PAGE.read_text(encoding="utf-8")
    right = on_page(tables(page))
    changes = list(changed_digits(page, ENTERED))
    assert len(changes) > 2_000
    missed = [
        line
        for line, changed in changes
        if not wrong_equations(line) and on_page(found := tables(changed)) == right and not wrong_tables(found)
    ]
    assert missed == []
