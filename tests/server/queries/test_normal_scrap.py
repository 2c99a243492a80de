"""The golden values of scrap allowances: how many of the scrapped pieces are normal, step by step."""

import json
from pathlib import Path

import pytest

from server.queries.normal_scrap import Allowance

GOLDEN = json.loads((Path(__file__).parents[2] / "contract" / "v1" / "costs.json").read_text())["allowances"]


@pytest.mark.parametrize("row", GOLDEN, ids=lambda row: row["about"])
def test_the_normal_part_of_each_scrap(row):
    allowance, found = Allowance(), []
    for step, milli, *_ in row["steps"]:
        if step == "come":
            allowance.come(milli)
        elif step == "scrap":
            found.append(allowance.scrap(milli, row["scrap_ppm"]))
        else:
            found.append(allowance.give_back(milli))
    assert found == [normal for _, _, *rest in row["steps"] for normal in rest]
