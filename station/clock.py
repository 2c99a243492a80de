"""Whether the station's wall time can be shown: it is displayed and recorded, and never orders events."""

from station.system.clock import is_synchronised


class WallClock:
    """State of wall time: `never` synchronised in this process, `holdover` since it was, or `synced`."""

    def __init__(self) -> None:
        self._state = "never"

    def state(self) -> str:
        """`never`, `holdover` or `synced`, as the kernel reports now."""
        if is_synchronised():
            self._state = "synced"
        elif self._state == "synced":
            self._state = "holdover"
        return self._state
