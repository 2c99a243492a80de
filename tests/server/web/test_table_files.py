"""The tables of the pages as files: CSV and XLSX have the same rows, and a spreadsheet program calculates no cell."""

import csv
import html
import io
import re
import subprocess
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import openpyxl
import pytest
import python_calamine
from shop_writer import ShopWriter

from server.db.long_work import EXPORT
from server.queries.closed_periods import closed_periods
from server.web import table_file as files
from server.web.template_filters import shop_locale

TEMPLATES = Path(__file__).parents[3] / "server" / "web" / "templates"
# Tables of a form that asks or has been answered: what it lists was chosen on a page whose table has a file.
OF_A_FORM = {"orders_ask.html", "orders_done.html", "travellers_ask.html", "labels_print.html"}
FILES = (
    "/orders.{}", "/stage.{}?stage=saw", "/stage.{}?stage=saw&list=calls", "/without-cost.{}",
    "/without-cost.{}?list=missing", "/without-cost.{}?list=differences", "/costs.{}", "/costs/operations.{}",
    "/rollforward.{}?by=stage", "/rollforward/postings.{}?line=material", "/rollforward/expense.{}",
    "/products.{}", "/month-end.{}", "/month-end/items.{}?check=unsent",
    "/month-end/listing.{}?period={period}", "/value/bill.{}?component=bracket", "/value/history.{}?to={closed_us}",
    "/journal.{}", "/journal.{}?list=accounts", "/journal.{}?list=journals", "/counts.{}", "/count.{}?count=C-1",
    "/obsolete.{}?days=1", "/obsolete.{}?list=reasons", "/obsolete/write-down.{}?days=1",
    "/obsolete/write-down.{}?days=1&list=parts", "/obsolete/write-down.{}?days=1&list=stock",
    "/count-accuracy.{}", "/count-accuracy.{}?list=stages", "/unknown-codes.{}",
    "/value.{}?by=component", "/value.{}?by=item", "/change.{}", "/stations.{}", "/stations.{}?list=devices", "/carriers.{}",
    "/people.{}", "/rules.{}", "/labels.{}?kind=product", "/labels.{}?kind=card", "/changes.{}", "/item.{}?code=WO-1",
    "/item.{}?code=WO-1&list=postings", "/item.{}?code=WO-1&list=places", "/item.{}?code=WO-1&list=events",
    "/item.{}?code=WO-1&list=changes",
)  # fmt: skip
FORMULA = "=cmd|'/c calc'!A1"


@pytest.fixture
def shop_writer(store):
    writer = ShopWriter(store)
    writer.small_shop()
    writer.station("saw-1")
    writer.say("person.define", 0, person="ada", name="+Ada", badge="7", roles=["supervise"])
    writer.say("product.define", 0, product="@SUM(1)", name="-1", unit="m")
    writer.release("WO-1", qty=40, at_us=writer.ago(days=2), due="2026-12-24", customer=FORMULA)
    writer.release("WO-2", product="tube", qty=2, at_us=writer.ago(days=2))
    writer.say("code.bind", 0, code="TOTE-1", as_="carrier", to="TOTE-1")
    writer.say("count.open", writer.ago(hours=6), count="C-1", why=FORMULA)
    writer.scan("WO-1", "saw", writer.ago(hours=5), operator="ada")
    writer.scan("WO-1", "saw", writer.ago(hours=4.5), action="count")
    writer.scan("WO-1", "deburr", writer.ago(hours=4), qty_milli=12_345)
    writer.scan("WO-2", "saw", writer.ago(hours=4))
    writer.scan(FORMULA, "saw", writer.ago(hours=3))
    writer.say("account.map", 0, line="wip", account=FORMULA)
    writer.settle()
    writer.say("period.close", writer.ago(hours=2), why=FORMULA)
    writer.settle()
    return writer


def fetched(hub_app, address, form):
    with hub_app.store.read() as connection:
        (closed,) = closed_periods(connection)
    answer = hub_app.person("supervise").get(address.format(form, period=closed.pos, closed_us=closed.closed_us))
    assert answer.status_code == 200, address
    assert re.fullmatch(rf'attachment; filename="[a-z_-]+\.{form}"', answer.headers["Content-Disposition"])
    return answer.data


def csv_rows(data):
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))


def sheet(data):
    return openpyxl.load_workbook(io.BytesIO(data)).active


