"""Number pads and stored profiles: the changes that `wipline-station readers` makes in the profile store.

A keyboard device is marked as a number pad by its ID, and a reader's profile is deleted by its ID. The running station
reads a change when the device is plugged in again.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import click

from drivers.decode.detect.device_info import DeviceInfo, id_at_place, reader_id
from drivers.hotplug import present
from station import status
from station.cli.options import fail
from station.config import StationConfig
from station.readers.profile_store import KEYPAD, ProfileStore, beside
from station.system.access import DO, EXPECTED, denied

REPLUG = "Pull it out and plug it in again."


def profile_store(config: StationConfig, journal: str | None) -> ProfileStore:
    """The profile store of the running station: `run --journal` may have moved it.

    Where this user may not read the status it is that of the configuration.
    """
    try:
        running = status.running(Path(config.status))
    except PermissionError:
        running = None
    return ProfileStore(beside(Path(journal or (running.journal if running is not None else config.journal))))


def keypad_candidates(
    config: StationConfig, profiles: ProfileStore, connected: Sequence[DeviceInfo]
) -> tuple[str, ...]:
    """The ids of connected keyboard devices, of the running station's keyboard readers, and of stored entries."""
    keyboards = [info for info in connected if info.types and not info.points]
    names = {*(reader_id(info, keyboards) for info in keyboards), *map(id_at_place, keyboards), *profiles.ids()}
    running = status.running(Path(config.status))
    if running is not None:
        names |= {line.id for line in running.readers if line.kind == "keyboard" and line.state != "ignored"}
    return tuple(sorted(names))


def change_profiles(
    config: StationConfig,
    journal: str | None,
    *,
    forget: str | None,
    keypad: str | None,
    connected: Callable[[], Sequence[DeviceInfo]] = present,
) -> None:
    """Mark `keypad` as a number pad and delete the profile of `forget`; prints each change, and exits where it cannot."""
    profiles = profile_store(config, journal)
    try:
        profiles.require_access()
        if keypad is not None:
            devices = keypad_candidates(config, profiles, connected())
            if keypad not in devices:
                ids = f"Expected one of {', '.join(devices)}." if devices else "No keyboard device is plugged in."
                fail(f"There is no device {keypad!r} here. {ids} Plug it in, and give its ID as `readers` shows it.", 2)
            profiles.keep(keypad, KEYPAD)
            click.echo(f"{keypad} is a number pad from now on ({profiles.path}). {REPLUG}")
        if forget is not None and not profiles.forget(forget):
            stored = ", ".join(profiles.ids()) or "no reader has a profile"
            fail(f"There is no profile of {forget!r} in {profiles.path}. Expected one of: {stored}.", 2)
    except PermissionError as error:
        fail(f"{denied(error.filename or profiles.path)}. {EXPECTED} {DO}", 1)
    except OSError as error:
        do = "Repeat the command as the station's user: sudo -u wipline ..."
        fail(f"{profiles.path} cannot be written: {error.strerror}. {do}", 1)
    if forget is not None:
        click.echo(f"{forget} is forgotten ({profiles.path}). {REPLUG}")
