"""How a station answers: lines for programs, a screen for people, and a voice that nothing can hold up."""

import os
import pty
import threading
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from waiting import until

from station.config import GpioLinesConfig
from station.config import OutputConfig as Row
from station.feedback.dispatcher import FeedbackDispatcher
from station.feedback.messages import NOT_RECORDED, Answer, AnswerText, Green, Look, Notice, Reason, Red, State
from station.feedback.outputs import OutputError, gpio, kinds, open_output
from station.feedback.outputs.block_font import GLYPHS, HEIGHT, big, fits
from station.feedback.outputs.idle_state import IdleState
from station.feedback.outputs.screen import HEADLINES, cells, screen
from station.journal.records import Receipt
from station.system.clock import boot_ns
from tests.station.fixtures.slow_outputs import Request

PICTURES = Path(__file__).parents[3] / "docs" / "console"
RECEIPT = Receipt(bytes(range(16)), 17, b"h" * 32, 5)
IDLE = IdleState(
    station="saw-1", stage="Saw", operator="A. Kim", hub="hub ok", clock="14:05:32",
    nexts=("WO-1042  bracket  40", "WO-1077  lever  12", "WO-1080  bracket  100"),
)  # fmt: skip
AWAY = IdleState(station="saw-1", stage="Saw", operator="A. Kim", hub="hub away", waiting=212, clock="14:05:32")
NEVER = IdleState(
    station="saw-1", hub="hub never reached", clock="00:00:12", notes=("restarted: sign in and scan cards again",)
)
ITEM = AnswerText(item="WO-1042")

SCREENS: dict[str, tuple[Answer | IdleState, IdleState]] = {
    "idle": (IDLE, IDLE),
    "idle-never-reached": (NEVER, NEVER),
    "idle-card-armed": (
        IdleState(station="saw-1", stage="Saw", armed="SCRAP 2", armed_reason="Burr left", hub="hub ok"), IDLE,
    ),
    "saved": (
        Green(RECEIPT, Reason.SAVED, "x", "WO-1042", AnswerText(item="WO-1042", advice="-> Deburr next")),
        IDLE,
    ),
    "saved-scrap": (
        Green(RECEIPT, Reason.SAVED, "x", "WO-1042",
              AnswerText(item="WO-1042", action="SCRAP 5", detail="Burr left", advice="-> Deburr next")), IDLE,
    ),
    "look": (
        Look(RECEIPT, Reason.LOOK, "x", "WO-1077", AnswerText(item="WO-1077", detail="goes to Test first")), AWAY,
    ),
    "stop": (
        Look(RECEIPT, Reason.STOP, "x", "WO-1077", AnswerText(item="WO-1077", detail="goes to Test first")), IDLE,
    ),
    "repeat": (
        Look(RECEIPT, Reason.REPEAT, "x", "WO-1042",
             AnswerText(item="WO-1042", detail="already saved: WO-1042. Another one? Card MORE, then scan")), IDLE,
    ),
    "ask": (
        Look(RECEIPT, Reason.ASK, "x", "WO-1042",
             AnswerText(item="WO-1042", action="SCRAP 1",
                        detail="1 counted: WO-1042 SCRAP. More? UNDO, then SCRAP, QTY and the sheet")), IDLE,
    ),
    "card": (
        Green(RECEIPT, Reason.CARD, "x", "WIP:SCRAP", AnswerText(item="SCRAP", detail="SCRAP: scan the sheet")), IDLE,
    ),
    "card-forgotten": (Notice(Reason.CARD, "card forgotten: SCRAP"), IDLE),
    "not-understood": (
        Look(RECEIPT, Reason.NOT_UNDERSTOOD, "not understood: no such card", "WIP:PAUSE",
             AnswerText(item="WIP:PAUSE", detail="not understood: no such card")), IDLE,
    ),
    "wait": (Notice(Reason.WAIT, "wait", "WO-1042"), IDLE),
    "red": (Red(Reason.NOT_SAVED, NOT_RECORDED), AWAY),
}  # fmt: skip


@pytest.mark.parametrize("name", SCREENS)
def test_each_state_looks_as_its_picture_in_the_manual(name: str) -> None:
    news, idle = SCREENS[name]
    drawn = screen(news, idle)
    picture = PICTURES / f"{name}.txt"
    if os.environ.get("DRAW") == "1":  # a person looks at the new picture before it is kept
        picture.write_text("\n".join(drawn) + "\n", encoding="utf-8")
    assert drawn == picture.read_text(encoding="utf-8").split("\n")[:-1]
    assert len(drawn) == 25
    assert all(cells(row) <= 80 for row in drawn)


