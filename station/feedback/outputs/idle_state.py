"""Idle state: what a screen shows between scans (operator, stage, armed cards, next items, hub)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IdleState:
    """The texts of the idle screen; `hub` in a few words ("hub ok"), `waiting` unsent events, `clock` "14:05:32".

    `armed`: the armed action and quantity ("SCRAP 5"); `armed_reason`: the name of the armed reason; `armed_stays`: the
    card applies to all sheets that follow.
    """

    station: str
    stage: str = ""
    operator: str = ""
    armed: str = ""
    armed_reason: str = ""
    armed_stays: bool = False
    nexts: tuple[str, ...] = ()
    hub: str = ""
    waiting: int = 0
    clock: str = ""
    notes: tuple[str, ...] = ()
