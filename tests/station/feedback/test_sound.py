"""The sound of a bench: tones that are what they promise, red always heard, no backlog, and devices that fail."""

import itertools
import math
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from station.config import OutputConfig as Row
from station.feedback.messages import Answer, AnswerForm, State, form_of
from station.feedback.outputs import OutputError, open_output
from station.feedback.outputs.alsa import LATENCY_S, library
from station.feedback.outputs.idle_state import IdleState
from station.feedback.outputs.priority_queue import MOST_WAITING, RANKS
from station.feedback.outputs.sound import PIECE_S, Sound
from station.feedback.outputs.sound import open_output as open_sound
from station.feedback.outputs.speech import MOST_WORD_S, WORDS, spoken, word_of
from station.feedback.outputs.tones import EDGE_S, MOST_TONE_S, RATE, REST_S, SAMPLE_BYTES, TONES, length_s, samples
from tests.station.fixtures.slow_outputs import OF, FakeSpeaker, Room, amber, green, red, stop
from tests.station.fixtures.station_process import Daemon

WHOLE = {form: samples(tone) for form, tone in TONES.items()}


def numbers(sound: bytes) -> list[int]:
    """The samples."""
    return list(struct.unpack(f"<{len(sound) // SAMPLE_BYTES}h", sound))


def beeps(wave: list[int]) -> list[list[int]]:
    """The parts of a sound that 20 ms of silence stand between."""
    found: list[list[int]] = []
    quiet = RATE // 50
    for silent, run in itertools.groupby(wave, key=lambda each: each == 0):
        part = list(run)
        if silent and len(part) >= quiet:
            found.append([])
        elif found:
            found[-1] += part
        else:
            found.append(part)
    return [each for each in found if each]


def strength(wave: list[int], hz: float) -> float:
    """How strong a frequency is in a sound (Goertzel)."""
    turn = 2 * math.cos(2 * math.pi * hz / RATE)
    one = two = 0.0
    for each in wave:
        one, two = each + turn * one - two, one
    return math.sqrt(max(0.0, one * one + two * two - turn * one * two)) / len(wave)


