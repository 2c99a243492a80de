"""Another program that fills a disk: `python -m tests.faults.filler FOLDER`, told "fill" or "free" in lines on stdin.

While it fills, it takes every byte that becomes free. Each order is answered with a line, "fill" only when nothing is free.
"""

import os
import select
import sys
from pathlib import Path

CHUNKS = (1 << 20, 1 << 16, 1 << 12, 1 << 8, 1)


def eat(file: int) -> None:
    """Write until the disk takes not one byte more."""
    for size in CHUNKS:
        try:
            while os.write(file, b"\xff" * size) == size:
                pass
        except OSError:
            continue


def main(folder: Path) -> None:
    """Obey the orders until stdin ends."""
    path, file = folder / "filler", None
    while True:
        ready, _, _ = select.select([0], [], [], None if file is None else 0.001)
        if ready:
            order = os.read(0, 5)
            if not order:
                break
            if order.startswith(b"fill"):
                file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
                eat(file)
            elif file is not None:
                os.close(file)
                file = None
                path.unlink()
            os.write(1, b"done\n")
        elif file is not None:
            eat(file)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
