"""The benches run when somebody asks for figures; that they can be loaded is looked at in every run."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent


def test_every_bench_can_be_loaded_and_every_one_is_called():
    said = subprocess.run(
        [sys.executable, "tests/bench", "nothing"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert said.returncode == 1
    assert said.stderr.startswith("No bench nothing: expected some of ")
    named = said.stderr.split("expected some of ")[1].strip(".\n").split(", ")
    files = sorted(each.stem.removeprefix("bench_") for each in (ROOT / "tests" / "bench").glob("bench_*.py"))
    assert sorted(named) == files
    loads = (
        "import importlib, sys; sys.path[:0] = ['tests/bench', 'tests/support', '.'];"
        f"[importlib.import_module('bench_' + each) for each in {files}]"
    )
    subprocess.run([sys.executable, "-c", loads], cwd=ROOT, check=True)


@pytest.fixture
def crowd(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The bench of a crowd of stations."""
    for folder in ("bench", "support"):
        monkeypatch.syspath_prepend(str(ROOT / "tests" / folder))
    import bench_crowd

    return bench_crowd


def test_the_bench_of_a_crowd_counts_lost_and_foreign_events(crowd: Any, tmp_path: Path) -> None:
    from shop_writer import ShopWriter

    from server.db.store import Store
    from server.ops.bootstrap import initialise

    store = Store(tmp_path / "hub.db")
    initialise(store)
    writer, stations = ShopWriter(store), []
    for number in range(3):
        for scan in range(5):
            writer.scan(f"WO-{scan}", "saw", writer.ago(hours=1), station=f"station-{number}")
        station = crowd.SimulatedStation(number, f"station-{number}", "token", "saw", 0)
        sent = writer.logs[station.name]
        station.log_id, station.seq, station.tip = sent.log_id, len(sent.events), sent.tip
        stations.append(station)
    writer.settle()
    store.close()
    stations[1].seq += 2
    stations[2].tip = bytes(32)
    fleet = crowd.Fleet(stations)
    assert crowd.lost_of(str(tmp_path / "hub.db"), fleet) == {"station-1": 2, "station-2": 1}
    fleet.close()
