"""Contactless cards through PC/SC: pcscd holds the readers, and this asks it for every change of one of them.

The number of a card that is put on is read once; a card that flickers at the edge of the field, or stays while pcscd is
restarted, is one arrival. The loop is our own: the threads of pyscard that could do this end for ever when pcscd does.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from drivers import DeviceLost, Driver, DriverError, Dropped, Read, Settings, boot_ns, missing, read_of
from drivers.decode.plugged import harmless
from drivers.decode.presence import Presence
from drivers.decode.scan import Scan
from drivers.decode.smartcard import GET_UID, answered
from drivers.held import Held

WAIT_S = 1.0
"""How long a change is waited for at a time: a `close` in the very moment before a wait goes unheard until its end."""
RESTART_S = 10.0
"""How long pcscd may be away before its readers count as lost."""
RETRY_S = 0.2
LEAVE_S = 1.0
UNPLUGGED = "was unplugged"
_NS = 1_000_000_000


class ServiceGone(Exception):
    """pcscd is not running, or has ended."""


class NoReader(Exception):
    """pcscd knows no reader of this name (any more)."""


@dataclass(frozen=True, slots=True)
class State:
    """A reader as pcscd sees it: `mark` is pcscd's, shown again to learn of the next change; `turn` counts cards."""

    mark: int
    turn: int
    card: bool


class Service(Protocol):
    """What is asked of pcscd; each call raises `ServiceGone` or `NoReader`."""

    def connect(self) -> None:
        """Speak to pcscd, anew if we did before."""

    def readers(self) -> list[str]:
        """The names of all readers."""
        ...

    def change(self, reader: str, known: State | None, timeout_s: float) -> State:
        """The reader's state once it differs from the known one, or when the time is over or `cancel` was called."""
        ...

    def ask(self, reader: str, command: bytes) -> bytes | None:
        """What the card answers, b"" where it says nothing, None where it was taken away."""
        ...

    def cancel(self) -> None:
        """End a `change` that another thread waits in."""

    def close(self) -> None:
        """Leave pcscd."""


def open_device(settings: Settings) -> Driver:
    """Open the first PC/SC reader of which `match` is a part of the name, else the first there is."""
    try:
        from drivers.scard import Scard

        service = Scard()
    except ImportError as error:
        raise missing(package="pyscard", debian="python3-pyscard") from error
    return opened(service, settings)


def opened(service: Service, settings: Settings) -> "Pcsc":
    """The same at this service."""
    match = settings.get("match") or ""
    try:
        service.connect()
        there = service.readers()
    except ServiceGone as error:
        raise DriverError(
            came="The smart card service pcscd is not running here.",
            expected="Readers of kind 'pcsc' are reached through it.",
            do="Install and start it: sudo apt-get install pcscd, then sudo systemctl enable --now pcscd.socket",
        ) from error
    for name in there:
        if match.casefold() in name.casefold():
            return Pcsc(service, name, lasting_name(name, there))
    service.close()
    raise DriverError(
        came=f"No smart card reader {match!r} is plugged in." if match else "No smart card reader is plugged in.",
        expected=f"pcscd knows these: {', '.join(there)}." if there else "pcscd knows none.",
        do="Plug it in, or correct match; `pcsc_scan` shows what pcscd sees.",
    )


def lasting_name(name: str, there: list[str]) -> str:
    """The name by which a reader is known again: without pcscd's count of readers, where no twin needs it.

    >>> lasting_name("ACS ACR122U PICC Interface 01 00", ["ACS ACR122U PICC Interface 01 00"])
    'pcsc-ACS ACR122U PICC Interface'
    """
    short = _short(name)
    return harmless(f"pcsc-{name if [_short(each) for each in there].count(short) > 1 else short}")


def _short(name: str) -> str:
    head, _, tail = name.rpartition(" ")
    head, _, count = head.rpartition(" ")
    return head if head and all(len(each) == 2 for each in (count, tail)) else name


class Pcsc:
    """A reader of contactless cards that pcscd holds."""

    kind = "pcsc"
    lossless = False

    def __init__(self, service: Service, name: str, reader: str) -> None:
        self.reader = reader
        self._service = service
        self._name = name
        self._presence = Presence(leave_s=LEAVE_S)
        self._on: str | None = None  # the card that is on the reader
        self._held = Held(service.close)

    def reads(self) -> Iterator[Read | Dropped]:
        """Each card when it is put on."""
        known: State | None = None
        with self._held.reading():
            while not self._held.closed:
                try:
                    state = self._service.change(self._name, known, WAIT_S)
                except ServiceGone:
                    self._await_service()
                    known = None
                    continue
                except NoReader as error:
                    raise self._lost(UNPLUGGED) from error
                # Not the mark: it changes with every program that looks at the card, ourselves among them.
                if not self._held.closed and (known is None or (state.turn, state.card) != (known.turn, known.card)):
                    yield from self._changed(state)
                known = state

    def close(self) -> None:
        """End `reads` and leave pcscd."""
        self._held.close()
        self._service.cancel()

    def _changed(self, state: State) -> Iterator[Read | Dropped]:
        now_ns = boot_ns()
        if self._on is not None:
            self._presence.seen(self._on, now_ns)  # it lay there until now
        if not state.card:
            self._on = None
            return
        try:
            response = self._service.ask(self._name, GET_UID)
        except (ServiceGone, NoReader):
            return  # the next wait says so, and what to do
        if response is None:
            self._on = None
            return
        tag = answered(response)
        self._on = tag.why or tag.uid
        if not self._presence.seen(self._on, now_ns):
            return
        if tag.why is not None:
            yield Dropped(self.kind, self.reader, now_ns, tag.why)
        else:
            yield read_of(Scan(tag.uid.encode("ascii"), len(tag.uid), None), self.kind, self.reader, now_ns)

    def _await_service(self) -> None:
        """Wait until pcscd is back and has found the reader again; `DeviceLost` where it stays away."""
        until_ns = boot_ns() + int(RESTART_S * _NS)
        why = "is out of reach: the smart card service pcscd has ended"
        while not self._held.closed and boot_ns() < until_ns:
            self._held.wait(timeout_s=RETRY_S)
            try:
                self._service.connect()
                if self._name in self._service.readers():
                    return
                why = "was not there any more when the smart card service came back"
            except ServiceGone:
                continue
        if not self._held.closed:
            raise self._lost(why)

    def _lost(self, how: str) -> DeviceLost:
        return DeviceLost(
            f"{self.reader} {how}.",
            "Cards are read while it is plugged in and pcscd runs.",
            "Plug it in again, or start pcscd: sudo systemctl start pcscd.socket; it is used again at once.",
        )
