"""The worked month of docs/value.md: its tables, its arithmetic, and what of it follows from other tables of the page.

>>> amount("20 x 0.40 - 2 x 6.40 = -4.80"), amount(""), terms("40 + 60 = 100")
(Fraction(-24, 5), Fraction(0, 1), [40, 60])
"""

import re
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "value.md"
ORDERS = ("Brackets and tubes", "Housings", "Valves")
MOVEMENTS = ("Movements of March", "Movements of April")
STAGE_VALUES = "By stage and component"
CHANGE, LAST = 17, 31  # the day of March from which the new price holds, and the day of which the mill sent nothing
_EQUATION = re.compile(r"(-?[\d.,]+(?: [-+x/] [\d.,]+)+) = (-?[\d,]+(?:\.\d+)?)")

Row = dict[str, str]
Tables = dict[str, list[Row]]


def tables(page: str) -> Tables:
    """The table below each heading of the third level, as rows by the names of its columns."""
    found: Tables = {}
    for part in page.split("\n### ")[1:]:
        lines = [line for line in part.splitlines() if line.startswith("|")]
        cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
        if cells:
            found[part.splitlines()[0]] = [dict(zip(cells[0], row, strict=True)) for row in cells[2:]]
    return found


@cache
def value(text: str) -> Fraction:
    """A sum of products and quotients."""
    parts = text.replace(",", "").split()
    total, product, sign = Fraction(0), Fraction(parts[0]), 1
    for operator, number in zip(parts[1::2], parts[2::2], strict=True):
        if operator in "+-":
            total, product, sign = total + sign * product, Fraction(number), 1 if operator == "+" else -1
        else:
            product = product * Fraction(number) if operator == "x" else product / Fraction(number)
    return total + sign * product


@cache
def amount(cell: str) -> Fraction:
    """The figure of a cell: what is behind its sign of equality; 0 of an empty one."""
    return value(cell.rpartition("= ")[2]) if cell else Fraction(0)


def micros(cell: str) -> int:
    """The figure in millionths."""
    return int(amount(cell) * 1_000_000)


def terms(cell: str) -> list[int]:
    """The first numbers of the terms of a sum, which are pieces."""
    return [int(term.split()[0]) for term in re.split(r" [-+] ", cell.rpartition(" = ")[0].lstrip("-"))]


def wrong_equations(page: str) -> list[str]:
    """Sums and multiplications of the page that do not give what stands behind the sign of equality."""
    text = re.sub(r"\s+", " ", page)
    return [found[0] for found in _EQUATION.finditer(text) if value(found[1]) != value(found[2])]


def orders(found: Tables) -> dict[str, Row]:
    """The rows of the orders by name, in the order of the page."""
    return {row["order"]: row for name in ORDERS for row in found[name] if not row["order"].startswith("**")}


def stages(row: Row) -> list[str]:
    """The columns of an order that are stages."""
    return list(row)[2:]


def march(cell: str) -> int | None:
    """The day of March in a cell."""
    day, _, month = cell.partition(" ")
    return int(day) if month == "Mar" else None


def is_late(day: int | None, stage: str) -> bool:
    """Whether a scan of March was not known when March was closed: one of the silent station at the mill."""
    return stage == "mill" and day == LAST


def left(found: Tables, of: Row, day: int) -> int:
    """The pieces of an order that are left at noon of a day of March."""
    pieces = int(of["pieces"])
    for row in found["Other events"]:
        if row["order"] == of["order"] and (on := march(row["day"])) is not None:
            if row["event"] == "scan" and row["stage"] == "pack" and on == day:
                return int(row["pieces"])
            if on < day and row["event"] in ("scrap", "count"):
                pieces += int(row["pieces"]) * (-1 if row["event"] == "scrap" else 1)
    return pieces


def wrong_sums(found: Tables) -> list[str]:
    """The sums below the orders that are not those of the pieces that came to the stage until and from the new price."""
    wrong, rows = [], list(orders(found).values())
    for name in ORDERS:
        for total in (row for row in found[name] if row["order"].startswith("**")):
            first = total["order"].strip("*")[0]
            own = [row for row in rows if row["order"][0] == first]
            if [row["order"] for row in own] != [f"{first}-{number:02}" for number in range(1, len(own) + 1)]:
                wrong.append(f"{total['order']}: the orders are not numbered from 01")
            if sum(int(row["pieces"]) for row in own) != int(total["pieces"]):
                wrong.append(f"{total['order']}: {total['pieces']} pieces")
            for stage in stages(total):
                came = [0, 0]
                for row in own:
                    day = march(row[stage])
                    if day is not None and not is_late(day, stage):
                        came[day >= CHANGE] += left(found, row, day)
                if f"{came[0]} + {came[1]} = {sum(came)}" != total[stage]:
                    wrong.append(f"{total['order']} {stage}: {total[stage]}, but {came} came")
    return wrong


