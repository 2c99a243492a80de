"""A figure: what was measured, against which floor in the same run, and whether it is what was promised."""

import statistics
from collections.abc import Sequence

import msgspec

DRIFT = 0.10  # a machine whose floor moved by more than this in one run measured something else


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """`value` in `unit`; `floor` in the same unit where there is one; `target` in words; `met` None where it is void."""

    name: str
    value: float
    unit: str
    target: str
    met: bool | None
    floor: float | None = None
    ratio: float | None = None
    note: str = ""


def ratio(
    name: str,
    value: float,
    floor: float,
    unit: str,
    *,
    at_most: float | None = None,
    at_least: float | None = None,
    note: str = "",
) -> Figure:
    """A figure that is measured as a ratio to its floor."""
    found = value / floor
    target = f"<= {at_most} x floor" if at_most is not None else f">= {at_least} x floor"
    met = found <= at_most if at_most is not None else found >= (at_least or 0)
    return Figure(name=name, value=value, unit=unit, target=target, met=met, floor=floor, ratio=found, note=note)


def bound(
    name: str, value: float, unit: str, *, at_most: float | None = None, at_least: float | None = None, note: str = ""
) -> Figure:
    """A figure with a limit of its own."""
    target = f"<= {at_most:g} {unit}" if at_most is not None else f">= {at_least:g} {unit}"
    met = value <= at_most if at_most is not None else value >= (at_least or 0)
    return Figure(name=name, value=value, unit=unit, target=target, met=met, note=note)


def median(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)


def p99(values: Sequence[float]) -> float:
    """The 99th percentile."""
    return quantile(values, 0.99)


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of all stay at or below."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def voided(figure: Figure, note: str) -> Figure:
    """The figure with a note; void where the note says so."""
    met = None if note.startswith("VOID") else figure.met
    return msgspec.structs.replace(figure, note=" ".join(filter(None, (figure.note, note))), met=met)
