"""Memory: how often Python looks for rings of dead objects.

The hub folds thousands of events a second into objects that live as long as one transaction and are freed when nobody names
them. The collector, which looks for what names itself in a ring, finds nothing there; asked as often as Python does by
default it walks through every item in memory again and again, an eighth of the projector's time.
"""

import gc

YOUNG_OBJECTS = 50_000  # some ten transactions of the projector; a ring of dead objects waits so long
OLDER_ROUNDS, OLDEST_ROUNDS = 20, 100


def tune() -> None:
    """Called once a process is set up: what is here stays, and what comes is looked at less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, OLDER_ROUNDS, OLDEST_ROUNDS)
