"""What the tests of slow signals share: a clock that goes on only while one waits or plays, and answers that come on it."""

from collections.abc import Callable

from station.answers import NOT_RECORDED, Answer, Form, Green, Look, Notice, Red, Why
from station.journal.records import Receipt
from station.signals.tones import RATE, SAMPLE_BYTES
from station.signals.turns import S, Turns

RECEIPT = Receipt(bytes(range(16)), 17, b"h" * 32, 5)


def green(text: str = "saved") -> Green:
    """A scan that is safe."""
    return Green(RECEIPT, Why.SAVED, text)


def amber(text: str = "wait") -> Notice:
    """Something to look at."""
    return Notice(Why.WAIT, text)


def taken(text: str = "SCRAP: scan the sheet") -> Green:
    """A card."""
    return Green(RECEIPT, Why.CARD, text)


def unread(text: str = "no such card") -> Look:
    """A scan that is safe and was not understood."""
    return Look(RECEIPT, Why.NOT_UNDERSTOOD, text)


def stop(text: str = "goes to Deburr first") -> Look:
    """A scan that is safe, of work that should not go on."""
    return Look(RECEIPT, Why.STOP, text)


def red(text: str = NOT_RECORDED) -> Red:
    """A scan that was not recorded."""
    return Red(Why.NOT_SAVED, text)


OF = {
    Form.SAVED: green(), Form.TAKEN: taken(), Form.LOOK: amber(), Form.UNREAD: unread(), Form.STOP: stop(), Form.RED: red(),
}  # fmt: skip


class Room:
    """Answers that arrive at their seconds; `turns` is what the signal under test asks."""

    def __init__(self, *arrivals: tuple[float, Answer]) -> None:
        self._arrivals = sorted(((round(at_s * S), answer) for at_s, answer in arrivals), key=lambda each: each[0])
        self.now_ns = 0
        self.most_waiting = 0
        self.turns = Turns(lambda: self.now_ns, self._pause)

    @property
    def now_s(self) -> float:
        """Seconds since the beginning."""
        return round(self.now_ns / S, 3)

    def go_on(self, seconds: float) -> None:
        """Time passes while the signal plays."""
        until_ns = self.now_ns + round(seconds * S)
        while self._arrivals and self._arrivals[0][0] <= until_ns:
            self._arrive()
        self.now_ns = until_ns

    def shown(self, perform: Callable[[Answer], None]) -> list[tuple[float, Answer]]:
        """Perform all answers, each at its turn; when each began."""
        began = []
        while (answer := self.turns.take()) is not None:
            began.append((self.now_s, answer))
            perform(answer)
        return began

    def _pause(self, seconds: float | None) -> None:
        until_ns = None if seconds is None else self.now_ns + round(seconds * S)
        if self._arrivals and (until_ns is None or self._arrivals[0][0] <= until_ns):
            self._arrive()
        elif until_ns is None:
            self.turns.close()
        else:
            self.now_ns = until_ns

    def _arrive(self) -> None:
        at_ns, answer = self._arrivals.pop(0)
        self.now_ns = max(self.now_ns, at_ns)
        self.turns.arrive(answer)
        self.most_waiting = max(self.most_waiting, len(self.turns._waiting))


class HandSpeaker:
    """A sound device in a test's hand: playing takes its time on the room's clock."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.played = bytearray()
        self.calls: list[str] = []

    def write(self, samples: bytes) -> None:
        """Play."""
        self.played += samples
        self.room.go_on(len(samples) / SAMPLE_BYTES / RATE)

    def cut(self) -> None:
        """Silence."""
        self.calls.append("cut")

    def finish(self) -> None:
        """The end."""
        self.calls.append("finish")

    def close(self) -> None:
        """Gone."""
        self.calls.append("close")


class HandLines:
    """Lamps in a test's hand: every edge with its time."""

    def __init__(self, room: Room, *names: str) -> None:
        self._room, self.names = room, names
        self.edges: list[tuple[float, str, bool]] = []

    def set(self, name: str, on: bool) -> None:
        """An edge."""
        self.edges.append((self._room.now_s, name, on))

    def close(self) -> None:
        """Gone."""
        self.edges.append((self._room.now_s, "closed", False))


class Request:
    """What gpiod gives for lines that were taken, without a chip: what was asked of it, in gpiod's own values."""

    def __init__(self) -> None:
        self.asked: list[object] = []
        self.fails: OSError | None = None

    def set_value(self, line: int, value: object) -> None:
        """One line."""
        if self.fails is not None:
            raise self.fails
        self.asked.append((line, value))

    def set_values(self, values: dict[int, object]) -> None:
        """Several lines."""
        self.asked.append(values)

    def release(self) -> None:
        """The end."""
        self.asked.append("released")
