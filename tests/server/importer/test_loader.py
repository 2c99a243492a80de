"""A shop folder becomes entries, exactly; a wrong one becomes one list of every mistake."""

import re
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from shop_folder import NOON_US, SHOP, mistakes, read

from server.importer import ShopFolderError
from server.importer.current_state import CurrentState, RecordedEntry, fold_entries
from server.importer.entry_builder import NewEntry
from server.importer.file_schema import SHEETS

LOG = "0a" * 16
ROOT = Path(__file__).resolve().parents[3]


def test_run_and_set_up_times_become_milliseconds_and_a_file_without_them_keeps_them():
    timed = b"routing,op,stage,run_time,setup_time\nr,10,saw,2.5min,1h\nr,20,pack,0s,\n"
    (entry,) = (entry for entry in read({**SHOP, "routings.csv": timed}).entries if entry.what == "routing.define")
    operations = [
        {"op": 10, "stage": "saw", "run_ms": 150_000, "setup_ms": 3_600_000},
        {"op": 20, "stage": "pack", "run_ms": 0},
    ]
    assert entry.data["operations"] == operations
    current = CurrentState({("routing.define", "r"): {"routing": "r", "operations": operations}})
    (kept,) = (entry for entry in read(current=current).entries if entry.what == "routing.define")
    assert [operation.get("run_ms") for operation in kept.data["operations"]] == [150_000, 0]


def test_a_scrap_allowance_is_a_share_in_percent():
    allowed = b"routing,op,stage,scrap\nr,10,saw,2.5%\nr,20,pack,\n"
    (entry,) = (entry for entry in read({**SHOP, "routings.csv": allowed}).entries if entry.what == "routing.define")
    assert entry.data["operations"] == [{"op": 10, "stage": "saw", "scrap_ppm": 25_000}, {"op": 20, "stage": "pack"}]


@pytest.mark.parametrize("cell", ["2", "0.02", "100%", "-1%", "1.23456%", "two%"])
def test_a_scrap_allowance_that_is_none_is_named(cell):
    (message,) = mistakes(routings_csv=f"routing,op,stage,scrap\nr,10,saw,{cell}\nr,20,pack,\n".encode())
    assert message.startswith(
        f"routings.csv, line 2, column 4 (scrap): came '{cell}', expected a share below 100% such as 2%"
    )


@pytest.mark.parametrize("cell", ["2,5min", "45", "1.2345s", "-1s", "1 h", "1d", "9999999h"])
def test_a_time_that_is_none_is_named(cell):
    content = f'routing,op,stage,run_time\nr,10,saw,"{cell}"\nr,20,pack,\n'.encode()
    (message,) = mistakes(routings_csv=content)
    assert message.startswith(f"routings.csv, line 2, column 4 (run_time): came '{cell}', expected ")


