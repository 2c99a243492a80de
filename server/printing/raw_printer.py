"""Raw printer: labels over TCP (port 9100) to a printer that speaks ZPL, with its status (`~HS`) before and behind them.

1. Connect, and connect again with growing pauses while the printer cannot be reached or gives no status.
2. Ask for the status until the printer is ready: no paper, an open head or a pause is waited for, and named at the end of
   the patience. Nothing was sent until then, so all of this may be repeated.
3. Send AT_ONCE labels, and ask for the status until the printer has taken them. They count as printed then.
4. Where the connection is lost behind the first byte, stop: labels that were sent and not confirmed may be printed or not,
   and the same label twice is worse than a question. The error names them.
"""

import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from station.core.printing import PaperError

PORT = 9100
AT_ONCE = 10  # labels between two questions for the status
CONNECT_S, ANSWER_S, SEND_S = 5.0, 5.0, 30.0
_STATUS = b"~HS"
_MOST_STATUS_BYTES = 1_000
_BLOCKS = 3  # STX ... ETX, in an answer to ~HS
_FIELDS = (12, 11, 2)
_MOST_PAUSE_S = 8.0


class PrinterStatus(NamedTuple):
    """The answer to `~HS`. `waiting`: formats in the buffer and labels of the current one that are not printed yet."""

    paper_out: bool
    paused: bool
    head_open: bool
    ribbon_out: bool
    buffer_full: bool
    waiting: int

    @property
    def trouble(self) -> str:
        """What a person has to do at the printer; empty where it prints."""
        words = {
            "there is no paper": self.paper_out,
            "it is paused": self.paused,
            "its head is open": self.head_open,
            "there is no ribbon": self.ribbon_out,
        }
        return " and ".join(word for word, is_so in words.items() if is_so)


@dataclass(frozen=True)
class Waits:
    """How long to wait, in s. `patience_s`: for a printer that cannot be reached, or that is not ready."""

    connect_s: float = CONNECT_S
    answer_s: float = ANSWER_S
    patience_s: float = 60.0
    pause_s: float = 0.5
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.monotonic


class NoStatus(Exception):
    """The printer gave no complete answer in time."""


def parse_status(answer: bytes) -> PrinterStatus | None:
    r"""The status in an answer to `~HS`; None while it is not complete, or where it is none.

    >>> parse_status(
    ...     b"\x02030,0,0,1245,000,0,0,0,000,0,0,0\x03\r\n\x02000,0,0,0,0,2,4,0,00000000,1,000\x03\r\n\x021234,0\x03\r\n"
    ... ).trouble
    ''
    """
    blocks = [part.partition(b"\x03") for part in answer.split(b"\x02")[1:]]
    if len(blocks) < _BLOCKS or not all(end for _, end, _ in blocks[:_BLOCKS]):
        return None
    first, second, third = ([field.strip() for field in block.split(b",")] for block, _, _ in blocks[:_BLOCKS])
    if any(len(fields) < count for fields, count in zip((first, second, third), _FIELDS, strict=True)):
        return None
    try:
        waiting = int(first[4]) + int(second[8])
    except ValueError:
        return None
    return PrinterStatus(
        paper_out=first[1] == b"1", paused=first[2] == b"1", head_open=second[2] == b"1", ribbon_out=second[3] == b"1",
        buffer_full=first[5] == b"1", waiting=waiting,
    )  # fmt: skip


def print_raw(
    host: str,
    port: int,
    labels: Sequence[bytes],
    waits: Waits = Waits(),
    progress: Callable[[int], None] = lambda _: None,
) -> None:
    """Print these labels. `progress`: called with the number of labels that the printer has taken.

    Raises `PaperError` with the labels that were printed for certain, and those that may be.
    """
    where = f"The printer {host}:{port}"
    sent = confirmed = 0
    with _ready_link(host, port, where, waits) as link:
        try:
            while confirmed < len(labels):
                for label in labels[sent : sent + AT_ONCE]:
                    sent += 1  # before the first byte: a label that is cut may still be printed
                    link.sendall(label)
                _wait_until_taken(link, where, waits)
                confirmed = sent
                progress(confirmed)
        except NoStatus:
            raise _lost(where + " does not answer ~HS", confirmed, sent) from None
        except OSError as error:
            raise _lost(where + f" broke the connection: {error}", confirmed, sent) from error
        except PaperError as error:
            raise _lost(error.came.rstrip("."), confirmed, sent) from None


def _ready_link(host: str, port: int, where: str, waits: Waits) -> socket.socket:
    """A connection to a printer that prints. Raises `PaperError` at the end of the patience."""
    until, pause_s = waits.now() + waits.patience_s, waits.pause_s
    while True:
        link = None
        try:
            link = socket.create_connection((host, port), waits.connect_s)
            status = _status(link, waits)
            trouble = status.trouble or ("its buffer is full" if status.buffer_full else "")
            came, expected = where + f" does not print: {trouble}.", "Expected a printer that is ready."
        except NoStatus:
            # An answer that comes later must not be taken for one to a later question, so this connection ends.
            trouble = "no status"
            came, expected = where + " does not answer ~HS.", "Expected one that speaks ZPL II."
        except OSError as error:
            trouble = "unreachable"
            came, expected = where + f" cannot be reached: {error}.", "Expected a printer that listens there."
        if link is not None and not trouble:
            return link
        if link is not None:
            link.close()
        if waits.now() + pause_s > until:
            raise PaperError(came, expected, "Nothing was sent. See to it, and print again.")
        waits.sleep(pause_s)
        pause_s = min(2 * pause_s, _MOST_PAUSE_S)


def _wait_until_taken(link: socket.socket, where: str, waits: Waits) -> None:
    """Wait until the printer has printed all that it was sent; the patience begins anew with each label that it prints."""
    until, before = waits.now() + waits.patience_s, None
    while (status := _status(link, waits)).waiting or status.trouble:
        if status.waiting != before:
            until, before = waits.now() + waits.patience_s, status.waiting
        elif waits.now() + waits.pause_s > until:
            trouble = status.trouble or f"{status.waiting} labels wait in it"
            came = where + f" does not print: {trouble}."
            raise PaperError(came, "Expected a printer that is ready.", "See to it.")
        waits.sleep(waits.pause_s)


def _status(link: socket.socket, waits: Waits) -> PrinterStatus:
    """Ask for the status. An answer may come in parts, and late. Raises `NoStatus`."""
    link.settimeout(SEND_S)
    link.sendall(_STATUS)
    answer, until = b"", waits.now() + waits.answer_s
    while len(answer) < _MOST_STATUS_BYTES:
        left_s = until - waits.now()
        if left_s <= 0:
            break
        link.settimeout(left_s)
        try:
            part = link.recv(_MOST_STATUS_BYTES)
        except TimeoutError:
            break
        if not part:
            break
        answer += part
        status = parse_status(answer)
        if status is not None:
            link.settimeout(SEND_S)
            return status
    raise NoStatus


def _lost(came: str, confirmed: int, sent: int) -> PaperError:
    printed = f"{confirmed} labels are printed." if confirmed else "No label is known to be printed."
    if sent == confirmed:
        return PaperError(f"{came}.", "Expected it to print.", f"{printed} Print again from label {confirmed + 1}.")
    unsure = f"label {sent}" if sent == confirmed + 1 else f"labels {confirmed + 1} to {sent}"
    do = f"{printed} Look whether {unsure} came out, and print the others again."
    return PaperError(f"{came}.", "Expected it to print.", do)
