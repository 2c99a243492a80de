"""A bench with a reader of every kind at it, plugged in at once and named by nobody."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.drivers.scanners import Typist
from tests.guest.bench import Bench
from tests.guest.hands import Fact, Hands
from tests.guest.image import GuestError
from tests.guest.machine import Machine
from tests.guest.plugged import Plugged, Pos, SerialPort, Wedge
from tests.guest.plugged_by_qemu import CardReader, Rdm6300, Yrm100

TRIES = 3  # on an emulated processor the kernel's buffer for keys may run over; then the light is red
ANSWER_S = 8.0
USABLE_S = 60.0  # nine devices at once in an emulated machine, beside whatever else the host does
HALF = 0xF000  # codes from this number on are those that a reader was reading when it was pulled out


@dataclass(eq=False)
class Seat:
    """A reader and what is expected of it.

    `codes`: its scans, numbered; `shows`: what udev tells last when it is plugged in; `because`: of the verdict on it.
    `spoken_to`: it shows what it is only by its first read.
    """

    what: str
    plugged: Plugged
    codes: str
    shows: str
    because: Sequence[str]
    spoken_to: bool = False
    count: int = 0

    @property
    def reader(self) -> str:
        return self.plugged.reader

    @property
    def states(self) -> tuple[str, ...]:
        """By the station's word it may be scanned with in these."""
        return ("ready", "listening") if self.spoken_to else ("ready",)

    def next_code(self) -> str:
        self.count += 1
        return self.codes.format(self.count)


@dataclass(frozen=True, slots=True)
class Plug:
    """A reader was plugged in, known as `reader`; it may be scanned with in one of these `states`."""

    seat: Seat
    reader: str
    states: tuple[str, ...]
    at_ns: int


@dataclass
class Done:
    """What was done at the bench. Times are the guest's, in ns."""

    plugs: list[Plug] = field(default_factory=list)
    unplugs: int = 0
    scanned: dict[str, str] = field(default_factory=dict)  # code -> the reader that it was scanned with
    again: set[str] = field(default_factory=set)  # codes that no green light came for
    meanwhile: set[str] = field(default_factory=set)  # codes that were scanned while others were pulled and plugged


def seats(hands: Hands, typist: Typist) -> list[Seat]:
    """All readers, each with the sign by which the station takes it."""
    zebra = ("05e0:1200", "Symbol Technologies, Inc, 2008", "Symbol Bar Code Scanner", "SN77")
    honeywell = ("0c2e:0b61", "Honeywell", "Imaging & Mobility", "HW0042")
    nobody = ("1a86:5723", "", "USB Keyboard", "")
    serial = ("05f9:4204", "Datalogic", "Handheld Scanner", "DL7")
    descriptor = "Its report descriptor says that it is a bar code scanner"
    card_reader = "pcsc-Gemalto Gemplus USB SmartCard Reader 433-Swap [CCID Interface] (1-0000:00:06.0-3)"
    return [
        Seat("wedge, Zebra", Wedge(hands, "zebra", "usb-05e0-1200-SN77", 0, *zebra), "ZE-{:04}", "input event",
             ("Its maker makes scanners: 05e0, Symbol, Zebra", "serial number SN77")),
        Seat("wedge, Honeywell", Wedge(hands, "honeywell", "usb-0c2e-0b61-HW0042", 1, *honeywell), "HO-{:04}",
             "input event", ("Its maker makes scanners: 0c2e, Metrologic, Honeywell", "usb 0c2e:0b61")),
        Seat("wedge, nobody's", Wedge(hands, "nobody", "usb-1a86-5723-at-usb-dummy_hcd.2-1", 2, *nobody, typist=typist),
             "Zy-{:04}", "input event", ("It types for the layout de", "no serial number", "taught: "), spoken_to=True),
        Seat("HID POS, by its maker", Pos(hands, "pos", "usb-0c2e-0b87-P1", "0c2e:0b87", "P1", counted=True),
             "PA-{:04}", "hidraw", (descriptor, "usb 0c2e:0b87")),
        Seat("HID POS, by descriptor", Pos(hands, "pos2", "usb-1234-5678-P2", "1234:5678", "P2", counted=False),
             "PB-{:04}", "hidraw", (descriptor, "usb 1234:5678")),
        Seat("serial line", SerialPort(hands, "serial", "usb-05f9-4204-DL7", 3, *serial), "SL-{:04}", "tty",
             ("Its maker makes scanners: 05f9, PSC, Datalogic",)),
        Seat("RFID that answers", Yrm100(hands, "UHF1", 1), "E2801160600002054CC8{:04X}", "tty",
             ("It answers a question as M100 does, at 115200 baud", "usb 0403:6001")),
        Seat("RFID that speaks", Rdm6300(hands, "LF1", 2), "3C00CE{:04X}", "tty",
             ("It sends whole frames by itself as ID-12, RDM6300 does, at 9600 baud", "serial number LF1"), spoken_to=True),
        Seat("card reader", CardReader(hands, "ccid", card_reader, 3), "04A1B2C3D4{:04X}", "usb",
             ("It is a smart card reader (USB class 0B)", "usb 08e6:4433")),
    ]  # fmt: skip


