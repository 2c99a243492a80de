"""RFID readers on a serial line: which protocol one speaks is found out by asking, and each tag in the field is one arrival.

Every question is harmless: it asks for a version or for the tags in the field, and changes nothing in any reader. Readers of
125 kHz tags speak only by themselves; so a port on which nothing answers is listened to, and asked again now and then until
something was heard. A port that the configuration does not name is taken only when something on it answers.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

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
from drivers.decode.detect.device_info import named
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
from drivers.platform.sheet_listener import ByteSheetDetector, taught

PROTOCOLS: Sequence[TagProtocol] = (EM4100, UHFREADER18, M100, SWNET, PN532)
"""In the order in which they are tried; the one place for a new one."""
ANSWER_S = 0.3
"""A reader that is awake answers sooner; an answer that comes later still counts while others are asked."""
OFTEN = M100
"""The reader that is bought most often is asked before all others, so that it reads as soon as it is plugged in."""
QUICK_S = 0.15
"""So long it has for that: it takes 20 ms. One that is still starting up is asked again in its turn."""
FIRST_LISTEN_S, LONGEST_LISTEN_S = 5.0, 60.0
POLL_S = 0.15
ASK_ROUNDS = 5
"""So often a port that nobody knows is asked, in two and a half minutes; then it is heard, until it is plugged in anew."""
UNANSWERED = (
    f"It has answered none of our questions in {ASK_ROUNDS} rounds, so it is not asked any more, and only listened to."
)
SILENT_S = 5.0
"""A reader that answered and says nothing for so long, though it is asked, has lost its power or been changed."""
WAS_TAUGHT = "It has sent the setup sheet."
_NS = 1_000_000_000


def open_device(settings: Settings) -> Driver:
    """Open the reader at `path`, else the first port fitting `match` on which a reader answers."""
    path = settings.get("path")
    if path:
        return SerialRfid(open_port(path, settings), rounds=ASK_ROUNDS if settings.get("listen") else None)
    match = settings.get("match")
    refused = DriverError(
        came=f"No RFID reader answers on a serial port {match!r}."
        if match
        else "No RFID reader answers on a serial port.",
        expected=f"Expected one that speaks {', '.join(each.name for each in PROTOCOLS if each.query)}.",
        do='Plug it in; one that speaks only by itself (ID-12, RDM6300) must be named: path = "/dev/serial/by-id/...".',
    )
    for facts in present():
        if not named(facts, settings) if match else something_else(facts):
            continue  # what is known to be something else is only asked where it is named
        try:
            reader = SerialRfid(open_port(facts.node, settings))
        except DriverError as error:
            refused = error if match else refused
            continue
        with suppress(DeviceLost):
            if reader.ask():
                return reader
        reader.close()
    raise refused


class SerialRfid:
    """A tag reader at an open port. `protocol` is what it speaks, None until that is known.

    `rounds`: so often it is asked who it is, where it is not known to be a reader; None: until it answers.
    """

    kind = "serial_rfid"
    lossless = False

    def __init__(
        self,
        line: SerialPort,
        protocol: TagProtocol | None = None,
        *,
        rounds: int | None = None,
        hold: Hold = DeviceHandle,
    ) -> None:
        self.reader, self._rounds = line.reader, rounds
        self._line: SerialPort = line
        self._held = hold(line.close)
        self._ear, self._taught = ByteSheetDetector(()), False
        self._begin(protocol)

    def _begin(self, protocol: TagProtocol | None) -> None:
        """Nothing was heard yet."""
        self.protocol = protocol
        self._frames = {each.name: FrameDecoder(each) for each in PROTOCOLS}
        self._seen: deque[TagSighting] = deque(maxlen=MAX_TAGS)
        self._text = SerialLineDecoder()
        self._lesson: ProfileResult | None = None
        self._heard_ns = self._held.now_ns()

    def record(self, tape: CaptureWriter) -> None:
        """Write down what comes from now on; what was asked in opening is asked again, so that its answer is there too."""
        tape.begin(self.kind, self.reader)
        self._line = CapturingSerial(self._line, tape)
        self._begin(None)

    def teach(self, sheets: Sequence[Sequence[str]], profile: str | None) -> None:
        """The setup sheets that may be scanned: what nobody knows yet may be a scanner, and is one that has a `profile`."""
        self._ear, self._taught = ByteSheetDetector(sheets), True
        self._lesson = ProfileResult(taught(profile), (WAS_TAUGHT,)) if profile is not None else None

    def ask(self) -> bool:
        """Ask at each speed in turn who is there; whether a reader has answered. Raises `DeviceLost`."""
        for protocol, for_s in _turns():
            self._line.set_speed(protocol.baud)
            if protocol.query:
                self._line.write(protocol.query)
            self._listen(for_s, until_known=True)
            if self.protocol is not None or self._lesson is not None or self._held.closed:
                return self.protocol is not None
        return False

    def reads(self) -> Iterator[Outcome]:
        """Each tag when it arrives and when it has left; a lost reader has lost its tags, a closed one has not.

        Who has called `teach` is told what reader it is, and as `ProfileLearned` of another kind that it is a scanner.
        """
        with self._held.reading():
            while not self._held.closed:
                if self.protocol is None and self._lesson is None:
                    yield from self._look_for_it()
                if self._lesson is not None:
                    lesson, self._lesson = self._lesson, None
                    yield ProfileLearned(
                        "serial_line", self.reader, self._held.now_ns(), lesson.evidence, text_of(lesson.profile)
                    )
                if self.protocol is not None:
                    if self._taught:
                        yield ProfileLearned(self.kind, self.reader, self._held.now_ns(), (_shown(self.protocol),))
                    self._rounds = None  # it is a reader: one that lost its power is looked for until it has it again
                    yield from self._follow(self.protocol)

    def _look_for_it(self) -> Iterator[ProbeTimeout]:
        """Ask and listen by turns until somebody has shown what it is; no more rounds than may be asked."""
        listen_s, asked = FIRST_LISTEN_S, 0
        while self.protocol is None and self._lesson is None and not self._held.closed:
            if asked == self._rounds:
                yield ProbeTimeout(self.kind, self.reader, self._held.now_ns(), UNANSWERED)
                self._listen(None, until_known=True)
                return
            asked += 1
            if not self.ask() and self._lesson is None:
                self._line.set_speed(EM4100.baud)
                self._listen(listen_s, until_known=True)
                listen_s = min(2 * listen_s, LONGEST_LISTEN_S)

    def close(self) -> None:
        """End `reads` and give the port back."""
        self._held.close()

    @property
    def dropped(self) -> int:
        """Bytes that belonged to no whole frame of the protocol that is spoken."""
        return self._frames[self.protocol.name].dropped if self.protocol else 0

    def _follow(self, protocol: TagProtocol) -> Iterator[Read | Dropped | TagRemoved]:
        """Read a reader until it is closed or falls silent; one that speaks by itself may be silent for ever."""
        presence = TagPresence(leave_s=protocol.leave_s)
        try:
            yield from self._tags(protocol, presence)
        except DeviceLost:
            yield from self._ends(presence.all_left())
            raise
        if not self._held.closed:
            yield from self._ends(presence.all_left())

    def _tags(self, protocol: TagProtocol, presence: TagPresence) -> Iterator[Read | Dropped | TagRemoved]:
        yield from self._arrivals(presence)  # what the first answers told
        self._line.set_speed(protocol.baud)
        if protocol.begin:
            self._line.write(protocol.begin)
            self._listen(POLL_S)
        while not self._held.closed:
            if protocol.poll:
                self._line.write(protocol.poll)
                self._listen(POLL_S)
                if self._held.now_ns() - self._heard_ns > SILENT_S * _NS:
                    self.protocol = None
                    return
            elif not self._hear(self._quiet_s(protocol, presence)):
                self._finish(protocol)
            yield from self._arrivals(presence)

    def _quiet_s(self, protocol: TagProtocol, presence: TagPresence) -> float | None:
        """How long nothing is due: the rest of a frame that has begun, or a tag's leaving; None for ever."""
        if len(self._frames[protocol.name]):
            return ANSWER_S
        due_ns = presence.due_ns()
        return None if due_ns is None else max(due_ns - self._held.now_ns(), 0) / _NS

    def _listen(self, for_s: float | None, *, until_known: bool = False) -> None:
        """Hear what comes for so long, None for ever; no longer than until it is known who speaks, where that is asked."""
        until_ns = None if for_s is None else self._held.now_ns() + int(for_s * _NS)
        while not self._held.closed and (until_ns is None or until_ns > self._held.now_ns()):
            self._hear(None if until_ns is None else (until_ns - self._held.now_ns()) / _NS)
            if until_known and (self.protocol is not None or self._lesson is not None):
                return
        if self.protocol is not None:
            self._finish(self.protocol)

    def _hear(self, for_s: float | None) -> bool:
        """Wait so long for bytes and take them; whether some came."""
        if not self._held.wait(self._line.descriptor, for_s):
            return False
        data = self._line.read()
        if self.protocol is None:
            for sent in self._text.feed(data, self._held.now_ns()):
                heard = self._ear.hears(sent.scan.raw)
                self._lesson = heard if isinstance(heard, ProfileResult) else None
        for protocol in (self.protocol,) if self.protocol else PROTOCOLS:
            for frame in self._frames[protocol.name].feed(data):
                self._take(protocol, frame)
        return True

    def _finish(self, protocol: TagProtocol) -> None:
        """A frame that stopped in the middle is over; what it hid must not wait for the next one."""
        for frame in self._frames[protocol.name].quiet():
            self._take(protocol, frame)

    def _take(self, protocol: TagProtocol, frame: bytes) -> None:
        self._heard_ns = self._held.now_ns()
        if self.protocol is None and protocol.answers(frame):
            self.protocol = protocol
        self._seen.extend(protocol.tags(frame))

    def _arrivals(self, presence: TagPresence) -> Iterator[Read | Dropped | TagRemoved]:
        now_ns = self._held.now_ns()
        yield from self._ends(presence.quiet(now_ns))
        while self._seen and not self._held.closed:
            tag = self._seen.popleft()
            if not presence.seen(tag.why or tag.uid, now_ns, tag.signal_dbm, silent=tag.why is not None):
                continue
            if tag.why is not None:
                yield Dropped(self.kind, self.reader, now_ns, tag.why)
            else:
                scan = Scan(tag.uid.encode("ascii"), len(tag.uid), None)
                yield replace(read_of(scan, self.kind, self.reader, now_ns), tag=True)

    def _ends(self, left: Iterable[TagDeparture]) -> Iterator[TagRemoved]:
        for each in left:
            yield gone_of(each, self.kind, self.reader)


def _turns() -> Iterator[tuple[TagProtocol, float]]:
    """Who is heard or asked, and how long: first who speaks by himself, and is heard for longer when nobody has answered."""
    asked = sorted((each for each in PROTOCOLS if each.query), key=lambda each: each.baud)
    for protocol in PROTOCOLS:
        if not protocol.query:
            yield protocol, QUICK_S
    yield OFTEN, QUICK_S
    for protocol in asked:
        yield protocol, ANSWER_S


def _shown(protocol: TagProtocol) -> str:
    how = "answers a question" if protocol.query else "sends whole frames by itself"
    return f"It {how} as {protocol.name} does, at {protocol.baud} baud."