def test_every_picture_in_the_manual_is_drawn() -> None:
    assert {path.stem for path in PICTURES.glob("*.txt")} == set(SCREENS)


def test_every_why_has_a_headline_and_every_letter_five_rows() -> None:
    assert set(HEADLINES) == set(Reason)
    assert all(len(glyph) == HEIGHT and {len(row) for row in glyph} == {5} for glyph in GLYPHS.values())


def test_letters_without_a_glyph_are_text_and_not_boxes() -> None:
    assert not fits("Fräsen", 80)
    assert fits("straße".replace("ß", "ss"), 80)
    rows = screen(Green(RECEIPT, Reason.SAVED, "x", "FÄ-7", AnswerText(item="FÄ-7", action="SCRAP 2,5")), IDLE)
    assert "██  FÄ-7" in rows
    idle = screen(IdleState(station="s", stage="Fräsen 5", armed="REWORK Fräsen 5"), IDLE)
    assert "    REWORK Fräsen 5" in idle


@pytest.mark.parametrize("height", [12, 18, 24, 25, 30])
def test_whatever_the_height_the_words_about_what_was_saved_are_on_the_screen(height: int) -> None:
    shown = AnswerText(item="WO-1042", action="SCRAP 5", detail="Burr left on the inner edge", advice="-> Deburr next")
    rows = screen(Green(RECEIPT, Reason.SAVED, "x", "WO-1042", shown), IDLE, height=height)
    texts = "\n".join(rows)
    assert all(text in texts for text in ("Burr left on the inner edge", "-> Deburr next"))
    for text in ("SAVED", "WO-1042", "SCRAP 5"):
        drawn = big(text)
        assert any(text in row for row in rows) or all(any(part in row for row in rows) for part in drawn), text


def test_what_is_armed_is_large_with_its_reason_below() -> None:
    rows = screen(
        IdleState(station="s", stage="Saw", armed="SCRAP 2", armed_reason="Burr left", armed_stays=True), IDLE
    )
    texts = [row.strip() for row in rows]
    assert [row for text in ("SCRAP 2", "BURR LEFT") for row in big(text)] == [row[4:] for row in rows[2:13] if row]
    assert "card armed: SCRAP 2 Burr left, it stays" in texts


@example("\u202eWO\u2066\x1b[2J\u200b\x9b\n", 80, 25)
@given(st.text(max_size=300), st.integers(20, 120), st.integers(8, 40))
def test_whatever_was_scanned_the_screen_keeps_its_size_and_moves_no_cursor(text: str, width: int, height: int) -> None:
    shown = AnswerText(item=text, detail=text, advice=text)
    for news in (
        Green(RECEIPT, Reason.SAVED, text, text, shown),
        Red(Reason.NOT_SAVED, text),
        IdleState(text, nexts=(text,)),
    ):
        rows = screen(news, IdleState(station=text, operator=text, hub="hub ok", clock="14:05:32"), width, height)
        assert len(rows) == height
        assert not any(letter in "".join(rows) for letter in "\x1b\n\r\u202e\u2066\u200b\x9b")
        assert all(cells(row) <= width for row in rows)


def test_a_line_is_one_json_object_whose_numbers_are_the_receipts(tmp_path: Path) -> None:
    path = tmp_path / "answers"
    lines = open_output(Row("lines", str(path)))
    lines.show(Green(RECEIPT, Reason.SAVED, "saved: WO-1", "WO-1"), 7)
    lines.show(Red(Reason.NOT_SAVED, NOT_RECORDED), 8)
    lines.show(IDLE, 9)
    lines.close()
    assert path.read_bytes() == (
        b'{"state":"green","why":"saved","text":"saved: WO-1","log":"000102030405060708090a0b0c0d0e0f",'
        b'"seq":17,"code":"WO-1","boot_ns":7}\n'
        b'{"state":"red","why":"not_saved","text":"not recorded, scan again","log":null,"seq":null,"code":null,'
        b'"boot_ns":8}\n'
    )


