"""Names that a person would take for one another: a new one is refused in every kind of entry that brings it."""

import pytest

EXPECTED_NAME = ", or a name that differs in more than blanks, case, dashes or invisible characters"


@pytest.mark.parametrize("name", ["wo-33", "WO-33 ", "WO\u201333", "WO-\u200b33", "WO\u00ad33", "\uff37\uff2f-33"])
def test_a_new_order_that_is_taken_for_another_one_is_refused(shop_writer, settle, refused, name):
    shop_writer.release("WO-33", items=["SN-1"])
    settle()
    new = {"product": "bracket", "qty_milli": 1000}
    status, _, expected = refused(("order.release", {"order": name, **new}))
    assert (status, expected) == (400, f"WO-33{EXPECTED_NAME}")
    assert refused(("order.release", {"order": "WO-34", **new, "items": ["sn-1"]}))[1:] == (
        "order.release of sn-1", f"SN-1{EXPECTED_NAME}",
    )  # fmt: skip
    assert refused(("code.bind", {"code": "TAG", "as": "item", "to": name}))[2] == expected
    assert refused(("order.release", {"order": "WO-35", **new}), ("order.release", {"order": "wo-35", **new}))[1:] == (
        "order.release of wo-35", f"WO-35{EXPECTED_NAME}",
    )  # fmt: skip
    assert refused(("order.release", {"order": "W0-33", **new})) is None
    assert refused(("order.change", {"order": "WO-33", "qty_milli": 50_000})) is None


def test_serial_numbers_of_published_codes_may_differ_in_case(settle, refused):
    for serial in ("a7", "A7"):
        release = {"order": f"(01)09506000134352(21){serial}", "product": "bracket", "qty_milli": 1000}
        assert refused(("order.release", release)) is None
        settle()


def test_a_new_definition_that_is_taken_for_another_one_is_refused_and_a_changed_one_is_not(settle, refused):
    settle()
    assert refused(("stage.define", {"stage": "Saw", "name": "Saw"}))[1:] == (
        "stage.define of Saw", f"saw{EXPECTED_NAME}",
    )  # fmt: skip
    assert refused(("stage.define", {"stage": "saw", "name": "Band saw"})) is None
    assert refused(("reason.define", {"reason": "Burr", "name": "Burr"}))[2] == f"burr{EXPECTED_NAME}"
