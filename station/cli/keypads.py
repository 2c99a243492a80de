"""Number pads: the devices that the command for number pads may name."""

from pathlib import Path

from drivers.decode.detect.device_info import id_at_place, reader_id
from drivers.hotplug import present
from station import status
from station.config import StationConfig
from station.readers.profile_store import ProfileStore, beside


def profile_store(config: StationConfig, journal: str | None) -> ProfileStore:
    """The profile store of the running station: `run --journal` may have moved it."""
    running = status.running(Path(config.status))
    return ProfileStore(beside(Path(journal or (running.journal if running is not None else config.journal))))


def keypad_candidates(config: StationConfig, profiles: ProfileStore) -> tuple[str, ...]:
    """The ids of connected keyboard devices, of the running station's keyboard readers, and of stored entries."""
    keyboards = [facts for facts in present() if facts.types and not facts.points]
    names = {*(reader_id(facts, keyboards) for facts in keyboards), *map(id_at_place, keyboards), *profiles.ids()}
    running = status.running(Path(config.status))
    if running is not None:
        names |= {line.id for line in running.readers if line.kind == "keyboard" and line.state != "ignored"}
    return tuple(sorted(names))
