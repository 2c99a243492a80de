"""The month end and a count in a browser: a month is closed by the links of the pages, and a stage is counted."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import urllib3
from browser import a_page, barriers
from playwright.sync_api import expect
from running_hub import RunningHub
from shop_writer import STAGES, ShopWriter
from waiting import HANG_S, until

from server.auth import accounts
from server.db.store import Store
from tests.station.fixtures.station_process import Daemon

pytestmark = pytest.mark.browser

ACCOUNTS = {
    "Work in process": "1300", "Material issued": "1200", "Labour": "5100", "Finished": "1400",
}  # fmt: skip


class Office:
    """A hub with the small shop, whose persons sign in by a link, and a station at its stages."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.hub = RunningHub(folder / "hub.db")
        store = Store(folder / "hub.db")
        self.shop = ShopWriter(store)
        self._tell(self.shop)
        with store.write() as connection:
            self._links = {
                roles: accounts.make_link(
                    connection, accounts.add_person(connection, name, roles, None, self.shop.now_us), self.shop.now_us
                )
                for name, roles in (("Nora Blum", "account"), ("Mara Weiss", "supervise"))
            }
        store.close()
        self.hub.start().ready()
        self._station: Daemon | None = None

    @staticmethod
    def _tell(shop: ShopWriter) -> None:
        shop.small_shop()
        bom = [{"component": "sheet", "qty_milli": 1000, "operation": 10}]
        shop.say("product.define", 0, product="plate", name="Plate", routing="line", bom=bom)
        for order, product in (("WO-1", "bracket"), ("WO-2", "bracket"), ("WO-3", "plate"), ("WO-4", "bracket")):
            shop.release(order, product, 10, shop.ago(days=8))
            shop.scan(order, "saw", shop.ago(days=4))
        shop.scan("WO-2", "deburr", shop.ago(days=3))
        shop.scan("WO-2", "pack", shop.ago(days=2, hours=12))
        shop.settle()

    def sign_in(self, page: Any, roles: str) -> None:
        page.goto(f"{self.hub.url}/sign-in/{self._links[roles]}")
        page.get_by_role("button", name="Sign in").click()

    def at(self, *scans: str) -> None:
        """Scan these at the station, one after another; each is answered before the next."""
        if self._station is None:
            token = self._folder / "token"
            token.write_text(self.hub.command("station", "add", "saw-1").stdout)
            of_hub = f'[hub]\nurl = "{self.hub.url}"\ntoken_file = "{token}"\n'
            self._station = Daemon(self._folder, f"stages = {json.dumps(STAGES)}\n{of_hub}", stage=None).start()
        for scan in scans:
            before = len(self._station.answers())
            self._station.scan(scan)
            self._station.answered(before + 1)
        seq = self._station.answers()[-1]["seq"]
        self._station.until(lambda: self._station.status()["hub"]["accepted_thru"] >= seq)

    def get(self, path: str) -> Any:
        return urllib3.request("GET", self.hub.url + path, timeout=HANG_S).json()

    def lines(self) -> list[dict[str, Any]]:
        """The lines of the count."""
        return self.get("/api/v1/counts/C-1")["lines"]

    def close(self) -> None:
        if self._station is not None:
            self._station.end()
        self.hub.stop()


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path)
    yield made
    made.close()


def month_end(page: Any) -> None:
    """To the page of the month end by the links of the pages."""
    page.get_by_role("navigation").get_by_role("link", name="Value").first.click()
    page.get_by_role("link", name="Month end").click()


def check(page: Any, day: str) -> None:
    """Choose the last day, and look at what is open."""
    page.get_by_label("The period ends with the day").fill(day)
    page.get_by_role("button", name="Check").click()


def close_period(page: Any, day: str, why: str) -> None:
    """Choose the last day, and close with a reason."""
    check(page, day)
    submit(page, "#close", "Close", {"Reason": why})


def submit(page: Any, form: str, button: str, fields: dict[str, str]) -> None:
    """Fill in the fields of a form by their labels, and send it."""
    for label, text in fields.items():
        page.locator(form).get_by_label(label).fill(text)
    page.locator(form).get_by_role("button", name=button).click()


def enter_missing_price(page: Any, day: date) -> None:
    """From the check to the form of the cost that lacks."""
    check(page, day.isoformat())
    assert barriers(page) == []
    page.get_by_role("link", name="1 item has no full cost").click()
    page.get_by_role("link", name="Back to now").click()
    page.get_by_role("link", name="Enter the price of sheet").click()
    begin = (day - timedelta(days=20)).isoformat()
    submit(page, "#enter", "Enter", {"Amount": "5.00", "Valid from": begin})


