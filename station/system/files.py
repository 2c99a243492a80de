"""Flushes a folder, so that the names in it last."""

import os
from pathlib import Path


def flush_folder(folder: Path) -> None:
    """Make the names in a folder durable: without it a new or renamed file may be missing after a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
