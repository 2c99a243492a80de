"""A shop folder becomes entries, exactly; a wrong one becomes one list of every mistake."""

import re
from datetime import UTC
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.shop import ShopError, read_shop
from server.shop.cells import Unreadable
from server.shop.entries import Entry
from server.shop.sheets import SHEETS
from server.shop.standing import Said, Standing, standing_of
from server.shop.table import MAX_FILE_BYTES, MAX_LINES
from station.core.codes.patterns import Pattern, PatternError

ROOT = Path(__file__).resolve().parents[2]
NOON_US = 1_795_348_800_000_000  # 2026-11-22 12:00 UTC
SHOP = {
    "stages.csv": b"stage,name,type,limit,target,strict\nsaw,Saw,process,8,4h,no\npack,Packed,done,,,\n",
    "routings.csv": b"routing,op,stage,optional,scan_means,transfer_qty\nr,20,pack,,done,\nr,10,saw,yes,,12.5\n",
    "products.csv": b"product,name,unit,decimals,routing\nP,Plate,pcs,,r\nQ,Rod,m,1,r\n",
    "materials.csv": b"product,component,qty,op\nP,steel,0.185,10\nP,Q,2,20\n",
    "costs.csv": b"component,product,op,basis,amount\nsteel,,,,1.84\nlabour,P,10,,0.0425\nQ,P,,unit,3\n",
    "people.csv": b"person,name,badge,roles\nkim,A. Kim,K7,view supervise\n",
    "reasons.csv": b"reason,name,for\nburr,Burr,scrap rework\n",
    "patterns.csv": b"name,regex,as\norder,WO-[0-9]+,item\n",
    "codes.csv": b"code,as,to\nBIN,product,P\n",
    "cards.csv": b"card,name\nWIP:REASON:burr,Burr\n",
    "orders.csv": (
        b"order,product,qty,due,priority,customer,reference,items,released\n"
        b"W1,P,40,+3d,2,Brandt,PO 1,S1 S2,-1d\nW2,Q,2.5,2026-12-01,,,,,\n"
    ),
}


def read(files=None, standing=None, now_us=NOON_US, zone=UTC):
    return read_shop(SHOP if files is None else files, now_us=now_us, zone=zone, standing=standing)


def mistakes(**changed: bytes):
    files = {**SHOP, **{name.replace("_", "."): content for name, content in changed.items()}}
    with pytest.raises(ShopError) as caught:
        read(files)
    return [str(mistake) for mistake in caught.value.mistakes]


def test_a_folder_becomes_exactly_these_entries():
    assert list(read().entries) == [
        Entry(
            "stage.define",
            {"stage": "saw", "name": "Saw", "type": "process", "limit": 8, "target_s": 14_400, "strict": False},
        ),
        Entry("stage.define", {"stage": "pack", "name": "Packed", "type": "done"}),
        Entry(
            "routing.define",
            {
                "routing": "r",
                "operations": [
                    {"op": 10, "stage": "saw", "optional": True, "transfer_qty_milli": 12_500},
                    {"op": 20, "stage": "pack", "scan_means": "done"},
                ],
            },
        ),
        Entry(
            "product.define",
            {
                "product": "P",
                "name": "Plate",
                "unit": "pcs",
                "routing": "r",
                "bom": [
                    {"component": "steel", "qty_milli": 185, "operation": 10},
                    {"component": "Q", "qty_milli": 2_000, "operation": 20},
                ],
            },
        ),
        Entry("product.define", {"product": "Q", "name": "Rod", "unit": "m", "decimals": 1, "routing": "r", "bom": []}),
        Entry("cost.set", {"basis": "unit", "component": "steel", "micros": 1_840_000}),
        Entry("cost.set", {"basis": "unit", "component": "labour", "product": "P", "op": 10, "micros": 42_500}),
        Entry("cost.set", {"basis": "unit", "component": "Q", "product": "P", "micros": 3_000_000}),
        Entry("person.define", {"person": "kim", "name": "A. Kim", "badge": "K7", "roles": ["view", "supervise"]}),
        Entry("reason.define", {"reason": "burr", "name": "Burr", "for": ["scrap", "rework"]}),
        Entry("pattern.define", {"name": "order", "regex": "WO-[0-9]+", "as": "item"}),
        Entry("card.define", {"card": "WIP:REASON:burr", "name": "Burr"}),
        Entry("code.bind", {"code": "BIN", "as": "product", "to": "P"}),
        Entry(
            "order.release",
            {
                "order": "W1",
                "product": "P",
                "qty_milli": 40_000,
                "due": "2026-11-25",
                "priority": 2,
                "customer": "Brandt",
                "reference": "PO 1",
                "items": ["S1", "S2"],
            },
            NOON_US - 36 * 3_600_000_000,
        ),
        Entry("order.release", {"order": "W2", "product": "Q", "qty_milli": 2_500, "due": "2026-12-01"}),
    ]


