"""Idle state: what a screen shows between scans (operator, stage, armed cards, next items, hub)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IdleState:
    """The texts of the idle screen; `hub` in a few words ("hub ok"), `waiting` unsent events, `clock` "14:05:32"."""

    station: str
    stage: str = ""
    operator: str = ""
    armed: str = ""
    nexts: tuple[str, ...] = ()
    hub: str = ""
    waiting: int = 0
    clock: str = ""
    notes: tuple[str, ...] = ()
