"""The memory bounds of the units are those of the table in docs/installing.md, and lie well above the measured peaks."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROW = re.compile(r"\| `(wipline-\w+\.service)` \| (\d+)M \| (\d+)M \| (\d+) MiB \|")
TASK = re.compile(r"^\| [^|`]+ \| (\d+) \|$", re.MULTILINE)
TEXT = (ROOT / "docs" / "installing.md").read_text().partition("## Memory of the services")[2].partition("\n## ")[0]
ROWS = {name: tuple(map(int, numbers)) for name, *numbers in ROW.findall(TEXT)}


def bound(unit: str, key: str) -> int:
    """The MiB of one bound in a unit."""
    found = re.search(rf"^{key}=(\d+)M$", unit, re.MULTILINE)
    assert found is not None, f"the unit has no {key}"
    return int(found[1])


@pytest.mark.parametrize("name", ["wipline-hub.service", "wipline-station.service"])
def test_a_unit_and_the_table_have_the_same_bounds(name: str) -> None:
    unit = (ROOT / "config" / "systemd" / name).read_text()
    high, most, peak = ROWS[name]
    assert (bound(unit, "MemoryHigh"), bound(unit, "MemoryMax")) == (high, most)
    assert 2 * peak < high < most


def test_the_peak_of_the_hub_is_that_of_its_largest_task() -> None:
    assert max(map(int, TASK.findall(TEXT))) == ROWS["wipline-hub.service"][2]


def test_an_idle_station_needs_at_most_40_mib() -> None:
    assert ROWS["wipline-station.service"][2] <= 40
