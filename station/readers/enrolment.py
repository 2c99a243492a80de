"""Enrolment of one reader: load its stored profile, apply what it shows of itself, and compose its status line.

A profile is stored under the reader's id. The id exists with and without the serial number, because a second device may
claim the same one; a profile is found under either.
"""

import json
from collections.abc import Callable, Sequence

from drivers import Driver, DriverError, ProfileLearned, SupportsEnrolment
from drivers.decode.detect.device_info import DeviceInfo, both_names
from drivers.decode.detect.device_policy import LEAVE_IT, SERIAL_KINDS
from station.core.codes.setup_sheet import sheets
from station.readers.profile_store import ProfileStore, ReaderProfile
from station.status import ReaderStatus

FORGET_IT = "To have that forgotten: wipline-station readers --forget {}"
UNUSABLE = "What this reader was taught cannot be used: {} {} Then plug it in again; or scan the setup sheet with it."
AGAIN = "Is it a reader that answers questions? Plug it in again while it has power. {}"
SHEETS = sheets()


class Enrolment:
    """One reader. `listened`: whether the device is a reader is not known yet; `names`: its id with and without serial.

    `serial_ports` returns those of the connected USB devices, among which a serial reader that its row opens is looked up.
    """

    def __init__(
        self,
        profiles: ProfileStore,
        log: Callable[..., None],
        serial_ports: Callable[[], Sequence[DeviceInfo]],
        names: tuple[str, ...],
        *,
        listened: bool,
    ) -> None:
        self._profiles, self._log, self._listened = profiles, log, listened
        self._serial_ports, self._names = serial_ports, names
        self._silent = False
        self.identified = not listened
        self.evidence: tuple[str, ...] = ()
        self.unusable = ""
        """Why the stored profile cannot be used; without it the reader's codes would be wrong. Empty where it can."""

    @property
    def state(self) -> str:
        """The reader's state while it is open."""
        return "refusing" if self.unusable else "ready" if self.identified else "listening"

    def load_profile(self, driver: Driver) -> None:
        """Pass the stored profile and the setup sheets to a driver that was just opened."""
        self.unusable, self._silent = "", False
        if not self._names and driver.kind in SERIAL_KINDS:  # opened by its row; hotplug names all other readers
            self._names = both_names(driver.reader, self._serial_ports())
        stored = self._stored(driver.reader)
        if isinstance(driver, SupportsEnrolment):
            profile = stored[1].profile if stored is not None else None
            try:
                driver.teach(SHEETS, None if profile is None else json.dumps(profile))
            except DriverError as error:
                self.unusable = UNUSABLE.format(error.came, error.do)
                self._log("a reader's profile cannot be used", reader=driver.reader, error=str(error))
                driver.teach(SHEETS, None)

    def apply_profile(self, driver: Driver, learned: ProfileLearned) -> bool:
        """Apply what the reader has shown of itself, and store its profile if there is one; returns whether it is new."""
        news = not self.identified or self.evidence != learned.evidence or bool(self.unusable)
        self.identified, self.evidence, self.unusable = True, learned.evidence, ""
        if learned.profile is None:
            return news
        profile, stored = json.loads(learned.profile), self._stored(driver.reader)
        if learned.kind != driver.kind and stored is not None and stored[1].profile == profile:
            return False  # the driver returns the stored profile
        try:
            self._profiles.keep(driver.reader, ReaderProfile(profile=profile, words=" ".join(learned.evidence)))
        except OSError as error:
            self._log("a reader's profile cannot be stored", reader=driver.reader, error=str(error))
        return news

    def mark_silent(self) -> None:
        """The device has not answered any probe; from now on it is only listened to."""
        self._silent = True

    def status_line(
        self, kind: str, reader: str, state: str, why: str, evidence: tuple[str, ...], mend: str
    ) -> ReaderStatus:
        """The registry line; `evidence` and `mend` are those of the device policy when the device was plugged in."""
        stored = self._stored(reader)
        if stored is not None:
            mend = FORGET_IT.format(stored[0])
        elif self.evidence and self._listened:
            mend = LEAVE_IT  # it has identified itself as a reader
        elif self._silent:
            mend = AGAIN.format(mend)
        # What the reader has shown replaces the policy's first reason, which was a guess.
        evidence = (*self.evidence, *evidence[1:]) if self.evidence else evidence
        taught = "" if stored is None else stored[1].words or "taught"
        return ReaderStatus(kind, reader, state, why, evidence=evidence, mend=mend, taught=taught)

    def _stored(self, reader: str) -> tuple[str, ReaderProfile] | None:
        return self._profiles.find((reader, *self._names))
