"""Contactless cards through PC/SC: pcscd holds the readers, and this asks it for every change of one of them.

The number of a card that is put on is read once, then the NDEF message where it can have one; a card that flickers at the
edge of the field, or stays while pcscd is restarted, is one arrival. The loop is our own: the threads of pyscard that could
do this end for ever when pcscd does. An ACR122 is told the answers, to show them with its light and sound.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import replace

from drivers import DeviceLost, Driver, DriverError, Dropped, Read, Settings, TagRemoved, gone_of, missing, read_of
from drivers.capture.recorder import CaptureWriter, CapturingPcsc
from drivers.decode.detect.device_info import harmless
from drivers.decode.scan import Scan
from drivers.decode.tags import acr122
from drivers.decode.tags.ndef import texts
from drivers.decode.tags.nfc_forum import MAX_COMMANDS, conversation
from drivers.decode.tags.pcsc_slots import for_cards, is_contactless
from drivers.decode.tags.presence import TagDeparture, TagPresence
from drivers.decode.tags.smartcard import GET_UID, answered
from drivers.platform.device_handle import DeviceHandle, Hold
from drivers.platform.multi_slot import MultiSlotReader
from drivers.platform.pcsc_devices import ChosenDevice, choose, devices, held
from drivers.platform.pcsc_interface import NoReader, PcscCard, PcscReaderState, PcscService, ServiceGone

WAIT_S = 1.0
"""How long a change is waited for at a time: a `close` in the very moment before a wait goes unheard until its end."""
SOON_S = 0.1
"""The same while an answer is to be shown on the reader."""
ANSWER_S = 4.0
"""An answer comes sooner: red after 3 s is the last."""
NDEF_S = 1.0
"""How long a card's message is read: an operator waits for the light meanwhile."""
RESTART_S = 10.0
"""How long pcscd may be away before its readers count as lost."""
RETRY_S = 0.2
LEAVE_S = 1.0
STOOD_S = 2.0
"""What lies in a reader so soon after the opening, is no contactless card and has no number, was put there by nobody now."""
UNPLUGGED = "was unplugged"
SERVICE_ENDED = "is out of reach: the smart card service pcscd has ended"
_NS = 1_000_000_000


def open_device(settings: Settings) -> Driver:
    """Open the device that `path` or `match` means, else the first that people lay cards on; none that is open here."""
    try:
        from drivers.platform.pcsc_adapter import PyscardService

        service = PyscardService()
    except ImportError as error:
        raise missing(package="pyscard", debian="python3-pyscard") from error
    return opened(service, settings, PyscardService)


def opened(service: PcscService, settings: Settings, another: Callable[[], PcscService] | None = None) -> Driver:
    """The same at this service; each further slot of the device speaks to pcscd through `another`."""
    try:
        chosen = choose(service, settings)
    except DriverError:
        service.close()
        raise
    another = another or (lambda: service)
    slots = [Pcsc(service, chosen.names[0], chosen.reader, at=chosen.at)]
    if settings.get("alone") or (chosen.at is None and len(chosen.names) == 1):
        return slots[0]
    try:
        slots += [_slot(another(), name, chosen) for name in chosen.names[1:]]
    except ServiceGone as error:
        for slot in slots:
            slot.close()
        held.release(chosen.names)
        raise device_lost(chosen.reader, SERVICE_ENDED) from error
    wanting = chosen.at is not None and chosen.whole
    return MultiSlotReader(chosen.reader, slots, lambda: _late(another(), chosen) if wanting else [])


def _slot(service: PcscService, name: str, chosen: ChosenDevice) -> "Pcsc":
    service.connect()
    return Pcsc(service, name, chosen.reader, at=chosen.at)


def _late(service: PcscService, chosen: ChosenDevice) -> list["Pcsc"]:
    """A slot of this device that pcscd has found since; none where there is none, or pcscd is away at this moment."""
    made: list[Pcsc] = []
    with suppress(ServiceGone):
        service.connect()
        new = [name for name in service.readers() if name not in held]
        for name in [name for each in devices(service, new) if each.at == chosen.at for name in for_cards(each.slots)]:
            if not made and held.claim((name,)):  # this service is one slot's: the next one is found at the next look
                made.append(Pcsc(service, name, chosen.reader, at=chosen.at))
    if not made:
        service.close()
    return made


