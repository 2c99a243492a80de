"""Synchronisation state of wall time. Wall time is displayed and recorded, but never orders events."""

from station.system.clock import is_synchronised


class WallClock:
    """The state: `never` synchronised in this process, `synced`, or `holdover` (synchronised earlier, but not now)."""

    def __init__(self) -> None:
        self._state = "never"

    def state(self) -> str:
        """`never`, `holdover` or `synced`, from the kernel's present state."""
        if is_synchronised():
            self._state = "synced"
        elif self._state == "synced":
            self._state = "holdover"
        return self._state