def test_only_answers_with_a_receipt_can_carry_a_number() -> None:
    assert {kind.state: set(kind.__dataclass_fields__) for kind in (Green, Look)} == {
        State.GREEN: {"receipt", "why", "text", "code", "shown", "reader"},
        State.AMBER: {"receipt", "why", "text", "code", "shown", "reader"},
    }
    assert all("receipt" not in kind.__dataclass_fields__ for kind in (Notice, Red))


def test_lines_of_many_threads_never_mix(tmp_path: Path) -> None:
    path = tmp_path / "answers"
    lines = open_output(Row("lines", str(path)))
    answer = Green(RECEIPT, Reason.SAVED, "x" * 900, "WO-1")
    threads = [threading.Thread(target=lambda: [lines.show(answer, 1) for _ in range(200)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = path.read_bytes().splitlines()
    assert len(rows) == 800
    assert all(msgspec.json.decode(row)["seq"] == 17 for row in rows)


@pytest.mark.parametrize(
    ("kind", "path", "came"),
    [
        ("bell", None, "There is no signal of kind 'bell'."),
        ("lines", None, "A signal of kind 'lines' has no path."),
        ("console", "/nowhere/tty", "The terminal /nowhere/tty cannot be opened: No such file or directory."),
    ],
)  # fmt: skip
def test_a_signal_that_cannot_be_opened_says_why(kind: str, path: str | None, came: str) -> None:
    with pytest.raises(OutputError) as refused:
        open_output(Row(kind, path))
    assert refused.value.came == came
    assert str(refused.value) == f"{came} {refused.value.expected} {refused.value.do}"


@pytest.mark.host
def test_every_signal_keeps_the_port(tmp_path: Path) -> None:
    main, terminal = pty.openpty()
    rows = (
        Row("console", os.ttyname(terminal)), Row("gpio", lines=GpioLinesConfig(red=22)),
        Row("lines", str(tmp_path / "lines")),
        Row("sound", "null"),
    )  # fmt: skip
    assert kinds() == tuple(row.kind for row in rows)
    for kind, row in zip(kinds(), rows, strict=True):
        # No chip can be simulated here.
        signal = gpio.open_output(row, lambda *_, **__: Request()) if kind == "gpio" else open_output(row)
        assert signal.kind == kind
        for news, _ in SCREENS.values():
            signal.show(news, boot_ns())
            if kind == "console":
                assert os.read(main, 1 << 20)
        signal.close()
    os.close(main)
    os.close(terminal)


class Hanging:
    """A lamp that hangs until it is let go."""

    kind, quick = "lamp", False

    def __init__(self, fails: bool = False) -> None:
        self.go, self.shown, self._fails = threading.Event(), list[object](), fails

    def show(self, news: Answer | IdleState, boot_ns: int) -> None:  # noqa: ARG002 - the port's signature
        """Hang, then show or fail."""
        self.go.wait(10)
        if self._fails:
            raise OSError
        self.shown.append(news)

    def close(self) -> None:
        """Nothing is open."""


def test_a_hanging_signal_holds_nothing_up_and_shows_the_newest_when_it_comes_back(tmp_path: Path) -> None:
    lamp, failures = Hanging(), list[str]()
    lines = open_output(Row("lines", str(tmp_path / "lines")))
    voice = FeedbackDispatcher([lamp, lines], boot_ns, lambda signal, _error: failures.append(signal.kind))
    answers = [Red(Reason.NOT_SAVED, str(number)) for number in range(100)]
    for answer in answers:
        voice.dispatch(answer)
    assert len((tmp_path / "lines").read_bytes().splitlines()) == 100
    lamp.go.set()
    until(lambda: answers[-1] in lamp.shown)
    assert len(lamp.shown) < 25
    voice.close()
    assert failures == []


def test_a_failing_signal_is_told_and_stops_nothing(tmp_path: Path) -> None:
    lamp, failures = Hanging(fails=True), list[str]()
    lamp.go.set()
    lines = open_output(Row("lines", str(tmp_path / "lines")))
    voice = FeedbackDispatcher([lamp, lines], boot_ns, lambda signal, _error: failures.append(signal.kind))
    lines.close()  # its descriptor is gone: the quick one fails as well
    voice.dispatch(Red(Reason.NOT_SAVED, "x"))
    until(lambda: len(failures) == 2)
    assert sorted(failures) == ["lamp", "lines"]
