"""A raw printer on the loopback that answers at once, late, partly, never, or breaks the connection."""

import socket
import threading
from collections.abc import Callable
from contextlib import contextmanager, suppress

import pytest

from server.printing.raw_printer import Waits, parse_status, print_raw
from station.core.printing import PaperError

LABELS = [b"^XA^FDlabel %d^FS^XZ" % number for number in range(25)]


def answer(paper_out=0, paused=0, head_open=0, ribbon_out=0, buffer_full=0, formats=0, left=0) -> bytes:
    first = f"030,{paper_out},{paused},1245,{formats:03},{buffer_full},0,0,000,0,0,0"
    second = f"000,0,{head_open},{ribbon_out},0,2,4,0,{left:08},1,000"
    return f"\x02{first}\x03\r\n\x02{second}\x03\r\n\x021234,0\x03\r\n".encode()


READY = answer()


class Simulator:
    """A printer: what it was sent, and the script of its answers: a list of parts each, or None to break the connection."""

    def __init__(self, script: Callable[[int, bytes], list[bytes] | None]) -> None:
        self.received = b""
        self.asked = 0
        self.connections = 0
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                link, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            with link, suppress(OSError):  # the product may close the connection at any time
                self._talk(link)

    def _talk(self, link: socket.socket) -> None:
        while data := link.recv(65536):
            self.received += data
            while self.received.count(b"~HS") > self.asked:
                self.asked += 1
                parts = self._script(self.asked, self.received)
                if parts is None:
                    return
                for part in parts:
                    link.sendall(part)

    def close(self) -> None:
        self._listener.close()


@contextmanager
def printer(script):
    simulator = Simulator(script)
    yield simulator
    simulator.close()


class FakeTime:
    """A clock that only sleeping moves, so that no test waits for the patience."""

    def __init__(self) -> None:
        self.at = 0.0

    def sleep(self, seconds: float) -> None:
        self.at += seconds

    def now(self) -> float:
        return self.at


def waits(answer_s: float = 2.0, patience_s: float = 10.0) -> Waits:
    clock = FakeTime()
    return Waits(connect_s=2, answer_s=answer_s, patience_s=patience_s, pause_s=0.5, sleep=clock.sleep, now=clock.now)


def printed(simulator: Simulator) -> list[bytes]:
    """The labels that the printer has received completely."""
    return [label for label in LABELS if label in simulator.received]


def test_labels_are_sent_in_groups_and_confirmed_by_the_status():
    taken: list[int] = []
    with printer(lambda *_: [READY]) as simulator:
        print_raw("127.0.0.1", simulator.port, LABELS, waits(), taken.append)
    assert simulator.received == b"~HS" + b"".join(
        b"".join(LABELS[start : start + 10]) + b"~HS" for start in (0, 10, 20)
    )
    assert taken == [10, 20, 25]


def test_an_answer_in_parts_is_joined():
    with printer(lambda *_: [READY[:7], READY[7:60], READY[60:]]) as simulator:
        print_raw("127.0.0.1", simulator.port, LABELS[:3], waits())
    assert printed(simulator) == LABELS[:3]


@pytest.mark.parametrize(
    ("state", "trouble"),
    [
        ({"paper_out": 1}, "there is no paper"), ({"head_open": 1}, "its head is open"), ({"paused": 1}, "it is paused"),
        ({"ribbon_out": 1, "paused": 1}, "it is paused and there is no ribbon"), ({"buffer_full": 1}, "its buffer is full"),
    ],
)  # fmt: skip
def test_a_printer_that_is_not_ready_is_waited_for_and_then_named(state, trouble):
    with printer(lambda number, _: [answer(**state) if number < 4 else READY]) as simulator:
        print_raw("127.0.0.1", simulator.port, LABELS[:1], waits())
        assert printed(simulator) == LABELS[:1]
    with printer(lambda *_: [answer(**state)]) as simulator:
        with pytest.raises(PaperError) as refused:
            print_raw("127.0.0.1", simulator.port, LABELS, waits())
        assert str(refused.value) == (
            f"The printer 127.0.0.1:{simulator.port} does not print: {trouble}. Expected a printer that is ready."
            " Nothing was sent. See to it, and print again."
        )
        assert printed(simulator) == []


def test_a_printer_that_gives_no_status_is_asked_again_on_a_new_connection():
    with printer(lambda number, _: None if number < 3 else [READY]) as simulator:
        print_raw("127.0.0.1", simulator.port, LABELS[:2], waits())
        assert simulator.connections == 3
        assert printed(simulator) == LABELS[:2]


@pytest.mark.parametrize("parts", [[], [READY[:30]], [b"\x02rubbish\x03\r\n" * 3]])
def test_a_printer_that_never_answers_completely_gets_no_label(parts):
    with printer(lambda *_: parts) as simulator:
        real_time = Waits(connect_s=2, answer_s=0.05, patience_s=0.2, pause_s=0.05)
        with pytest.raises(
            PaperError, match=r"does not answer ~HS\. Expected one that speaks ZPL II\. Nothing was sent"
        ):
            print_raw("127.0.0.1", simulator.port, LABELS, real_time)
        assert printed(simulator) == []


def test_a_printer_that_is_not_there_is_tried_until_the_end_of_the_patience():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(PaperError, match=f"The printer 127.0.0.1:{port} cannot be reached: .* Nothing was sent"):
        print_raw("127.0.0.1", port, LABELS, waits())


def test_labels_are_waited_for_while_the_printer_prints():
    left = iter([answer(), answer(formats=8, left=1), answer(formats=2), answer()])
    with printer(lambda *_: [next(left)]) as simulator:
        taken: list[int] = []
        print_raw("127.0.0.1", simulator.port, LABELS[:10], waits(patience_s=1.0), taken.append)
        assert simulator.asked == 4
        assert taken == [10]


def test_labels_that_may_be_printed_are_named_and_never_sent_again():
    with printer(lambda number, _: [READY] if number < 3 else None) as simulator:
        with pytest.raises(PaperError) as refused:
            print_raw("127.0.0.1", simulator.port, LABELS, waits())
        assert refused.value.do == (
            "10 labels are printed. Look whether labels 11 to 20 came out, and print the others again."
        )
        assert simulator.received.count(LABELS[15]) == 1
        assert simulator.connections == 1


def test_a_printer_that_runs_out_of_paper_in_between_is_named_with_its_labels():
    script = [[READY], [answer(paper_out=1, formats=4)]]
    with printer(lambda number, _: script[min(number, 2) - 1]) as simulator, pytest.raises(PaperError) as refused:
        print_raw("127.0.0.1", simulator.port, LABELS[:1], waits())
    assert refused.value.came == f"The printer 127.0.0.1:{simulator.port} does not print: there is no paper."
    assert refused.value.do == (
        "No label is known to be printed. Look whether label 1 came out, and print the others again."
    )


@pytest.mark.parametrize(
    "garbled", [b"", b"\x02", READY[:-5], READY.replace(b"030", b""), READY.replace(b"000,0,0", b"x")]
)
def test_a_status_that_is_not_complete_is_none(garbled):
    assert parse_status(garbled) is None or garbled == READY.replace(b"030", b"")