def as_csv(value, zone):
    """The text that a CSV file has for a cell of a spreadsheet."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        if value.time() == datetime.min.time():
            return {value.date().isoformat(), as_utc(value, zone)}
        return as_utc(value, zone)
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@")) else str(value)


def as_utc(value, zone):
    return value.replace(tzinfo=zone).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def same(cell, text, zone):
    if isinstance(cell, int | float):
        return Decimal(str(cell)) == Decimal(text)
    expected = as_csv(cell, zone)
    return text in expected if isinstance(expected, set) else text == expected


@pytest.mark.parametrize("address", FILES)
def test_a_spreadsheet_has_the_rows_of_the_csv_file_and_no_formula(hub_app, shop_writer, address):
    data, expected = both(hub_app, address)
    read = sheet(data)
    assert read.max_row == len(expected)
    with hub_app.app.app_context():
        zone = shop_locale().zone
    for row, texts in zip(read.iter_rows(), expected, strict=True):
        assert len(row) == len(texts)
        for cell, text in zip(row, texts, strict=True):
            assert cell.data_type != "f", (address, cell.coordinate, cell.value)
            assert same(cell.value, text, zone), (address, cell.coordinate, cell.value, text)
    by_calamine = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data)).get_sheet_by_index(0).to_python()
    assert [str(cell) for cell in by_calamine[0]] == expected[0]
    assert len(by_calamine) == len(expected)


def test_numbers_days_and_times_are_typed_and_texts_are_texts(hub_app, shop_writer):
    orders = {row[0].value: row for row in sheet(fetched(hub_app, "/orders.{}", "xlsx")).iter_rows()}
    heading = [cell.value for cell in orders["order"]]
    first = dict(zip(heading, orders["WO-1"], strict=True))
    assert (first["ordered"].value, first["ordered"].data_type) == (40, "n")
    assert (first["due"].value.date(), first["due"].data_type) == (date(2026, 12, 24), "d")
    assert (first["customer"].value, first["customer"].data_type) == (FORMULA, "s")
    events = sheet(fetched(hub_app, "/item.{}?code=WO-1&list=events", "xlsx"))
    assert {type(cell.value) for cell in events["B"][1:]} == {datetime}
    assert 12.345 in {cell.value for cell in events["F"]}


def test_a_value_has_the_places_of_the_currency_and_the_exact_amount(hub_app, shop_writer):
    cells = [cell for row in sheet(fetched(hub_app, "/value.{}", "xlsx")).iter_rows(min_row=2) for cell in row]
    assert "#,##0.00" in {cell.number_format for cell in cells if cell.data_type == "n"}


def test_every_table_of_a_page_has_its_files():
    texts = {path.name: path.read_text() for path in TEMPLATES.glob("*.html")}
    with_table = {name for name, text in texts.items() if "<table" in text} - OF_A_FORM
    assert {"item.html", "stations.html", "value.html"} < with_table
    for name in sorted(with_table):
        text = texts[name]
        links = len(re.findall(r"(?:parts\.)?files\((?!name\))|parts\.pager\([^\n]*(?:csv|file)", text))
        assert links >= text.count("<table"), name


def test_every_address_of_a_file_is_read_back(hub_app):
    ending = f".{files.FORMS}"
    addresses = {str(rule).removesuffix(ending) for rule in hub_app.app.url_map.iter_rules() if ending in str(rule)}
    assert {address.partition(".{}")[0] for address in FILES} == addresses


def test_every_link_to_a_file_on_a_page_has_a_file_of_either_form(hub_app, shop_writer):
    person = hub_app.person("supervise")
    pages = {str(rule) for rule in hub_app.app.url_map.iter_rules() if "GET" in rule.methods and not rule.arguments}
    pages -= {"/metrics", "/openapi.json", "/healthz", "/sign-in", "/api/v1/events"}
    pages |= {"/items/WO-1", "/stages/saw", "/counts/C-1", "/rollforward/postings?line=material", "/value?by=item",
              "/value/bill?component=bracket"}  # fmt: skip
    links = set()
    for page in sorted(page for page in pages if not page.startswith("/api/") and "." not in page):
        answer = person.get(page)
        if answer.status_code != 400:  # a page that needs query words
            links |= {html.unescape(link) for link in re.findall(r'href="([^"]+\.(?:csv|xlsx)[^"]*)"', answer.text)}
    assert {link.replace(".xlsx", ".csv") for link in links} == {link for link in links if ".csv" in link}
    assert {link.replace(".csv", ".xlsx") for link in links} == {link for link in links if ".xlsx" in link}
    assert len(links) > len(FILES)
    for link in sorted(links):
        assert person.get(link).status_code == 200, link


def both(hub_app, address):
    """The spreadsheet of a table and the rows of its CSV file as of the same time: some have ages, which grow."""
    for _ in range(20):
        before, data = fetched(hub_app, address, "csv"), fetched(hub_app, address, "xlsx")
        if fetched(hub_app, address, "csv") == before:
            return data, csv_rows(before)
    raise AssertionError(address)


@pytest.mark.nightly
def test_libreoffice_reads_what_the_csv_file_has_and_calculates_nothing(hub_app, shop_writer, tmp_path):
    expected = {}
    for number, address in enumerate(FILES):
        data, expected[address] = both(hub_app, address)
        (tmp_path / f"{number}.xlsx").write_bytes(data)
    subprocess.run(
        ["soffice", f"-env:UserInstallation=file://{tmp_path}/profile", "--headless",
         "--convert-to", "csv:Text - txt - csv (StarCalc):44,34,76,1", "--outdir", tmp_path / "out",
         *(tmp_path / f"{number}.xlsx" for number in range(len(FILES)))],
        check=True, capture_output=True, timeout=600,
    )  # fmt: skip
    with hub_app.app.app_context():
        zone = shop_locale().zone
    for number, address in enumerate(FILES):
        read = list(csv.reader(io.StringIO((tmp_path / "out" / f"{number}.csv").read_text())))
        assert len(read) == len(expected[address]), address
        for row, texts in zip(read, expected[address], strict=True):
            assert [shown(text, zone) for text in texts] == [cell.replace(",", "") for cell in row], address


def shown(text, zone):
    """The text that a spreadsheet program shows for one of a CSV file, without the groups of numbers."""
    if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text):
        return datetime.fromisoformat(text).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
    return (text[1:] if text.startswith(("'=", "'+", "'-", "'@")) else text).replace(",", "")


def test_a_file_of_too_many_rows_says_what_to_do(hub_app, shop_writer, monkeypatch):
    monkeypatch.setattr(files, "MOST_ROWS", 1)
    answer = hub_app.anonymous().get("/orders.xlsx")
    assert answer.status_code == 400
    assert "use the CSV file, which has no limit" in answer.get_data(as_text=True)
    assert len(csv_rows(hub_app.anonymous().get("/orders.csv").data)) == 3


def test_an_unknown_form_is_not_found(hub_app, shop_writer):
    assert hub_app.anonymous().get("/orders.ods").status_code == 404


def test_a_spreadsheet_shows_its_progress_while_it_is_written(hub_app, store):
    seen = []

    def rows():
        for number in range(2 * files.ROWS_OF_PROGRESS + 1):
            yield (number, "text")
            seen.append(store.running.get(EXPORT))

    with hub_app.app.test_request_context("/"):
        hub_app.app.preprocess_request()
        files.table_file("xlsx", "many", ("number", "text"), rows()).close()
    assert [work.done for work in dict.fromkeys(seen) if work] == [1000, 2000]
    assert EXPORT not in store.running


@pytest.mark.parametrize(
    ("micros", "text"),
    [(10**33 + 10_000, f"{10**27}.01"), (-(10**40) - 1, f"-{10**34}.000001"), (1_500_000, "1.50"), (0, "0.00")],
)
def test_an_amount_of_any_size_is_exact(hub_app, micros, text):
    with hub_app.app.test_request_context("/"):
        hub_app.app.preprocess_request()
        assert files.csv_cell(files.amount(micros)) == text


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_no_text_of_a_csv_file_begins_like_a_formula(sign):
    assert files.csv_cell(f"{sign}1+1") == f"'{sign}1+1"
    assert files.csv_cell(f"1{sign}1") == f"1{sign}1"


def test_what_a_spreadsheet_cannot_hold_is_kept_as_text(hub_app):
    beyond = 2**53 + 1
    long = "x" * (files.MOST_CHARACTERS + 1)
    early = datetime(1850, 1, 1, tzinfo=ZoneInfo("UTC"))
    with hub_app.app.test_request_context("/"):
        hub_app.app.preprocess_request()
        answer = files.table_file("xlsx", "odd", ("a", "b", "c", "d"), [(beyond, long, early, "a\x00\x1b\ud800")])
    cells = [cell.value for cell in sheet(b"".join(answer.response))[2]]
    assert cells[0] == str(beyond)
    assert len(cells[1]) == files.MOST_CHARACTERS
    assert cells[1].endswith(files.CUT)
    assert cells[2:] == ["1850-01-01T00:00:00Z", "a␀␛⟨U+D800⟩"]
