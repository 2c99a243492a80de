"""Which version of the station this is, as it stands in every event."""

from importlib import metadata


def version() -> str:
    """The version of the installed distribution; "unknown" in a bare checkout."""
    try:
        return metadata.version("wipline")
    except metadata.PackageNotFoundError:
        return "unknown"
