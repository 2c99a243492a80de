"""Acts that happen to the hub of a simulated shop: restarts, backups and restores, its clock, its disk, its version."""

from pathlib import Path
from typing import Any

from tests.simulation.network import of_an_older_hub
from tests.simulation.promises import Ledger
from tests.simulation.sim_hub import SimHub
from tests.simulation.sim_station import SimStation
from tests.simulation.world import DAY, S, World

HOUR = 3600 * S


class HubActs:
    """Each act by its name; `tests.simulation.shop.Shop` has the stations and their acts."""

    world: World
    folder: Path
    hub: SimHub
    ledger: Ledger
    stations: list[SimStation]
    scans: Any
    rest: Any
    _hub_images: list[Path]

    def hub_restart(self) -> None:
        """The hub's power goes and comes again."""
        self.hub.stop()
        self.world.note("hub restarts")
        self.world.advance(self.world.random.choice((1, 30)) * S)
        self.hub.boot()

    def back_up(self) -> None:
        """A backup of the schedule."""
        for _ in range(self.world.random.choice((1, 1, 3))):
            self.hub.back_up()
            self.world.advance(self.world.random.choice((1, 10)) * S)

    def backups_on_a_wrong_clock(self) -> None:
        """The hub's clock runs ahead, some backups are made, and it is set right."""
        self.hub.clock.offset_us = 400 * DAY
        self.ledger.clock_is_wrong(400 * DAY)
        for _ in range(3):
            self.hub.back_up()
            self.world.advance(2 * S)
        self.confirm()

    def restore(self) -> None:
        """The hub is restored from one of its backups; often the shop is idle then."""
        found = sorted(self.hub.backups.glob("*.db"))
        if not found:
            self.back_up()
            self.scans()
            self.rest()
            found = sorted(self.hub.backups.glob("*.db"))
        self.hub.restore(self.world.random.choice(found))
        self.rest()

    def restore_twice(self) -> None:
        """Restored, and restored again."""
        self.restore()
        self.scans()
        self.restore()

    def image_hub(self) -> None:
        """A snapshot of the hub's virtual machine."""
        target = self.folder / f"hub-image-{len(self._hub_images)}"
        self.hub.image(target)
        self._hub_images.append(target)

    def put_back(self) -> None:
        """The hub's virtual machine goes back to a snapshot, without a word to the hub."""
        if not self._hub_images:
            self.image_hub()
            self.scans()
            self.rest()
        self.hub.put_back(self.world.random.choice(self._hub_images))

    def hub_clock(self) -> None:
        """The hub's UTC steps, within its boot."""
        step_us = self.world.random.choice((-5 * S, 5 * S, -2 * HOUR, 2 * HOUR, 400 * DAY, -3 * DAY, 100 * DAY))
        self.world.note(f"hub clock steps by {step_us / S:.0f} s")
        self.hub.clock.offset_us += step_us
        self.ledger.clock_is_wrong(self.hub.clock.offset_us)
        self.world.advance(self.world.random.choice((1, 70)) * S)

    def hub_reboot_clock(self) -> None:
        """The hub boots with a wrong clock, and is set right some time later."""
        offset_us = self.world.random.choice((30 * 365 * DAY, 100 * DAY, -3 * DAY))
        self.world.note(f"hub boots with its clock wrong by {offset_us / DAY:.0f} days")
        self.hub.stop()
        self.hub.clock.offset_us = offset_us
        self.ledger.clock_is_wrong(offset_us)
        self.hub.boot()
        if self.world.random.random() < 0.5:
            self.back_up()
        self.scans()
        self.rest()

    def confirm(self) -> None:
        """Somebody sets the hub's clock right and confirms it."""
        self.hub.clock.offset_us = 0
        self.hub.confirm_clock()

    def full_hub(self) -> None:
        """The hub's disk is full for a while."""
        self.hub.full = True
        self.scans()
        self.rest()
        self.hub.full = False

    def older_hub(self) -> None:
        """The hub runs the version before for a while: it leaves out the fields that were added since."""
        for station in self.stations:
            station.weather.alter = of_an_older_hub
        self.scans()
        self.rest()
        for station in self.stations:
            station.weather.alter = None

    def odd_hub(self) -> None:
        """Something on the way alters numbers in answers."""
        chance = self.world.random
        extremes = (
            -1,
            0,
            1,
            10**6,
            2**31,
            2**63 - 1,
            2**63,
            -(2**63),
            10**30,
            "",
            None,
            1.5,
            [],
            "log_ahead",
            "reidentify",
        )
        names = (
            "accepted_thru",
            "durable_thru",
            "hub_epoch",
            "do",
            "wait_ms",
            "accepted_hash",
            "head",
            "epoch",
            "t2",
            "t3",
        )

        def alter(_path: str, answer: object) -> object:
            if isinstance(answer, dict) and chance.random() < 0.5:
                name = chance.choice(names)
                if name in answer:
                    return {**answer, name: chance.choice(extremes)}
            return answer

        self.world.note("answers are altered")
        for station in self.stations:
            station.weather.alter = alter
        self.scans()
        self.rest()
        for station in self.stations:
            station.weather.alter = None