def test_days_are_those_of_the_shop_and_not_of_the_hub_machine():
    files = {**SHOP, "orders.csv": b"order,product,qty,due,released\nW1,P,40,+0d,+0d\n"}
    order = read(files, zone=ZoneInfo("Pacific/Auckland")).entries[-1]
    assert order.data["due"] == "2026-11-23"
    assert order.holds_from_us == NOON_US - 3_600_000_000  # 00:00 there is 11:00 UTC


@pytest.mark.parametrize(
    "written",
    [lambda text: b"\xef\xbb\xbf" + text, lambda text: text.replace(b"\n", b"\r\n"), lambda text: text + b"\n,,\n"],
)
def test_what_spreadsheets_save_is_read_the_same(written):
    people = b"person,name,badge\nkim,A. Kim,K7\nlee,B. Lee,\n"
    assert read({"people.csv": written(people)}) == read({"people.csv": people})


def test_the_same_folder_again_adds_nothing():
    first = read()
    said = standing_of(Said("h", seq, entry.what, entry.data) for seq, entry in enumerate(first.entries, 1))
    tomorrow = read(standing=said, now_us=NOON_US + 86_400_000_000)
    assert (tomorrow.entries, tomorrow.unchanged) == ((), len(first.entries))


def test_only_what_changed_is_entered():
    said = standing_of(Said("h", seq, entry.what, entry.data) for seq, entry in enumerate(read().entries, 1))
    files = {
        "stages.csv": SHOP["stages.csv"].replace(b",8,4h", b",9,4h"),
        "orders.csv": SHOP["orders.csv"].replace(b"W1,P,40,+3d,2", b"W1,P,45,2026-11-30,2"),
    }
    changed = read(files, standing=said)
    assert list(changed.entries) == [
        Entry(
            "stage.define",
            {"stage": "saw", "name": "Saw", "type": "process", "limit": 9, "target_s": 14_400, "strict": False},
        ),
        Entry("order.change", {"order": "W1", "qty_milli": 45_000, "due": "2026-11-30"}),
    ]
    assert changed.unchanged == 2


def test_materials_alone_keep_the_rest_of_the_product():
    said = standing_of(Said("h", seq, entry.what, entry.data) for seq, entry in enumerate(read().entries, 1))
    (entry,) = read({"materials.csv": b"product,component,qty,op\nP,brass,1,10\n"}, standing=said).entries
    assert entry.data == {
        "product": "P",
        "name": "Plate",
        "unit": "pcs",
        "routing": "r",
        "bom": [{"component": "brass", "qty_milli": 1_000, "operation": 10}],
    }


def test_products_alone_keep_their_bills_of_material():
    said = standing_of(Said("h", seq, entry.what, entry.data) for seq, entry in enumerate(read().entries, 1))
    assert read({"products.csv": SHOP["products.csv"]}, standing=said).entries == ()


def test_a_closed_order_is_left_alone_and_a_voided_release_is_made_again():
    release = Said("h", 1, "order.release", {"order": "W2", "product": "Q", "qty_milli": 9_000})
    closed = standing_of([release, Said("h", 2, "order.close", {"order": "W2", "how": "short"})])
    voided = standing_of([release, Said("h", 2, "void", {"log": "h", "seq": 1})])
    reopened = standing_of(
        [
            release,
            Said("h", 2, "order.close", {"order": "W2", "how": "short"}),
            Said("h", 3, "void", {"log": "h", "seq": 2}),
        ]
    )
    whats = [
        [entry.what for entry in read(standing=standing).entries if entry.data.get("order") == "W2"]
        for standing in (closed, voided, reopened)
    ]
    assert whats == [[], ["order.release"], ["order.change"]]


def test_a_component_without_a_price_is_said():
    costs = SHOP["costs.csv"].replace(b"steel,,,,1.84\n", b"")
    assert read({**SHOP, "costs.csv": costs}).notices == ("steel has no price: P will stand without cost.",)