def pitch(wave: list[int]) -> int:
    """The strongest frequency between 300 and 2,000 Hz, by steps of 10."""
    middle = wave[len(wave) // 4 : 3 * len(wave) // 4][:2000]
    return max(range(300, 2001, 10), key=lambda hz: strength(middle, hz))


def heard(wave: list[int]) -> list[tuple[int, float]]:
    """Each beep's pitch, and its length to a hundredth of a second."""
    return [(pitch(beep), round(len(beep) / RATE, 2)) for beep in beeps(wave)]


@pytest.mark.parametrize("form", AnswerForm)
def test_a_tone_swells_and_fades_fits_16_bits_and_ends_in_a_rest(form: AnswerForm) -> None:
    wave = numbers(WHOLE[form])
    assert len(wave) <= MOST_TONE_S * RATE + 1
    assert max(map(abs, wave)) <= 0.8 * 32_767
    assert not any(wave[-round(REST_S * RATE) :])
    steepest = max(abs(b - a) for a, b in itertools.pairwise(wave))
    for beep in beeps(wave):
        first = beep[: round(EDGE_S * RATE / 8)]
        assert max(map(abs, first)) < 0.1 * max(map(abs, beep))  # no click at the start, none at the end
        assert max(map(abs, beep[-len(first) :])) < 0.1 * max(map(abs, beep))
        assert abs(beep[0]) < steepest / 10


def test_the_six_differ_in_rhythm_and_the_ranks_in_pitch() -> None:
    pitches = sorted({tone.hz for tone in TONES.values()})
    assert all(high / low > math.sqrt(2) for low, high in itertools.pairwise(pitches))
    assert (pitches[0] >= 500, pitches[-1] <= 1500) == (True, True)
    assert len({(RANKS[form], tone.hz) for form, tone in TONES.items()}) == len(pitches) == MOST_WAITING
    # Whoever hears no pitch: two tones have another number of beeps, or one beep is at least twice as long as the other's.
    for one, other in itertools.combinations(TONES.values(), 2):
        pairs = list(zip(one.beeps_s, other.beeps_s, strict=False))
        assert len(one.beeps_s) != len(other.beeps_s) or any(max(pair) >= 2 * min(pair) for pair in pairs)
        assert abs(length_s(one) - length_s(other)) >= 0.05


def test_what_a_cut_takes_away_of_a_tone_that_was_written_whole_is_its_rest() -> None:
    assert REST_S >= LATENCY_S


@pytest.mark.host
def test_the_library_plays_each_tone_as_it_was_promised_and_nothing_between_answers(tmp_path: Path) -> None:
    played = {}
    for form, answer in OF.items():
        path = tmp_path / form
        signal = open_output(Row("sound", f"file:FILE={path},FORMAT=raw"))
        signal.show(IdleState("saw-1"), 0)
        signal.show(answer, 0)
        signal.close()
        played[form] = numbers(path.read_bytes())
    assert {form: heard(wave) for form, wave in played.items()} == {
        AnswerForm.SAVED: [(1480, 0.12)],
        AnswerForm.TAKEN: [(1480, 0.06)] * 2,
        AnswerForm.LOOK: [(1030, 0.16)] * 2,
        AnswerForm.UNREAD: [(1030, 0.12), (1030, 0.36)],
        AnswerForm.STOP: [(720, 0.16)] * 3,
        AnswerForm.RED: [(500, 0.9)],
    }
    assert played == {form: numbers(whole) for form, whole in WHOLE.items()}


@pytest.mark.host
def test_answers_that_come_together_sound_one_behind_the_other_with_silence_between(tmp_path: Path) -> None:
    path = tmp_path / "played"
    signal = open_output(Row("sound", f"file:FILE={path},FORMAT=raw"))
    for answer in (red(), stop(), amber(), green()):
        signal.show(answer, 0)
    signal.close()
    one_behind_the_other = [(500, 0.9), *[(720, 0.16)] * 3, *[(1030, 0.16)] * 2, (1480, 0.12)]
    assert heard(numbers(path.read_bytes())) == one_behind_the_other


@pytest.mark.host
def test_words_are_rendered_once_and_said_behind_the_tone(tmp_path: Path) -> None:
    words = dict(spoken())
    assert set(words) == WORDS
    assert len(set(words.values())) == len(WORDS)
    assert all(0.1 * RATE < len(word) // SAMPLE_BYTES <= MOST_WORD_S * RATE for word in words.values())
    assert all(max(map(abs, numbers(word))) > 3000 for word in words.values())
    sound = Sound(words=True, speak=lambda: iter(words.items()))
    sound.learning.join(5)
    for answer, word in ((green(), "saved"), (amber(), "wait"), (stop(), "stop"), (red(), "scan again")):
        assert played_alone(sound, answer) == WHOLE[form_of(answer)] + words[word]
        assert word_of(answer) == word


def played_alone(sound: Sound, answer: Answer) -> bytes:
    """What is played where one answer comes alone."""
    room = Room((0, answer))
    speaker = FakeSpeaker(room)
    room.shown(lambda each: sound.perform(speaker, each, room.turns))
    assert speaker.calls == ["finish"]
    return bytes(speaker.played)


def test_without_espeak_the_tones_go_on_and_the_log_says_once_what_to_install() -> None:
    said: list[tuple[str, str]] = []
    sound = Sound(words=True, speak=lambda: spoken("espeak-nowhere"), say=lambda what, why: said.append((what, why)))
    sound.learning.join(5)
    assert [played_alone(sound, answer) for answer in OF.values()] == list(WHOLE.values())
    what, why = (
        "no words are spoken; the tones sound",
        (
            "espeak-nowhere is not installed here, so no word is spoken. Expected it for words = true; the tones sound all "
            "the same. Install it, then restart: sudo apt-get install espeak-ng"
        ),
    )
    assert said == [(what, why)]


@pytest.mark.parametrize(
    ("script", "came"),
    [
        ("exit 3", "returned non-zero exit status 3"),
        ("echo noise, noise, noise", "file does not start with RIFF id"),
        ("true", "EOFError()"),
        (
            r"printf 'RIFF\44\0\0\0WAVEfmt \20\0\0\0\1\0\2\0\104\254\0\0\20\261\2\0\4\0\20\0data\0\0\0\0'",
            "44100 samples",
        ),
    ],
)
def test_a_speaker_that_says_nonsense_is_told_and_not_played(tmp_path: Path, script: str, came: str) -> None:
    speaker = tmp_path / "speaker"
    speaker.write_text(f"#!/bin/sh\n{script}\n")
    speaker.chmod(0o755)
    with pytest.raises(OutputError) as refused:
        list(spoken(str(speaker)))
    assert refused.value.came.startswith(f"{speaker} did not speak 'already': ")
    assert came in refused.value.came


def seconds(*arrivals: tuple[float, Answer], words: float = 0) -> tuple[list[tuple[str, float, float]], FakeSpeaker]:
    """What was played: the text of each answer, when it began, and how many seconds of it came out."""
    room = Room(*arrivals)
    speaker = FakeSpeaker(room)
    word = bytes(round(words * RATE) * SAMPLE_BYTES)
    sound = Sound(words=True, speak=lambda: iter((each, word) for each in WORDS))
    sound.learning.join(5)
    took: list[float] = []

    def perform(answer: Answer) -> None:
        before = len(speaker.played)
        sound.perform(speaker, answer, room.turns)
        took.append(round((len(speaker.played) - before) / SAMPLE_BYTES / RATE, 2))

    began = room.shown(perform)
    return [(answer.text, at_s, took_s) for (at_s, answer), took_s in zip(began, took, strict=True)], speaker


def test_a_newer_answer_cuts_off_one_that_is_no_worse() -> None:
    found, speaker = seconds((0, green("a")), (0.05, green("b")), (0.1, red("c")))
    assert found == [("a", 0, 0.06), ("b", 0.06, 0.04), ("c", 0.1, 1.0)]
    assert speaker.calls == ["cut", "cut", "finish"]


def test_red_is_heard_to_its_end_before_what_is_better() -> None:
    found, speaker = seconds((0, red("a")), (0.1, green("b")))
    assert found == [("a", 0, 1.0), ("b", 1.0, 0.22)]
    assert speaker.calls == ["finish"]  # nothing of red that the device still holds is taken away


def test_a_word_makes_way_for_any_answer_and_is_left_out_where_one_waits() -> None:
    found, speaker = seconds((0, red("a")), (1.5, green("b")), words=2)
    assert (found, speaker.calls) == ([("a", 0, 1.5), ("b", 1.5, 2.22)], ["cut", "finish"])
    found, speaker = seconds((0, red("a")), (0.5, green("b")), words=2)
    assert (found, speaker.calls) == ([("a", 0, 1.0), ("b", 1.0, 2.22)], ["finish"])


def test_a_hundred_answers_behind_a_red_are_one_of_each_rank() -> None:
    many = [(0.001 * number, green(f"green {number}")) for number in range(1, 100)]
    found, speaker = seconds((0, red("red")), (0.2, amber("amber")), *many, (0.3, green("last")))
    assert found == [("red", 0, 1.0), ("amber", 1.0, 0.54), ("last", 1.54, 0.22)]
    assert speaker.room.most_waiting == 2


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 3000), st.sampled_from(list(OF.values()))), max_size=20))
def test_whatever_comes_the_last_red_is_heard_whole_and_nothing_piles_up(arrivals: list[tuple[int, Answer]]) -> None:
    found, speaker = seconds(*((at_ms / 1000, answer) for at_ms, answer in arrivals))
    assert speaker.room.most_waiting <= MOST_WAITING
    reds = [at_ms / 1000 for at_ms, answer in arrivals if answer.state is State.RED]
    if reds:
        assert any(text == red().text and took == 1.0 and at >= max(reds) for text, at, took in found)
    if arrivals:  # and the newest of all is heard, soon after the last of what was worse
        *_, (_, newest) = sorted(arrivals, key=lambda each: each[0])  # of equals, the one that came last
        assert found[-1][2] == round(len(WHOLE[form_of(newest)]) / SAMPLE_BYTES / RATE, 2)
        worst_s = sum(length_s(tone) + REST_S for tone in TONES.values())
        assert found[-1][1] <= max(at_ms for at_ms, _ in arrivals) / 1000 + worst_s + PIECE_S


