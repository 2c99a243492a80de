"""Driver for contactless cards through PC/SC: pcscd holds the readers and reports each change of a slot.

When a card is put on, its number is read once, then its NDEF message if the card type can have one. A card that flickers at
the edge of the field, or stays while pcscd restarts, is one arrival. The module polls pcscd itself, because the monitoring
threads of pyscard do not survive a restart of pcscd. An ACR122 shows answers with its LED and buzzer.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace

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
from drivers.platform.multi_slot import SEARCH_INTERVAL_S, MultiSlotReader
from drivers.platform.pcsc_devices import HOST, ChosenDevice, PcscHost
from drivers.platform.pcsc_interface import NoReader, PcscCard, PcscReaderState, PcscService, ServiceGone

UNPLUGGED = "was unplugged"
SERVICE_ENDED = "is out of reach: the smart card service pcscd has ended"
_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class PcscTimings:
    """The times of a card reader, in seconds.

    `wait_s`: the longest wait for one change. A `close` just before a wait begins takes effect at its end. `soon_s`: the
    same for `answer_s` after a card, while an answer may have to be shown on the reader: the latest is red after 3 s.

    `ndef_s`: the longest time for reading a card's message; the operator waits for the answer meanwhile. `leave_s`: a card
    that is missing for so long has left. `built_in_s`: a contact card without number that is in the slot so soon after the
    opening is ignored: it is built in.

    `restart_s`: the longest absence of pcscd before its readers count as lost; `retry_s`: the pause between two attempts to
    reach it. `search_interval_s`: the interval of the search for more slots.
    """

    wait_s: float = 1.0
    soon_s: float = 0.1
    answer_s: float = 4.0
    ndef_s: float = 1.0
    leave_s: float = 1.0
    built_in_s: float = 2.0
    restart_s: float = 10.0
    retry_s: float = 0.2
    search_interval_s: float = SEARCH_INTERVAL_S


TIMINGS = PcscTimings()


def open_device(settings: Settings) -> Driver:
    """Open the device that `path` or `match` names, else the first card reader; skip devices that are open already.

    Raises `DriverError`.
    """
    try:
        from drivers.platform.pcsc_adapter import PyscardService

        service = PyscardService()
    except ImportError as error:
        raise missing(package="pyscard", debian="python3-pyscard") from error
    return open_reader(service, settings, PyscardService)


def open_reader(
    service: PcscService,
    settings: Settings,
    another: Callable[[], PcscService] | None = None,
    *,
    host: PcscHost = HOST,
    timings: PcscTimings = TIMINGS,
) -> Driver:
    """As `open_device`, with this service. `another` makes a service for each further slot of the device."""
    try:
        chosen = host.choose(service, settings)
    except DriverError:
        service.close()
        raise
    another = another or (lambda: service)

    def open_slot(service: PcscService, name: str) -> Pcsc:
        return Pcsc(service, name, chosen.reader, at=chosen.at, host=host, timings=timings)

    slots = [open_slot(service, chosen.names[0])]
    if settings.get("alone") or (chosen.at is None and len(chosen.names) == 1):
        return slots[0]
    try:
        for name in chosen.names[1:]:
            further = another()
            further.connect()
            slots.append(open_slot(further, name))
    except ServiceGone as error:
        for slot in slots:
            slot.close()
        host.release(chosen.names)
        raise device_lost(chosen.reader, SERVICE_ENDED) from error

    def open_late_slot() -> list[Pcsc]:
        if chosen.at is None or not chosen.whole:
            return []
        service = another()
        name = _late_slot(service, chosen, host)
        if name is None:
            service.close()
        return [] if name is None else [open_slot(service, name)]

    return MultiSlotReader(chosen.reader, slots, open_late_slot, search_interval_s=timings.search_interval_s)


def _late_slot(service: PcscService, chosen: ChosenDevice, host: PcscHost) -> str | None:
    """Claim a slot of this device that pcscd has found since; None if there is none or pcscd is not running.

    One service serves one slot; the next call claims the next slot.
    """
    with suppress(ServiceGone):
        service.connect()
        new = [name for name in service.readers() if not host.is_claimed(name)]
        same = [device for device in host.devices(service, new) if device.at == chosen.at]
        for name in [name for device in same for name in for_cards(device.slots)]:
            if host.claim((name,)):
                return name
    return None


class Pcsc:
    """One card slot of a reader that pcscd holds. `at`: bus and number of its USB device, None if unknown."""

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
        host: PcscHost = HOST,
        timings: PcscTimings = TIMINGS,
    ) -> None:
        self.reader = reader
        self._at, self._host, self._timings = at, host, timings
        self._service: PcscService = service
        self._name = name
        self._presence = TagPresence(leave_s=timings.leave_s)
        self._card: str | None = None  # the card that is on the reader
        self._has_led = acr122.is_acr122(name)
        self._pending_state: bytes | None = None  # the command that shows the next answer
        self._answer_until_ns = self._built_in_until_ns = 0
        self._handle = hold(self._release)
        self._beep_is_off = not self._has_led or self._control(acr122.BEEP_OFF)

    def _release(self) -> None:
        self._host.release((self._name,))
        self._service.close()

    def record(self, writer: CaptureWriter) -> None:
        """Write every state change and card exchange from now on to a capture."""
        writer.begin(self.kind, self.reader, name=harmless(self._name))
        self._service = CapturingPcsc(self._service, writer)

    def reads(self) -> Iterator[Read | Dropped | TagRemoved]:
        """Each card when it is put on and when it has left.

        A lost reader ends the presence of its card; `close` does not.
        """
        with self._handle.reading():
            try:
                yield from self._cards()
            except DeviceLost:
                yield from self._to_removals(self._presence.all_left())
                raise

    def _cards(self) -> Iterator[Read | Dropped | TagRemoved]:
        known: PcscReaderState | None = None
        while not self._handle.closed:
            if known is None:
                self._built_in_until_ns = self._handle.now_ns() + int(self._timings.built_in_s * _NS)
            try:
                self._show_pending()
                state = self._service.change(self._name, known, self._wait_s())
            except ServiceGone:
                self._await_service()
                known = None
                continue
            except NoReader as error:
                raise self._lost(UNPLUGGED) from error
            # Compare turn and card only: the mark also changes when a program opens the card, this one included.
            if not self._handle.closed and (known is None or (state.turn, state.card) != (known.turn, known.card)):
                yield from self._apply_change(state)
            elif self._card is not None:
                self._presence.stays(self._card, self._handle.now_ns())
            known = state
            yield from self._to_removals(self._presence.quiet(self._handle.now_ns()))

    def show_state(self, state: str) -> None:
        """Show "green", "amber" or "red" on a reader with an LED. May be called from any thread; returns at once.

        The reading thread sends the command between two waits; the reader blocks it for at most `acr122.LONGEST_S`.
        """
        if self._has_led and state in acr122.STATES and not self._handle.closed:
            self._pending_state = acr122.STATES[state]
            self._service.cancel()

    def close(self) -> None:
        """End `reads` and disconnect from pcscd."""
        self._handle.close()
        self._service.cancel()

    def _wait_s(self) -> float:
        soon = self._handle.now_ns() < self._answer_until_ns
        return self._timings.soon_s if soon else self._timings.wait_s

    def _show_pending(self) -> None:
        command, self._pending_state = self._pending_state, None
        if command is None:
            return
        self._answer_until_ns = 0
        if self._card is None or not self._through_card(command):
            self._control(command)

    def _through_card(self, command: bytes) -> bool:
        with suppress(ServiceGone, NoReader), closing(self._service.card(self._name)) as card:
            return acr122.done(card.send(command))
        return False  # the next wait raises the error again

    def _control(self, command: bytes) -> bool:
        with suppress(ServiceGone, NoReader):
            return acr122.done(self._service.control(self._name, command))
        return False

    def _apply_change(self, state: PcscReaderState) -> Iterator[Read | Dropped]:
        if self._card is not None:
            self._presence.stays(self._card, self._handle.now_ns())
        if not state.card:
            self._card = None
            return
        try:
            with closing(self._service.card(self._name)) as card:
                outcome = self._read_card(card, state.atr)
        except (ServiceGone, NoReader):
            return  # the next wait raises the error again
        if outcome is not None:
            yield outcome

    def _read_card(self, card: PcscCard, atr: bytes) -> Read | Dropped | None:
        """Read the card that was put on; None if it was removed, is built in, or has not left since its last read.

        1. Read its number, before anything else: the card may be removed at any moment.
        2. Switch off the beep of an ACR122 that could not be reached without a card.
        3. Register the card as present, and stop if it has been present already.
        4. Read its NDEF message.
        """
        now_ns = self._handle.now_ns()
        response = card.send(GET_UID)
        if response is None:
            self._card = None
            return None
        if not self._beep_is_off:
            self._beep_is_off = acr122.done(card.send(acr122.BEEP_OFF))
        tag = answered(response)
        if not tag.uid and not is_contactless(atr) and now_ns < self._built_in_until_ns:
            self._card = None  # a SAM, or the card that is built into a security token
            return None
        self._card = tag.why or tag.uid
        if not self._presence.seen(self._card, now_ns, silent=tag.why is not None):
            return None
        self._answer_until_ns = now_ns + int(self._timings.answer_s * _NS) if self._has_led else 0
        if tag.why is not None:
            return Dropped(self.kind, self.reader, now_ns, tag.why)
        read = read_of(Scan(tag.uid.encode("ascii"), len(tag.uid), None), self.kind, self.reader, now_ns)
        written = texts_on(card, atr, self._handle.now_ns, self._timings.ndef_s)
        return replace(read, tag=True, texts=written)

    def _to_removals(self, departures: Iterable[TagDeparture]) -> Iterator[TagRemoved]:
        for departure in departures:
            yield gone_of(departure, self.kind, self.reader)

    def _await_service(self) -> None:
        """Wait until pcscd runs again and lists the reader. Raises `DeviceLost` after `restart_s`."""
        until_ns = self._handle.now_ns() + int(self._timings.restart_s * _NS)
        why = SERVICE_ENDED
        while not self._handle.closed and self._handle.now_ns() < until_ns:
            self._handle.wait(timeout_s=self._timings.retry_s)
            try:
                self._service.connect()
                if self._name in self._service.readers() and self._is_ours():
                    # The reader has lost its settings: pcscd powers it up again.
                    self._beep_is_off = not self._has_led or self._control(acr122.BEEP_OFF)
                    return
                why = "was not there any more when the smart card service came back"
            except ServiceGone:
                continue
        if not self._handle.closed:
            raise self._lost(why)

    def _is_ours(self) -> bool:
        """Whether this name still belongs to the same device: pcscd numbers its readers again at each start."""
        return self._at is None or self._service.usb(self._name) in (self._at, None)

    def _lost(self, cause: str) -> DeviceLost:
        return device_lost(self.reader, cause)


def device_lost(reader: str, cause: str) -> DeviceLost:
    """The error for a reader that can no longer be read; `cause` completes the sentence after its name."""
    return DeviceLost(
        f"{reader} {cause}.",
        "Cards are read while it is plugged in and pcscd runs.",
        "Plug it in again, or start pcscd: sudo systemctl start pcscd.socket; it is used again at once.",
    )


def texts_on(card: PcscCard, atr: bytes, now_ns: Callable[[], int], within_s: float) -> tuple[bytes, ...]:
    """The texts in the card's NDEF message; () if there is none, the card is removed, or `within_s` is over."""
    exchange = conversation(atr)
    if exchange is None:
        return ()
    try:
        until_ns = now_ns() + int(within_s * _NS)
        command = next(exchange)
        for _ in range(MAX_COMMANDS):
            answer = card.send(command) if now_ns() < until_ns else None
            if answer is None:
                return ()
            command = exchange.send(answer)
    except StopIteration as end:
        with suppress(ImportError):  # without the NDEF library only the number is read
            return texts(end.value)
    return ()
