"""Names in a shop folder that are taken for each other are refused; numbers that differ in leading zeros are named."""

import pytest
from shop_folder import SHOP, mistakes, read

from server.importer.current_state import RecordedEntry, fold_entries

LOG = "0a" * 16
DIFFERENT = "or a name that differs in more than blanks, case, dashes or invisible characters"


def orders(*names: str, items: str = "") -> dict[str, bytes]:
    lines = "".join(f"{name},P,10,{items}\n" for name in names)
    return {"orders.csv": f"order,product,qty,items\n{lines}".encode()}


def in_hub(*names: str, items: tuple[str, ...] = ()):
    entries = [RecordedEntry(LOG, seq, entry.what, entry.data) for seq, entry in enumerate(read().entries, 1)]
    data = {"product": "P", "qty_milli": 10_000, "items": list(items)}
    released = [
        RecordedEntry(LOG, 100 + nth, "order.release", {"order": name, **data}) for nth, name in enumerate(names)
    ]
    return fold_entries([*entries, *released])


@pytest.mark.parametrize("name", ["wo-33", "WO\u201333", "WO\u00ad33", "WO-\u200b33", "\uff37\uff2f\uff0d33"])
def test_two_orders_of_one_file_that_are_taken_for_each_other_are_refused(name: str) -> None:
    (mistake,) = mistakes(orders_csv=orders("WO-33", name)["orders.csv"])
    assert mistake.startswith("orders.csv, line 3, column 1 (order): came ")
    assert mistake.endswith(f"expected WO-33 of line 2, {DIFFERENT}; write WO-33, if that is meant, or another name.")


def test_a_new_order_that_is_taken_for_one_of_the_hub_is_refused_and_that_one_itself_is_not() -> None:
    shop = in_hub("WO-33", items=("SN-1",))
    assert read(orders("WO-33"), current=shop).entries == ()
    with pytest.raises(ValueError, match="came wo-33, expected WO-33 of the hub"):
        read(orders("wo-33"), current=shop)
    with pytest.raises(ValueError, match="came sn-1, expected SN-1 of the hub"):
        read(orders("WO-34", items="sn-1"), current=shop)


def test_a_stage_a_product_and_a_reason_are_refused_too() -> None:
    files = {name.replace(".", "_"): content for name, content in SHOP.items()}
    stages = files["stages_csv"].decode().splitlines()
    first = stages[1].split(",")[0]
    files["stages_csv"] += f"{first.upper()}{',' * stages[0].count(',')}\n".encode()
    assert any(f"expected {first} of line 2, {DIFFERENT}" in mistake for mistake in mistakes(**files))


def test_orders_that_differ_in_leading_zeros_are_two_and_are_named() -> None:
    found = read(orders("00123", "123", "WO-7", "WO-007", "10", "1.05", "1.5"), current=in_hub("0010"))
    assert [entry.data["order"] for entry in found.entries] == ["00123", "123", "WO-7", "WO-007", "10", "1.05", "1.5"]
    assert [note for note in found.notices if "zeros" in note] == [
        f"orders.csv, line {line}: {name} and {other} differ only in leading zeros and are two orders. "
        "Compare them with the labels: a spreadsheet removes such zeros."
        for line, name, other in (
            (3, "123", "00123 of line 2"),
            (5, "WO-007", "WO-7 of line 4"),
            (6, "10", "0010 of the hub"),
        )
    ]
