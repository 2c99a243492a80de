"""Stage order: one order of all stages that agrees with the shop's routings, for the board and its lists.

>>> in_order([("store", "saw", "pack"), ("saw", "test", "pack"), ("assembly", "test")], ["crate"])
['store', 'saw', 'assembly', 'test', 'pack', 'crate']
>>> in_order([("saw", "deburr", "saw", "pack")], [])
['saw', 'deburr', 'pack']
"""

from collections.abc import Sequence
from itertools import pairwise

from station.core.master_data import MasterData


def in_order(routings: Sequence[Sequence[str]], others: Sequence[str]) -> list[str]:
    """Sort stages topologically by the routings; of the free stages, the one furthest from the end of a routing is next.

    Of two equally far stages, the one that directly follows the previous stage comes first. Contradictory routings give some
    order. `others` are stages without a routing: they come last, in their given order.
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
    """The greatest number of steps from each stage to an end; bounded where the steps form a cycle."""
    distance = dict.fromkeys(stages, 0)
    for _ in stages:
        longer = {source for source, target in steps if distance[target] >= distance[source]}
        if not longer:
            break
        for source in longer:
            distance[source] = max(distance[target] + 1 for start, target in steps if start == source)
    return distance


def line_of(master_data: MasterData, at_us: int) -> list[str]:
    """The shop's stages in order, as of a time."""
    return in_order(paths_of(master_data, at_us), master_data.names("stage.define"))


def paths_of(master_data: MasterData, at_us: int) -> list[list[str]]:
    """The stages of each routing, as of a time."""
    routings = [master_data.routing(name, at_us) for name in master_data.names("routing.define")]
    return [[operation.stage for operation in routing.operations] for routing in routings if routing]


def columns(line: Sequence[str], paths: Sequence[Sequence[str]]) -> list[list[str]]:
    """Group a line of stages: stages that follow each other in the line and in no routing are branches of one column.

    >>> columns(["saw", "plating", "assembly", "test"], [("saw", "plating", "test"), ("assembly", "test")])
    [['saw'], ['plating', 'assembly'], ['test']]
    >>> columns(["saw", "crate"], [("saw",)])
    [['saw'], ['crate']]
    """
    follows: dict[str, set[str]] = {}
    for path in paths:
        for index, stage in enumerate(path):
            follows.setdefault(stage, set()).update(path[:index], path[index + 1 :])
    grouped: list[list[str]] = []
    for stage in line:
        branches = grouped[-1] if grouped else []
        related = follows.get(stage)
        if branches and related is not None and all(other in follows and other not in related for other in branches):
            branches.append(stage)
        else:
            grouped.append([stage])
    return grouped


def next_stages(paths: Sequence[Sequence[str]]) -> dict[str, list[str]]:
    """The stages to which the routings lead from each stage; from "", those at which they begin.

    >>> next_stages([("saw", "plating", "test"), ("saw", "test")])
    {'': ['saw'], 'saw': ['plating', 'test'], 'plating': ['test'], 'test': []}
    """
    following: dict[str, list[str]] = {"": []}
    for path in paths:
        for stage, target in zip(("", *path), (*path, None), strict=True):
            targets = following.setdefault(stage, [])
            if target is not None and target not in targets:
                targets.append(target)
    return following