class Pcsc:
    """A slot for cards of a reader that pcscd holds."""

    kind = "pcsc"
    lossless = False

    def __init__(
        self,
        service: PcscService,
        name: str,
        reader: str,
        *,
        at: tuple[int, int] | None = None,
        hold: Hold = DeviceHandle,
    ) -> None:
        self.reader = reader
        self._at = at  # which USB device it is, as far as that is known
        self._service: PcscService = service
        self._name = name
        self._presence = TagPresence(leave_s=LEAVE_S)
        self._on: str | None = None  # the card that is on the reader
        self._shows = acr122.is_acr122(name)
        self._told: bytes | None = None  # what the reader is to show next
        self._answer_until_ns = self._stood_until_ns = 0
        self._held = hold(self._leave)
        self._hushed = not self._shows or self._control(acr122.BEEP_OFF)

    def _leave(self) -> None:
        held.release((self._name,))
        self._service.close()

    def record(self, tape: CaptureWriter) -> None:
        """Write down every change and every card from now on."""
        tape.begin(self.kind, self.reader, name=harmless(self._name))
        self._service = CapturingPcsc(self._service, tape)

    def reads(self) -> Iterator[Read | Dropped | TagRemoved]:
        """Each card when it is put on and when it has left; a lost reader has lost its card, a closed one has not."""
        with self._held.reading():
            try:
                yield from self._cards()
            except DeviceLost:
                yield from self._ends(self._presence.all_left())
                raise

    def _cards(self) -> Iterator[Read | Dropped | TagRemoved]:
        known: PcscReaderState | None = None
        while not self._held.closed:
            if known is None:
                self._stood_until_ns = self._held.now_ns() + int(STOOD_S * _NS)
            try:
                self._show()
                state = self._service.change(self._name, known, self._wait_s())
            except ServiceGone:
                self._await_service()
                known = None
                continue
            except NoReader as error:
                raise self._lost(UNPLUGGED) from error
            # Not the mark: it changes with every program that looks at the card, ourselves among them.
            if not self._held.closed and (known is None or (state.turn, state.card) != (known.turn, known.card)):
                yield from self._changed(state)
            elif self._on is not None:
                self._presence.stays(self._on, self._held.now_ns())
            known = state
            yield from self._ends(self._presence.quiet(self._held.now_ns()))

    def show_state(self, state: str) -> None:
        """Show this answer ("green", "amber", "red") on a reader that can; any thread, back at once.

        The reading thread does it between two waits, and is kept by the reader for at most `acr122.LONGEST_S`.
        """
        if self._shows and state in acr122.TOLD and not self._held.closed:
            self._told = acr122.TOLD[state]
            self._service.cancel()

    def close(self) -> None:
        """End `reads` and leave pcscd."""
        self._held.close()
        self._service.cancel()

    def _wait_s(self) -> float:
        return SOON_S if self._held.now_ns() < self._answer_until_ns else WAIT_S

    def _show(self) -> None:
        told, self._told = self._told, None
        if told is None:
            return
        self._answer_until_ns = 0
        if self._on is None or not self._through_card(told):
            self._control(told)

    def _through_card(self, command: bytes) -> bool:
        with suppress(ServiceGone, NoReader), closing(self._service.card(self._name)) as card:
            return acr122.done(card.send(command))
        return False  # the next wait says so, and what to do

    def _control(self, command: bytes) -> bool:
        with suppress(ServiceGone, NoReader):
            return acr122.done(self._service.control(self._name, command))
        return False

    def _changed(self, state: PcscReaderState) -> Iterator[Read | Dropped]:
        if self._on is not None:
            self._presence.stays(self._on, self._held.now_ns())
        if not state.card:
            self._on = None
            return
        try:
            with closing(self._service.card(self._name)) as card:
                outcome = self._looked_at(card, state.atr)
        except (ServiceGone, NoReader):
            return  # the next wait says so, and what to do
        if outcome is not None:
            yield outcome

    def _looked_at(self, card: PcscCard, atr: bytes) -> Read | Dropped | None:
        now_ns = self._held.now_ns()
        response = card.send(GET_UID)
        if response is None:
            self._on = None
            return None
        if not self._hushed:
            self._hushed = acr122.done(card.send(acr122.BEEP_OFF))
        tag = answered(response)
        if not tag.uid and not is_contactless(atr) and now_ns < self._stood_until_ns:
            self._on = None  # a SAM, or the card that is built into a security token
            return None
        self._on = tag.why or tag.uid
        if not self._presence.seen(self._on, now_ns, silent=tag.why is not None):
            return None
        self._answer_until_ns = now_ns + int(ANSWER_S * _NS) if self._shows else 0
        if tag.why is not None:
            return Dropped(self.kind, self.reader, now_ns, tag.why)
        read = read_of(Scan(tag.uid.encode("ascii"), len(tag.uid), None), self.kind, self.reader, now_ns)
        return replace(read, tag=True, texts=texts_on(card, atr, self._held.now_ns))

    def _ends(self, left: Iterable[TagDeparture]) -> Iterator[TagRemoved]:
        for each in left:
            yield gone_of(each, self.kind, self.reader)

    def _await_service(self) -> None:
        """Wait until pcscd is back and has found the reader again; `DeviceLost` where it stays away."""
        until_ns = self._held.now_ns() + int(RESTART_S * _NS)
        why = SERVICE_ENDED
        while not self._held.closed and self._held.now_ns() < until_ns:
            self._held.wait(timeout_s=RETRY_S)
            try:
                self._service.connect()
                if self._name in self._service.readers() and self._is_ours():
                    self._hushed = not self._shows or self._control(acr122.BEEP_OFF)  # the reader was switched on anew
                    return
                why = "was not there any more when the smart card service came back"
            except ServiceGone:
                continue
        if not self._held.closed:
            raise self._lost(why)

    def _is_ours(self) -> bool:
        """Whether this name is still our device's: pcscd counts its readers anew at each start."""
        return self._at is None or self._service.usb(self._name) in (self._at, None)

    def _lost(self, how: str) -> DeviceLost:
        return device_lost(self.reader, how)


def device_lost(reader: str, how: str) -> DeviceLost:
    """A reader that can be read no more for this reason."""
    return DeviceLost(
        f"{reader} {how}.",
        "Cards are read while it is plugged in and pcscd runs.",
        "Plug it in again, or start pcscd: sudo systemctl start pcscd.socket; it is used again at once.",
    )


def texts_on(card: PcscCard, atr: bytes, now_ns: Callable[[], int]) -> tuple[bytes, ...]:
    """The texts in the card's NDEF message; () where there is none, or card or time end before it."""
    talk = conversation(atr)
    if talk is None:
        return ()
    try:
        until_ns = now_ns() + int(NDEF_S * _NS)
        command = next(talk)
        for _ in range(MAX_COMMANDS):
            answer = card.send(command) if now_ns() < until_ns else None
            if answer is None:
                return ()
            command = talk.send(answer)
    except StopIteration as end:
        with suppress(ImportError):  # without the library a card is its number, as one without a message is
            return texts(end.value)
    return ()
