"""Access rights of the user that runs a command: what it may not read, and which user the station runs as.

The station runs as its own user, whose journal, status and token other users may not read. A command of another user must
not mistake such a file for a missing one.

>>> denied("/var/lib/wipline/journal.db")
'/var/lib/wipline/journal.db may not be read by this user'
"""

import errno
import os
import pwd
from pathlib import Path

EXPECTED = "Expected the station's user, a member of its group, or root."
DO = "Repeat the command with sudo."


def denied(path: str | Path) -> str:
    """The fact that this user may not read a file, without a full stop."""
    return f"{path} may not be read by this user"


def is_there(path: Path) -> bool:
    """Whether a path exists. Raises `PermissionError` where this user may not look: `Path.exists` differs by version."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def require_readable(path: Path) -> None:
    """Raise `PermissionError` where the file exists, or may exist, and this user may not read it."""
    if is_there(path) and not os.access(path, os.R_OK):
        raise refusal(path)


def refusal(path: Path) -> PermissionError:
    """The error of a file that this user may not read."""
    return PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def owner_of(path: Path) -> str:
    """The user that owns a file, or the nearest folder above it that this user can see."""
    for seen in (path, *path.absolute().parents):
        try:
            user = seen.stat().st_uid
        except OSError:
            continue
        try:
            return pwd.getpwuid(user).pw_name
        except KeyError:
            return f"#{user}"  # as sudo -u takes it
    return "root"


def is_own_station(status: Path, journal: Path) -> bool:
    """Whether the user of this process is the station's user, or root; also where the station has no user yet.

    The station's user owns the files that it wrote. A folder that belongs to root may have been made for any user.
    """
    user = os.geteuid()
    if user == 0:
        return True
    for path in (status, journal):
        try:
            return path.stat().st_uid == user
        except PermissionError:
            return False
        except OSError:
            continue
    try:
        return journal.parent.stat().st_uid in (user, 0)
    except PermissionError:
        return False
    except OSError:
        return True