def export_with_accounts(page: Any) -> None:
    """From the closed period to its journal: enter each account that lacks, export, compare with the general ledger."""
    page.locator("#period").get_by_role("link", name="Journal").click()
    for line, account in ACCOUNTS.items():
        page.locator("#unmapped").get_by_role("link", name=line).first.click()
        form = page.locator("#account")
        form.get_by_label("Component").fill("")
        form.get_by_label("Cost centre").select_option("")
        form.get_by_role("textbox", name="Account").fill(account)
        form.get_by_role("button", name="Enter").click()
    page.get_by_role("button", name="Export").click()
    expect(page.locator(".said")).to_have_text("The journal is exported.")
    submit(page, "#balance", "Compare", {"Account": "1300", "Balance": "89.00"})
    expect(page.locator("#balances tbody tr")).to_contain_text("€ 1.00")
    assert barriers(page) == []


def reopen_and_reverse(page: Any) -> None:
    """Reopen the period with a reason, and reverse the journal that was exported of it."""
    page.get_by_role("link", name="Month end").first.click()
    submit(page, "#reopen", "Reopen", {"Reason": "a receipt was missing"})
    expect(page.locator(".said")).to_contain_text("open again")
    expect(page.locator("#closes tbody tr")).to_contain_text("reopened")
    page.get_by_role("link", name="Journal").first.click()
    expect(page.locator("main")).to_contain_text("Journal 1 is of a close that was reopened")
    page.get_by_role("link", name="Journal 1").click()
    submit(page, "#reverse", "Reverse", {"Reason": "the month is closed anew"})
    expect(page.locator("#numbers tbody tr")).to_have_count(2)


def test_an_accountant_closes_a_month_by_the_links_of_the_pages(chromium, office):
    day = datetime.fromtimestamp(office.shop.ago(days=2) / 1e6, UTC).date()
    with a_page(chromium, office.hub.url) as page:
        office.sign_in(page, "account")
        month_end(page)
        enter_missing_price(page, day)
        month_end(page)
        check(page, day.isoformat())
        expect(page.locator("#checks")).to_contain_text("€ 90.00 in 3 items")
        expect(page.locator("#checks")).to_contain_text("Nothing is open")
        close_period(page, day.isoformat(), "month end")
        expect(page.locator(".said")).to_contain_text("with € 90.00 in process")
        assert barriers(page) == []
        export_with_accounts(page)
        reopen_and_reverse(page)
        month_end(page)
        close_period(page, day.isoformat(), "with the receipt")
        expect(page.locator("#closes tbody tr")).to_have_count(2)
        page.locator("#period").get_by_role("link", name="Journal").click()
        page.get_by_role("button", name="Export").click()
        expect(page.locator("#lines-title")).to_contain_text("Journal 3")


def test_a_stage_is_counted_while_work_goes_on_and_the_difference_moves_the_value(chromium, office):
    office.at("WIP:STAGE:saw")
    with a_page(chromium, office.hub.url) as page:
        office.sign_in(page, "supervise")
        page.get_by_role("navigation").get_by_role("link", name="Value").first.click()
        page.get_by_role("link", name="Counts").click()
        form = page.locator("#open")
        form.get_by_label("Saw").check()
        form.get_by_label("Why").fill("end of the year")
        form.get_by_role("button", name="Open").click()
        expect(page.locator(".said")).to_contain_text("Count C-1 is open")
        assert [line["kind"] for line in office.lines()] == ["uncounted"] * 3

        office.at("WIP:COUNT", "WIP:QTY:8", "WO-1")
        office.at("WIP:CANCEL", "WIP:STAGE:deburr", "WO-4")
        office.at("WIP:STAGE:saw", "WIP:COUNT", "WO-3")
        until(lambda: sorted(line["kind"] for line in office.lines()) == ["agrees", "differs", "moved"])
        page.reload()
        rows = page.locator("#lines tbody tr")
        expect(rows.filter(has_text="WO-1")).to_contain_text("quantity differs")
        expect(rows.filter(has_text="WO-1")).to_contain_text("\u2212€ 4.00")
        expect(rows.filter(has_text="WO-4")).to_contain_text("moved")
        expect(rows.filter(has_text="WO-3")).to_contain_text("agrees")
        assert barriers(page) == []
        page.get_by_role("button", name="Finish the walk").click()
        expect(page.locator(".said")).to_have_text("Count C-1 is finished.")

        rows.filter(has_text="WO-1").get_by_role("checkbox").check()
        page.get_by_role("button", name="Accept the chosen lines").click()
        expect(page.locator(".said")).to_contain_text("1 line is accepted.")
        until(lambda: any(line["decision"] for line in office.lines()))
        page.reload()
        expect(rows.filter(has_text="WO-1")).to_contain_text("accepted")
        assert barriers(page) == []
        page.goto("/value")
        expect(page.locator("tr", has_text="Saw")).to_contain_text("€ 16.00")
        page.get_by_role("link", name="How it got there").click()
        cell = page.locator("#rollforward tfoot td[data-label='Counts'] a")
        expect(cell).to_have_text("\u2212€ 4.00")
        cell.click()
        expect(page.locator("main table tbody")).to_contain_text("WO-1")
        assert barriers(page) == []
