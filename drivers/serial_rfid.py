"""Driver for RFID readers on a serial line. It probes for the protocol, and reports each tag in the field as one arrival.

A probe requests a version or the tags in the field, and changes no setting of any reader. Readers of 125 kHz tags answer no
probe, and send frames unprompted. So the driver alternates between probing and listening until a protocol is identified. A
port that the configuration does not name is used only if a reader on it answers.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from drivers import (
    DeviceLost,
    Driver,
    DriverError,
    Dropped,
    Outcome,
    ProbeTimeout,
    ProfileLearned,
    Read,
    Settings,
    TagRemoved,
    gone_of,
    read_of,
)  # fmt: skip
from drivers.capture.recorder import CaptureWriter, CapturingSerial
from drivers.decode.detect.device_info import DeviceInfo, named
from drivers.decode.detect.device_policy import something_else
from drivers.decode.keyboard.profile import text_of
from drivers.decode.scan import Scan
from drivers.decode.serial.em4100 import EM4100
from drivers.decode.serial.framing import FrameDecoder, TagProtocol, TagSighting
from drivers.decode.serial.m100 import M100
from drivers.decode.serial.pn532 import PN532
from drivers.decode.serial.serial_lines import SerialLineDecoder
from drivers.decode.serial.swnet import SWNET
from drivers.decode.serial.uhfreader18 import UHFREADER18
from drivers.decode.setup_sheet.sheet_detector import ProfileResult
from drivers.decode.tags.presence import MAX_TAGS, TagDeparture, TagPresence
from drivers.platform.device_handle import DeviceHandle, Hold
from drivers.platform.serial_ports import SerialPort, open_port, present
from drivers.platform.sheet_listener import ByteSheetDetector, read_profile_setting

PROTOCOLS: Sequence[TagProtocol] = (EM4100, UHFREADER18, M100, SWNET, PN532)
"""All protocols, in the order in which they are tried. A new protocol is added here."""
COMMONEST = M100
"""The commonest protocol is probed first, so that such a reader works as soon as it is plugged in."""
ASK_ROUNDS = 5
"""Rounds of probing on an unknown port, in 2.5 minutes. After them the driver only listens, until it is opened again."""
UNANSWERED = (
    f"It has answered none of our questions in {ASK_ROUNDS} rounds, so it is not asked any more, and only listened to."
)
SHEET_EVIDENCE = "It has sent the setup sheet."
_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class SerialRfidTimings:
    """The times of a tag reader on a serial line, in seconds.

    `answer_s`: the time to wait for an answer to a probe. A later answer still counts while other protocols are probed.
    `quick_s`: the same for the commonest protocol, whose answer takes 20 ms. A reader that is still starting is probed again
    in its turn. `first_listen_s`: the time to listen after the first round of probing; it doubles up to `longest_listen_s`.

    `poll_s`: the time to wait for the answer to a poll. `silent_s`: a polled reader that is silent for so long has lost its
    power or has been replaced.
    """

    answer_s: float = 0.3
    quick_s: float = 0.15
    first_listen_s: float = 5.0
    longest_listen_s: float = 60.0
    poll_s: float = 0.15
    silent_s: float = 5.0


TIMINGS = SerialRfidTimings()


def open_device(settings: Settings, timings: SerialRfidTimings = TIMINGS) -> Driver:
    """Open the reader at `path`, else the first port that `match` names and on which a reader answers.

    Raises `DriverError`.
    """
    path = settings.get("path")
    if path:
        rounds = ASK_ROUNDS if settings.get("listen") else None
        return SerialRfid(open_port(path, settings), rounds=rounds, timings=timings)
    return open_answering(present(), settings, timings=timings)


def open_answering(
    ports: Iterable[DeviceInfo],
    settings: Settings,
    *,
    open_port: Callable[[str, Settings], SerialPort] = open_port,
    timings: SerialRfidTimings = TIMINGS,
) -> "SerialRfid":
    """Open the first of these ports that `match` names and on which a reader answers. Raises `DriverError`."""
    match = settings.get("match")
    refusal = DriverError(
        came=f"No RFID reader answers on a serial port {match!r}."
        if match
        else "No RFID reader answers on a serial port.",
        expected=f"Expected one that speaks {', '.join(protocol.name for protocol in PROTOCOLS if protocol.query)}.",
        do='Plug it in; one that speaks only by itself (ID-12, RDM6300) must be named: path = "/dev/serial/by-id/...".',
    )
    for info in ports:
        if not named(info, settings) if match else something_else(info):
            continue  # a device known to be no reader is probed only if it is named
        try:
            reader = SerialRfid(open_port(info.node, settings), timings=timings)
        except DriverError as error:
            refusal = error if match else refusal
            continue
        with suppress(DeviceLost):
            if reader.probe():
                return reader
        reader.close()
    raise refusal


class SerialRfid:
    """A tag reader at an open port. `protocol` is None until it is identified.

    `rounds`: the most rounds of probing, for a device that may be no reader; None: probe until it answers.
    """

    kind = "serial_rfid"
    lossless = False

    def __init__(
        self,
        port: SerialPort,
        protocol: TagProtocol | None = None,
        *,
        rounds: int | None = None,
        hold: Hold = DeviceHandle,
        timings: SerialRfidTimings = TIMINGS,
    ) -> None:
        self.reader, self._rounds, self._timings = port.reader, rounds, timings
        self._port: SerialPort = port
        self._handle = hold(port.close)
        self._sheet_detector, self._enrolling = ByteSheetDetector(()), False
        self._reset(protocol)

    def _reset(self, protocol: TagProtocol | None) -> None:
        """Forget everything received so far."""
        self.protocol = protocol
        self._frames = {known.name: FrameDecoder(known) for known in PROTOCOLS}
        self._sightings: deque[TagSighting] = deque(maxlen=MAX_TAGS)
        self._text = SerialLineDecoder()
        self._learned: ProfileResult | None = None
        self._last_frame_ns = self._handle.now_ns()

    def record(self, writer: CaptureWriter) -> None:
        """Write everything from now on to a capture. Probing starts again, so that the capture contains its answers."""
        writer.begin(self.kind, self.reader)
        self._port = CapturingSerial(self._port, writer)
        self._reset(None)

    def teach(self, sheets: Sequence[Sequence[str]], profile: str | None) -> None:
        """Set the setup sheets to recognise: an unknown device may be a scanner. With a `profile` it is one.

        Raises `DriverError`.
        """
        self._sheet_detector, self._enrolling = ByteSheetDetector(sheets), True
        self._learned = ProfileResult(read_profile_setting(profile), (SHEET_EVIDENCE,)) if profile is not None else None

    def probe(self) -> bool:
        """Probe for each protocol at its speed; whether a reader has answered. Raises `DeviceLost`."""
        for protocol, for_s in _probes(self._timings):
            self._port.set_speed(protocol.baud)
            if protocol.query:
                self._port.write(protocol.query)
            self._listen(for_s, until_identified=True)
            if self._identified or self._handle.closed:
                return self.protocol is not None
        return False

    @property
    def _identified(self) -> bool:
        return self.protocol is not None or self._learned is not None

    def reads(self) -> Iterator[Outcome]:
        """Each tag when it arrives and when it has left. A lost reader ends the presence of its tags; `close` does not.

        After `teach`, a `ProfileLearned` reports the identified protocol, or, with kind `serial_line`, that the device is a
        scanner.
        """
        with self._handle.reading():
            while not self._handle.closed:
                if not self._identified:
                    yield from self._identify()
                if self._learned is not None:
                    learned, self._learned = self._learned, None
                    yield ProfileLearned(
                        "serial_line", self.reader, self._handle.now_ns(), learned.evidence, text_of(learned.profile)
                    )
                if self.protocol is not None:
                    if self._enrolling:
                        evidence = (_evidence(self.protocol),)
                        yield ProfileLearned(self.kind, self.reader, self._handle.now_ns(), evidence)
                    self._rounds = None  # a known reader that has lost its power is probed until it answers again
                    yield from self._read_tags(self.protocol)

    def _identify(self) -> Iterator[ProbeTimeout]:
        """Probe and listen in turn until the device is identified; after `rounds` rounds only listen."""
        listen_s, rounds = self._timings.first_listen_s, 0
        while not self._identified and not self._handle.closed:
            if rounds == self._rounds:
                yield ProbeTimeout(self.kind, self.reader, self._handle.now_ns(), UNANSWERED)
                self._listen(None, until_identified=True)
                return
            rounds += 1
            if not self.probe() and self._learned is None:
                self._port.set_speed(EM4100.baud)
                self._listen(listen_s, until_identified=True)
                listen_s = min(2 * listen_s, self._timings.longest_listen_s)

    def close(self) -> None:
        """End `reads` and close the port."""
        self._handle.close()

    @property
    def dropped(self) -> int:
        """Bytes that belong to no whole frame of the identified protocol."""
        return self._frames[self.protocol.name].dropped if self.protocol else 0

    def _read_tags(self, protocol: TagProtocol) -> Iterator[Read | Dropped | TagRemoved]:
        """Read tags until `close`, a loss, or the silence of a polled reader; then end the presence of all tags."""
        presence = TagPresence(leave_s=protocol.leave_s)
        try:
            yield from self._poll_tags(protocol, presence)
        except DeviceLost:
            yield from self._to_removals(presence.all_left())
            raise
        if not self._handle.closed:
            yield from self._to_removals(presence.all_left())

    def _poll_tags(self, protocol: TagProtocol, presence: TagPresence) -> Iterator[Read | Dropped | TagRemoved]:
        yield from self._to_outcomes(presence)  # tags in the answers to the probe
        self._port.set_speed(protocol.baud)
        if protocol.begin:
            self._port.write(protocol.begin)
            self._listen(self._timings.poll_s)
        while not self._handle.closed:
            if protocol.poll:
                self._port.write(protocol.poll)
                self._listen(self._timings.poll_s)
                if self._handle.now_ns() - self._last_frame_ns > self._timings.silent_s * _NS:
                    self.protocol = None
                    return
            elif not self._receive(self._quiet_s(protocol, presence)):
                self._flush(protocol)
            yield from self._to_outcomes(presence)

    def _quiet_s(self, protocol: TagProtocol, presence: TagPresence) -> float | None:
        """Seconds until a frame that has begun is given up, or a tag has left; None if neither is due."""
        if len(self._frames[protocol.name]):
            return self._timings.answer_s
        due_ns = presence.due_ns()
        return None if due_ns is None else max(due_ns - self._handle.now_ns(), 0) / _NS

    def _listen(self, for_s: float | None, *, until_identified: bool = False) -> None:
        """Receive data for this time (None: until `close`), or until the device is identified, if that is requested."""
        until_ns = None if for_s is None else self._handle.now_ns() + int(for_s * _NS)
        while not self._handle.closed and (until_ns is None or until_ns > self._handle.now_ns()):
            self._receive(None if until_ns is None else (until_ns - self._handle.now_ns()) / _NS)
            if until_identified and self._identified:
                return
        if self.protocol is not None:
            self._flush(self.protocol)

    def _receive(self, for_s: float | None) -> bool:
        """Wait for data and decode it; False if none came in time.

        While the protocol is unknown, the data goes to the decoders of all protocols, and to the detector of the setup
        sheet.
        """
        if not self._handle.wait(self._port.descriptor, for_s):
            return False
        data = self._port.read()
        if self.protocol is None:
            for sent in self._text.feed(data, self._handle.now_ns()):
                result = self._sheet_detector.detect(sent.scan.raw)
                self._learned = result if isinstance(result, ProfileResult) else None
        for protocol in (self.protocol,) if self.protocol else PROTOCOLS:
            for frame in self._frames[protocol.name].feed(data):
                self._process_frame(protocol, frame)
        return True

    def _flush(self, protocol: TagProtocol) -> None:
        """Give up a frame that stopped in the middle, and process whole frames inside it now, before more data comes."""
        for frame in self._frames[protocol.name].quiet():
            self._process_frame(protocol, frame)

    def _process_frame(self, protocol: TagProtocol, frame: bytes) -> None:
        self._last_frame_ns = self._handle.now_ns()
        if self.protocol is None and protocol.answers(frame):
            self.protocol = protocol
        self._sightings.extend(protocol.tags(frame))

    def _to_outcomes(self, presence: TagPresence) -> Iterator[Read | Dropped | TagRemoved]:
        """Tags that have left, then tags that have arrived."""
        now_ns = self._handle.now_ns()
        yield from self._to_removals(presence.quiet(now_ns))
        while self._sightings and not self._handle.closed:
            tag = self._sightings.popleft()
            if not presence.seen(tag.why or tag.uid, now_ns, tag.signal_dbm, silent=tag.why is not None):
                continue
            if tag.why is not None:
                yield Dropped(self.kind, self.reader, now_ns, tag.why)
            else:
                scan = Scan(tag.uid.encode("ascii"), len(tag.uid), None)
                yield replace(read_of(scan, self.kind, self.reader, now_ns), tag=True)

    def _to_removals(self, departures: Iterable[TagDeparture]) -> Iterator[TagRemoved]:
        for departure in departures:
            yield gone_of(departure, self.kind, self.reader)


def _probes(timings: SerialRfidTimings) -> Iterator[tuple[TagProtocol, float]]:
    """The protocols of one round of probing, each with the time to listen in seconds.

    1. Protocols without a query are listened to for a short time; between rounds they are listened to for longer.
    2. The commonest protocol.
    3. All protocols with a query, by speed, because a change of speed discards data.
    """
    queried = sorted((protocol for protocol in PROTOCOLS if protocol.query), key=lambda protocol: protocol.baud)
    for protocol in PROTOCOLS:
        if not protocol.query:
            yield protocol, timings.quick_s
    yield COMMONEST, timings.quick_s
    for protocol in queried:
        yield protocol, timings.answer_s


def _evidence(protocol: TagProtocol) -> str:
    sign = "answers a question" if protocol.query else "sends whole frames by itself"
    return f"It {sign} as {protocol.name} does, at {protocol.baud} baud."
