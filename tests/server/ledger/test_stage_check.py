"""An entry that names a stage which the shop has not defined is refused with the reason."""

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from server.cli.commands import main
from server.db.schema import ledger
from server.db.store import Store
from server.ledger.entries import Entry, EntryRefused, record, record_all
from server.ops.bootstrap import initialise
from station.core.event import decode

SAW = {"stage": "saw", "name": "Saw", "type": "process"}
NAMING = [
    ("station.define", {"station": "s1", "stage": "swa"}),
    ("routing.define", {"routing": "r", "operations": [{"op": 10, "stage": "saw"}, {"op": 20, "stage": "swa"}]}),
    ("adjust", {"item": "W1", "stage": "swa", "qty_milli": 1000}),
    ("checkin", {"item": "W1", "stage": "swa"}),
    ("correct", {"log": "0" * 32, "from_seq": 1, "to_seq": 1, "set": {"stage": "swa"}}),
    ("code.bind", {"code": "X", "as": "command", "to": "WIP:STAGE:swa"}),
    ("card.define", {"card": "WIP:REWORK:swa", "name": "Back"}),
]


def entries(store):
    """Each recorded entry: its kind and the stage in it."""
    with store.read() as connection:
        recorded = [decode(row) for row in connection.execute(select(ledger.c.bytes).order_by(ledger.c.pos)).scalars()]
    return [(event.what, event.data.get("stage")) for event in recorded if event.kind == "entry"]


@pytest.mark.parametrize(("what", "data"), NAMING)
def test_an_undefined_stage_is_refused_where_the_shop_has_stages(store, what, data):
    record(store, "stage.define", SAW, "Kim")
    with pytest.raises(EntryRefused) as refused:
        record(store, what, data, "Kim")
    assert refused.value.came == f"{what} with the stage 'swa'"
    assert refused.value.expected == "a stage of the shop: saw"
    assert "saw" in refused.value.do


def test_a_shop_without_stages_may_name_any(store):
    record(store, "station.define", {"station": "s1", "stage": "swa"}, "Kim")
    assert entries(store) == [("station.define", "swa")]


def test_a_stage_of_the_same_group_is_defined(store):
    record(store, "stage.define", SAW, "Kim")
    weld = {"stage": "weld", "name": "Weld", "type": "process"}
    record_all(
        store,
        [Entry("station.define", {"station": "s1", "stage": "weld"}, "Kim"), Entry("stage.define", weld, "Kim")],
    )
    record(store, "station.define", {"station": "s1"}, "Kim")
    assert entries(store) == [
        ("stage.define", "saw"), ("station.define", "weld"), ("stage.define", "weld"), ("station.define", None)
    ]  # fmt: skip


def test_the_command_place_refuses_it(tmp_path):
    db = tmp_path / "hub.db"
    store = Store(db)
    initialise(store)
    record(store, "stage.define", SAW, "Kim")
    store.close()
    runner = CliRunner()
    added = runner.invoke(main, ["station", "add", "saw-1", "--stage", "swa", "--db", str(db)])
    assert added.exit_code != 0
    assert len(added.stdout.splitlines()[0]) > 40, "the station was added, so its token is printed"
    placed = runner.invoke(main, ["station", "place", "saw-1", "swa", "--db", str(db)])
    assert placed.exit_code != 0
    assert "station.define with the stage 'swa'; expected a stage of the shop: saw" in placed.output + str(
        placed.exception
    )
    assert runner.invoke(main, ["station", "place", "saw-1", "saw", "--db", str(db)]).exit_code == 0