@pytest.mark.host
def test_a_device_that_is_not_there_says_how_to_see_them() -> None:
    with pytest.raises(OutputError) as refused:
        open_output(Row("sound", "plughw:31"))
    assert str(refused.value) == (
        "The sound device 'plughw:31' cannot be opened: No such file or directory. Expected an ALSA device that is plugged "
        'in and that this user may open. See them: aplay -l (Debian package alsa-utils); name one: path = "plughw:0"; let '
        "the user in: sudo usermod -aG audio wipline"
    )


def test_without_the_library_it_says_what_to_install() -> None:
    with pytest.raises(OutputError) as refused:
        open_sound(Row("sound"), lambda: library("libnowhere.so.2"))
    assert str(refused.value) == (
        "The sound library libnowhere.so.2 is not installed here. Signals of kind 'sound' need it. Install it: sudo apt-get "
        "install alsa-utils; then see the sound cards: aplay -l"
    )


@pytest.mark.host
@pytest.mark.xdist_group("daemon")
def test_a_whole_station_sounds_as_it_answers(tmp_path: Path) -> None:
    played = tmp_path / "played"
    more = f'[[signal]]\nkind = "sound"\npath = "file:FILE={played},FORMAT=raw"\n'
    with Daemon(tmp_path, more) as daemon:
        daemon.start().scan("WO-1")
        daemon.answered(1)
        daemon.until(lambda: played.read_bytes() == WHOLE[AnswerForm.SAVED])
        daemon.scan("WIP:PAUSE")
        daemon.answered(2)
        daemon.until(lambda: played.read_bytes() == WHOLE[AnswerForm.SAVED] + WHOLE[AnswerForm.UNREAD])
        assert daemon.end() == 0
