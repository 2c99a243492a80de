"""`wipline-hub import`: a folder on a disk into a hub, all or nothing, beside a running one too."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from shop_writer import ShopWriter
from sqlalchemy import func, select

from server.cli.commands import main
from server.db import schema
from server.db.store import Store
from server.ops.bootstrap import initialise, open_hub
from server.ops.control_server import ControlServer
from station.core.event import decode

DEMO = Path(__file__).resolve().parents[3] / "config" / "demo"
ENTERED = (
    "Entered: 8 stages, 4 routings, 4 products, 32 costs, 8 people, 8 reasons, 2 patterns, 15 cards, 2 codes, "
    "40 orders released.\nNote: tube-stock-6 has no price: TUB-06 will have no cost.\n"
    "Print the new travellers: http://127.0.0.1:8080/orders?printed=no or "
    "wipline-hub print traveller --new -o travellers.pdf\n"
)
AGAIN = "Nothing new: the hub already has all 123.\nNote: tube-stock-6 has no price: TUB-06 will have no cost.\n"


@pytest.fixture
def db(tmp_path):
    store = Store(tmp_path / "hub.db")
    initialise(store)
    store.close()
    return tmp_path / "hub.db"


def run(folder, db):
    return CliRunner().invoke(main, ["import", str(folder), "--db", str(db)])


def entries_in(db):
    store = Store(db, writing=False)
    with store.read() as connection:
        rows = connection.execute(select(schema.ledger.c.bytes).order_by(schema.ledger.c.pos)).scalars().all()
    store.close()
    return [event for event in map(decode, rows) if event.kind == "entry"]


def test_the_demo_shop_goes_in_whole_and_once(db):
    first, again = run(DEMO, db), run(DEMO, db)
    assert [(done.exit_code, done.output) for done in (first, again)] == [(0, ENTERED), (0, AGAIN)]
    assert len(entries_in(db)) == 123
    assert {event.station for event in entries_in(db)} == {"hub"}
    assert all(event.by for event in entries_in(db))


def test_one_mistake_and_nothing_goes_in(db, tmp_path):
    folder = tmp_path / "shop"
    folder.mkdir()
    for sheet in DEMO.glob("*.csv"):
        (folder / sheet.name).write_bytes(sheet.read_bytes())
    with (folder / "orders.csv").open("a", encoding="utf-8") as orders:
        orders.write("WO-1041,BRK-21,60,+7d,2,Brandt Rail,,,\n")
    done = run(folder, db)
    assert done.exit_code == 1
    assert done.output == (
        "Error: 1 mistake in the shop folder; nothing was imported.\n"
        "  orders.csv, line 42, column 2 (product): came 'BRK-21', expected a product of products.csv or of the hub; "
        "write 'BRK-20', if that is meant, or add it to products.csv.\n"
    )
    assert entries_in(db) == []


def test_beside_a_running_hub_it_is_the_hub_that_writes(db):
    running = open_hub(db)
    control = ControlServer(running)
    control.start()
    try:
        first, again = run(DEMO, db), run(DEMO, db)
    finally:
        control.close()
        control.join()
        running.close()
    assert [(done.exit_code, done.output) for done in (first, again)] == [(0, ENTERED), (0, AGAIN)]


def test_what_the_hub_refuses_is_said_and_nothing_goes_in(db):
    store = open_hub(db)
    with store.write() as connection:
        connection.execute(schema.period.insert(), [{"closed_us": 4_000_000_000_000_000, "reopened": False}])
        before = connection.execute(select(func.count()).select_from(schema.ledger)).scalar_one()
    store.close()
    done = run(DEMO, db)
    assert done.exit_code == 1
    assert "Error: order.release that holds from" in done.output
    assert entries_in(db) == []
    store = Store(db, writing=False)
    with store.read() as connection:
        assert connection.execute(select(func.count()).select_from(schema.ledger)).scalar_one() == before
    store.close()


def test_a_database_without_a_hub_is_left_as_it_is(tmp_path):
    done = run(DEMO, tmp_path / "hub.db")
    assert (done.exit_code, done.output) == (
        1,
        f"Error: {tmp_path}/hub.db holds no hub. Create one: wipline-hub init --db {tmp_path}/hub.db\n",
    )
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_sheets_is_said(db, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.md").write_text("later", encoding="utf-8")
    assert run(tmp_path / "empty", db).output.startswith(
        "Error: 1 mistake in the shop folder; nothing was imported.\n  the folder: came no sheet, expected at least one of"
    )


FRAMES = {
    "stages.csv": "stage,name,type\nweld,Weld,process\n",
    "routings.csv": "routing,op,stage\nframe,10,weld\n",
    "products.csv": "product,name,unit,decimals,routing\nFRM,Frame,pcs,0,frame\n",
    "orders.csv": "order,product,qty,customer\nWO-1,FRM,40,Ito\n",
}


def changed(folder, file, old, new):
    path = folder / file
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


@pytest.fixture
def frames(tmp_path, db):
    """A folder with one order of frames, imported."""
    folder = tmp_path / "frames"
    folder.mkdir()
    for name, text in FRAMES.items():
        (folder / name).write_text(text, encoding="utf-8")
    assert run(folder, db).exit_code == 0
    return folder


def test_the_unit_of_a_product_with_an_open_order_is_not_changed_by_an_import(frames, db):
    before = entries_in(db)
    changed(frames, "products.csv", "pcs,0", "kg,0")
    refused = run(frames, db)
    assert (refused.exit_code, refused.output) == (
        1,
        (
            "Error: product.define of FRM with unit kg; expected pcs, as long as an order of it is open: WO-1. "
            "Close its orders first, or define a new product.\n"
        ),
    )
    assert entries_in(db) == before


def test_an_import_below_what_is_started_is_refused_and_changes_nothing(frames, db):
    store = open_hub(db)
    shop_writer = ShopWriter(store)
    shop_writer.settle()
    shop_writer.scan("WO-1", "weld", shop_writer.now_us + 1, qty_milli=30_000)
    shop_writer.settle()
    store.close()
    changed(frames, "orders.csv", "40", "20")
    refused = run(frames, db)
    assert (refused.exit_code, refused.output) == (
        1,
        (
            "Error: order.change of WO-1 to 20; expected at least 30: that quantity is started. "
            "Enter what is started or more, or scrap or adjust the pieces first.\n"
        ),
    )
    changed(frames, "orders.csv", "20", "30")
    assert "1 order changed" in run(frames, db).output


def test_an_import_says_that_it_leaves_a_closed_order_as_it_is(frames, db):
    store = open_hub(db)
    ShopWriter(store).say("order.close", order="WO-1", how="short")
    store.close()
    assert run(frames, db).output == "Nothing new: the hub already has all 4.\n"
    changed(frames, "orders.csv", "Ito", "Sato")
    assert run(frames, db).output == (
        "Nothing entered: the hub already has 3; of 1 line the hub keeps what it has.\n"
        "Note: WO-1 is closed: an import does not change it.\n"
    )


def test_prices_with_their_days_go_in_once(db, tmp_path):
    folder = tmp_path / "shop"
    folder.mkdir()
    for sheet in DEMO.glob("*.csv"):
        (folder / sheet.name).write_bytes(sheet.read_bytes())
    run(folder, db)
    costs = folder / "costs.csv"
    heading = "component;amount;valid from\n"
    costs.write_text(f"{heading}bar-12;1,84;\nbar-12;2,50;1.1.2020\nbar-12;withdrawn;2020-06-01\n")
    (folder / "materials.csv").write_text("product;component;qty;op\nBRK-20;bar-12;1;10\n")
    said = [run(folder, db).output.split(";")[0].splitlines()[0] for _ in (1, 2)]
    assert said == ["Entered: 4 products, 3 costs", "Nothing new: the hub already has all 94."]
    costs.write_text(f"{heading}bar-12;2,6;1.1.2020\nbar-12;withdrawn;2020-06-01\n")
    assert run(folder, db).output.startswith("Entered: 1 cost;")
    costs.write_text(f"{heading}bar-12;1,84;\n")
    assert run(folder, db).output.startswith("Nothing new")
    costs.write_text(f"{heading}bar-12;1,85;\n")
    assert run(folder, db).output.startswith("Entered: 1 cost;")


def test_rows_that_the_hub_has_in_other_words_are_unchanged(db, tmp_path):
    store = open_hub(db)
    shop_writer = ShopWriter(store)
    shop_writer.say("product.define", product="LID-1", name="Lid")
    shop_writer.say("reason.define", reason="burr", name="Burr")
    store.close()
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "products.csv").write_text("product,name,unit,decimals\nLID-1,Lid,pcs,0\n", encoding="utf-8")
    (folder / "reasons.csv").write_text("reason,name\nburr,Burr\ncrack,Crack\n", encoding="utf-8")
    done = run(folder, db)
    assert (done.exit_code, done.output) == (0, "Entered: 1 reason; the hub already had 2.\n")
    assert run(folder, db).output == "Nothing new: the hub already has all 3.\n"
    assert [event.data for event in entries_in(db)][2:] == [{"reason": "crack", "name": "Crack"}]
