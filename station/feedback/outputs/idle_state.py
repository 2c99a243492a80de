"""What a screen knows between scans: who is on, where, what is armed, what comes next, and how the hub is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IdleState:
    """The picture between scans; `hub` in a few words ("hub ok"), `waiting` events not yet there, `clock` "14:05:32"."""

    station: str
    stage: str = ""
    operator: str = ""
    armed: str = ""
    nexts: tuple[str, ...] = ()
    hub: str = ""
    waiting: int = 0
    clock: str = ""
    notes: tuple[str, ...] = ()
