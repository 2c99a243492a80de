"""Tables as spreadsheet programs of several countries write them: delimiter, decimal sign, days, encoding, workbooks."""

from datetime import UTC, date
from pathlib import Path

import pytest
from shop_folder import NOON_US, SHOP, mistakes, read
from workbook_files import Failed, ods, xlsx

from server.importer import ShopFolderError, read_shop
from server.importer.file_schema import SHEETS

HEADING = ["order", "product", "qty", "due", "customer"]
WHOLE = {name: content for name, content in SHOP.items() if name != "orders.csv"}


def orders(content, file="orders.csv"):
    imported = read({**WHOLE, file: content})
    return [entry.data for entry in imported.entries if entry.what == "order.release"]


def refused(content, file="orders.csv"):
    with pytest.raises(ShopFolderError) as caught:
        read({**WHOLE, file: content})
    return [str(mistake) for mistake in caught.value.mistakes]


ONE = {"order": "W1", "product": "Q", "qty_milli": 87_500, "due": "2026-11-29", "customer": "Müller"}


@pytest.mark.parametrize(
    "content",
    [
        "order;product;qty;due;customer\nW1;Q;87,5;29.11.2026;Müller\n".encode("cp1252"),
        "\ufefforder;product;qty;due;customer\r\nW1;Q;87,5;29.11.2026;Müller\r\n".encode(),
        "order\tproduct\tqty\tdue\tcustomer\r\nW1\tQ\t87,5\t29.11.2026\tMüller\r\n".encode("utf-16"),
        "sep=;\r\nOrder;Product;Qty;Due;Customer;;\r\nW1;Q;87,5;29/11/2026;Müller;;\r\n;;;;;;\r\n".encode(),
        "order,product,qty,due,customer\nW1,Q,87.5,11/29/2026,Müller\n".encode("cp1252"),
        "order;product;qty;due;customer\nW1;Q;87.5;2026-11-29;Müller\n".encode(),
    ],
)
def test_a_table_is_read_as_another_countrys_program_writes_it(content):
    assert orders(content) == [ONE]


@pytest.mark.parametrize(
    "line", [["W1", "Q", 87.5, date(2026, 11, 29), "Müller"], ["W1", "Q", "87,5", "29.11.2026", "Müller"]]
)
@pytest.mark.parametrize(("made", "ending"), [(xlsx, "xlsx"), (ods, "ods")])
def test_a_workbook_is_recognised_by_the_headings_of_its_sheet(made, ending, line):
    assert orders(made({"Tabelle1": [HEADING, line]}), f"Aufträge.{ending}") == [ONE]


@pytest.mark.parametrize(("made", "ending"), [(xlsx, "xlsx"), (ods, "ods")])
def test_every_table_of_a_shop_may_be_a_sheet_of_one_workbook(made, ending):
    sheets = {
        f"Blatt {number}": [line.split(",") for line in content.decode().splitlines()]
        for number, content in enumerate(SHOP.values())
    }
    assert read({f"shop.{ending}": made({**sheets, "leer": []})}).entries == read().entries


@pytest.mark.parametrize("sheet", list(SHOP))
def test_every_table_may_have_semicolons(sheet):
    separated = SHOP[sheet].replace(b",", b";").replace(b".", b",") if sheet in ("costs.csv", "materials.csv") else None
    content = separated or SHOP[sheet].replace(b",", b";")
    assert read({**SHOP, sheet: content}).entries == read().entries


def test_numbers_and_truth_values_of_cells_are_those_of_text():
    shop = {
        **WHOLE,
        "routings.xlsx": xlsx(
            {"r": [["routing", "op", "stage", "optional", "scan_means", "transfer_qty"],
                   ["r", 20, "pack", None, "done", None], ["r", 10.0, "saw", True, None, 12.5]]}
        ),
        "orders.csv": SHOP["orders.csv"],
    }  # fmt: skip
    del shop["routings.csv"]
    assert read(shop).entries == read().entries


def test_a_table_in_windows_1252_is_named_in_a_notice():
    content = "order;product;qty;customer\nW0;Q;1;A\nW1;Q;1;Müller\n".encode("cp1252")
    assert "orders.csv is not UTF-8. It was read as Windows-1252: 'Müller' on line 3." in (
        read({**WHOLE, "orders.csv": content}).notices
    )


def test_a_day_that_can_be_read_in_two_ways_is_refused():
    content = (
        b"order,product,qty,due\nA,Q,1,03/04/2026\nB,Q,1,04/04/2026\nC,Q,1,3-4-2026\nD,Q,1,13/13/2026\nE,Q,1,1.2.26\n"
    )
    two_ways = "expected a day that can be read in one way only; write year-month-day: 2026-04-03 or 2026-03-04."
    assert refused(content) == [
        f"orders.csv, line 2, column 4 (due): came '03/04/2026', {two_ways}",
        f"orders.csv, line 4, column 4 (due): came '3-4-2026', {two_ways}",
        (
            "orders.csv, line 5, column 4 (due): came '13/13/2026', expected a day such as 2026-11-25, or +3d, -2d, +1w "
            "from the day of import; write a day of the calendar (month must be in 1..12)."
        ),
        (
            "orders.csv, line 6, column 4 (due): came '1.2.26', expected a day such as 2026-11-25, or +3d, -2d, +1w from "
            "the day of import; write year-month-day with two hyphens, or a sign, a number and d or w."
        ),
    ]