def test_every_mistake_of_every_file_is_in_one_list():
    with pytest.raises(PatternError) as refused:
        Pattern("bad", "(a+)+b", "item")
    words = str(refused.value)
    assert mistakes(
        stages_csv=b"stage,nam,type\nsaw,=1,process\nsaw,Saw,prozess\n",
        people_csv=b"",
        costs_csv=b"\xff\xfec\x00",
        reasons_csv=b"reason;name\nx;y\n",
        patterns_csv=b"name,regex,as\nbad,(a+)+b,item\n",
        orders_csv=b'order,product,qty,due\nA,X,1.5,soon\nB,P,1.5,+3d\nC,P,"1,5",\nD,P,=2,\nE,P,1\nF,P,1,"+3d\n',
    ) == [
        'costs.csv: came UTF-16 text, expected UTF-8; save it as "CSV UTF-8 (comma delimited)".',
        (
            "orders.csv, line 2, column 2 (product): came 'X', expected a product of products.csv or of the hub; "
            "add it to products.csv."
        ),
        (
            "orders.csv, line 2, column 4 (due): came 'soon', expected a day such as 2026-11-25, or +3d, -2d, +1w from the "
            "day of import; write year-month-day with two hyphens, or a sign, a number and d or w."
        ),
        "orders.csv, line 3, column 3 (qty): came 1.5, expected whole P; round it, or give the product more decimals.",
        (
            "orders.csv, line 4, column 3 (qty): came '1,5', expected a number such as 12.5; write a point before the "
            "decimals and nothing between thousands."
        ),
        (
            "orders.csv, line 5, column 3 (qty): came '=2', expected a plain value; a formula is never worked out here: "
            "paste its result as a value."
        ),
        "orders.csv, line 6: came 3 cells, expected 4, one for each heading; add the missing commas.",
        (
            "orders.csv, line 7: came cells that cannot be told apart (unexpected end of data), expected cells between "
            "commas; write a cell in quotation marks whole, and a mark inside it twice."
        ),
        "patterns.csv, line 2, column 2 (regex): came '(a+)+b', expected a pattern that stations can use; mend it: "
        + words,
        "people.csv: came an empty file, expected the headings person, name; fill it, or take it out of the folder.",
        (
            "reasons.csv, line 1: came semicolons between columns, expected commas; "
            'save it as "CSV UTF-8 (comma delimited)".'
        ),
        "stages.csv, line 1: came no column name, expected one, for every stage; add it.",
        (
            "stages.csv, line 1, column 2: came the heading 'nam', expected one of stage, name, type, limit, target, "
            "strict; write name, if that is meant."
        ),
        (
            "stages.csv, line 3, column 1 (stage): came stage 'saw' again, first on line 2, expected each once; "
            "take one out or rename it."
        ),
        (
            "stages.csv, line 3, column 3 (type): came 'prozess', expected one of waiting, process, test, outside, done; "
            "write it in small letters, as listed."
        ),
    ]


