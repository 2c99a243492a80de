"""Number pads: which devices here could be one, for the command that says that one of them is."""

from pathlib import Path

from drivers.decode.detect.device_info import id_at_place, reader_id
from drivers.hotplug import present
from station import status
from station.config import StationConfig
from station.readers.profile_store import ProfileStore, beside


def taught_here(config: StationConfig, journal: str | None) -> ProfileStore:
    """What readers were taught, where the station that runs looks for it: `run --journal` may have moved it."""
    running = status.running(Path(config.status))
    return ProfileStore(beside(Path(journal or (running.journal if running is not None else config.journal))))


def could_be(config: StationConfig, taught: ProfileStore) -> tuple[str, ...]:
    """The IDs of what types, is plugged in or known to the running station, and of what was taught before."""
    here = [facts for facts in present() if facts.types and not facts.points]
    names = {*(reader_id(facts, here) for facts in here), *map(id_at_place, here), *taught.ids()}
    running = status.running(Path(config.status))
    if running is not None:
        names |= {each.id for each in running.readers if each.kind == "keyboard" and each.state != "ignored"}
    return tuple(sorted(names))
