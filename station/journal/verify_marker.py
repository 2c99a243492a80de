"""A doubt about a journal, noted in a file beside it: the next start walks the whole chain, not only its newest part.

Whoever sees a break without being the journal's one writer (`verify`, on a station that may be scanning) leaves it.
"""

from pathlib import Path


def _note(journal: Path) -> Path:
    return journal.with_name(journal.name + ".doubt")


def set_marker(journal: Path) -> None:
    """Note the doubt. Raises `OSError` where this user may not write there."""
    _note(journal).touch()


def is_marked(journal: Path) -> bool:
    """Whether somebody doubted this journal since its last start."""
    return _note(journal).exists()


def clear_marker(journal: Path) -> None:
    """The chain was walked: forget the doubt."""
    _note(journal).unlink(missing_ok=True)
