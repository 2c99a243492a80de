"""The judge: what an operator is told from the last snapshot, also when the hub is away."""

from itertools import count

import msgspec
import pytest

from station.core.codes import read_code, read_tag_code
from station.core.event import Event
from station.core.protocol import OpenItem
from station.core.snapshot import read_snapshot
from station.rules.engine import ShopRules

LINE = [{"op": 10 * number, "stage": stage} for number, stage in enumerate(("saw", "deburr", "weld"), start=1)]
DEFINITIONS = [
    {"what": "routing.define", "data": {"routing": "line", "operations": LINE}},
    {"what": "product.define", "data": {"product": "bracket", "routing": "line"}},
    *(
        {"what": "stage.define", "data": {"stage": stage, "name": stage.capitalize()}}
        for stage in ("saw", "deburr", "weld")
    ),
]
SEQ = count(1)
TURNED_ON = [
    {"what": "rule.define", "data": {"rule": rule, "on": True}} for rule in ("skipped", "overrun", "which_quantity")
]


def judge(*more: dict[str, object], **snapshot: object) -> ShopRules:
    """A judge that knows the line; `more` definitions are added."""
    return ShopRules(read_snapshot(msgspec.json.encode({"definitions": [*DEFINITIONS, *more], **snapshot})))


def looks(at: ShopRules, text: str, stage: str, **event: object) -> tuple[str | None, str | None]:
    """What the judge says of a scan of `text` at `stage`: what to look at, and where it goes next."""
    code = read_code(text.encode(), None, ())
    said = at.judge(code, Event(kind="scan", station=f"{stage}-1", sw="0.1.0", stage=stage, **event), next(SEQ))
    return said.look, said.next_stage


@pytest.fixture
def released() -> ShopRules:
    """WO-1: 100 brackets, released, with every rule of the test turned on."""
    known = judge(*TURNED_ON)
    known.know([OpenItem("WO-1", "bracket", None, "released", 100_000, released=True, routing="line")], complete=True)
    return known


def test_a_good_scan_says_where_it_goes_next(released: ShopRules) -> None:
    assert looks(released, "WO-1", "saw") == (None, "Deburr")
    assert looks(released, "WO-1", "deburr") == (None, "Weld")


def test_a_skipped_operation_is_said_offline_too(released: ShopRules) -> None:
    looks(released, "WO-1", "saw")
    assert looks(released, "WO-1", "weld") == ("goes to Deburr first", None)


def test_a_rule_that_nobody_turned_on_says_nothing() -> None:
    quiet = judge()
    quiet.know([OpenItem("WO-1", "bracket", 10, "here", 100_000)], complete=True)
    assert looks(quiet, "WO-1", "weld") == (None, None)


def test_at_a_strict_stage_work_that_comes_out_of_turn_is_told_to_stop_and_elsewhere_it_is_not() -> None:
    strict = {"what": "stage.define", "data": {"stage": "weld", "name": "Weld", "strict": True}}
    known = judge(*TURNED_ON, strict)
    known.know([OpenItem(item, "bracket", None, "released", 100_000) for item in ("WO-1", "WO-2")], complete=True)

    def stopped(text: str, stage: str, qty_milli: int | None = None) -> tuple[str | None, bool]:
        event = Event(kind="scan", station=f"{stage}-1", sw="0.1.0", stage=stage, qty_milli=qty_milli)
        said = known.judge(read_code(text.encode(), None, ()), event, next(SEQ))
        return said.look, said.stop

    assert stopped("WO-1", "deburr") == ("goes to Saw first", False)
    assert stopped("WO-2", "saw") == (None, False)
    assert stopped("WO-2", "weld") == ("goes to Deburr first", True)
    assert stopped("WO-1", "weld") == (None, False)
    known.know([OpenItem("WO-3", "bracket", 20, "held", 100_000)], complete=False)
    assert stopped("WO-3", "weld") == ("is on hold", True)
    known.know([OpenItem("WO-4", "bracket", 20, "here", 100_000)], complete=False)
    assert stopped("WO-4", "weld", 120_000) == ("100 were here: count again", False)  # nothing is out of turn


def test_held_work_that_is_scanned_onwards_is_said(released: ShopRules) -> None:
    released.know([OpenItem("WO-1", "bracket", 10, "held", 100_000)], complete=True)
    assert looks(released, "WO-1", "deburr")[0] == "is on hold"


def test_more_than_was_there_is_said(released: ShopRules) -> None:
    assert looks(released, "WO-1", "saw", qty_milli=120_000)[0] == "100 were here: count again"


def test_an_unknown_code_is_amber_only_where_the_hub_has_said_all_it_knows(released: ShopRules) -> None:
    assert looks(released, "WO-9", "saw")[0] == "not known here"
    assert looks(released, "WO-9", "deburr")[0] == "not known here"
    partial = judge()
    partial.know([OpenItem("WO-1", "bracket", 10, "here", 100_000)], complete=False)
    assert looks(partial, "WO-9", "saw")[0] is None
    assert looks(judge(), "WO-9", "saw")[0] is None
    assert looks(ShopRules(), "WO-9", "saw")[0] is None


def test_a_tag_or_a_published_code_that_is_not_bound_is_unknown_as_a_text_is() -> None:
    known = judge(*TURNED_ON, bindings={"04A1B2C3": "WO-1"})
    known.know([OpenItem("WO-1", "bracket", 10, "here", 100_000)], complete=True)
    said = {
        number: known.judge(
            read_tag_code(number, ()), Event(kind="scan", station="saw-1", sw="t", stage="saw"), next(SEQ)
        ).look
        for number in (b"04A1B2C3", b"04FFFFFF", b"3034257BF7194E4000001A85")
    }
    assert list(said.values()) == [None, "not known here", "not known here"]


def test_a_bound_code_is_its_item() -> None:
    bound = judge(*TURNED_ON, bindings={"04A1B2C3": "WO-1"})
    bound.know([OpenItem("WO-1", "bracket", 10, "here", 100_000)], complete=True)
    assert looks(bound, "04A1B2C3", "weld")[0] == "goes to Deburr first"


def test_a_repeat_and_a_call_move_nothing(released: ShopRules) -> None:
    looks(released, "WO-1", "saw", repeat=True)
    looks(released, "WO-1", "saw", action="call")
    assert looks(released, "WO-1", "saw") == (None, "Deburr")


def test_a_definition_that_this_version_does_not_know_is_passed_over() -> None:
    later = judge({"what": "tooling.define", "data": {"tool": "drill"}})
    assert looks(later, "WO-1", "saw") == (None, None)
