"""One story: a shop lives for a while under faults drawn from a seed, then everything is mended and must come together.

A story is a list of acts. Each act is drawn from the seed, done, and followed by some time in which stations and hub go on.
After the last act the weather clears, every machine is switched on, a person confirms the hub's clock, and the stations get
the time to send what they have. Then the promises are counted (`tests.simulation.promises`).
"""

import contextlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.simulation.promises import Violation
from tests.simulation.shop import Shop
from tests.simulation.world import S, World


@dataclass(frozen=True)
class Choices:
    """What may happen, by name with its weight, and how many acts a story has."""

    acts: tuple[tuple[str, int], ...]
    length: tuple[int, int] = (6, 18)


FAULTS = Choices(
    (
        ("scans", 30), ("rest", 10), ("weather", 10), ("clear", 8), ("cut", 8), ("cut_in_write", 6), ("boot", 12),
        ("roll_back", 6), ("clone", 3), ("image_card", 6), ("hub_restart", 5), ("back_up", 8), ("restore", 6),
        ("restore_twice", 2), ("image_hub", 4), ("put_back", 2), ("hub_clock", 5), ("hub_reboot_clock", 3), ("confirm", 3),
        ("days", 5), ("season", 2), ("full_card", 2), ("full_hub", 2), ("older_hub", 2), ("odd_hub", 3), ("new_board", 1),
        ("roll_back_on_a_slow_wire", 3), ("reboot", 3), ("backups_on_a_wrong_clock", 2),
    )
)  # fmt: skip


def tell(
    seed: int, folder: Path, template: Path | None = None, choices: Choices = FAULTS
) -> tuple[World, Violation | None]:
    """Live the story of a seed in `folder`; the world with its history, and what was violated first, if anything."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shop = Shop(seed, folder, template)
    names = [name for name, _ in choices.acts]
    weights = [weight for _, weight in choices.acts]
    violation = None
    try:
        for _ in range(shop.world.random.randrange(*choices.length)):
            act = getattr(shop, shop.world.random.choices(names, weights)[0])
            act()
            shop.world.advance(shop.world.random.choice((0, 1, 10)) * S)
        shop.end()
        shop.ledger.check()
    except Violation as error:
        violation = error
        shop.world.note(f"violated {error}")
    finally:
        with contextlib.suppress(Exception):
            shop.close()
        shutil.rmtree(folder, ignore_errors=True)
    return shop.world, violation
