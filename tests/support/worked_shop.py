"""The shop of the worked month: its tables are entered over the API, its scans arrive as logs of stations."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from shop_writer import HOUR_US, ShopWriter
from worked_page import Row, Tables, amount, march, micros, orders, stages

YEAR = 2025
MONTHS = {"Jan": 1, "Feb": 2, "Mar": 3, "Apr": 4, "May": 5}
SILENT, SILENT_FROM = "mill-1", "31 Mar"
NOW_US = round(datetime(YEAR, 5, 2, tzinfo=UTC).timestamp() * 1_000_000)
START_US = 122 * 24 * HOUR_US  # the clocks of the stations run since January
_OF_WORK = ("labour", "overhead", "outside")

Enter = Callable[[list[dict[str, Any]]], None]


def time_of(day: str, hours: float = 0) -> int:
    """UTC in microseconds of an hour of a day such as `7 Mar`."""
    number, month = day.split()
    midnight = datetime(YEAR, MONTHS[month], int(number), tzinfo=UTC).timestamp()
    return round(midnight * 1_000_000 + hours * HOUR_US)


def entry(what: str, at_us: int, **data: Any) -> dict[str, Any]:
    """The body of an entry that holds from a time."""
    return {"what": what, "holds_from_us": at_us, "data": data}


def definitions(found: Tables) -> list[dict[str, Any]]:
    """Stages, routings, products, prices, accounts and reasons."""
    begin_us, operations = time_of("1 Jan"), found["Operations"]
    kinds = {"plating": "outside"}
    names = dict.fromkeys(row["stage"] for row in operations)
    entries = [
        entry("stage.define", begin_us, stage=name, name=name, type=kinds.get(name, "process")) for name in names
    ]
    products = dict.fromkeys(row["product"] for row in operations)
    for product in products:
        rows = [row for row in operations if row["product"] == product]
        bill = [row for row in found["Bills of material"] if row["product"] == product]
        entries.append(entry("routing.define", begin_us, routing=product, operations=[*map(_operation, rows)]))
        bom = [
            {
                "component": row["component"],
                "qty_milli": int(amount(row["quantity"]) * 1000),
                "operation": int(row["operation"]),
            }
            for row in bill
        ]
        entries.append(entry("product.define", begin_us, product=product, name=product, routing=product, bom=bom))
    entries += [*_material_prices(found, begin_us), *_work_prices(operations, begin_us)]
    for row in found["Accounts"]:
        named = {name: row[name] for name in ("component", "stage") if row[name]}
        entries.append(
            entry("account.map", begin_us, line=row["line"].replace(" ", "_"), account=row["account"], **named)
        )
    reasons = sorted({row["reason"] for row in found["Other events"] if row["reason"]})
    return entries + [entry("reason.define", begin_us, reason=reason, name=reason) for reason in reasons]


def _operation(row: Row) -> dict[str, Any]:
    more: dict[str, Any] = {"run_ms": int(row["minutes"]) * 60_000} if row["minutes"] else {}
    if row["scrap allowance"]:
        more["scrap_ppm"] = int(row["scrap allowance"].split()[0]) * 10_000
    return {"op": int(row["operation"]), "stage": row["stage"], **more}


def _material_prices(found: Tables, begin_us: int) -> Iterable[dict[str, Any]]:
    for row in found["Bills of material"]:
        for column, at_us in (("price", begin_us), ("from 17 Mar", time_of("17 Mar"))):
            if row[column]:
                yield entry("cost.set", at_us, component=row["component"], basis="unit", micros=micros(row[column]))


def _work_prices(operations: list[Row], begin_us: int) -> Iterable[dict[str, Any]]:
    for row in operations:
        for component in (name for name in _OF_WORK if row[name]):
            price, _, basis = row[component].partition(" ")
            of = {"product": row["product"], "op": int(row["operation"])}
            if basis == "a minute":
                of = {"stage": row["stage"]}
            how = {"": "unit", "a minute": "minute", "an order": "order"}[basis]
            yield entry("cost.set", begin_us, component=component, basis=how, micros=micros(price), **of)


class WorkedShop:
    """Enters the month in its order. `enter` makes entries; `writer` sends scans."""

    def __init__(self, found: Tables, writer: ShopWriter, enter: Enter) -> None:
        self._found, self._writer, self._enter = found, writer, enter
        self._silent: set[str] = set()

    def begin(self) -> None:
        """Enter the definitions, and release the orders on the day before their first scan."""
        self._enter(definitions(self._found))
        for order, row in orders(self._found).items():
            product = next(name for name in ("BRK", "HSG", "TUB", "VLV") if name[0] == order[0])
            first = _day(row, stages(row)[0])
            at_us = time_of("28 Mar") if first is None else time_of(first) - 16 * HOUR_US
            released = {"order": order, "product": product, "qty_milli": int(row["pieces"]) * 1000}
            self._enter([entry("order.release", at_us, **released)])
        self._writer.settle()

    def month(self, name: str) -> None:
        """Everything of a month such as `Mar`, without what the station at the mill does not send."""
        what: list[tuple[int, Callable[[int], None]]] = []
        for order, row in orders(self._found).items():
            for stage in stages(row):
                day = _day(row, stage)
                if day is not None and day.endswith(name) and row[stage] and not self._is_partial(order, stage):
                    what.append((time_of(day, 12), self._scan(order, stage)))
        for row in self._found["Other events"]:
            if row["day"].endswith(name):
                hours = 12 if row["stage"] == "pack" else 14
                what.append((time_of(row["day"], hours), self._event(row)))
        for number, (at_us, do) in enumerate(sorted(what, key=lambda pair: pair[0])):
            if not self._silent and name == SILENT_FROM[-3:] and at_us >= time_of(SILENT_FROM):
                self._settle()
                self._silent = {SILENT}
            do(at_us + number * 1_000_000)
        self._settle()

    def close(self, day: str) -> None:
        """The accountant closes a period at the midnight with which a day begins."""
        self._enter([entry("period.close", time_of(day), why="month end")])
        self._settle()

    def late(self) -> None:
        """The silent station sends what it has."""
        self._silent.clear()
        self._writer.settle()

    def _settle(self) -> None:
        self._writer.settle(silent=self._silent)

    def _is_partial(self, order: str, stage: str) -> bool:
        """Whether only some of the pieces were scanned at this stage, which is among the other events."""
        return any(
            (row["order"], row["stage"], row["event"]) == (order, stage, "scan") and stage == "pack"
            for row in self._found["Other events"]
        )

    def _scan(self, order: str, stage: str) -> Callable[[int], None]:
        def scan(at_us: int) -> None:
            if stage == "back":
                self._writer.scan(order, "plating", at_us, action="out")
            else:
                self._writer.scan(order, stage, at_us)

        return scan

    def _event(self, row: Row) -> Callable[[int], None]:
        order, stage, milli = row["order"], row["stage"], int(row["pieces"]) * 1000

        def happen(at_us: int) -> None:
            match row["event"].split():
                case ["scan"]:
                    self._writer.scan(order, stage, at_us, qty_milli=milli)
                case ["scrap"]:
                    self._writer.scan(order, stage, at_us, action="scrap", qty_milli=milli, reason=row["reason"])
                case ["rework", "to", to]:
                    more = {"to": to, "reason": row["reason"]}
                    self._writer.scan(order, stage, at_us, action="rework", qty_milli=milli, **more)
                case ["count"]:
                    self._settled([entry("adjust", at_us, item=order, stage=stage, qty_milli=milli, why="counted")])
                case ["close", how]:
                    self._settled([entry("order.close", at_us, order=order, how=how)])
                case other:
                    raise AssertionError(other)

        return happen

    def _settled(self, entries: list[dict[str, Any]]) -> None:
        """Entries are checked against what was scanned before them."""
        self._settle()
        self._enter(entries)


def _day(row: Row, stage: str) -> str | None:
    """The day of a scan: in the table, or the first days of another month, one after the other."""
    cell = row[stage]
    if cell == "Feb":
        return f"{10 + stages(row).index(stage)} Feb"
    if cell == "Apr":
        return f"{3 + ('BHTV'.index(row['order'][0]))} Apr"
    return cell if march(cell) is not None else None
