"""Long work shows what is done and left: one rewritten line on a terminal, else a plain line every few seconds."""

import io

import pytest

from station.system.progress import Interrupted, Meter, Progress, TerminalLine, terminal_progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def run(stream: io.StringIO, seconds: int) -> str:
    """Work of eight steps a second for this long; returns what the stream then has."""
    clock, line = Clock(), TerminalLine(stream)
    meter = Meter("Rebuild", "event", line, now_s=clock)
    for step in range(1, 8 * seconds + 1):
        clock.now_s = step / 8
        meter(step, 200)
    line.clear()
    return stream.getvalue()


def test_a_plain_line_is_written_every_five_seconds() -> None:
    assert run(io.StringIO(), 12) == (
        "Rebuild: 40 of 200 events, 8 a second, 20 s left.\nRebuild: 80 of 200 events, 8 a second, 15 s left.\n"
    )


def test_short_work_leaves_no_plain_line() -> None:
    assert run(io.StringIO(), 4) == ""


def test_on_a_terminal_one_line_is_rewritten_and_removed_at_the_end() -> None:
    written = run(Terminal(), 2)
    assert "\n" not in written
    lines = written.split("\r\x1b[K")
    assert lines[0] == lines[-1] == ""
    assert lines[-2] == "Rebuild: 16 of 200 events, 8 a second, 23 s left"


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (Progress("Backup", "page", 0, 10, 0.1), "Backup: 0 of 10 pages, after 0 s"),
        (Progress("Backup", "page", 1, 10, 40.0), "Backup: 1 of 10 pages, 1.5 a minute, 6 min left"),
        (Progress("Import", "entry", 1, 1, 3.0), "Import: 1 of 1 entry"),
        (Progress("Import", "entry", 3, None, 3.0), "Import: 3 entries, after 3 s"),
    ],
)
def test_a_progress_is_one_line(progress: Progress, text: str) -> None:
    assert progress.text == text


def test_an_interrupt_clears_the_line_and_says_what_it_leaves() -> None:
    stream = Terminal()
    with (
        pytest.raises(Interrupted, match=r"^Rebuild interrupted\. Nothing was changed\.$"),
        terminal_progress("Rebuild", "Nothing was changed.", stream),
    ):
        raise KeyboardInterrupt
    assert stream.getvalue() == ""
