"""Demo factory: the sample shop folder and the parameters of its simulation.

`config/demo/` is a shop folder as an installer writes it. Its `floor.toml` has the stages of each station and the duration
of work at each stage. Both are part of the installed package, so the demo runs from a wheel as well as from a checkout.
"""

import csv
import io
import random
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.resources import files
from typing import Any

from server.demo.days import SHIFT_S, work_s
from server.demo.simulated_shop import SimulatedOrder, SimulatedStage
from server.importer.entry_builder import NewEntry
from server.importer.loader import is_sheet

SIGNS_OFF = ("mill", "test")  # stages at which the end of work is scanned too
FIRST_NEW_ORDER = 2001
_LAST_NUMBER = 999_999  # the greatest number that the shop's order pattern matches
CUSTOMERS = ("Aqualine", "Brandt Rail", "Coldwave", "Ferrox Process", "Kestrel Marine", "Morita Pumps", "Tessier Doors")
_SIZES = {"pcs": (12, 20, 30, 48, 60, 80, 120), "m": (40, 75, 90, 120)}


@dataclass(frozen=True, slots=True)
class DemoFactory:
    """The sheets of the shop folder by file name, the stages of each station, the parameters and the name of each stage."""

    sheets: Mapping[str, bytes]
    stations: Mapping[str, tuple[str, ...]]
    stages: Mapping[str, SimulatedStage]
    names: Mapping[str, str]

    def reader(self, stage: str) -> str:
        """The name of the scanner of a stage, as a person writes it on the device."""
        return f"{self.names[stage]} scanner"

    @property
    def readers(self) -> dict[str, str]:
        """The name of the scanner of each stage."""
        return {stage: self.reader(stage) for stage in self.stages}

    @property
    def benches(self) -> dict[str, str]:
        """The station at which each stage is scanned."""
        return {stage: station for station, stages in self.stations.items() for stage in stages}


def sample_factory() -> DemoFactory:
    """The factory in `config/demo/`."""
    folder = files("config") / "demo"
    sheets = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and is_sheet(path.name)}
    floor = tomllib.loads((folder / "floor.toml").read_text(encoding="utf-8"))
    stations = {station["name"]: tuple(station["stages"]) for station in floor["station"]}
    stages = {name: SimulatedStage(name, **pace, signs_off=name in SIGNS_OFF) for name, pace in floor["stage"].items()}
    rows = csv.DictReader(io.StringIO(sheets["stages.csv"].decode("utf-8")))
    names = {row["stage"]: row["name"] for row in rows}
    return DemoFactory(sheets, stations, stages, names)


def badges(entries: Sequence[NewEntry]) -> tuple[str, ...]:
    """The badges of all persons."""
    return tuple(entry.data["badge"] for entry in entries if entry.what == "person.define" and "badge" in entry.data)


class Products:
    """The shop's products by its definitions: routing, unit and decimals of each."""

    def __init__(self, entries: Sequence[NewEntry]) -> None:
        routings = {
            entry.data["routing"]: tuple(operation["stage"] for operation in entry.data["operations"])
            for entry in entries
            if entry.what == "routing.define"
        }
        self._products = {entry.data["product"]: entry.data for entry in entries if entry.what == "product.define"}
        self._stages = {name: routings[product["routing"]] for name, product in self._products.items()}

    def order(self, data: Mapping[str, Any], start_s: float) -> SimulatedOrder:
        """The simulated order of a release entry."""
        product = data["product"]
        return SimulatedOrder(
            data["order"],
            self._stages[product],
            data["qty_milli"],
            start_s,
            data.get("priority", 2),
            10 ** (3 - self._products[product].get("decimals", 0)),
            product,
        )

    def further_release(self, number: int, today: date, chance: random.Random) -> dict[str, Any]:
        """The release fields of the `number`-th new order of the live simulation."""
        product = chance.choice(sorted(self._products))
        size = chance.choice(_SIZES[self._products[product]["unit"]])
        order = FIRST_NEW_ORDER + (number - 1) % (_LAST_NUMBER - FIRST_NEW_ORDER)
        data = {"order": f"WO-{order}", "product": product, "qty_milli": size * 1000}
        due = today + timedelta(days=chance.randint(2, 9))
        return data | {
            "due": due.isoformat(),
            "priority": chance.choice((1, 2, 2, 3)),
            "customer": chance.choice(CUSTOMERS),
        }


def past_orders(
    entries: Sequence[NewEntry], products: Products, *, end_us: int, chance: random.Random
) -> list[SimulatedOrder]:
    """The simulated orders of the shop folder; each starts about one shift after its release."""
    return [
        products.order(entry.data, work_s(entry.holds_from_us or end_us, end_us) + chance.uniform(0.2, 1.4) * SHIFT_S)
        for entry in entries
        if entry.what == "order.release"
    ]
