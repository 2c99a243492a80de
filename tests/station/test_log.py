"""The station's log: one line an event, whatever was scanned or plugged in."""

import io
from contextlib import redirect_stderr

import pytest

from station.log import MAX_VALUE, line, say

JOURNAL_LINE = 48 * 1024  # bytes that systemd's journal takes as one line


@pytest.mark.parametrize(
    "said", ["one\nready station=forged", "\x1b[2J\x9b\r\x00", "\u202e\u2066", "ä\ud800", "a b'c\""]
)
def test_a_value_is_one_word_of_one_line_in_ascii(said: str) -> None:
    written = line("a reader is ready", reader=said, kind="keyboard")
    assert written.isascii()
    assert written.isprintable()
    assert written == f"a reader is ready reader={said!a} kind=keyboard"


def test_a_long_value_is_cut_and_says_how_long_it_was() -> None:
    assert line("x", code="a" * MAX_VALUE) == f"x code={'a' * MAX_VALUE}"
    assert line("x", code="a" * (MAX_VALUE + 1)) == f"x code='{'a' * MAX_VALUE}... ({MAX_VALUE + 1} characters)'"
    worst = line("x", code="\U0001f4a9" * 5000, raw=b"\xff" * 5000, why="\x00" * 5000)
    assert len(worst) < JOURNAL_LINE


def test_a_log_on_a_full_disk_ends_nothing() -> None:
    class Full(io.StringIO):
        def write(self, _text: str) -> int:
            raise OSError(28, "No space left on device")

    with redirect_stderr(Full()):
        say("the disk is full")
