"""The route: the stages of all routings in one order, as the work runs through the shop.

>>> in_order([("store", "saw", "pack"), ("saw", "test", "pack"), ("assembly", "test")], ["crate"])
['store', 'saw', 'assembly', 'test', 'pack', 'crate']
>>> in_order([("saw", "deburr", "saw", "pack")], [])
['saw', 'deburr', 'pack']
"""

from collections.abc import Sequence
from itertools import pairwise

from station.core.master_data import MasterData


def in_order(routings: Sequence[Sequence[str]], others: Sequence[str]) -> list[str]:
    """Stages so that each comes behind those in front of it, the one furthest from the end first.

    Of two that are equally far the one that the stage before leads to comes first. Where routings contradict each other,
    some order. `others` are stages of no routing: they come last, in their own order.
    """
    paths = [tuple(dict.fromkeys(path)) for path in routings if path]
    before: dict[str, set[str]] = {}
    for path in paths:
        for index, stage in enumerate(path):
            before.setdefault(stage, set()).update(path[:index])
    steps = {step for path in paths for step in pairwise(path)}
    to_end = _to_end(set(before), steps)
    left: set[str] = set(before)
    line: list[str] = []
    while left:
        free = {stage for stage in left if not before[stage] & left - {stage}} or left
        last = line[-1] if line else ""
        line.append(min(free, key=lambda stage: (-to_end[stage], (last, stage) not in steps, stage)))
        left.remove(line[-1])
    return [*line, *(stage for stage in others if stage not in before)]


def _to_end(stages: set[str], steps: set[tuple[str, str]]) -> dict[str, int]:
    """The most steps from each stage to an end; bounded where steps run in a ring."""
    far = dict.fromkeys(stages, 0)
    for _ in stages:
        longer = {source: far[target] + 1 for source, target in steps if far[target] >= far[source]}
        if not longer:
            break
        for source in longer:
            far[source] = max(far[target] + 1 for start, target in steps if start == source)
    return far


def line_of(catalogue: MasterData, at_us: int) -> list[str]:
    """The stages of the shop as of a time."""
    routings = [catalogue.routing(name, at_us) for name in catalogue.names("routing.define")]
    paths = [[operation.stage for operation in routing.operations] for routing in routings if routing]
    return in_order(paths, catalogue.names("stage.define"))