def wrong_days(found: Tables) -> list[str]:
    """The days of the day book whose orders or pieces are not those of the tables."""
    days: dict[int, list[tuple[str, int]]] = {}
    for order, row in orders(found).items():
        for stage in stages(row):
            day = march(row[stage])
            if day is not None and not is_late(day, stage):
                days.setdefault(day, []).append((f"{order} {stage}", left(found, row, day)))
    for row in found["Other events"]:
        day = march(row["day"])
        is_partial = (row["event"], row["stage"]) == ("scan", "pack")  # it is in the table of its order too
        if day is not None and not is_partial and not is_late(day, row["stage"]):
            days.setdefault(day, []).append((f"{row['order']} {row['event']}", abs(int(row["pieces"]))))
    book = {march(row["day"]): row for row in found["Day book of March"]}
    new_price = book.pop(CHANGE, None)
    wrong = [] if new_price else ["no new price"]
    for day in sorted(days.keys() | {day or 0 for day in book}):
        expected, row = days.get(day, []), book.get(day, {"orders": "", "change": "0 = 0"})
        if (", ".join(name for name, _ in expected), [n for _, n in expected]) != (row["orders"], terms(row["change"])):
            wrong.append(f"{day} March: {row}")
    return wrong


def wrong_chain(found: Tables) -> list[str]:
    """The days of the day book that do not go on from the value of the day before by their change."""
    before = found["Stock on 1 March"][-1]["value"]
    wrong = []
    for row in found["Day book of March"]:
        cell = row["value at the end of the day"]
        change = amount(row["change"])
        if amount(before) + change != amount(cell) or value(cell.split()[0]) != amount(before):
            wrong.append(row["day"])
        before = cell
    return wrong


def wrong_totals(found: Tables) -> list[str]:
    """The tables whose last row is not the sum of the rows above."""
    wrong = []
    for name in (
        "Stock on 1 March",
        "Stock on 31 March",
        STAGE_VALUES,
        "Roll-forward of March",
        "Roll-forward of April",
    ):
        *rows, total = found[name]
        columns = [column for column in list(total)[1:] if column not in ("product", "stage")]
        wrong += [
            f"{name}: {column}"
            for column in columns
            if sum(amount(row[column]) for row in rows) != amount(total[column])
        ]
    return wrong


def wrong_rolls(found: Tables) -> list[str]:
    """The cells of the roll-forwards that are not the sums of the movements, and rows that do not close."""
    wrong = []
    for month, name in zip(("March", "April"), MOVEMENTS, strict=True):
        sums: Counter[tuple[str, str]] = Counter()
        for row in found[name]:
            sums[row["line"], row["component"]] += amount(row["amount"])  # type: ignore[assignment]
        for row in found[f"Roll-forward of {month}"][:-1]:
            first, *lines, last = list(row)[1:]
            wrong += [
                f"{month}: {row['component']}, {line}"
                for line in lines
                if amount(row[line]) != sums.pop((line, row["component"]), 0)
            ]
            if sum(amount(row[column]) for column in (first, *lines)) != amount(row[last]):
                wrong.append(f"{month}: {row['component']} does not close")
        wrong += [f"{month}: {key}" for key in sums]
    return wrong


def wrong_orders_of(found: Tables) -> list[str]:
    """The places of an order of so many pieces whose cost of an order is divided by another number."""
    of = re.compile(r"order of (\d+)")
    return [
        row["place"]
        for row in found["Value of one piece"]
        if (size := of.search(row["place"])) and not all(f" / {size[1]} " in cell for cell in list(row.values())[2:])
    ]


def wrong_operations(found: Tables) -> list[str]:
    """The operations that are not numbered 10, 20, 30 in their product, and materials of none of them."""
    numbers: dict[str, list[str]] = {}
    for row in found["Operations"]:
        numbers.setdefault(row["product"], []).append(row["operation"])
    wrong = [name for name, of in numbers.items() if of != [str(10 * n) for n in range(1, len(of) + 1)]]
    return wrong + [
        row["component"] for row in found["Bills of material"] if row["operation"] not in numbers[row["product"]]
    ]


def changed_digits(page: str, but: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Line and page with one digit of a table changed, once for each digit; not in the tables below the headings `but`."""
    section, is_body, at = "", False, 0
    for line in page.splitlines(keepends=True):
        if line.startswith("#"):
            section, is_body = line.strip("# \n"), False
        if line.startswith("|") and is_body and section not in but:
            for digit in re.finditer(r"\d", line):
                other = line[: digit.start()] + str((int(digit[0]) + 1) % 10) + line[digit.end() :]
                yield other, page[:at] + other + page[at + len(line) :]
        is_body = is_body or line.startswith("|---")
        at += len(line)


def wrong_tables(found: Tables) -> list[str]:
    """What of the tables does not follow from other tables of the page."""
    checks = (wrong_sums, wrong_days, wrong_chain, wrong_totals, wrong_rolls, wrong_orders_of, wrong_operations)
    return [fault for check in checks for fault in check(found)]