def test_a_folder_becomes_exactly_these_entries():
    assert list(read().entries) == [
        NewEntry(
            "stage.define",
            {"stage": "saw", "name": "Saw", "type": "process", "limit": 8, "target_s": 14_400, "strict": False},
        ),
        NewEntry("stage.define", {"stage": "pack", "name": "Packed", "type": "done"}),
        NewEntry(
            "routing.define",
            {
                "routing": "r",
                "operations": [
                    {"op": 10, "stage": "saw", "optional": True, "transfer_qty_milli": 12_500},
                    {"op": 20, "stage": "pack", "scan_means": "done"},
                ],
            },
        ),
        NewEntry(
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
        NewEntry(
            "product.define", {"product": "Q", "name": "Rod", "unit": "m", "decimals": 1, "routing": "r", "bom": []}
        ),
        NewEntry("cost.set", {"basis": "unit", "component": "steel", "micros": 1_840_000}),
        NewEntry("cost.set", {"basis": "unit", "component": "labour", "product": "P", "op": 10, "micros": 42_500}),
        NewEntry("cost.set", {"basis": "unit", "component": "Q", "product": "P", "micros": 3_000_000}),
        NewEntry("person.define", {"person": "kim", "name": "A. Kim", "badge": "K7", "roles": ["view", "supervise"]}),
        NewEntry("reason.define", {"reason": "burr", "name": "Burr", "for": ["scrap", "rework"]}),
        NewEntry("pattern.define", {"name": "order", "regex": "WO-[0-9]+", "as": "item"}),
        NewEntry("card.define", {"card": "WIP:REASON:burr", "name": "Burr"}),
        NewEntry("code.bind", {"code": "BIN", "as": "product", "to": "P"}),
        NewEntry(
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
        NewEntry("order.release", {"order": "W2", "product": "Q", "qty_milli": 2_500, "due": "2026-12-01"}),
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
    said = fold_entries(RecordedEntry(LOG, seq, entry.what, entry.data) for seq, entry in enumerate(first.entries, 1))
    tomorrow = read(current=said, now_us=NOON_US + 86_400_000_000)
    assert (tomorrow.entries, tomorrow.unchanged) == ((), len(first.entries))


def test_only_what_changed_is_entered():
    said = fold_entries(RecordedEntry(LOG, seq, entry.what, entry.data) for seq, entry in enumerate(read().entries, 1))
    files = {
        "stages.csv": SHOP["stages.csv"].replace(b",8,4h", b",9,4h"),
        "orders.csv": SHOP["orders.csv"].replace(b"W1,P,40,+3d,2", b"W1,P,45,2026-11-30,2"),
    }
    changed = read(files, current=said)
    assert list(changed.entries) == [
        NewEntry(
            "stage.define",
            {"stage": "saw", "name": "Saw", "type": "process", "limit": 9, "target_s": 14_400, "strict": False},
        ),
        NewEntry("order.change", {"order": "W1", "qty_milli": 45_000, "due": "2026-11-30"}),
    ]
    assert changed.unchanged == 2


def recorded(*entries):
    return fold_entries(RecordedEntry(LOG, seq, what, data) for seq, (what, data) in enumerate(entries, 1))


def test_a_code_is_compared_by_its_key_and_not_by_its_spelling():
    def bind(code, to):
        return ("code.bind", {"code": code, "as": "item", "to": to})

    files = {"codes.csv": b"code,as,to\n4006381333931,item,W1\n"}
    assert read(files, current=recorded(bind("04006381333931", "W1"))).entries == ()
    moved = recorded(bind("4006381333931", "W1"), bind("04006381333931", "W5"))
    assert list(read(files, current=moved).entries) == [NewEntry(*bind("4006381333931", "W1"))]
    item = b"code,as,to\nBIN,item,(01)09506000134352(21)7\n"
    assert read({"codes.csv": item}, current=recorded(bind("BIN", "0109506000134352217"))).entries == ()


def test_an_order_is_compared_by_its_key_and_not_by_its_spelling():
    release = ("order.release", {"order": "(01)09506000134352(21)7", "product": "P", "qty_milli": 60_000})
    head, spelled = "order,product,qty\n", "https://id.gs1.org/01/09506000134352/21/7"
    same, other = (f"{head}{spelled},P,{qty}\n".encode() for qty in (60, 50))
    files = {
        "products.csv": SHOP["products.csv"],
        "routings.csv": SHOP["routings.csv"],
        "stages.csv": SHOP["stages.csv"],
    }

    def entered(orders, *more):
        found = read({**files, "orders.csv": orders}, current=recorded(release, *more))
        return [entry for entry in found.entries if entry.what.startswith("order.")], found.notices

    assert entered(same) == ([], ())
    assert entered(other)[0] == [NewEntry("order.change", {"order": spelled, "qty_milli": 50_000})]
    again = ("order.release", {"order": spelled, "qty_milli": 50_000})  # of a released order: the ledger reads a change
    assert entered(other, again) == ([], ())
    assert entered(other, ("order.close", {"order": spelled, "how": "short"})) == (
        [],
        (f"{spelled} is closed: an import does not change it.",),
    )


def test_an_emptied_cell_of_an_order_is_named_with_what_the_hub_keeps():
    day_us = 86_400_000_000
    fields = {
        "product": "P",
        "qty_milli": 40_000,
        "due": "2026-12-01",
        "priority": 2,
        "customer": "Acme",
        "items": ["S1"],
    }
    current = fold_entries(
        [
            RecordedEntry(LOG, 1, "order.release", {"order": "W1", **fields}, NOON_US - NOON_US % day_us),
            RecordedEntry(LOG, 2, "product.define", {"product": "P", "decimals": 0}),
            RecordedEntry(LOG, 3, "order.change", {"order": "W1", "due": "2026-12-02", "customer": None}),
        ]
    )

    def imported(head, line):
        found = read({"orders.csv": f"{head}\n{line}\n".encode()}, current=current)
        return [entry.data for entry in found.entries], [notice.partition(": ")[2] for notice in found.notices]

    head = "order,product,qty,due,priority,customer,items,released"
    keeps = "no entry empties it, write the value that replaces it."
    assert imported(head, "W1,P,41,,,,,") == (
        [{"order": "W1", "qty_milli": 41_000}],
        [
            f"due emptied; the hub keeps 2026-12-02: {keeps}",
            f"priority emptied; the hub keeps 2: {keeps}",
            f"customer emptied; the hub keeps Acme: {keeps}",
            f"items emptied; the hub keeps S1: {keeps}",
            "released emptied; the hub keeps 2026-11-22: to change it, take the release back by a void and import again.",
        ],
    )
    assert imported(head, "W1,P,40,2026-12-02,2,Acme,S1,2026-11-20")[1] == [
        "released 2026-11-20; the hub keeps 2026-11-22: to change it, take the release back by a void and import again."
    ]
    assert imported(head, "W1,P,40,2026-12-02,2,Acme,S1,2026-11-22") == ([], [])
    assert imported("order,product,qty", "W1,P,40") == ([], [])
    found = read({"orders.csv": f"{head}\nW1,P,40,,2,Acme,S1,2026-11-22\n".encode()}, current=current)
    assert (found.entries, found.unchanged, found.kept) == ((), 0, 1)


def test_an_emptied_cell_of_a_definition_clears_and_a_missing_column_keeps():
    said = recorded(*((entry.what, entry.data) for entry in read().entries))

    def changes(**files):
        found = read({name.replace("_", "."): content for name, content in files.items()}, current=said)
        return [entry.data for entry in found.entries]

    assert (
        changes(
            stages_csv=b"stage,name,type\nsaw,Saw,process\npack,Packed,done\n",
            routings_csv=b"routing,op,stage\nr,10,saw\nr,20,pack\n",
            products_csv=b"product,name,unit\nP,Plate,pcs\nQ,Rod,m\n",
            people_csv=b"person,name\nkim,A. Kim\n",
            orders_csv=b"order,product,qty\nW2,Q,2.5\n",
        )
        == []
    )
    assert changes(
        stages_csv=b"stage,name,type,limit\nsaw,Saw,process,\n", people_csv=b"person,name,badge\nkim,A. Kim,\n"
    ) == [
        {"stage": "saw", "name": "Saw", "type": "process", "target_s": 14_400, "strict": False},
        {"person": "kim", "name": "A. Kim", "roles": ["view", "supervise"]},
    ]


def test_materials_alone_keep_the_rest_of_the_product():
    said = fold_entries(RecordedEntry(LOG, seq, entry.what, entry.data) for seq, entry in enumerate(read().entries, 1))
    (entry,) = read({"materials.csv": b"product,component,qty,op\nP,brass,1,10\n"}, current=said).entries
    assert entry.data == {
        "product": "P",
        "name": "Plate",
        "unit": "pcs",
        "routing": "r",
        "bom": [{"component": "brass", "qty_milli": 1_000, "operation": 10}],
    }


def test_products_alone_keep_their_bills_of_material():
    said = fold_entries(RecordedEntry(LOG, seq, entry.what, entry.data) for seq, entry in enumerate(read().entries, 1))
    assert read({"products.csv": SHOP["products.csv"]}, current=said).entries == ()


def test_a_closed_order_is_left_alone_and_a_voided_release_is_made_again():
    release = RecordedEntry(LOG, 1, "order.release", {"order": "W2", "product": "Q", "qty_milli": 9_000})
    closed = fold_entries([release, RecordedEntry(LOG, 2, "order.close", {"order": "W2", "how": "short"})])
    voided = fold_entries([release, RecordedEntry(LOG, 2, "void", {"log": LOG, "seq": 1})])
    reopened = fold_entries(
        [
            release,
            RecordedEntry(LOG, 2, "order.close", {"order": "W2", "how": "short"}),
            RecordedEntry(LOG, 3, "void", {"log": LOG, "seq": 2}),
        ]
    )
    whats = [
        [entry.what for entry in read(current=current).entries if entry.data.get("order") == "W2"]
        for current in (closed, voided, reopened)
    ]
    assert whats == [[], ["order.release"], ["order.change"]]


def test_a_component_without_a_price_is_said():
    costs = SHOP["costs.csv"].replace(b"steel,,,,1.84\n", b"")
    assert read({**SHOP, "costs.csv": costs}).notices == ("steel has no price: P will have no cost.",)


def test_a_component_that_is_made_here_needs_no_price():
    materials = b"product,component,qty,op\nP,Q,1,10\nQ,brass,1,10\n"
    costs = b"component,product,op,basis,amount\nlabour,P,10,unit,0.50\n"
    found = read({**SHOP, "materials.csv": materials, "costs.csv": costs}).notices
    assert found == ("brass has no price: Q will have no cost.",)


def test_names_that_stand_in_the_hub_may_be_referred_to():
    said = fold_entries(RecordedEntry(LOG, seq, entry.what, entry.data) for seq, entry in enumerate(read().entries, 1))
    orders = {"orders.csv": b"order,product,qty\nW9,P,1\n"}
    assert [entry.data["order"] for entry in read(orders, current=said).entries] == ["W9"]
    with pytest.raises(ShopFolderError, match="came 'P', expected a product"):
        read(orders, current=CurrentState())


def test_the_document_explains_every_sheet_and_every_column():
    text = (ROOT / "docs" / "shop-folder.md").read_text(encoding="utf-8")
    parts = dict(re.findall(r"^## (\S+\.csv)\n(.*?)(?=^## |\Z)", text, flags=re.MULTILINE | re.DOTALL))
    assert list(parts) == list(SHEETS)
    for file, sheet in SHEETS.items():
        written = re.findall(r"^\| (\*\*)?`(\w+)`(?:\*\*)? \|", parts[file], flags=re.MULTILINE)
        assert written == [("**" if column.required else "", column.name) for column in sheet.columns], file
