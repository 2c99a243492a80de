"""Processor time of a process and its children, by the names of their threads, from /proc."""

from contextlib import suppress
from pathlib import Path


def tasks_of(pid: int) -> dict[int, Path]:
    """The folder in /proc of each thread of a process and of its children."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        found[int(task.name)] = task
        with suppress(OSError):  # the thread ended meanwhile
            for child in (task / "children").read_text().split():
                found.update(tasks_of(int(child)))
    return found


class ProcessCpu:
    """Seconds of processor since `start`, summed over the threads with one name."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._before: dict[int, float] = {}
        self.start()

    def start(self) -> None:
        """Count from now."""
        self._before = {task: used for task, (_, used) in self._read().items()}

    def used_s(self) -> dict[str, float]:
        """Seconds of processor since `start`, by thread name. Names that differ in a number at their end count as one."""
        used: dict[str, float] = {}
        for task, (name, total) in self._read().items():
            used[name] = used.get(name, 0.0) + total - self._before.get(task, 0.0)
        return used

    def _read(self) -> dict[int, tuple[str, float]]:
        found = {}
        for task, folder in tasks_of(self._pid).items():
            try:
                line, schedule = (folder / "stat").read_text(), (folder / "schedstat").read_text()
            except OSError:
                continue  # the thread ended meanwhile
            name = line.partition("(")[2].rpartition(")")[0].rstrip("0123456789_-")
            found[task] = (name, int(schedule.split()[0]) / 1e9)
        return found
