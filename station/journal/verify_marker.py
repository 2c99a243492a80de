"""Verify marker: a file beside the journal that makes the next start verify the whole chain, not only its newest part.

A process that finds a break without being the journal's writer sets it (`wipline-station verify` beside a running station).
"""

from pathlib import Path


def _marker(journal: Path) -> Path:
    return journal.with_name(journal.name + ".doubt")


def set_marker(journal: Path) -> None:
    """Set the marker. Raises `OSError` where this user may not write there."""
    _marker(journal).touch()


def is_marked(journal: Path) -> bool:
    """Whether the marker was set since the last start."""
    return _marker(journal).exists()


def clear_marker(journal: Path) -> None:
    """Remove the marker after the chain was verified."""
    _marker(journal).unlink(missing_ok=True)
