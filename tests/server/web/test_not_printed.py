"""Orders whose traveller is not printed yet: the filter of the list, after an import, for all three ways to print."""

import html
import re

import pytest
from click.testing import CliRunner
from read_back import pdf_pictures, scanned
from shop_writer import ShopWriter

from server.cli.commands import main
from server.ops.control_server import ControlServer

SHEETS = {
    "stages.csv": "stage,name,type\nweld,Weld,process\n",
    "routings.csv": "routing,op,stage\nframe,10,weld\n",
    "products.csv": "product,name,unit,decimals,routing\nFRM,Frame,pcs,0,frame\n",
    "orders.csv": "order,product,qty,customer\nWO-1,FRM,40,Ito\nWO-2,FRM,2,Okafor\n",
}
MORE = "WO-3,FRM,3,Ito\nWO-4,FRM,4,Okafor\nWO-5,FRM,5,Ito\n"


@pytest.fixture
def writer(store):
    return ShopWriter(store)


@pytest.fixture
def import_folder(store, writer, tmp_path):
    """Import the folder beside the running hub; what the command prints."""
    control = ControlServer(store)
    control.start()
    folder = tmp_path / "shop"
    folder.mkdir()

    def imported(more=""):
        for name, text in SHEETS.items():
            (folder / name).write_text(text + (more if name == "orders.csv" else ""), encoding="utf-8")
        done = CliRunner().invoke(main, ["import", str(folder), "--db", str(store.path)])
        assert done.exit_code == 0, done.output
        writer.settle()
        return done.output

    yield imported
    control.close()


def listed(browser, query):
    return re.findall(r'name="order" value="([^"]*)"', browser.get(f"/orders?{query}").get_data(as_text=True))


def text_of(answer):
    body = re.sub(r"<[^>]+>", " ", answer.get_data(as_text=True))
    return re.sub(r"\s+", " ", html.unescape(body))


def printed(browser, csrf_of, **fields):
    form = {"csrf_token": csrf_of(browser, "/orders"), "paper": "a4", **fields}
    return browser.post("/orders/travellers", data=form)


def orders_in(answer, folder):
    return sorted({raw.decode() for picture in pdf_pictures(answer.data, folder) for _, raw in scanned(picture)})


def test_an_import_of_three_new_of_five_orders_offers_the_three(hub_app, import_folder, writer, csrf_of, tmp_path):
    browser = hub_app.person("supervise")
    import_folder()
    printed(browser, csrf_of, all="1")
    writer.settle()
    said = import_folder(MORE)
    assert said.endswith(
        "Print the new travellers: http://127.0.0.1:8080/orders?printed=no or "
        "wipline-hub print traveller --new -o travellers.pdf\n"
    )
    assert "3 orders released; the hub already had 5" in said
    assert 'href="/orders?printed=no"' in browser.get("/orders").get_data(as_text=True)
    assert listed(browser, "printed=no") == ["WO-3", "WO-4", "WO-5"]
    assert listed(browser, "printed=yes") == ["WO-1", "WO-2"]
    assert listed(browser, "printed=no&customer=ito") == ["WO-3", "WO-5"]
    answer = printed(browser, csrf_of, all="1", printed="no")
    assert orders_in(answer, tmp_path) == ["WO-3", "WO-4", "WO-5"]
    # The list knows the print before the projection does.
    assert listed(browser, "printed=no") == []
    writer.settle()
    assert "Every traveller of the work orders that match is printed." in text_of(browser.get("/orders?printed=no"))
    again = printed(browser, csrf_of, all="1", printed="no")
    assert (again.status_code, again.json["error"]["came"]) == (400, "0\u00a0work orders")


def test_an_order_is_printed_where_one_of_its_serials_is(hub_app, import_folder, writer, csrf_of):
    import_folder()
    writer.release("WO-9", "FRM", qty=2, items=["SN-1", "SN-2"])
    writer.settle()
    browser = hub_app.person("supervise")
    assert listed(browser, "printed=no") == ["WO-1", "WO-2", "WO-9"]
    printed(browser, csrf_of, order="SN-2")
    assert listed(browser, "printed=no") == ["WO-1", "WO-2"]
    writer.settle()
    assert listed(browser, "printed=no") == ["WO-1", "WO-2"]
    assert listed(browser, "printed=yes") == ["WO-9"]


def test_the_file_of_the_list_has_the_filter_and_a_wrong_word_is_refused(hub_app, import_folder, writer, csrf_of):
    import_folder()
    browser = hub_app.person("supervise")
    printed(browser, csrf_of, order="WO-1")
    writer.settle()
    rows = browser.get("/orders.csv?printed=no").get_data(as_text=True).splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == ["WO-2"]
    answer = browser.get("/orders?printed=maybe")
    assert (answer.status_code, answer.json["error"]["came"]) == (400, "printed 'maybe'")