def twin_of_the_zebra(hands: Hands) -> Seat:
    """The same scanner once more, with the same serial number."""
    words = ("05e0:1200", "Symbol Technologies, Inc, 2008", "Symbol Bar Code Scanner", "SN77")
    twin = Wedge(hands, "twin", "usb-05e0-1200-at-usb-dummy_hcd.5-1", 5, *words)
    return Seat("wedge, the Zebra's twin", twin, "TW-{:04}", "input event", ())


class Room:
    """The bench with its readers; `scan` and `pull_in_mid_read` fail where not each of them is answered."""

    def __init__(self, guest: Machine, typist: Typist) -> None:
        self.hands, self.bench, self.done = Hands(guest), Bench(guest), Done()
        self.seats = seats(self.hands, typist)

    def seat(self, what: str) -> Seat:
        return next(each for each in self.seats if each.what == what)

    def plug(self, seats: Sequence[Seat], how: Callable[[Plugged], int]) -> None:
        """Plug these in, by `add` or `plug`."""
        for each in seats:
            self.done.plugs.append(Plug(each, each.reader, each.states, how(each.plugged)))

    def becomes(self, seat: Seat, *states: str, since: int = 0) -> None:
        """Wait until the station says one of these of a reader."""
        said = f"{seat.reader} {' or '.join(states)}"
        self.hands.until(
            lambda fact: fact.get("reader") == seat.reader and fact["state"] in states, since, USABLE_S, said
        )

    def usable(self, seats: Sequence[Seat], since: int = 0) -> None:
        """Wait until these may be scanned with, by the station's word."""
        for each in seats:
            self.becomes(each, *each.states, since=since)

    def scan(self, seats: Sequence[Seat], *, meanwhile: bool = False) -> None:
        """Scan with each of them at the same time, and once more where no green light came, as an operator does."""
        left = list(seats)
        for _ in range(TRIES):
            since, scanned = len(self.hands.facts), [(each, each.next_code()) for each in left]
            for each, code in scanned:
                self.done.scanned[code] = each.reader
                each.plugged.scan(code)
            if meanwhile:
                self.done.meanwhile.update(code for _, code in scanned)
            until = time.monotonic() + ANSWER_S
            unanswered = [(each, code) for each, code in scanned if not self._green(code, since, until)]
            self.done.again.update(code for _, code in unanswered)
            left = [each for each, _ in unanswered]
            if not left:
                return
        msg = f"No green light for {[each.reader for each in left]}\n{self.hands.facts[-30:]}\n{self.bench.log()}"
        raise GuestError(msg)

    def _green(self, code: str, since: int, until: float) -> bool:
        within_s = max(until - time.monotonic(), 0)
        return self.hands.maybe(lambda fact: is_green(fact, code), since, within_s) is not None

    def pull_in_mid_read(self, seats: Sequence[Seat]) -> None:
        """Pull these out, each in the middle of a read, and plug them in again; the others go on."""
        others = [each for each in self.seats if each not in seats]
        since = len(self.hands.facts)
        for each in seats:
            each.plugged.pull_in_mid_read(each.codes.format(HALF + self.done.unplugs))
            self.done.unplugs += 1
        self.scan(others, meanwhile=True)
        for each in seats:
            self.becomes(each, "lost", since=since)
        since = len(self.hands.facts)
        self.plug(seats, lambda plugged: plugged.plug())
        self.scan(others, meanwhile=True)
        self.usable(seats, since)
        self.scan(seats)


def is_green(fact: Fact, code: str) -> bool:
    """Whether this is the green light for this code."""
    answer = fact.get("answer")
    return answer is not None and answer["code"] == code and answer["state"] == "green"
