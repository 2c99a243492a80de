"""The version of this software, as it is written into every event.

>>> version() != UNKNOWN
True
"""

import tomllib
from collections.abc import Callable
from functools import cache
from importlib import metadata
from pathlib import Path

UNKNOWN = "unknown"


@cache
def version() -> str:
    """The version from pyproject.toml in a clone, installed or not; else that of the installed distribution; else UNKNOWN.

    A clone comes first: the metadata of an editable installation keeps the version of the day it was installed.
    """
    return version_at(Path(__file__).resolve().parents[2])


def version_at(root: Path, installed: Callable[[str], str] = metadata.version) -> str:
    """The same for a package under `root`; `installed` returns the version of an installed distribution."""
    try:
        project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8")).get("project", {})
    except (OSError, ValueError):
        project = {}
    if project.get("name") == "wipline" and isinstance(project.get("version"), str):
        return str(project["version"])
    try:
        return installed("wipline")
    except metadata.PackageNotFoundError:
        return UNKNOWN