@pytest.mark.parametrize(
    ("sheet", "content", "said"),
    [
        (
            "routings.csv",
            b"routing,op,stage\nr,10,swa\n",
            (
                "routings.csv, line 2, column 3 (stage): came 'swa', expected a stage of stages.csv or of the hub; "
                "write 'saw', if that is meant, or add it to stages.csv."
            ),
        ),
        (
            "products.csv",
            b"product,name,unit,routing\nP,Plate,pcs,x\nQ,Rod,m,r\n",
            (
                "products.csv, line 2, column 4 (routing): came 'x', expected a routing of routings.csv or of the hub; "
                "add it to routings.csv."
            ),
        ),
        (
            "materials.csv",
            b"product,component,qty,op\nP,steel,1,10\nP,Q,1,30\n",
            "materials.csv, line 3, column 4 (op): came 30, expected an operation of routing r: 10, 20; write one of them.",
        ),
        (
            "materials.csv",
            b"product,component,qty,op\nP,Q,1,10\nQ,P,1,10\nP,steel,1,10\n",
            (
                "materials.csv, line 2, column 2 (component): came P made of Q of P, expected no product that contains "
                "itself; take one of these lines out."
            ),
        ),
        (
            "costs.csv",
            b"component,product,op,amount\nsteel,,,1\nlabour,P,,2\n",
            "costs.csv, line 3, column 3 (op): came an empty cell, expected the operation whose labour this is; fill it in.",
        ),
        (
            "costs.csv",
            b"component,product,amount\nsteal,,1\n",
            (
                "costs.csv, line 2, column 1 (component): came 'steal', expected a component of materials.csv or of the "
                "hub; write 'steel', if that is meant, or add it to materials.csv."
            ),
        ),
        (
            "costs.csv",
            b"component,product,amount\nsteel,Q,1\n",
            (
                "costs.csv, line 2, column 1 (component): came 'steel', expected a component of Q; leave the product empty "
                "for a price that holds for all, or add the material."
            ),
        ),
        (
            "costs.csv",
            b"component,amount\nsteel,0.0000001\n",
            (
                "costs.csv, line 2, column 2 (amount): came '0.0000001', expected at most 6 decimals; round it yourself: "
                "nothing is rounded here."
            ),
        ),
        (
            "people.csv",
            b"person,name,badge\na,A,K1\nb,B,K1\n",
            "people.csv, line 3, column 3 (badge): came 'K1', the badge of a, expected one of their own; change one.",
        ),
        (
            "cards.csv",
            b"card,name\nWIP:REASON:bur,Burr\n",
            (
                "cards.csv, line 2, column 1 (card): came 'WIP:REASON:bur', expected a reason of reasons.csv or of the hub; "
                "add it to reasons.csv."
            ),
        ),
        (
            "codes.csv",
            b"code,as,to\nX,command,SCRAP\n",
            (
                "codes.csv, line 2, column 3 (to): came 'SCRAP', expected a card such as WIP:SCRAP or WIP:QTY:10; "
                "write it as on the operator's card."
            ),
        ),
        (
            "stages.csv",
            b"stage,name,type\nsaw,S\xe4ge,process\npack,P,done\n",
            (
                "stages.csv, line 2: came the byte 0xe4, which is no UTF-8, expected UTF-8; "
                'save it as "CSV UTF-8 (comma delimited)".'
            ),
        ),
        (
            "stages.csv",
            b"stage,name,type\n",
            "stages.csv: came headings alone, expected a line for each stage; fill it, or take it out of the folder.",
        ),
        (
            "stages.csv",
            b"stage,stage,name,type\nsaw,saw,Saw,process\npack,pack,P,done\n",
            "stages.csv, line 1, column 2 (stage): came a second column of that heading, expected one; take one out.",
        ),
        (
            "stages.csv",
            b'stage,name,type\nsaw,"Saw\nroom",process\npack,P,done\n',
            (
                "stages.csv, line 2, column 2 (name): came 'Saw\\nroom', expected one line; "
                "take the line break out of the cell."
            ),
        ),
        (
            "stages.csv",
            b"stage,name,type\nsaw, Saw,process\npack,P,done\n",
            "stages.csv, line 2, column 2 (name): came ' Saw', expected no blank at either end; take the blank out.",
        ),
    ],
)
def test_each_mistake_says_where_what_and_how_to_mend_it(sheet, content, said):
    assert said in mistakes(**{sheet.replace(".", "_"): content})


def test_one_unreadable_sheet_does_not_make_its_names_unknown():
    assert mistakes(stages_csv=b"stage;name;type\n") == [
        'stages.csv, line 1: came semicolons between columns, expected commas; save it as "CSV UTF-8 (comma delimited)".'
    ]


def test_an_order_stays_of_its_product():
    said = standing_of([Said("h", 1, "order.release", {"order": "W1", "product": "Z", "qty_milli": 1})])
    with pytest.raises(ShopError) as caught:
        read(standing=said)
    assert [str(mistake) for mistake in caught.value.mistakes] == [
        "orders.csv, line 2, column 2 (product): came 'P', expected Z, as it was released; give a new order its own number."
    ]


def test_an_empty_folder_and_a_strange_file_are_mistakes():
    with pytest.raises(ShopError, match=r"the folder: came no sheet, expected at least one of stages\.csv"):
        read({})
    assert mistakes(shop_xlsx=b"PK") == [
        (
            f"shop.xlsx: came a file of that name, expected one of {', '.join(SHEETS)}; "
            'save each of its tables as "CSV UTF-8 (comma delimited)".'
        )
    ]


def test_names_that_stand_in_the_hub_may_be_referred_to():
    said = standing_of(Said("h", seq, entry.what, entry.data) for seq, entry in enumerate(read().entries, 1))
    orders = {"orders.csv": b"order,product,qty\nW9,P,1\n"}
    assert [entry.data["order"] for entry in read(orders, standing=said).entries] == ["W9"]
    with pytest.raises(ShopError, match="came 'P', expected a product"):
        read(orders, standing=Standing())


def test_the_document_explains_every_sheet_and_every_column():
    text = (ROOT / "docs" / "shop-folder.md").read_text(encoding="utf-8")
    parts = dict(re.findall(r"^## (\S+\.csv)\n(.*?)(?=^## |\Z)", text, flags=re.MULTILINE | re.DOTALL))
    assert list(parts) == list(SHEETS)
    for file, sheet in SHEETS.items():
        written = re.findall(r"^\| (\*\*)?`(\w+)`(?:\*\*)? \|", parts[file], flags=re.MULTILINE)
        assert written == [("**" if column.required else "", column.name) for column in sheet.columns], file


