"""A pupil: what one reader was taught before, what it shows of itself, and the line on the roll that this makes.

A reader is known under the name it was taught under, with and without a twin that claims its serial number.
"""

import json
from collections.abc import Callable

from drivers import Driver, DriverError, ProfileLearned, SupportsEnrolment
from drivers.decode.detect.device_info import both_names
from drivers.decode.detect.device_policy import LEAVE_IT, SERIAL_KINDS
from drivers.platform import serial_ports
from station.core.codes.setup_sheet import sheets
from station.readers.profile_store import ProfileStore, ReaderProfile
from station.readers.registry import ReaderStatus

FORGET_IT = "To have that forgotten: wipline-station readers --forget {}"
UNUSABLE = "What this reader was taught cannot be used: {} {} Then plug it in again; or scan the setup sheet with it."
AGAIN = "Is it a reader that answers questions? Plug it in again while it has power. {}"
SHEETS = sheets()


class Enrolment:
    """One reader. `listened`: nobody knows yet whether it is one; `names`: what it is called with and without a twin."""

    def __init__(
        self, taught: ProfileStore, log: Callable[..., None], names: tuple[str, ...], *, listened: bool
    ) -> None:
        self._taught, self._log, self._listened = taught, log, listened
        self._names = names
        self._silent = False
        self.shown = not listened
        self.evidence: tuple[str, ...] = ()
        self.unusable = ""
        """Why what it was taught cannot be used: read in another way, its codes would be wrong."""

    @property
    def state(self) -> str:
        """How it is while it is open."""
        return "refusing" if self.unusable else "ready" if self.shown else "listening"

    def teach(self, driver: Driver) -> None:
        """Tell it what it was taught before, and what it may be taught by."""
        self.unusable, self._silent = "", False
        if not self._names and driver.kind in SERIAL_KINDS:  # a row's; all others were told when they were plugged in
            self._names = both_names(driver.reader, serial_ports.present())
        lesson = self._lesson(driver.reader)
        if isinstance(driver, SupportsEnrolment):
            profile = lesson[1].profile if lesson is not None else None
            try:
                driver.teach(SHEETS, None if profile is None else json.dumps(profile))
            except DriverError as error:
                self.unusable = UNUSABLE.format(error.came, error.do)
                self._log("what a reader was taught cannot be used", reader=driver.reader, error=str(error))
                driver.teach(SHEETS, None)

    def shows(self, driver: Driver, known: ProfileLearned) -> bool:
        """It has shown what it is, which is kept where there is something to keep; whether that is news."""
        news = not self.shown or self.evidence != known.evidence or bool(self.unusable)
        self.shown, self.evidence, self.unusable = True, known.evidence, ""
        if known.profile is None:
            return news
        profile, before = json.loads(known.profile), self._lesson(driver.reader)
        if known.kind != driver.kind and before is not None and before[1].profile == profile:
            return False  # it says again what it was told
        try:
            self._taught.keep(driver.reader, ReaderProfile(profile=profile, words=" ".join(known.evidence)))
        except OSError as error:
            self._log("what a reader was taught cannot be kept", reader=driver.reader, error=str(error))
        return news

    def is_silent(self) -> None:
        """It has answered nothing so far, and is only heard from now on."""
        self._silent = True

    def line(self, kind: str, name: str, state: str, why: str, evidence: tuple[str, ...], mend: str) -> ReaderStatus:
        """Its line; `evidence` and `mend`: what was thought of it when it was plugged in."""
        lesson = self._lesson(name)
        if lesson is not None:
            mend = FORGET_IT.format(lesson[0])
        elif self.evidence and self._listened:
            mend = LEAVE_IT  # whether it is a reader is no question any more
        elif self._silent:
            mend = AGAIN.format(mend)
        # What it has shown of itself stands in the place of what was thought of it.
        evidence = (*self.evidence, *evidence[1:]) if self.evidence else evidence
        taught = "" if lesson is None else lesson[1].words or "taught"
        return ReaderStatus(kind, name, state, why, evidence=evidence, mend=mend, taught=taught)

    def _lesson(self, name: str) -> tuple[str, ReaderProfile] | None:
        return self._taught.known((name, *self._names))
