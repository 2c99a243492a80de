"""Long work in words: what runs, how far it is, what is left, and what the pages show until it ends.

>>> from station.system.progress import Progress
>>> sentence(REBUILD, Progress("Rebuild", "event", 3, 4, 3.0))
'Rebuild: 3 of 4 events, 1 a second, 1 s left. Until it ends the pages show the rows of before, and no new scans.'
"""

from sqlalchemy import Connection

from server.db.long_work import BACKUP, EXPORT, IMPORT, REBUILD, running
from server.db.store import Store
from station.system.progress import Progress

_UNTIL = {
    REBUILD: "Until it ends the pages show the rows of before, and no new scans.",
    IMPORT: "Its entries are shown when all of them are recorded.",
    BACKUP: "The pages are up to date.",
    EXPORT: "A person fetches a file. The pages are up to date.",
}


def sentence(key: str, progress: Progress) -> str:
    """One running work, with the effect on what is shown."""
    return f"{progress.text}. {_UNTIL.get(key, '')}".strip()


def sentences(store: Store, connection: Connection) -> list[str]:
    """Every long work of this hub, in a fixed order."""
    return [sentence(key, progress) for key, progress in sorted(running(store, connection).items())]