def test_a_number_with_thousands_separators_is_refused():
    message = "expected a number such as 12,5 or 1250; write a comma before the decimals and nothing between thousands."
    content = b"order;product;qty\nA;Q;1.250\nB;Q;1.250,5\nC;Q;0.5\nD;Q;1250,5\n"
    assert refused(content) == [
        f"orders.csv, line 2, column 3 (qty): came '1.250', {message}",
        f"orders.csv, line 3, column 3 (qty): came '1.250,5', {message}",
    ]
    assert refused(xlsx({"orders": [["order", "product", "qty"], ["A", "Q", "1,250"], ["B", "Q", 1.5]]}), "x.xlsx") == [
        (
            "x.xlsx (orders), line 2, column 3 (qty): came '1,250', expected a number such as 12.5 or 1250; enter it as a "
            "number, or with one, two or four decimals: it may be read with thousands."
        )
    ]


def test_all_mistakes_of_all_kinds_of_tables_are_in_one_list():
    said = mistakes(
        orders_csv=b"order;product;qty;due\nA;Q;x;1/2/2026\n",
        people_csv=b"person;nam\nkim;Kim\n",
        extra_ods=ods({"Blatt": [["this", "that"], ["1", "2"]]}),
        broken_xlsx=b"PK\x03\x04",
    )
    assert [line.split(": came")[0] for line in said] == [
        "broken.xlsx",
        "extra.ods (Blatt)",
        "orders.csv, line 2, column 3 (qty)",
        "orders.csv, line 2, column 4 (due)",
        "people.csv, line 1",
        "people.csv, line 1, column 2",
    ]


def test_a_table_that_is_there_twice_is_refused():
    made = xlsx({"orders": [HEADING, ["W9", "Q", 1, None, None]]})
    assert mistakes(orders_xlsx=made) == [
        "orders.xlsx (orders): came a second table of orders, expected each table once; put its lines into one table."
    ]


@pytest.mark.parametrize(("made", "place"), [(xlsx, " in cell C2: #DIV/0!"), (ods, ": #DIV/0!")])
def test_a_formula_that_failed_is_refused(made, place):
    content = made({"orders": [["order", "product", "qty"], ["A", "Q", Failed]]})
    assert refused(content, "orders.ods") == [
        f"orders.ods: came a formula without a value{place}, expected a value in each cell; correct the formula."
    ]


@pytest.mark.parametrize("made", [xlsx, ods])
def test_a_truth_value_and_a_day_are_refused_where_a_column_has_text(made):
    rows = [[True, "Q", 1, date(2026, 12, 1), "A"], ["W2", "Q", False, True, date(2026, 12, 1)]]
    place, do = "o.xlsx (orders), line", "format the cell as text, and enter the value again."
    assert refused(made({"orders": [HEADING, *rows]}), "o.xlsx") == [
        f"{place} 2, column 1 (order): came the truth value TRUE, expected text; {do}",
        f"{place} 3, column 3 (qty): came the truth value FALSE, expected text; {do}",
        f"{place} 3, column 4 (due): came the truth value TRUE, expected text or a day; {do}",
        f"{place} 3, column 5 (customer): came the day 2026-12-01, expected text; {do}",
    ]


@pytest.mark.parametrize("value", ["#N/A", "#REF!", "#BEZUG!", "#VALEUR\u00a0!", "Err:502", "#NV"])
def test_an_error_of_a_spreadsheet_program_is_refused_as_text_too(value):
    (message,) = refused(xlsx({"orders": [HEADING, ["W1", "Q", 1, None, value]]}), "o.xlsx")
    assert message.startswith("o.xlsx (orders), line 2, column 5 (customer): came ")
    assert message.endswith("expected a value; correct the formula in the spreadsheet.")


def test_a_number_that_the_spreadsheet_shortened_is_refused():
    assert refused(xlsx({"orders": [HEADING, [12345678901234567890, "Q", 1, None, None]]}), "o.xlsx") == [
        (
            "o.xlsx (orders), line 2, column 1 (order): came '1.23456789012346E+19', expected a number with all its digits; "
            "format the column as text, and enter the number again."
        )
    ]
    assert refused(b"order;product;qty\n1,23457E+12;Q;1\n")[0].startswith(
        "orders.csv, line 2, column 1 (order): came '1,23457E+12', expected a number with all its digits"
    )


def test_a_withdrawn_price_and_a_price_with_its_day_are_entries_with_their_time():
    costs = b"component;product;amount;Valid from\nsteel;;1,84;\nsteel;;2,5;01.12.2026\nsteel;;withdrawn;1.1.2027\n"
    entries = [entry for entry in read({**SHOP, "costs.csv": costs}).entries if entry.what == "cost.set"]
    assert [(entry.data, entry.holds_from_us) for entry in entries] == [
        ({"basis": "unit", "component": "steel", "micros": 1_840_000}, None),
        ({"basis": "unit", "component": "steel", "micros": 2_500_000}, 1_796_083_200_000_000),
        ({"component": "steel", "withdrawn": True}, 1_798_761_600_000_000),
    ]


def test_a_price_that_counts_from_the_day_of_import_is_refused():
    assert refused(b"component,amount,valid_from\nsteel,1,+3d\n", "costs.csv")[0].startswith(
        "costs.csv, line 2, column 3 (valid_from): came '+3d', expected a day such as 2026-11-25;"
    )


def test_the_demo_shop_may_be_one_workbook():
    assert set(SHEETS) == set(SHOP)
    folder = Path(__file__).parents[3] / "config" / "demo"
    files = {path.name: path.read_bytes() for path in folder.glob("*.csv")}
    plain = read_shop(files, now_us=NOON_US, zone=UTC)
    sheets = {name: content for name, content in files.items() if b'"' not in content}
    rest = {name: content for name, content in files.items() if name not in sheets}
    book = {
        name.removesuffix(".csv"): [line.split(",") for line in text.decode().splitlines()]
        for name, text in sheets.items()
    }
    assert read_shop({**rest, "shop.ods": ods(book)}, now_us=NOON_US, zone=UTC).entries == plain.entries
