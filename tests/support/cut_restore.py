"""Cut a restore at every file operation: `python cut_restore.py BASE DB BACKUP OUT` prints how many points there were.

BASE is a folder with a hub that was killed. For each point a copy of it, OUT/<n>, is restored in a child process that is
killed just before its n-th operation on a file (by Python's audit events), until one comes to its end.
"""

import os
import shutil
import signal
import sys
from pathlib import Path

from server.ops.backup import restore

WATCHED = {"open", "os.rename", "os.remove", "os.chmod", "os.chown", "os.truncate", "sqlite3.connect", "fcntl.flock"}


def cut_at(point: int, folder: Path, db: str, backup: str) -> bool:
    """Whether the restore was cut before it ended."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] == signal.SIGKILL
    left = [point]

    def watch(event: str, _arguments: object) -> None:
        if event in WATCHED:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    restore(str(folder / db), folder / backup)
    os._exit(0)


def main(base: Path, db: str, backup: str, out: Path) -> None:
    shutil.copytree(base, out / "0")
    cut_at(10**9, out / "0", db, backup)  # imports and caches are behind us: only the restore's own operations count
    shutil.rmtree(out / "0")
    point, cut = 0, True
    while cut:
        point += 1
        shutil.copytree(base, out / str(point))
        cut = cut_at(point, out / str(point), db, backup)
    print(point)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4]))