@pytest.mark.parametrize(("length", "fits"), [(64, True), (65, False)])
def test_a_name_has_at_most_64_characters(length, fits):
    people = {"people.csv": f"person,name\n{'x' * length},A. Kim\n".encode()}
    if fits:
        assert read(people).entries[0].data["person"] == "x" * 64
        return
    with pytest.raises(ShopError) as caught:
        read(people)
    assert [str(mistake) for mistake in caught.value.mistakes] == [
        f"people.csv, line 2, column 1 (person): came '{'x' * 60}…', expected at most 64 characters; shorten it by 1."
    ]


def test_a_sheet_has_at_most_100_000_lines():
    lines = b"".join(b"p%d,Someone\n" % n for n in range(MAX_LINES))
    assert len(read({"people.csv": b"person,name\n" + lines}).entries) == MAX_LINES
    with pytest.raises(ShopError) as caught:
        read({"people.csv": b"person,name\n" + lines + b"last,One\n"})
    assert [str(mistake) for mistake in caught.value.mistakes] == [
        "people.csv, line 100002: came more lines, expected at most 100000; split it and import twice."
    ]


def test_a_sheet_has_at_most_16_mib():
    with pytest.raises(ShopError) as caught:
        read({"people.csv": b"person,name\n" + b"\n" * (MAX_FILE_BYTES - 11)})
    assert [str(mistake) for mistake in caught.value.mistakes] == [
        f"people.csv: came {MAX_FILE_BYTES + 1} bytes, expected at most {MAX_FILE_BYTES}; split it and import twice."
    ]


@pytest.mark.parametrize(
    ("sheet", "column", "text", "value"),
    [
        ("orders.csv", "qty", "1000000000", 10**12),
        ("orders.csv", "qty", "1.5000", 1_500),
        ("costs.csv", "amount", "0", 0),
        ("costs.csv", "amount", "0.000001", 1),
        ("stages.csv", "target", "2w", 1_209_600),
        ("stages.csv", "limit", "1000000", 1_000_000),
    ],
)
def test_the_most_that_a_cell_may_say_is_kept_exactly(sheet, column, text, value):
    assert SHEETS[sheet].column(column).read(text) == value


@pytest.mark.parametrize(
    ("sheet", "column", "text"),
    [
        ("orders.csv", "qty", "1000000000.001"),
        ("orders.csv", "qty", "0"),
        ("orders.csv", "qty", "-1"),
        ("orders.csv", "qty", "1e3"),
        ("orders.csv", "qty", "٣"),
        ("orders.csv", "qty", "0.0001"),
        ("costs.csv", "amount", "€ 3"),
        ("costs.csv", "amount", "9999999999"),
        ("stages.csv", "target", "0h"),
        ("stages.csv", "target", "1.5h"),
        ("stages.csv", "limit", "0"),
        ("orders.csv", "due", "2026-02-30"),
        ("orders.csv", "due", "25.11.2026"),
        ("orders.csv", "due", "+9999d"),
        ("orders.csv", "due", "3d"),
    ],
)
def test_what_cannot_be_kept_is_refused(sheet, column, text):
    with pytest.raises(Unreadable):
        SHEETS[sheet].column(column).read(text)


@given(st.dictionaries(st.sampled_from(list(SHEETS)), st.binary(max_size=200), max_size=4))
def test_any_bytes_are_entries_or_mistakes(files):
    try:
        assert read(files).entries is not None
    except ShopError as error:
        assert error.mistakes  # noqa: PT017 - either is right; a refusal without a mistake is not


@given(st.data())
def test_any_cells_are_entries_or_mistakes(data):
    """Right headings, any text below: what a person may have typed."""
    files = {}
    for file in data.draw(st.lists(st.sampled_from(list(SHEETS)), unique=True, max_size=4)):
        names = [column.name for column in SHEETS[file].columns]
        rows = data.draw(st.lists(st.lists(CELL, min_size=len(names), max_size=len(names)), max_size=4))
        lines = [",".join(names), *(",".join(f'"{cell}"' for cell in row) for row in rows)]
        files[file] = "\n".join(lines).encode()
    try:
        assert read(files, standing=standing_of([])).entries is not None
    except ShopError as error:
        assert error.mistakes  # noqa: PT017 - either is right; a refusal without a mistake is not


CELL = st.one_of(
    st.sampled_from(
        ["saw", "P", "r", "10", "1.5", "+3d", "yes", "process", "labour", "WIP:SCRAP", "(a+)+", "item", ""]
    ),
    st.text(st.characters(exclude_characters='"', exclude_categories=["Cs"]), max_size=8),
)
